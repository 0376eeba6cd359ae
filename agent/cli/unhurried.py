"""A person who is asked may take any time: no deadline runs meanwhile."""

from agent.cli.hard_stop import GRACE, HardStop
from agent.remediation.approval import ApprovalRequest, Approver

CHANGES = 90.0
"""Seconds for a change with the looks before and after it, and for rolling it back if the server got worse."""


class Unhurried:
    """Asks like another approver while the deadline is paused; what is then approved has its own."""

    def __init__(self, approver: Approver, stop: HardStop, seconds: float = CHANGES) -> None:
        self._approver, self._stop, self._seconds = approver, stop, seconds

    async def approve(self, request: ApprovalRequest) -> bool:
        """Whether the person says yes."""
        with self._stop.person(self._seconds + GRACE):
            return await self._approver.approve(request)
