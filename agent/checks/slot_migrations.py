"""Migrations of whole slots (Valkey 9.0, Redis 8.4 and later) that fail, so that the slots stay where they were."""

from agent.checks.types import Found, Limits
from agent.evidence.view import Cited, View

LATELY, HOUR = 600.0, 3600.0
"""Seconds: a failure in the last minutes is what is reported now, one in the last hour may be."""
SILENT = 60.0
"""Seconds of silence from the other end after which a running one is stuck; heartbeats come every second."""
REASONS = {
    "memory": "the target node has no memory for them",
    "protocol": "the data that the target node reads is damaged on the way",
    "timeout": "the other end was silent for too long",
    "auth": "the two nodes refuse each other's login",
    "connection": "the connection between the two nodes is lost",
}


def failed_migration(view: View, limits: Limits) -> Found:
    """The newest migration failed or has stopped; the node the slots go to knows the reason best."""
    state, age = view.text("cluster", "migration1.state"), view.number("cluster", "migration1.age")
    failures = view.number("cluster", "migrations_failed") or 0
    cited: tuple[Cited, ...] = (
        ("cluster", "migration1.state"), ("cluster", "migration1.reason"), ("cluster", "migration1.slots"),
        ("cluster", "migration1.operation"), ("cluster", "migration1.peer"), ("cluster", "migration1.age"),
        ("cluster", "migrations_failed"),
    )  # fmt: skip
    if age is None or state not in ("failed", "running") or age > HOUR:
        return
    slots, peer = view.text("cluster", "migration1.slots"), view.text("cluster", "migration1.peer")
    importing = view.text("cluster", "migration1.operation") == "import"
    way = f"from {peer} to this node" if importing else f"from this node to {peer}"
    if state == "running":
        if age >= SILENT:
            why = f"Slots {slots} are being moved {way}, but there has been no sign of progress for {age:.0f} s."
            yield view.cause("open-slot", 0.6, why, *cited)
        return
    reason = view.text("cluster", "migration1.reason")
    because = f": {REASONS[reason]}" if reason in REASONS else ""
    times = f"the last of {failures:.0f} failures" if failures > 1 else "once"
    why = (
        f"Slots {slots} weren't moved {way}: the migration failed {age:.0f} s "
        f"ago ({times}){because}. They stay where they"
    )
    why += " were, and are served there."
    # The receiving end knows why: there it's reported with more certainty.
    known = 0.03 if importing and because else 0.0
    chance = 0.4 if age > LATELY else 0.9 if failures > 1 else 0.75
    yield view.cause("open-slot", chance + known, why, *cited)
