"""COMMANDLOG's two other lists: the largest replies and the largest requests."""

from typing import Any

from tools.connection.node import Node
from tools.connection.protocol import Reply
from tools.records import Values
from tools.server.slowlog import described, is_own, parse_entry
from tools.toolbox import reads

LOGS = {"reply": "large-reply", "request": "large-request"}
MOST = 16
"""Most entries of each that are read."""
LATELY = 600
"""Seconds for which an entry counts as current."""


@reads
async def large_commands(node: Node) -> Values:
    """The largest reply and request of the last ten minutes (Valkey 8.1).

    For each of `reply` and `request`: `.count` of them stand in the log's newest 16 (those above
    commandlog-reply-larger-than and commandlog-request-larger-than, 1 MiB by default), and of the largest `.bytes`,
    `.age` (seconds), `.command`, `.key` (its first), `.client` (address) and `.name`.
    """
    *logs, now = await node.ask(*(("COMMANDLOG", "GET", MOST, log) for log in LOGS.values()), ("TIME",))
    clock = int(now[0]) if isinstance(now, list) else int(node.clock.now().timestamp())
    values: dict[str, Any] = {}
    for kind, rows in zip(LOGS, logs, strict=True):
        values |= {f"{kind}.{field}": value for field, value in _largest(node, node.value(rows), clock).items()}
    return values


def _largest(node: Node, rows: Reply, clock: int) -> Values:
    entries = [entry for row in rows[:MOST] if not is_own(row) and (entry := parse_entry(row)) is not None]
    recent = [entry for entry in entries if clock - entry.at <= LATELY]
    if not recent:
        return {"count": 0}
    largest = max(recent, key=lambda entry: entry.cost)
    shown = {field: value for field, value in described(node, largest).items() if field not in ("args", "subcommand")}
    return {"count": len(recent), "bytes": largest.cost, "age": max(0, clock - largest.at), **shown}
