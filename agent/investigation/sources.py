"""What an investigation is given: how it goes about it, and what it may look at besides the servers."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tools.records import BudgetLimits, Record

if TYPE_CHECKING:
    from agent.answer.diagnosis import Diagnosis
    from agent.answer.open_points import Pasted

    # Most investigations have none of them.
    from agent.investigation.baseline import Baseline
    from tools.host.local import Facts
    from tools.past.history import History
    from tools.record.replay import Replay

DEADLINE_CHECKS, DEADLINE_MODEL = 30.0, 180.0
"""Seconds for the whole, with the checks alone and with a model."""


@dataclass(frozen=True)
class Sources:
    """What an investigation may look at besides the servers."""

    facts: "Facts | None" = None
    """Facts of a host that this program can't log into."""
    log: str | None = None
    """Path of the named server's log, for a server that is dead; null to find it."""
    history: "History | None" = None
    """Where the past is kept; null for nowhere."""
    record: Path | None = None
    """Where the incident is written down; null for nowhere."""
    baseline: "Baseline | None" = None
    """A good day to compare with; null for none."""
    events: bool = True
    """Whether the investigation's own events are written down too."""
    pasted: "Pasted | None" = None
    """What was pasted, where that is what `replay` has; else null."""
    then: "Diagnosis | None" = None
    """The answer to what was pasted beside the servers; null where nothing was."""
    replay: "Replay | None" = None
    """A recording in the place of the servers and their machines; null for the real ones."""


class Options(Record):
    """How an investigation goes about it."""

    window: float = 2.0
    """Seconds between two samples."""
    deadline: float = DEADLINE_CHECKS
    """Seconds for the whole."""
    one_node: bool = False
    """Look at the named node only: no address that it tells is dialled, and none is given the password."""
    all_readings: bool = False
    """Whether the answer holds the readings of a large deployment's servers that are well, too."""
    budget: BudgetLimits = BudgetLimits()
    """What it may cost the deployment; each node after the first adds 40 commands."""
