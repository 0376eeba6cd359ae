"""What an investigation proposes, written into the audit log along with what is done about it."""

from pathlib import Path

from agent.answer.events import Emit, Event, ProposalForbidden
from agent.investigation.investigation import Investigation
from tools.gate.apply import Stood
from tools.gate.ledger import (
    Ledger,
    Log,
    audit_path,
    change_entry,
    changes_path,
    forbidden_entry,
    stood_before,
    write_to_all,
)


class ForbiddenLog:
    """Passes events on, and notes which proposals policy forbade."""

    def __init__(self, emit: Emit) -> None:
        self.proposals: list[ProposalForbidden] = []
        self._emit = emit

    def __call__(self, event: Event) -> None:
        if isinstance(event, ProposalForbidden):
            self.proposals.append(event)
        self._emit(event)


def audit_log(path: Path | None) -> Ledger:
    """The audit log at a path, or at the default path."""
    return Ledger(path or audit_path())


def vouches(path: Path | None) -> Stood:
    """What the audit log vouches for: values that were set before a change it recorded."""
    return lambda change: stood_before(audit_log(path).trusted(), change)


def change_log(audit: Path | None, recording: Path | None) -> Log:
    """Where changes are logged: the audit log, and beside a recording what a later rollback needs."""
    return write_to_all(audit_log(audit), Ledger(changes_path(recording))) if recording else audit_log(audit)


def note_proposals(incident: Investigation, forbidden: ForbiddenLog, log: Log, noted: set[str] | None = None) -> None:
    """Log what was proposed and what was forbidden, except what was already `noted`. Raises `Unlogged`."""
    noted = set() if noted is None else noted
    for one in forbidden.proposals:
        if one.action not in noted:
            log(forbidden_entry(incident.clock, incident.node.name, one.action, one.why))
            noted.add(one.action)
    for step in incident.planned.steps:
        change = incident.planned.changes.get(step.id)
        if change is not None and (named := f"{step.id} {step.node} {change.action}") not in noted:
            log(change_entry(incident.clock, "proposed", change, why=step.why, step=step.id))
            noted.add(named)
