"""redis-cli's raw output: one value a line, and nothing that says where a list begins."""

import re
from typing import Any

from tools.host.directives import DIRECTIVES
from tools.paste.found import ELIDED, Found, of_reply
from tools.paste.lines import Lines
from tools.paste.prompts import Prompt
from tools.paste.replies import PARAMETER, identified
from tools.patterns import deferred

_DECIMAL = re.compile(r"\d{1,19}")
_UNIX = re.compile(r"1\d{9}")
_ADDRESS = deferred(r"(?:[\d.]{7,15}|\[?[0-9a-fA-F:.]{2,45}\]?|/[\w./-]{1,200}):\d{1,5}")
_EVENT = deferred(
    r"command(?:-unblocking)?|fast-command|fork|aof-[a-z-]{3,40}|rdb-[a-z-]{3,40}|expire-(?:cycle|del)|active-defrag-cycle|"
    r"eviction-(?:cycle|del|lazyfree)|while-blocked-cron|module-[A-Za-z-]{3,40}|unlink-[a-z-]{3,40}"
)
"""Names of LATENCY's events."""
_INSTANCE_KEY = deferred(r"[a-z][a-z-]{1,40}")
_REFUSAL_KEYS = frozenset(
    ("count", "reason", "context", "object", "username", "age-seconds", "client-info", "entry-id", "timestamp-created",
     "timestamp-last-updated")
)  # fmt: skip
_STATS_KEY = deferred(r"[a-z][A-Za-z0-9._-]{2,60}|db\.\d{1,5}")
_NUMBER = deferred(r"-?\d{1,19}(?:\.\d{1,20})?(?:e[+-]\d{1,3})?|nan|-?inf")
_WORDS = 48
"""Lines of one entry of a log at most: a server keeps 32 arguments of a command."""
_ENTRIES = 20_000


def raw(lines: Lines, at: int, above: Prompt | None) -> Found | None:
    """A list whose values stand one below the other."""
    first = lines[at].text.strip()
    asked = above.command if above else None
    if not first or " " in first or len(first) > 128:
        return None
    if _DECIMAL.fullmatch(first):
        if asked and asked[:2] == ("LATENCY", "HISTORY"):
            return _history(lines, at, above)
        return _slowlog(lines, at, above)
    if _EVENT.fullmatch(first) and _UNIX.fullmatch(lines[at + 1].text.strip()):
        return _latest(lines, at, above)
    if first == "peak.allocated" or (asked and asked[:2] == ("MEMORY", "STATS")):
        return _stats(lines, at, above)
    if first == "name" and lines[at + 2].text.strip() == "ip":
        return _records(lines, at, above, "name", ("SENTINEL",))
    if first == "count" and lines[at + 2].text.strip() == "reason":
        return _records(lines, at, above, "count", ("ACL", "LOG"))
    if first in ("master", "slave", "sentinel") and asked == ("ROLE",):
        return _role(lines, at, above)
    if PARAMETER.fullmatch(first):
        return _config(lines, at, above)
    return None


def _value(text: str) -> str | int:
    return int(text) if re.fullmatch(r"-?\d{1,18}", text) else text


def _slowlog(lines: Lines, at: int, above: Prompt | None) -> Found | None:
    rows: list[Any] = []
    cut = False
    while _begins_entry(lines, at) and len(rows) < _ENTRIES:
        head = [int(lines[one].text) for one in range(at, at + 3)]
        words: list[str] = []
        at += 3
        rest: list[str] = []
        while at < len(lines) and len(words) < _WORDS and not lines[at].fence:
            text = lines[at].text.strip()
            if _ADDRESS.fullmatch(text) and words:
                # Behind the client's address stands its name, which most don't have.
                named = not _begins_entry(lines, at + 1)
                rest, at = [text, lines[at + 1].text.strip() if named else ""], at + 1 + named
                break
            if words and _begins_entry(lines, at):
                break
            if not text and not words:
                break
            words.append(text)
            at += 1
        if not words:
            cut = True
            break
        if not rest and len(words) > 2 and words[-2:] == ["", ""]:
            # The server's own client has neither an address nor a name.
            words, rest = words[:-2], ["", ""]
        cut |= not rest
        rows.append([*head, words, *rest])
        while lines[at].blank and not lines[at].fence and at < len(lines) and _begins_entry(lines, at + 1):
            at += 1
    command = above.command if above and above.command and above.command[:2] == ("COMMANDLOG", "GET") else None
    found = identified(rows, command or ("SLOWLOG", "GET"), cut) if rows else None
    return of_reply(at, found, above) if found else None


def _begins_entry(lines: Lines, at: int) -> bool:
    if not _UNIX.fullmatch(lines[at + 1].text.strip()):
        return False
    return all(_DECIMAL.fullmatch(lines[at + one].text.strip()) for one in (0, 2)) and not lines[at + 3].blank


def _latest(lines: Lines, at: int, above: Prompt | None) -> Found | None:
    rows: list[Any] = []
    while _EVENT.fullmatch(name := lines[at].text.strip()) and _UNIX.fullmatch(lines[at + 1].text.strip()):
        figures: list[int] = []
        at += 1
        while len(figures) < 5 and _DECIMAL.fullmatch(text := lines[at].text.strip()):
            figures.append(int(text))
            at += 1
        rows.append([name, *figures])
    found = identified(rows, ("LATENCY", "LATEST"))
    return of_reply(at, found, above) if found else None


def _history(lines: Lines, at: int, above: Prompt | None) -> Found | None:
    rows: list[Any] = []
    while _UNIX.fullmatch(lines[at].text.strip()) and _DECIMAL.fullmatch(lines[at + 1].text.strip()):
        rows.append([int(lines[at].text), int(lines[at + 1].text)])
        at += 2
    found = identified(rows, above.command if above else None) if rows else None
    return of_reply(at, found, above) if found else None


def _stats(lines: Lines, at: int, above: Prompt | None) -> Found | None:
    values: list[Any] = []
    database: list[Any] | None = None
    while _STATS_KEY.fullmatch(name := lines[at].text.strip()):
        if name.startswith("db.") and _STATS_KEY.fullmatch(lines[at + 1].text.strip()):
            database = []
            values += (name, database)
            at += 1
            continue
        figure = lines[at + 1].text.strip()
        if not _NUMBER.fullmatch(figure):
            break
        if not name.startswith("overhead.hashtable"):
            database = None
        (values if database is None else database).extend((name, _value(figure)))
        at += 2
    found = identified(values, ("MEMORY", "STATS")) if len(values) > 3 else None
    return of_reply(at, found, above) if found else None


def _records(lines: Lines, at: int, above: Prompt | None, first: str, command: tuple[str, ...]) -> Found | None:
    """Records of names and values, each of which begins with the same name."""
    rows: list[Any] = []
    while at + 1 < len(lines) and not lines[at].blank:
        name = lines[at].text.strip()
        fitting = name in _REFUSAL_KEYS if command == ("ACL", "LOG") else _INSTANCE_KEY.fullmatch(name)
        if not fitting or lines[at].fence:
            break
        if name == first:
            rows.append([])
        value = lines[at + 1].text.strip()
        rows[-1] += (name, int(value) if name == "count" and _DECIMAL.fullmatch(value) else value)
        at += 2
    asked = above.command if above and above.command and above.command[: len(command)] == command else None
    whole: Any = rows[0] if asked and asked[:2] == ("SENTINEL", "MASTER") and rows else rows
    found = identified(whole, asked) if rows else None
    return of_reply(at, found, above) if found else None


def _role(lines: Lines, at: int, above: Prompt | None) -> Found | None:
    end = at
    while not lines[end].blank and end < at + 64:
        end += 1
    words: list[Any] = [_value(text.strip()) for text in lines.texts(at, end)]
    if words[0] == "master" and len(words) > 1:
        rest = [str(one) for one in words[2:]]
        words = [*words[:2], [rest[one : one + 3] for one in range(0, len(rest) - len(rest) % 3, 3)]]
    found = identified(words, ("ROLE",))
    return of_reply(end, found, above) if found else None


def _config(lines: Lines, at: int, above: Prompt | None) -> Found | None:
    """Parameters and values in turn. An empty value's line may be gone: then another name stands in its place."""
    asked = bool(above and above.command and above.command[:2] == ("CONFIG", "GET"))
    pairs: list[str] = []
    known = 0
    cut = False
    while at < len(lines) and not lines[at].fence and len(pairs) < 4000:
        name = lines[at].text.strip()
        if ELIDED.fullmatch(name) and pairs:
            cut, at = True, at + 1
            continue
        if not PARAMETER.fullmatch(name):
            break
        is_known = name in DIRECTIVES
        if not is_known and not asked and 2 * known < len(pairs) // 2 + 1:
            break
        value = lines[at + 1].text.strip() if not lines[at + 1].fence else ""
        if value in DIRECTIVES and ("-" in value or lines[at + 2].text.strip() not in DIRECTIVES):
            value, at = "", at - 1
        pairs += (name, value)
        known += is_known
        at += 2
    if not pairs or 2 * known < len(pairs) // 2 or (len(pairs) < 4 and not asked):
        return None
    found = identified(pairs, above.command if asked and above else ("CONFIG", "GET"), cut)
    return of_reply(min(at, len(lines)), found, above) if found else None
