"""Migrations of whole slots: CLUSTER GETSLOTMIGRATIONS of Valkey (9.0), CLUSTER MIGRATION STATUS of Redis (8.4).

Redis' own reply and fields are from its documentation: no such server was at hand.
"""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from tools.connection.node import Node
from tools.connection.protocol import Command, ServerError
from tools.connection.shapes import whole_number
from tools.patterns import deferred
from tools.records import Values
from tools.server.info import Sample

SHOWN = 4
"""Migrations that are shown one by one, the newest first."""
MOST = 200
_VALKEY: Command = ("CLUSTER", "GETSLOTMIGRATIONS")
_REDIS: Command = ("CLUSTER", "MIGRATION", "STATUS", "ALL")
_ENDS = (
    ("success", "done"), ("completed", "done"), ("failed", "failed"), ("cancelled", "cancelled"),
    ("canceled", "cancelled"),
)  # fmt: skip
"""States that end a migration; with any other it continues."""
_REASONS = (
    ("memory", deferred(r"out of memory|\bOOM\b", re.IGNORECASE)),
    ("protocol", deferred(r"protocol error|invalid CRLF", re.IGNORECASE)),
    ("timeout", deferred(r"time[ds]?[ -]?out|no ack", re.IGNORECASE)),
    ("auth", deferred(r"\b(NOAUTH|NOPERM|WRONGPASS)\b|authenticat", re.IGNORECASE)),
    ("connection", deferred(r"connection|unable to connect|lost", re.IGNORECASE)),
)
"""Why it failed, by the words of its message: they may be the peer's."""

_SLOTS = deferred(r"[0-9]{1,5}(-[0-9]{1,5})?([ ,][0-9 ,-]{0,200})?")


class Migration(NamedTuple):
    """One migration, as reported by one of its two ends."""

    operation: str
    """export or import."""
    state: str
    """done, failed, cancelled, or running."""
    slots: str
    """Their ranges, as in "0-200 300-310"."""
    peer: str
    """Id of the node at the other end; empty if not reported."""
    reason: str
    """Of one that failed: memory, protocol, timeout, auth, connection or other; else empty."""
    begun: int
    """In seconds since 1970; 0 if not reported."""
    changed: int
    """When its state last changed, or it was last heard of; 0 if not reported."""
    retries: int


async def slot_migrations(node: Node, last: Sample, info: Mapping[str, Any], peers: Mapping[str, str]) -> Values:
    """What became of the migrations that this node took part in; empty if there never was one.

    `info` is CLUSTER INFO, `peers` gives an address by a node's id. One command, sent only where INFO shows that slots
    were moved (Valkey), or that the server knows such migrations (Redis).
    """
    flat = last.flat()
    if any(flat.get(f"total_net_cluster_slot_{way}_bytes") for way in ("import", "export")):
        asked = _VALKEY
    elif any(name.startswith("cluster_slot_migration_") for name in info):
        asked = _REDIS
    else:
        return {}
    (reply,) = await node.ask(asked)
    if isinstance(reply, ServerError):
        return {"migrations.unavailable": reply.kind or "unknown-command"}
    found = [one for row in reply[:MOST] if (one := parse_migration(row)) is not None] if reply else []
    found.sort(key=lambda one: -one.begun)
    now = int(last.seconds)
    values: Values = {"migrations": len(found), "migrations_failed": sum(one.state == "failed" for one in found)}
    for number, one in enumerate(found[:SHOWN], 1):
        at = f"migration{number}"
        values |= {
            f"{at}.operation": one.operation, f"{at}.state": one.state, f"{at}.slots": one.slots,
            f"{at}.peer": peers.get(one.peer, "unknown"), f"{at}.retries": one.retries,
            f"{at}.age": max(0, now - one.changed) if one.changed else None,
        }  # fmt: skip
        if one.reason:
            values[f"{at}.reason"] = one.reason
    return values


def parse_migration(row: Any) -> Migration | None:
    """A row of either reply; None for anything else."""
    if not isinstance(row, list) or len(row) % 2 or len(row) > 64:
        return None
    fields = {str(name): value for name, value in zip(row[::2], row[1::2], strict=True)}

    def text(*names: str) -> str:
        return next((str(fields[name]) for name in names if fields.get(name) not in (None, "")), "")

    def number(*names: str) -> int:
        return max((whole_number(text(name)) or 0 for name in names), default=0)

    if not text("state") or not text("operation"):
        return None
    operation = "import" if text("operation").lower() == "import" else "export"
    state = dict(_ENDS).get(text("state").lower(), "running")
    slots = text("slot_ranges", "slots")
    words = text("message", "last_error")
    reason = next((name for name, pattern in _REASONS if pattern.search(words)), "other")
    return Migration(
        operation=operation, state=state, slots=slots if _SLOTS.fullmatch(slots) else "unknown",
        peer=text("target_node", "dest") if operation == "export" else text("source_node", "source"),
        reason=reason if state == "failed" or (words and state == "running") else "", begun=number("create_time"),
        changed=number("last_update_time", "last_ack_time", "end_time", "start_time", "create_time"),
        retries=number("retries"),
    )  # fmt: skip
