"""What MONITOR printed: which commands came how often."""

import re
from collections import Counter

from tools.paste.found import Found
from tools.paste.lines import Lines
from tools.paste.prompts import Prompt
from tools.records import Values

_LINE = re.compile(
    r"\s{0,20}\+?(?P<at>1\d{9}\.\d{6}) \[\d{1,6} \S{1,120}\] \"(?P<command>[A-Za-z][\w.]{0,39})\"(?: [^\n]{0,8000})?"
)
MOST = 200_000


def monitored(lines: Lines, at: int, above: Prompt | None) -> Found | None:
    """MONITOR's lines. What commands carried isn't kept."""
    if '"' not in lines[at].text or not _LINE.match(lines[at].text):
        return None
    begin, times, counts = at, list[float](), Counter[str]()
    while at < len(lines) and not lines[at].fence and at - begin < MOST:
        if found := _LINE.match(lines[at].text):
            times.append(float(found["at"]))
            counts[found["command"].lower()] += 1
        elif lines[at].text.strip():
            break
        at += 1
    span = max(times) - min(times)
    shown = ", ".join(f"{count} {name.upper()}" for name, count in counts.most_common(8))
    text = f"MONITOR shows {len(times)} commands over {span:.1f} s: {shown}"
    values: Values = {"commands": len(times), "seconds": round(span, 3), **dict(counts.most_common(8))}
    return Found(at, "monitor", text, values=values, at=max(times), node=above.node if above else None)
