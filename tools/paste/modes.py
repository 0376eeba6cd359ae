"""What redis-cli prints in its modes: --bigkeys, --memkeys, --stat, --latency."""

import re
from collections.abc import Callable

from tools.paste.found import Found, hidden
from tools.paste.human import unescaped
from tools.paste.lines import Lines
from tools.paste.monitored import monitored
from tools.paste.prompts import Prompt
from tools.patterns import deferred
from tools.records import Values
from tools.redact import Pseudonyms

_KEYS = deferred(
    r"\s{0,200}(?:# Scanning the entire keyspace to find|"
    r"\[[\d.]{1,6}%\] (?:Biggest|Hot key|Sampled)|-{4,80} summary -{4,80}|"
    r"Sampled \d+ keys in the keyspace|Biggest\s+\w+\s+found )"
)
_KEYS_LINE = deferred(
    r"\s{0,200}(?:#.*|"
    r"\[[\d.]{1,6}%\] .*|-{4,80} summary -{4,80}|Sampled \d+ .*|Total key length.*|Biggest\s.*|hot key found.*|"
    r"\d{1,15} [\w.-]{1,40} with \d.*|Warning: .*|Keys sampled: .*|Keys size: .*|Top \d+ .*|\s*)"
)
_BIGGEST = re.compile(
    r"\s{0,200}(?:\[[\d.]+%\] )?"
    r"Biggest\s+(?P<type>[\w.-]{1,40})\s+found (?:so far )?'?(?P<key>.{1,2048}?)'? (?:has|with) "
    r"(?P<size>\d{1,19}) (?P<unit>\w+)\s*"
)
_SAMPLED = re.compile(r"\s{0,200}Sampled (?P<keys>\d{1,19}) keys in the keyspace")
_OF_TYPE = re.compile(r"\s{0,200}(?P<count>\d{1,19}) (?P<type>[\w.-]{1,40}?)s? with (?P<sum>\d{1,19}) (?P<unit>\w+) ")
_STAT_HEAD = deferred(r"\s{0,200}(?:-+ data -+ .*load.*|keys +mem +clients +blocked +requests +connections\s*)")
_STAT = re.compile(
    r"\s{0,200}(?P<keys>\d{1,19}) +(?P<mem>[\d.]{1,20}[BKMGT]?) +(?P<clients>\d{1,9}) +(?P<blocked>\d{1,9}) +"
    r"(?P<requests>\d{1,19}) \((?P<more>\+?-?\d{1,19})\) +(?P<connections>\d{1,19})(?: +(?P<child>\w.*))?\s*"
)
_UNITS = {"B": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
_LATENCY = re.compile(
    r"min: (?P<min>\d{1,9}), max: (?P<max>\d{1,9}), avg: (?P<avg>\d{1,9}\.\d{1,6}) \((?P<samples>\d{1,12}) samples\)"
)
_LATENCY_RAW = re.compile(r"\s{0,200}(?P<min>\d{1,7}) (?P<max>\d{1,7}) (?P<avg>\d{1,7}\.\d\d) (?P<samples>\d{1,9})\s*")
_INTRINSIC = re.compile(r"\s{0,200}Max latency so far: (?P<max>\d{1,12}) microseconds")
SLOW_MS = 10
"""Whole milliseconds from which a PING counts as slow."""
_RANGE = deferred(r"\s{0,200}-- \d{1,6}\.\d{1,3} seconds range.*")
_INTRINSIC_END = deferred(r"\s{0,200}(?:\d+ total runs \(avg latency.*|Worst run took .*)")
_TYPES = {"hashs": "hash", "streams": "stream", "strings": "string", "lists": "list", "sets": "set", "zsets": "zset"}


def big_keys(lines: Lines, at: int, above: Prompt | None) -> Found | None:
    """--bigkeys and --memkeys: the largest key of each type, by elements or by bytes."""
    if not _KEYS.match(lines[at].text):
        return None
    begin = at
    biggest: dict[str, tuple[str, int, str]] = {}
    values: Values = {}
    summary = False
    while at < len(lines) and not lines[at].fence and _KEYS_LINE.fullmatch(lines[at].text):
        text = lines[at].text
        if text.lstrip().startswith("# ") and at > begin + 4:
            break
        if found := _BIGGEST.fullmatch(text):
            kind = found["type"]
            biggest[kind] = (unescaped(found["key"].strip('"')), int(found["size"]), found["unit"])
        elif found := _SAMPLED.match(text):
            values["sampled"], summary = int(found["keys"]), True
        elif found := _OF_TYPE.match(text):
            kind = _TYPES.get(f"{found['type']}s", found["type"])
            values[f"{kind}.count"] = int(found["count"])
            values[f"{kind}.{'bytes' if found['unit'] == 'bytes' else 'length'}"] = int(found["sum"])
        at += 1
    if not biggest and not summary:
        return None
    names = Pseudonyms()
    for number, (kind, (key, size, unit)) in enumerate(sorted(biggest.items(), key=lambda one: -one[1][1])[:8], 1):
        values |= {
            f"k{number}.key": names.plain("key", key), f"k{number}.type": names.plain("type", kind),
            f"k{number}.{'bytes' if unit == 'bytes' else 'length'}": size,
        }  # fmt: skip
    return _found("bigkeys", lines, begin, at, above, values, not summary)


def stat(lines: Lines, at: int, above: Prompt | None) -> Found | None:
    """--stat: a line a second. The names are INFO's, `.rate` is at one line a second."""
    if not _STAT_HEAD.fullmatch(lines[at].text) and not _STAT.fullmatch(lines[at].text):
        return None
    begin = at
    rows: list[re.Match[str]] = []
    while at < len(lines) and not lines[at].fence:
        if found := _STAT.fullmatch(lines[at].text):
            rows.append(found)
        elif not _STAT_HEAD.fullmatch(lines[at].text):
            break
        at += 1
    if not rows:
        return None
    last = rows[-1]
    values: Values = {
        "keys": int(last["keys"]), "used_memory": _bytes(last["mem"]), "connected_clients": int(last["clients"]),
        "blocked_clients": int(last["blocked"]), "total_commands_processed": int(last["requests"]),
        "total_connections_received": int(last["connections"]), "lines": len(rows),
    }  # fmt: skip
    if len(rows) > 1:
        first = rows[0]
        for name, field in (("total_commands_processed", "requests"), ("total_connections_received", "connections")):
            values[f"{name}.rate"] = round((int(last[field]) - int(first[field])) / (len(rows) - 1), 3)
        values["used_memory.delta"] = _bytes(last["mem"]) - _bytes(first["mem"])
        values["keys.delta"] = int(last["keys"]) - int(first["keys"])
    return _found("stat", lines, begin, at, above, values, False)


def _bytes(text: str) -> int:
    unit = _UNITS.get(text[-1], 0)
    try:
        return int(float(text[:-1] if unit else text) * (unit or 1))
    except (ValueError, OverflowError):
        return 0


def latency(lines: Lines, at: int, above: Prompt | None) -> Found | None:
    """--latency and its kin, in milliseconds: the last figures, and the worst of all."""
    begin = at
    rows: list[re.Match[str]] = []
    worst_usec: int | None = None
    while at < len(lines) and not lines[at].fence:
        text = lines[at].text
        if "avg:" in text and (found := list(_LATENCY.finditer(text))):
            rows.append(found[-1])
        elif (raw := _LATENCY_RAW.fullmatch(text)) and int(raw["min"]) <= float(raw["avg"]) <= int(raw["max"]):
            rows.append(raw)
        elif worst := _INTRINSIC.match(text):
            worst_usec = int(worst["max"])
        elif rows and _RANGE.fullmatch(text):
            pass
        elif worst_usec is None or not (_INTRINSIC_END.fullmatch(text) or not text):
            break
        at += 1
    if not rows and worst_usec is None:
        return None
    values: Values = {}
    if rows:
        last = rows[-1]
        values = {
            "min_ms": float(last["min"]), "mean_ms": float(last["avg"]), "answered": int(last["samples"]),
            "max_ms": float(max(int(one["max"]) for one in rows)),
        }  # fmt: skip
        # It waits for each answer however long that takes, and says nothing of how many were slow.
        values["timeouts"] = 0
        if max(int(one["max"]) for one in rows) < SLOW_MS:
            values["over_10ms_share"] = 0.0
    if worst_usec is not None:
        values["intrinsic_max_ms"] = worst_usec / 1000
    return _found("latency-cli", lines, begin, at, above, values, False)


def _found(form: str, lines: Lines, begin: int, end: int, above: Prompt | None, values: Values, cut: bool) -> Found:
    text = hidden(lines.texts(begin, min(end, begin + 2000)))
    return Found(end, form, text, values=values, cut=cut, node=above.node if above else None)  # type: ignore[arg-type]


MODES: tuple[Callable[[Lines, int, Prompt | None], Found | None], ...] = (big_keys, stat, latency, monitored)
