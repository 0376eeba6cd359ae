"""Who uses the memory that isn't data, for a plan: the backlog, the fullest client, the tracking table."""

from agent.checks.types import Placeholder
from agent.evidence.view import View

OUTAGE = 60.0
"""Seconds of a replica's absence that its primary's backlog has to cover: the default of repl-timeout."""
LEAST_BACKLOG = 1 << 20
"""Bytes: the default of repl-backlog-size."""
WORTH = 0.75
"""Share of its size above which a smaller backlog gains too little."""
TABLE_SHARE = 4
"""One in this many tracked keys is kept: what is dropped is read again."""
_MIB = 1 << 20


def _backlog_target(view: View) -> tuple[str, ...]:
    """A smaller backlog, in bytes, that still covers an outage at the current rate; none if that gains little."""
    size, bridges = view.number("replication", "repl_backlog_size"), view.number("replication", "backlog_seconds")
    if not size or not bridges:
        return ()
    target = max(LEAST_BACKLOG, -(-size * OUTAGE / bridges // _MIB) * _MIB)
    return (f"{target:.0f}",) if target <= WORTH * size else ()


def _fullest_client(view: View) -> tuple[str, ...]:
    """The client whose buffers hold the most, with what."""
    held = [
        (size, field, what)
        for field, what in (("omem_max", "output"), ("qbuf_max", "input"), ("argv_mem_max", "arguments"))
        if (size := view.number("clients", field)) and size >= _MIB
    ]
    if not held:
        return ("the clients with the largest tot-mem in CLIENT LIST",)
    size, field, what = max(held)
    name, address = view.text("clients", f"{field}.name"), view.text("clients", f"{field}.address")
    by = f"{name} at {address}" if name else f"the client at {address}"
    return (f"{by} (id {view.text('clients', f'{field}.id')}, {size / _MIB:.0f} MiB of {what})",)


def _tracked_keys(view: View) -> tuple[str, ...]:
    """A limit for the client-side caching table, in keys, below its current size."""
    keys = view.number("info", "tracking_total_keys")
    return (f"{max(100, keys // TABLE_SHARE):.0f}",) if keys else ()


PLACEHOLDERS = (
    Placeholder(name="backlog_target", example="1048576", values=_backlog_target),
    Placeholder(
        name="fullest_client", example="orders at 10.0.0.7 (id 7, 30 MiB of output)", values=_fullest_client
    ),
    Placeholder(name="tracked_keys", example="25000", values=_tracked_keys),
)  # fmt: skip
