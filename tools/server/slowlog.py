"""SLOWLOG, or COMMANDLOG where that replaced it: what ran long on the server, or was large."""

from typing import Annotated, Any, Literal, NamedTuple

from pydantic import Field

from tools.connection.node import CLIENT_NAME, Node
from tools.connection.protocol import Command, ServerError
from tools.patterns import deferred
from tools.records import Values
from tools.server.command_keys import CONTAINERS, first_key
from tools.toolbox import reads

Log = Literal["slow", "large-request", "large-reply"]
MOST = 128
"""Entries that are read at most."""
LOGGED_ARGUMENTS = 32
"""Words of a command that the server keeps; the last one says how many more there were."""
FAR_BACK = 600
"""Seconds that the newest entries should reach back; if many come in less time, worse ones may be behind them."""
OF_THE_WORST = 8
"""How many of the shown entries are chosen for their cost instead of their age."""
_MORE = deferred(r"\.\.\. \(([0-9]{1,9}) more arguments\)")
REDACTED = "(redacted)"
"""What the server logs in place of a secret."""


class Entry(NamedTuple):
    """One entry of a log."""

    at: int
    """When it ended: the server's clock, in seconds."""
    cost: int
    """Microseconds, or bytes in the logs of large ones."""
    words: list[str]
    """The command as it was sent, cut by the server."""
    args: int
    """How many arguments it had, whatever was cut."""
    address: str
    name: str
    """Of the client."""


@reads
async def slowlog(
    node: Node,
    count: Annotated[int, Field(ge=1, le=64)] = 32,
    log: Log = "slow",
) -> Values:
    """Newest entries of the slow log, by command.

    Durations are in microseconds (`usec`, `max_usec`), sizes of the large ones in bytes (`bytes`, `max_bytes`), ages
    in seconds. `len` is the log's length; where the newest came within ten minutes, older ones are read as well, and
    the worst of all are among those that are shown. Per command: `<COMMAND>.count`, `.max_usec`, `.newest_age`; per
    entry, newest first, `e1.command`, `.subcommand`, `.usec`, `.age`, `.key` (its first key), `.args` (how many
    arguments; what they are stays on the server), `.client` (its address), `.name`. Entries of this program are left
    out and counted in `own`. The slow log counts wall-clock time, skips EXEC, and misses a process that was stopped.
    """
    source, rows, length, now = await _read(node, count, log)
    if any(is_own(row) for row in rows) and isinstance(length, int) and length > count:
        # If everything is logged, the newest entries are this program's.
        source, rows, length, now = await _read(node, MOST, log)
    clock = int(now[0]) if isinstance(now, list) else int(node.clock.now().timestamp())
    unit = "usec" if log == "slow" else "bytes"
    entries = _entries(rows)
    if (
        len(rows) == count
        and isinstance(length, int)
        and length > count
        and entries
        and clock - entries[-1].at < FAR_BACK
    ):
        rows = await _further_back(node, source, log) or rows
        entries = _entries(rows)
    values: Values = {
        "source": source, "len": None if isinstance(length, ServerError) else length, "entries": len(entries),
        "own": sum(map(is_own, rows)), f"max_{unit}": max((entry.cost for entry in entries), default=0),
    }  # fmt: skip
    kept = {id(entry) for entry in _worth_showing(entries, count)}
    number = 0
    for entry in entries:
        age = max(0, clock - entry.at)
        shown = described(node, entry)
        _tally(values, str(shown["command"]), f"max_{unit}", entry.cost, age)
        if id(entry) in kept:
            number += 1
            shown |= {unit: entry.cost, "age": age}
            values |= {f"e{number}.{field}": value for field, value in shown.items()}
    values["newest_age"] = max(0, clock - max(entry.at for entry in entries)) if entries else None
    return values


def _entries(rows: list[Any]) -> list[Entry]:
    return [entry for row in rows if (entry := parse_entry(row)) is not None and not is_own(row)]


def _worth_showing(entries: list[Entry], count: int) -> list[Entry]:
    """At most this many: the newest, and the worst of the others."""
    if len(entries) <= count:
        return entries
    newest = max(1, count - OF_THE_WORST)
    return [*entries[:newest], *sorted(entries[newest:], key=lambda entry: -entry.cost)[: count - newest]]


async def _further_back(node: Node, source: str, log: Log) -> list[Any]:
    """As many rows as may be read; empty if refused."""
    command: Command = ("SLOWLOG", "GET", MOST) if source == "SLOWLOG" else ("COMMANDLOG", "GET", MOST, log)
    (reply,) = await node.ask(command)
    return reply[:MOST] if isinstance(reply, list) else []


def is_own(row: Any) -> bool:
    """Whether a row of a log is of this program's own command."""
    return isinstance(row, list) and len(row) > 5 and row[5] == CLIENT_NAME


async def _read(node: Node, count: int, log: Log) -> tuple[str, list[Any], Any, Any]:
    """The log's name, its rows, its length and the server's clock. Raises `Unanswered` if it can't be read."""
    kind: tuple[str, ...] = () if log == "slow" else (log,)
    source = "COMMANDLOG" if kind else "SLOWLOG"
    rows, now = await node.ask((source, "GET", count, *kind), ("TIME",))
    if log == "slow" and isinstance(rows, ServerError) and rows.kind == "unknown-command":
        source, kind = "COMMANDLOG", (log,)
        rows, now = await node.ask((source, "GET", count, *kind), ("TIME",))
    read = node.value(rows)[:count]
    # A log shorter than what was requested was read completely.
    length = (await node.ask((source, "LEN", *kind)))[0] if len(read) == count else len(read)
    return source, read, length, now


def described(node: Node, entry: Entry) -> Values:
    """An entry's command, its first key and its client, in a form that may be shown."""
    command = entry.words[0].upper() if entry.words[0].isascii() else entry.words[0]
    shown: Values = {"command": node.pseudonyms.plain("command", command), "args": entry.args}
    if command in CONTAINERS and len(entry.words) > 1:
        shown["subcommand"] = node.pseudonyms.plain("subcommand", entry.words[1].upper())
    key = first_key(entry.words)
    if key is not None and key != REDACTED:
        shown["key"] = node.pseudonyms.plain("key", key)
    # A Unix socket's address is its path followed by :0.
    shown["client"] = node.pseudonyms.plain("address", entry.address.rpartition(":")[0])
    shown["name"] = node.pseudonyms.plain("client", entry.name)
    return shown


def _tally(values: Values, command: str, most: str, cost: int, age: int) -> None:
    values[f"{command}.count"] = int(values.get(f"{command}.count") or 0) + 1
    values[f"{command}.{most}"] = max(int(values.get(f"{command}.{most}") or 0), cost)
    old = values.get(f"{command}.newest_age")
    values[f"{command}.newest_age"] = age if not isinstance(old, int) else min(old, age)


def parse_entry(row: Any) -> Entry | None:
    """An entry of SLOWLOG GET or COMMANDLOG GET; None for what isn't one."""
    if not isinstance(row, list) or len(row) < 4 or not isinstance(row[3], list) or not row[3]:
        return None
    words = [str(word) for word in row[3]]
    args = len(words) - 1
    if len(words) == LOGGED_ARGUMENTS and (more := _MORE.fullmatch(words[-1])):
        args += int(more[1]) - 1
        words.pop()
    address, name = (str(row[4]), str(row[5])) if len(row) > 5 else ("", "")
    return Entry(at=int(row[1]), cost=int(row[2]), words=words, args=args, address=address, name=name)
