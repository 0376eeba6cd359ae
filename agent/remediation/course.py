"""How far one change got, by what was logged about it: it is reported and closed in the log, however it ends."""

from agent.answer.diagnosis import State
from tools.clock import Clock
from tools.gate.ledger import AuditEvent, Entry, Log

_ENDS: dict[AuditEvent, AuditEvent] = {"approved": "stopped", "applying": "unanswered", "applied": "unmeasured"}
"""How an aborted change is closed, by its last log entry."""
_STATES: dict[AuditEvent, State] = {
    "applying": "failed", "unanswered": "failed", "failed": "failed", "applied": "applied", "unmeasured": "applied",
    "not-better": "applied", "worse": "applied", "verified": "verified", "rolled-back": "rolled-back",
}  # fmt: skip


class Course:
    """A log that tracks how far the current change has got."""

    def __init__(self, log: Log, clock: Clock) -> None:
        self._log, self._clock = log, clock
        self._last: Entry | None = None
        self._written = True

    def begin(self) -> None:
        """Start another change."""
        self._last = None

    def __call__(self, entry: Entry) -> None:
        """Write an entry. Raises `Unlogged`."""
        # Set before writing: what may have happened must never be reported as not having happened.
        self._last, self._written = entry, False
        self._log(entry)
        self._written = True

    @property
    def came_to(self) -> State | None:
        """The step's resulting state; null if nothing was sent."""
        return _STATES.get(self._last.event) if self._last else None

    def said(self, why: str) -> str:
        """What became of the change, in a line that begins with why it was aborted."""
        return f"{why}: {_said(self._last) if self._last else 'nothing was sent'}"

    def close(self, why: str) -> None:
        """Close it in the log if it was aborted. Raises `Unlogged`."""
        if self._last is not None and (closing := _ENDS.get(self._last.event)) is not None:
            now = self._clock.now().isoformat(timespec="milliseconds")
            self(self._last.model_copy(update={"event": closing, "why": why, "time": now}))
        elif self._last is not None and not self._written:
            self(self._last)


def _said(last: Entry) -> str:
    """What the last entry says about a change."""
    what, at = last.action, last.node
    if last.event in ("applying", "unanswered"):
        undo = " to undo the change" if last.restores else ""
        return f"{what} was sent to {at}{undo}, but no answer was read: check whether it took effect, don't assume"
    if last.event in ("applied", "unmeasured"):
        now = f"; it then read {last.after!r}" if last.after is not None else ""
        return f"{what} was applied on {at}{now}; whether it helped was not measured"
    if last.event == "rolled-back":
        return f"{what} was applied on {at}, which undid a change"
    if last.event in ("verified", "not-better", "worse"):
        return f"{what} was applied on {at} and measured: {last.why}"
    if last.event == "failed":
        return f"{at} refused {what}: {last.why}"
    return f"{what} was not sent"
