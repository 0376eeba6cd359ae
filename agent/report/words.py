"""Cited values in words: the name of a field from `field_words.txt`, and its value as people read it."""

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

from agent.answer.diagnosis import Evidence
from agent.report.quantities import UNITS, quantity, unit_of
from tools.patterns import deferred
from tools.records import Reading, Scalar

TABLE = Path(__file__).with_name("field_words.txt")
SYMPTOM = "r0"
REPORTED = "client_errors"
"""What was taken from the report: it has a line of its own."""
NOT_WORDS = ("series_ms", "locality", "omem_max.flags", "qbuf_max.flags")
"""Fields that mean nothing on their own."""
SPOKEN = ("largest_overhead", "paused_reason")
"""Fields whose values look like field names."""
OWNED = ("omem_max", "qbuf_max", "argv_mem_max", "monitor")
"""Fields of one client, which the reading names."""
WHO = ("name", "address", "client", "user", "key", "prefix", "slot", "group", "node")
"""Field suffixes that say whose the figures are, in the order in which they are stated."""
_ROW = deferred(r"((?:[a-z]+\d+\.)*[a-z]+\d+)\.(.+)")
_NAMED_ROW = deferred(r"(.+?)\.(\w+(?:\.delta|\.rate)?)")
_NAMED = {"log": "log", "kernel_log": "log", "pasted_log": "log", "sentinel": "log", "slowlog": "slowlog",
          "commandstats": "commandstats"}  # fmt: skip
"""Tools whose rows are named after an event or a command, and the part of the table with their fields."""
_LESS = deferred(r"^-(\S+(?: [KMGT]iB)?) more")
_OVER = deferred(r"over the window|a call$")
"""Words that already say that a figure covers the window."""
_ONE = deferred(r"(?<![\d.,])1 (\w+?)(ies|s)\b")
_SAMPLED = deferred(r"\.(delta|rate)$")
_SLOT = "\0"
_KINDS = {
    "timeout": "no answer in time", "refused": "connection refused", "reset": "connection reset",
    "dns": "its name can't be resolved", "tls": "TLS failed", "noauth": "wants a password",
    "wrongpass": "user or password rejected", "denied": "not permitted", "unknown-command": "unknown command",
    "maxclients": "refused because the client limit is reached", "protected": "refused by protected mode",
    "busy": "refused because a script is running", "loading": "refused because it is still loading",
    "misconf": "refused because saving fails", "not-pasted": "not pasted",
    "restarted": "the server restarted in the meantime",
}  # fmt: skip


class _Words(NamedTuple):
    yes: str
    no: str | None
    unit: str | None


def in_words(evidence: Sequence[Evidence], readings: Mapping[str, Reading]) -> list[str]:
    """What is cited: a phrase per field, or one for everything cited about one client, key or node."""
    phrases: dict[str, None] = {}
    rows: dict[tuple[str, str], list[Evidence]] = {}
    cited = [
        one for one in evidence
        if one.reading != SYMPTOM and one.verified and one.reading in readings and one.value is not None
        and one.field not in NOT_WORDS and readings[one.reading].tool != REPORTED
    ]  # fmt: skip
    for one in cited:
        if row := _row_of(readings[one.reading].tool, one.field):
            rows.setdefault((one.reading, row), []).append(one)
    told: set[tuple[str, str]] = set()
    for one in cited:
        reading = readings[one.reading]
        row = _row_of(reading.tool, one.field)
        if reading.said_by:
            phrases.setdefault(f"{reading.said_by} says (not measured) {one.field}: {one.value}", None)
        elif not row:
            phrases.setdefault(_phrase(reading, one.field, one.value), None)
        elif (one.reading, row) not in told:
            told.add((one.reading, row))
            phrases.setdefault(_row(reading, row, rows[one.reading, row]), None)
    return [phrase for phrase in phrases if phrase]


def timed_in_words(evidences: Iterable[Sequence[Evidence]], readings: Sequence[Reading]) -> list[str]:
    """Cited times: since when, for how long, how long ago."""
    by_id = {reading.id: reading for reading in readings}
    timed = [
        [
            one
            for one in evidence
            if (read := by_id.get(one.reading)) and _unit(read.tool, one.field) in ("seconds", "ago")
        ]
        for evidence in evidences
    ]
    return all_in_words([evidence for evidence in timed if evidence], readings)


def _unit(tool: str, field: str) -> str:
    row, base = _row_of(tool, field), _SAMPLED.sub("", field)
    if row and tool in _NAMED and _ROW.fullmatch(f"{row}.x") is None:
        tool, base = _NAMED[tool], f"x{base.removeprefix(row)}"
    words = _words(tool, base)
    return (words and words.unit) or unit_of(base)


def _row_of(tool: str, field: str) -> str:
    """The row that a field belongs to; empty if it belongs to none."""
    if (row := _ROW.fullmatch(field)) is None and tool in _NAMED:
        row = _NAMED_ROW.fullmatch(field)
    return row[1] if row and row[2] not in ("delta", "rate") else ""


def who(reading: Reading, row: str) -> str:
    """What a row of a reading is about: name and address, a key or a slot, as far as that was read."""
    values = reading.values or {}
    found = [values.get(f"{row}.{end}") for end in WHO]
    name, address, client, user, *others = [str(one) if one not in (None, "") else "" for one in found]
    whose = " at ".join(dict.fromkeys(part for part in (name or client, address) if part))
    # A handle denotes the same client as its address.
    rest = [f"user {user}" if user else "", *others]
    return ", ".join(part for part in (whose, *rest) if part)


def field_in_words(tool: str, field: str) -> str:
    """A field's name without its value."""
    words = _words(tool, _SAMPLED.sub("", field))
    text = words.yes.replace(_SLOT, "").replace("  ", " ").strip(" :") if words else ""
    return text or _spoken(field)


def _row(reading: Reading, row: str, cited: Sequence[Evidence]) -> str:
    is_numbered = _ROW.fullmatch(f"{row}.x") is not None
    noun = _title(reading.tool, row, is_numbered=is_numbered)
    whose = who(reading, row) if is_numbered else ""
    said = [
        _phrase(reading, one.field, one.value, row)
        for one in cited
        if not (is_numbered and one.field.rpartition(".")[2] in WHO)
    ]
    title = f"{noun} {whose}".strip()
    # In "keys whose names begin with `cart:`" a second colon after it would look like part of the name.
    title += "*" * title.endswith(":")
    return f"{title}: {', '.join(said)}" if said else title if whose else ""


def _title(tool: str, row: str, *, is_numbered: bool) -> str:
    if is_numbered:
        head = _words(tool, row)
        return head.yes if head else re.sub(r"\d", "", row.rpartition(".")[2])
    if _NAMED[tool] != "log":
        return row.upper().replace("|", " ")
    event = _words("events", row.lower())
    return event.yes if event else _spoken(row)


def _phrase(reading: Reading, field: str, value: Scalar, row: str = "") -> str:
    if field == "unavailable":
        return f"{_asked(reading.tool)}: {_KINDS.get(str(value), value)}"
    sampled, tool = _SAMPLED.search(field), reading.tool
    if row and _ROW.fullmatch(f"{row}.x") is None:
        tool, field = _NAMED[tool], f"x{field.removeprefix(row)}"
    base = _SAMPLED.sub("", field)
    words = _words(tool, field) or _words(tool, base)
    unit = (words and words.unit) or unit_of(field)
    if words and words.no is not None and (is_yes := _YES.get(value)) is not None:
        return words.yes if is_yes else words.no
    if unit in ("seconds", "ago") and isinstance(value, int | float) and value < 0:
        # Redis' own way of saying that there was none.
        return ""
    told = _spoken(str(value)) if field in SPOKEN else quantity(value, unit)
    if sampled and sampled[1] == "rate" and unit not in ("share", "ms", "kbps"):
        told = f"{told}/s"
    spoken = _spoken(base.removeprefix(f"{row}.").removeprefix("x.") if row else base)
    text = _ONE.sub(_singular, _filled(words.yes if words else spoken, told))
    if sampled and sampled[1] == "delta":
        text = _LESS.sub(r"\1 fewer", text)
        text += "" if _OVER.search(text) else f" over {_window(reading)}"
    owner = who(reading, field.removesuffix(".ids")) if field.removesuffix(".ids") in OWNED else ""
    return f"{text}, of {owner}" if owner else text


_YES: dict[Scalar, bool] = {True: True, False: False, "yes": True, "no": False}
"""Values that mean yes or no, including 1 and 0."""


def _singular(found: re.Match[str]) -> str:
    return "once" if found[0] == "1 times" else f"1 {found[1]}{'y' if found[2] == 'ies' else ''}"


def _filled(words: str, value: str) -> str:
    return words.replace(_SLOT, value) if _SLOT in words else f"{words} {value}"


def _window(reading: Reading) -> str:
    given = (reading.values or {}).get("window_seconds") or reading.args.get("window")
    if not isinstance(given, int | float):
        return "the window"
    return quantity(round(given) if given > 1.5 else given, "seconds")


def _asked(tool: str) -> str:
    words = _words(tool, "unavailable")
    return words.yes if words else _spoken(tool)


def _spoken(field: str) -> str:
    """A field's name as words."""
    return re.sub(r"[_.]+", " ", re.sub(r"(?<=[a-z])\d+(?=\.)", "", field)).strip()


@cache
def _words(tool: str, field: str) -> _Words | None:
    for section in (tool, ""):
        for pattern, words in _table().get(section, ()):
            if found := pattern.fullmatch(field):
                names = found.groups()
                name = names[-1] if names else ""
                return words._replace(yes=_with_name(words.yes, name), no=words.no and _with_name(words.no, name))
    # INFO also has the fields of its sections.
    return _plain_words().get(field)


@cache
def _plain_words() -> dict[str, _Words]:
    rows = [row for section, rows in _table().items() if section != "events" for row in rows]
    return {name: words for pattern, words in rows if "(" not in (name := re.sub(r"\\(.)", r"\1", pattern.pattern))}


def _with_name(words: str, name: str) -> str:
    return words.replace("*", name).replace("#", name)


@cache
def _table() -> dict[str, list[tuple[re.Pattern[str], _Words]]]:
    tables: dict[str, list[tuple[re.Pattern[str], _Words]]] = {}
    section = ""
    for line in TABLE.read_text("utf-8").splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif line and not line.startswith("# "):
            field, _, rest = line.partition(": ")
            tables.setdefault(section, []).append((_pattern(field), _parsed(rest)))
    # Literal entries take precedence over those with a placeholder.
    return {tool: sorted(rows, key=lambda row: r"(.+)" in row[0].pattern) for tool, rows in tables.items()}


def _pattern(field: str) -> re.Pattern[str]:
    pieces = {"#": r"(\d+)", "*": r"(.+)"}
    return re.compile("".join(pieces.get(piece) or re.escape(piece) for piece in re.findall(r"[#*]|[^#*]+", field)))


def _parsed(words: str) -> _Words:
    text, bar, unit = words.rpartition(" | ")
    if not bar or unit not in UNITS:
        text, unit = words, ""
    yes, parted, no = text.partition(" || ")
    return _Words(yes.replace("{}", _SLOT), no if parted else None, unit or None)


def all_in_words(evidences: Iterable[Sequence[Evidence]], readings: Sequence[Reading]) -> list[str]:
    """What several findings cite, each phrase only once."""
    by_id = {reading.id: reading for reading in readings}
    return list(dict.fromkeys(phrase for evidence in evidences for phrase in in_words(evidence, by_id)))
