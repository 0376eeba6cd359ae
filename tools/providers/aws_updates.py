"""Service updates of AWS: under way, or done not long ago. These functions block."""

from collections.abc import Mapping
from typing import Any

from tools.providers import names
from tools.providers.aws_calls import Calls
from tools.providers.aws_parts import some
from tools.providers.found import Event, Window
from tools.providers.pieces import Piece
from tools.records import Scalar

UNDER_WAY = ("in-progress", "stopping")
DONE = ("complete", "stopped")
STATES = [*UNDER_WAY, *DONE]


def cache_updates(calls: Calls, window: Window, **whom: list[str]) -> Piece:
    """Those of a cache of ElastiCache. Raises `Unanswered`."""
    answer = calls.read("elasticache", "DescribeUpdateActions", UpdateActionStatus=STATES, MaxRecords=50, **whom)
    rows = some(answer.get("UpdateActions"))
    return _piece(rows, window, status="UpdateActionStatus", severity="ServiceUpdateSeverity",
                  moment="UpdateActionStatusModifiedDate")  # fmt: skip


def cluster_updates(calls: Calls, window: Window, name: str) -> Piece:
    """Those of a cluster of MemoryDB, of which it says no moment: only what is under way counts.

    Raises `Unanswered`.
    """
    answer = calls.read("memorydb", "DescribeServiceUpdates", ClusterNames=[name], Status=["in-progress"],
                        MaxResults=50)  # fmt: skip
    return _piece(some(answer.get("ServiceUpdates")), window, status="Status", severity="", moment="")


def _piece(rows: list[Mapping[str, Any]], window: Window, *, status: str, severity: str, moment: str) -> Piece:
    facts: dict[str, Scalar] = {}
    events: list[Event] = []
    newest = 0.0
    for row in rows:
        state, name = names.name(row.get(status)), names.name(row.get("ServiceUpdateName"))
        at = names.moment(row.get(moment))
        is_under_way = state in UNDER_WAY
        if at is not None and window.events_begin <= at <= window.ends:
            events.append(Event(at, "patch", "update-under-way" if is_under_way else "update-done", name))
        elif not is_under_way:
            continue
        if is_under_way or (at or 0.0) >= newest:
            newest = float("inf") if is_under_way else at or 0.0
            facts = {"update.name": name, "update.status": state, "update.severity": names.name(row.get(severity)),
                     "update.age": None if at is None else round(window.moment - at)}  # fmt: skip
    return Piece(facts, events=tuple(events))
