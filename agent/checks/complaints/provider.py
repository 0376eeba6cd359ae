"""What whoever runs a managed server says is wrong with it."""

from collections.abc import Iterator

from agent.checks.complaints.complaint import Complaint, complaint
from agent.checks.managed import PROVIDER, happened, who
from agent.checks.types import Limits
from agent.evidence.view import View

FAILED = {
    "backup-failed": ("backup-complete", "its last backup failed"),
    "node-type-failed": ("node-type-changed", "changing the type of its nodes failed"),
    "node-count-failed": ("node-count-changed", "changing the number of its nodes failed"),
}
"""By event: the one that takes it back, and what it means."""
BAD = ("incompatible-network", "incompatible-parameters", "create-failed", "restore-failed", "deleting")
LATELY = 900.0


def provider(view: View, limits: Limits) -> Iterator[Complaint]:
    """Its state, what failed and wasn't repeated, and what the log of the last minutes has."""
    if not view.get(PROVIDER, "source"):
        return
    if view.text(PROVIDER, "status") in BAD:
        yield complaint(f"{who(view)} says that its state is {view.text(PROVIDER, 'status')}", (PROVIDER, "status"))
    over: set[str] = set()
    for one in happened(view, "backup", "scaling"):
        takes_back, what = FAILED.get(one.event, ("", ""))
        if what and takes_back not in over:
            yield complaint(f"{who(view)} says that {what}", *one.cited())
        over |= {one.event, takes_back}
