"""Which command a reply belongs to, by its shape; and the reply without what doesn't fit, and without secrets."""

import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from tools.connection.protocol import MalformedReply, ServerError
from tools.connection.shapes import SHAPES, checked
from tools.host.directives import DIRECTIVES
from tools.paste.prompts import form_of
from tools.patterns import deferred
from tools.record.redaction import decoded, reply
from tools.redact import Pseudonyms

_UNIX = range(10**9, 10**10)
"""Unix times that a paste may tell."""
_ADDRESS = deferred(r"(?:[\d.]{7,15}|\[?[0-9a-fA-F:.]{2,45}\]?|[\w./-]{1,200}):\d{1,5}")
PARAMETER = deferred(r"[a-z][a-z0-9_.-]{1,63}")
_DATABASE = deferred(r"db\.\d{1,5}")
_DECIMAL = deferred(r"-?\d{1,19}")
_INSTANCES = (
    (("quorum", "num-slaves", "num-other-sentinels"), "MASTERS"),
    (("master-link-status", "slave-repl-offset", "master-host"), "REPLICAS"),
    (("voted-leader", "voted-leader-epoch"), "SENTINELS"),
)


class Reply(NamedTuple):
    """A reply that fits its command."""

    command: tuple[str, ...]
    reply: Any
    cut: bool


def identified(value: Any, command: tuple[str, ...] | None = None, cut: bool = False) -> Reply | None:
    """The reply for what it is: by the command, if a prompt shows one, else by its shape. None for anything else."""
    if command is None:
        command = by_shape(value)
    if command is None:
        return None
    return _fitting(command, value, cut)


def by_shape(value: Any) -> tuple[str, ...] | None:
    """The command that a list is a reply to, as far as its shape alone shows it."""
    if not isinstance(value, list) or not value:
        return None
    if any(isinstance(row, list) for row in value[:4]) and (found := _of_rows(value)):
        return found
    names = [name for name in value[::2] if isinstance(name, str)]
    if not names:
        return None
    known = set(names)
    if "peak.allocated" in known or {"total.allocated", "startup.allocated"} & known:
        return ("MEMORY", "STATS")
    if {"name", "ip", "port"} <= known and {"quorum", "num-slaves"} & known:
        return ("SENTINEL", "MASTER")
    if names[0] in ("master", "slave", "sentinel") and len(value) in (2, 3, 5) and _is_role(value):
        return ("ROLE",)
    texts = all(isinstance(one, str) for one in value)
    if texts and len(names) * 2 in (len(value), len(value) + 1) and all(map(PARAMETER.fullmatch, names)):
        return ("CONFIG", "GET") if 2 * sum(name in DIRECTIVES for name in names) >= len(names) else None
    return None


def _of_rows(rows: Sequence[Any]) -> tuple[str, ...] | None:
    """By the rows that a list has; the first of them may be cut."""
    for row in [one for one in rows[:4] if isinstance(one, list)][::-1]:
        known = {name for name in row[::2] if isinstance(name, str)}
        if {"reason", "context"} <= known:
            return ("ACL", "LOG")
        if {"slots", "nodes"} <= known:
            return ("CLUSTER", "SHARDS")
        if {"ip", "port"} <= known:
            names = (name for words, name in _INSTANCES if any(word in known for word in words))
            return ("SENTINEL", found) if (found := next(names, None)) else None
        if len(row) >= 4 and _is(row[:3], int, _time, int) and isinstance(row[3], list):
            return ("SLOWLOG", "GET")
        if len(row) >= 4 and _is(row[:4], str, _time, int, int):
            return ("LATENCY", "LATEST")
        if len(row) == 2 and _is(row, _time, int):
            return ("LATENCY", "HISTORY")
        if len(row) >= 3 and _is(row[:2], int, int) and isinstance(row[2], list):
            return ("CLUSTER", "SLOTS")
        if "calls" in known and "histogram_usec" in known:
            return ("LATENCY", "HISTOGRAM")
    return None


def _is(values: Sequence[Any], *kinds: type | Callable[[Any], bool]) -> bool:
    return len(values) == len(kinds) and all(
        (type(value) is kind if isinstance(kind, type) else kind(value))
        for value, kind in zip(values, kinds, strict=True)
    )


def _time(value: Any) -> bool:
    return isinstance(value, int) and value in _UNIX


def _is_role(value: Sequence[Any]) -> bool:
    return (
        _is(value, str, int, lambda one: isinstance(one, list))
        or (len(value) == 5 and _is(value, str, str, int, str, int))
        or _is(value, str, lambda one: isinstance(one, list))
    )


def _fitting(command: tuple[str, ...], value: Any, cut: bool) -> Reply | None:
    """The reply with what doesn't fit left out: rows that were cut, a name without its value."""
    name = "|".join(command[:2]).lower()
    shape = SHAPES.get(name) or SHAPES.get(command[0].lower())
    if isinstance(value, dict):
        return Reply(command, value, cut)
    if isinstance(value, list) and shape is not None:
        if command[:2] in (("SLOWLOG", "GET"), ("COMMANDLOG", "GET")):
            value = [_entry(row) for row in value]
        elif command[:2] == ("ACL", "LOG"):
            value = [_refusal(row) for row in value]
        elif command[:2] == ("MEMORY", "STATS"):
            value = [_database(one) for one in value]
        if not shape(value):
            rows = [row for row in value if isinstance(row, list) and shape([row])]
            value, cut = rows or (value[:-1] if len(value) % 2 else value), True
        cut = cut or _ends_early(value)
    return Reply(command, value, cut) if fits(command, value) else None


def _ends_early(value: Sequence[Any]) -> bool:
    """Whether the last row has less than the others, as where a paste ended within it."""
    rows = [row for row in value if isinstance(row, list)]
    return len(rows) > 1 and len(rows) == len(value) and len(rows[-1]) < min(map(len, rows[:-1]))


def fits(command: tuple[str, ...], value: Any) -> bool:
    """Whether a server says that to the command."""
    try:
        return not isinstance(checked(command, decoded(value)), MalformedReply)
    except ValueError:
        return False


def _entry(row: Any) -> Any:
    """A log's entry whose arguments have swallowed the client, where indentation didn't show their end."""
    if not isinstance(row, list) or len(row) != 4 or not isinstance(row[3], list):
        return row
    words = row[3]
    if len(words) == 6 and isinstance(words[4], str) and _ADDRESS.fullmatch(words[4]):
        return [*row[:3], words[:4], *words[4:]]
    return row


def _refusal(row: Any) -> Any:
    """An entry of ACL LOG with the age as text, which RESP3 has as a number."""
    if not isinstance(row, list):
        return row
    return [str(one) if isinstance(one, float) else one for one in row]


def _database(one: Any) -> Any:
    """MEMORY STATS' own lists are pairs of names and numbers."""
    return (
        [int(part) if isinstance(part, str) and _DECIMAL.fullmatch(part) else part for part in one]
        if isinstance(one, list)
        else one
    )


def without_secrets(command: tuple[str, ...], value: Any) -> Any:
    """The reply without secrets, as a recording has it, logged arguments among them."""
    return reply(command, decoded(value), Pseudonyms())


def error(text: str) -> dict[str, str]:
    """An error's JSON, without secrets and unprintable letters."""
    return {"error": Pseudonyms().hide(re.sub(r"[\x00-\x1f]+", " ", text.strip()))[:1024]}


def is_refusal(text: str) -> bool:
    """Whether an error means that something couldn't be read."""
    return ServerError(text).kind is not None


__all__ = ["Reply", "error", "fits", "form_of", "identified", "without_secrets"]
