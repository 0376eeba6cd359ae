"""Carrying out one approved change: the value is read again, changed, and read once more."""

from datetime import datetime, timedelta

from tools.clock import Clock
from tools.errors import GateError, Moved
from tools.gate.policy import Change, change
from tools.records import Record
from tools.server.config import read_config
from tools.server.link import ServerError
from tools.server.node import Node

VALID_FOR = timedelta(minutes=5)
"""How long an approval holds: the server that it was given for is changing."""


class Approval(Record):
    """A person's yes to one exact change. Only an approving channel makes one."""

    change: Change
    by: str
    """Who said yes."""
    channel: str
    """Through which channel."""
    expires: datetime


class Applied(Record):
    """A change that was made."""

    change: Change
    read_before: str | None
    """CONFIG SET: the value just before the change."""
    read_after: str | None
    """CONFIG SET: the value just after it, as the server prints it."""
    reply: str


class Gate:
    """Applies approved changes, each approval once."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._used: set[tuple[Change, datetime]] = set()

    def approve(self, wanted: Change, *, by: str, channel: str) -> Approval:
        """An approval, made now. For approving channels only: no tool reaches this."""
        return Approval(change=wanted, by=by, channel=channel, expires=self._clock.now() + VALID_FOR)

    async def apply(self, node: Node, wanted: Change, approval: Approval) -> Applied:
        """Make one change. Raises `GateError` (or `Moved`, `Forbidden`) before anything is sent, or if it's refused."""
        self._check(node, wanted, approval)
        before = await self._value(node, wanted)
        if wanted.parameter is not None and before != wanted.before:
            raise Moved(
                f"{wanted.parameter} is {before!r} now and was {wanted.before!r}; look again before changing it"
            )
        self._used.add((approval.change, approval.expires))
        reply = await node.change(wanted.args)
        if isinstance(reply, ServerError):
            raise GateError(f"{node.name} refused {wanted.action}: {node.handles.error(reply.text)}")
        return Applied(
            change=wanted, read_before=before, read_after=await self._value(node, wanted), reply=str(reply)
        )  # fmt: skip

    def _check(self, node: Node, wanted: Change, approval: Approval) -> None:
        if approval.change != wanted or wanted.node != node.name:
            raise GateError(f"the approval is for {approval.change.action} on {approval.change.node}, not for this")
        if self._clock.now() >= approval.expires:
            raise GateError(f"the approval of {wanted.action} ran out; approve it again")
        if (approval.change, approval.expires) in self._used:
            raise GateError(f"the approval of {wanted.action} was used already; approve it again")
        # Policy has the last word, whatever a change says of itself.
        change(wanted.node, wanted.args, wanted.before)

    async def _value(self, node: Node, wanted: Change) -> str | None:
        if wanted.parameter is None:
            return None
        value = (await read_config(node, [wanted.parameter])).get(wanted.parameter)
        return None if value is None else str(value)
