"""The output of the host script: what a machine says of itself, pasted beside what its server says."""

from tools.errors import UsageError
from tools.host.facts import FIRST_LINE, LINES_MOST, MOST, parse_facts
from tools.paste.found import Found
from tools.paste.lines import Lines
from tools.paste.prompts import Prompt

LAST_LINE = "@end "


def host_facts(lines: Lines, at: int, above: Prompt | None) -> Found | None:
    """The script's output, also quoted or indented; of one that isn't complete only why not, as its text.

    The script itself leaves secrets out. Line numbers and the like aren't taken off: its tables have such columns.
    """
    if lines[at].text.strip() != FIRST_LINE:
        return None
    prefix = _raw(lines, at).partition(FIRST_LINE)[0]
    taken = [FIRST_LINE]
    at += 1
    while at < len(lines) and len(taken) < LINES_MOST:
        text = _raw(lines, at).removeprefix(prefix)
        if text[:1] not in ("@", " ", ""):
            break
        taken.append(text)
        at += 1
        if text.startswith(LAST_LINE):
            break
    body = "\n".join(taken) + "\n"
    try:
        facts = parse_facts("the host script's output", body[:MOST].encode(errors="replace"))
    except UsageError as error:
        return Found(at, "host-facts", str(error), cut=True)
    return Found(at, "host-facts", body, at=facts.taken)


def _raw(lines: Lines, at: int) -> str:
    return lines.text[lines.start(at) : lines.start(at + 1) - 1].removesuffix("\r")
