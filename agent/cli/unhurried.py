"""A person who is asked takes the time that it takes: no deadline runs meanwhile."""

from agent.cli.hard_stop import GRACE, HardStop
from agent.remediation.approval import ApprovalRequest, Approver

CHANGES = 90.0
"""Seconds for a change with the looks before and after it, and for taking it back where the server got worse."""


class Unhurried:
    """Asks as another does, while the time stands still; what is approved then has its own."""

    def __init__(self, approver: Approver, stop: HardStop, seconds: float = CHANGES) -> None:
        self._approver, self._stop, self._seconds = approver, stop, seconds

    async def approve(self, request: ApprovalRequest) -> bool:
        """Whether the person says yes."""
        with self._stop.person(self._seconds + GRACE):
            return await self._approver.approve(request)
