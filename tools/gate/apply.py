"""Carrying out one approved change: what stands is read again, the change written down, made, and read once more."""

import contextlib
import secrets
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from tools.clock import Clock
from tools.connection.node import Node
from tools.connection.protocol import ServerError
from tools.errors import GateError, Moved, ToolError, Unanswered, Unlogged
from tools.gate.bounds import Room, check_room
from tools.gate.current_value import current_value
from tools.gate.ledger import AuditEvent, Log, change_entry
from tools.gate.policy import Change, allowed_change, canonical_name
from tools.records import Record

VALID_FOR = timedelta(minutes=5)
"""How long an approval holds: the server that it was given for is changing."""
LIMITED = ("maxclients", "maxmemory")
"""Parameters whose values the machine limits."""
ReadRoom = Callable[[str], Awaitable[Room]]
"""Looks at a node's machine and data, now."""


class Approval(Record):
    """A person's yes to one exact change. Only `Gate.approve` makes one that the gate takes."""

    change: Change
    """Node, command, value read before."""
    by: str
    """Who said yes."""
    channel: str
    """Through which channel."""
    expires: datetime
    step: str | None = None
    """The plan's step."""
    token: str
    """What nobody can make up."""


class Applied(Record):
    """A change that was made."""

    change: Change
    read_before: str | None
    """What stood just before the change."""
    read_after: str | None
    """CONFIG SET: the value just after it, as the server prints it; null where that couldn't be read."""
    reply: str


class Gate:
    """Applies approved changes, each approval once, and nothing that can't be written down first."""

    def __init__(self, clock: Clock, log: Log, look: ReadRoom) -> None:
        self._clock = clock
        self._log = log
        self._look = look
        self._given: dict[str, Approval] = {}
        self._used: set[str] = set()
        self._made: list[Applied] = []

    def approve(self, wanted: Change, *, by: str, channel: str, step: str | None = None) -> Approval:
        """An approval, made now and written down. For approving channels only: no tool reaches this."""
        approval = Approval(
            change=wanted, by=by, channel=channel, expires=self._clock.now() + VALID_FOR, step=step,
            token=secrets.token_hex(16),
        )  # fmt: skip
        self._note("approved", wanted, approval)
        self._given[approval.token] = approval
        return approval

    async def apply(self, node: Node, wanted: Change, approval: Approval) -> Applied:
        """Make one change. Raises `GateError` (or `Moved`, `Forbidden`, `Unlogged`) before it, or if it's refused."""
        try:
            self._check(node, wanted, approval)
            if wanted.parameter is not None and not wanted.restores and canonical_name(wanted.parameter) in LIMITED:
                check_room(canonical_name(wanted.parameter), wanted.args[3], await self._look(node.name))
            # Last of all, so that as little as can be happens between this and the change.
            before = await self._still(node, wanted)
        except (GateError, ToolError) as error:
            self._note("stopped", wanted, approval, why=str(error))
            raise
        self._used.add(approval.token)
        return await self._make(node, wanted, before, approval)

    async def roll_back(self, node: Node, applied: Applied, why: str, *, step: str | None = None) -> Applied:
        """Undo at once what this gate made itself: whoever approved the change was told that this may follow.

        Raises as `apply` does; `Forbidden` also where what stood before no longer has room, which takes a person.
        """
        restored = applied.change.reversal
        if applied not in self._made or restored is None:
            raise GateError(f"nothing takes back {applied.change.action} by itself")
        self._made.remove(applied)
        restored = restored.model_copy(update={"before": applied.read_after})
        name = canonical_name(restored.parameter or "")
        if name in LIMITED:
            check_room(name, restored.args[3], await self._look(node.name))
        approval = Approval(
            change=restored, by="rediagnose", channel="guard", expires=self._clock.now() + VALID_FOR, step=step,
            token=secrets.token_hex(16),
        )  # fmt: skip
        return await self._make(node, restored, await self._still(node, restored), approval, why=why)

    def _check(self, node: Node, wanted: Change, approval: Approval) -> None:
        # Policy has the first and the last word, whatever a change says of itself.
        if allowed_change(wanted.node, wanted.args, wanted.before, restores=wanted.restores) != wanted:
            raise GateError(f"{wanted.action} isn't the change that policy knows by it")
        if approval.change != wanted or wanted.node != node.name:
            raise GateError(f"the approval is for {approval.change.action} on {approval.change.node}, not for this")
        if approval.token in self._used:
            raise GateError(f"the approval of {wanted.action} was used already; approve it again")
        if self._given.get(approval.token) != approval:
            raise GateError(f"the approval of {wanted.action} wasn't given here; approve it")
        if self._clock.now() >= approval.expires:
            raise GateError(f"the approval of {wanted.action} ran out; approve it again")

    async def _still(self, node: Node, wanted: Change) -> str | None:
        before = await current_value(node, wanted)
        what = wanted.parameter or (f"client {wanted.client}" if wanted.client is not None else None)
        if what is not None and (before is None or before != wanted.before):
            now = "gone" if before is None else repr(before)
            raise Moved(f"{what} is {now} now and was {wanted.before!r}; look again before changing it")
        return before

    async def _make(self, node: Node, wanted: Change, before: str | None, by: Approval, why: str = "") -> Applied:
        self._note("applying", wanted, by, why=why)
        try:
            reply = await node.change(wanted.args)
        except Unanswered as error:
            self._note("unanswered", wanted, by, why=str(error))
            raise GateError(
                f"{wanted.action} was sent and not answered ({error}): whether it was made is to be read, not assumed"
            ) from None
        if isinstance(reply, ServerError):
            refused = node.pseudonyms.error(reply.text)
            self._note("failed", wanted, by, why=refused)
            raise GateError(f"{node.name} refused {wanted.action}: {refused}")
        after = None
        if wanted.parameter is not None:
            with contextlib.suppress(ToolError):
                after = await current_value(node, wanted)
        applied = Applied(
            change=wanted, read_before=before, read_after=after, reply=node.pseudonyms.plain("reply", str(reply))
        )
        self._made.append(applied)
        try:
            self._note("rolled-back" if wanted.restores else "applied", wanted, by, after=after)
        except Unlogged as error:
            raise Unlogged(
                f"{wanted.action} was made on {node.name}, and that can't be written down: {error}"
            ) from None
        return applied

    def _note(
        self, event: AuditEvent, wanted: Change, by: Approval, *, why: str = "", after: str | None = None
    ) -> None:  # fmt: skip
        self._log(
            change_entry(self._clock, event, wanted, why=why, user=by.by, channel=by.channel, step=by.step, after=after)
        )  # fmt: skip
