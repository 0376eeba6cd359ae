"""The inputs of an investigation: how it proceeds, and what it may look at besides the servers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tools.records import BudgetLimits, Record

if TYPE_CHECKING:
    from agent.answer.diagnosis import Diagnosis
    from agent.answer.open_points import Pasted

    # Most investigations have none of them.
    from agent.investigation.baseline import Baseline
    from tools.gate.ledger import Entry
    from tools.host.local import Facts
    from tools.kubernetes.reading import Cluster
    from tools.mcp.server import McpServer
    from tools.past.history import History
    from tools.providers.reading import Managed
    from tools.record.replay import Replay

DEADLINE_CHECKS, DEADLINE_MODEL = 30.0, 180.0
"""Seconds for the whole, with the checks alone and with a model."""


@dataclass(frozen=True)
class Sources:
    """What an investigation may look at besides the servers."""

    facts: "Facts | None" = None
    """Facts about a host that this program can't log into."""
    kubernetes: "Cluster | None" = None
    """Where the named server runs, if Kubernetes may be asked; null for nowhere."""
    provider: "Managed | None" = None
    """Who runs the named server, if that one's own interface may be asked; null for nobody."""
    log: str | None = None
    """Path of the named server's log, for a dead server; null to find it."""
    history: "History | None" = None
    """Where the history is kept; null for none."""
    mcp: "tuple[McpServer, ...]" = ()
    """A team's own servers that a model may ask."""
    record: Path | None = None
    """Where the incident is recorded; null for nowhere."""
    baseline: "Baseline | None" = None
    """A good day to compare with; null for none."""
    changes: "Callable[[], Sequence[Entry]] | None" = None
    """What this program itself changed lately, by its audit log; null for nothing."""
    events: bool = True
    """Whether the investigation's own events are recorded too."""
    pasted: "Pasted | None" = None
    """What was pasted, where that is what `replay` has; else null."""
    then: "Diagnosis | None" = None
    """The answer to what was pasted beside the servers; null where nothing was."""
    replay: "Replay | None" = None
    """A recording in place of the servers and their machines; null for the real ones."""


class Options(Record):
    """How an investigation proceeds."""

    window: float = 2.0
    """Seconds between two samples."""
    deadline: float = DEADLINE_CHECKS
    """Seconds for the whole."""
    one_node: bool = False
    """Look only at the named node: no address that it names is dialled or sent the password."""
    all_readings: bool = False
    """Whether the answer also contains the readings of a large deployment's healthy servers."""
    budget: BudgetLimits = BudgetLimits()
    """What it may cost the deployment; each node after the first adds 40 commands."""
