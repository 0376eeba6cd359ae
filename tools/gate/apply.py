"""Carrying out one approved change: the value is read again, the change logged, sent, and its result read."""

import contextlib
import secrets
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from tools.clock import Clock
from tools.connection.node import Node
from tools.connection.protocol import ServerError
from tools.errors import Forbidden, GateError, Moved, ToolError, Unanswered, Unlogged
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
Stood = Callable[[Change], bool]
"""Whether a change puts back what stood there before a change that this program wrote down."""


class Approval(Record):
    """A person's yes to one exact change. Only `Gate.approve` makes one that the gate takes."""

    change: Change
    """Node, command, value read before."""
    by: str
    """Who approved it."""
    channel: str
    """Through which channel."""
    expires: datetime
    step: str | None = None
    """The plan's step."""
    token: str
    """Random, so that it can't be guessed."""


def as_new(change: Change) -> None:
    """Raise `Forbidden` where a value that is put back couldn't be set as a new one: nobody vouches that it stood."""
    try:
        allowed_change(change.node, change.args)
    except Forbidden as error:
        raise Forbidden(
            f"{error}; only a value that this program's audit log has for "
            f"{change.node} may be restored outside the bounds"
        ) from None


class Applied(Record):
    """A change that was made."""

    change: Change
    read_before: str | None
    """The value just before the change."""
    read_after: str | None
    """CONFIG SET: the value just after it, as the server prints it; null where that couldn't be read."""
    reply: str


def never_stood(change: Change) -> bool:
    """Vouch for nothing."""
    return False


class Gate:
    """Applies approved changes, each approval once, and nothing that can't be written down first."""

    def __init__(self, clock: Clock, log: Log, look: ReadRoom, stood: Stood = never_stood) -> None:
        """`stood` vouches for a value that is put back; where it doesn't, the bounds of a new value hold."""
        self._clock = clock
        self._log = log
        self._look = look
        self._stood = stood
        self._approvals: dict[str, Approval] = {}
        self._used: set[str] = set()
        self._applied: list[Applied] = []

    def approve(self, change: Change, *, by: str, channel: str, step: str | None = None) -> Approval:
        """An approval, made now and written down. For approving channels only: no tool reaches this."""
        approval = Approval(
            change=change, by=by, channel=channel, expires=self._clock.now() + VALID_FOR, step=step,
            token=secrets.token_hex(16),
        )  # fmt: skip
        self._note("approved", change, approval)
        self._approvals[approval.token] = approval
        return approval

    async def apply(self, node: Node, change: Change, approval: Approval) -> Applied:
        """Make one change. Raises `GateError` (or `Moved`, `Forbidden`, `Unlogged`) before it, or if it's refused."""
        try:
            self._check(node, change, approval)
            vouched = change.restores and self._is_known(change)
            if change.restores and not vouched:
                as_new(change)
            if change.parameter is not None and not vouched and canonical_name(change.parameter) in LIMITED:
                self._check_room(change, await self._look(node.name))
            # Last, so that as little as possible happens between this and the change.
            before = await self._unmoved_value(node, change)
        except (GateError, ToolError) as error:
            self._note("stopped", change, approval, why=str(error))
            raise
        self._used.add(approval.token)
        return await self._send(node, change, before, approval)

    async def roll_back(self, node: Node, applied: Applied, why: str, *, step: str | None = None) -> Applied:
        """Undo at once a change that this gate made: the person who approved it was warned of this.

        Raises as `apply` does, and `Forbidden` if the old value no longer fits: that needs a person.
        """
        restored = applied.change.reversal
        if applied not in self._applied or restored is None:
            raise GateError(f"{applied.change.action} can't be undone automatically")
        self._applied.remove(applied)
        restored = restored.model_copy(update={"before": applied.read_after})
        name = canonical_name(restored.parameter or "")
        if name in LIMITED:
            check_room(name, restored.args[3], await self._look(node.name), restores=True)
        approval = Approval(
            change=restored, by="rediagnose", channel="guard", expires=self._clock.now() + VALID_FOR, step=step,
            token=secrets.token_hex(16),
        )  # fmt: skip
        return await self._send(node, restored, await self._unmoved_value(node, restored), approval, why=why)

    def _check_room(self, change: Change, room: Room) -> None:
        name = canonical_name(change.parameter or "")
        check_room(name, change.args[3], room, restores=change.restores)

    def _is_known(self, change: Change) -> bool:
        """Whether what is put back stood there before: this gate changed it, or the audit log says so."""
        own = [one.change.reversal for one in self._applied if one.change.node == change.node]
        return any(one is not None and one.args == change.args for one in own) or self._stood(change)

    def _check(self, node: Node, change: Change, approval: Approval) -> None:
        # Policy has the first and the last word, whatever a change claims.
        if allowed_change(change.node, change.args, change.before, restores=change.restores) != change:
            raise GateError(f"{change.action} isn't the change that policy derives from it")
        if approval.change != change or change.node != node.name:
            raise GateError(f"the approval is for {approval.change.action} on {approval.change.node}, not for this")
        if approval.token in self._used:
            raise GateError(f"the approval of {change.action} has already been used; approve it again")
        if self._approvals.get(approval.token) != approval:
            raise GateError(f"the approval of {change.action} wasn't given here; approve it")
        if self._clock.now() >= approval.expires:
            raise GateError(f"the approval of {change.action} has expired; approve it again")

    async def _unmoved_value(self, node: Node, change: Change) -> str | None:
        before = await current_value(node, change)
        what = change.parameter or (f"client {change.client}" if change.client is not None else None)
        if what is not None and (before is None or before != change.before):
            now = "gone" if before is None else repr(before)
            raise Moved(f"{what} is {now} now but was {change.before!r}; look again before changing it")
        return before

    async def _send(self, node: Node, change: Change, before: str | None, by: Approval, why: str = "") -> Applied:
        self._note("applying", change, by, why=why)
        try:
            reply = await node.change(change.args)
        except Unanswered as error:
            self._note("unanswered", change, by, why=str(error))
            raise GateError(
                f"{change.action} was sent but not answered ({error}): check whether it took effect, don't assume"
            ) from None
        except BaseException:
            # Broken off, by Ctrl-C or what not: it may have been sent all the same.
            with contextlib.suppress(Unlogged):
                self._note("unanswered", change, by, why="interrupted before its answer was read")
            raise
        if isinstance(reply, ServerError):
            refused = node.pseudonyms.error(reply.text)
            self._note("failed", change, by, why=refused)
            raise GateError(f"{node.name} refused {change.action}: {refused}")
        event: AuditEvent = "rolled-back" if change.restores else "applied"
        try:
            after = await self._value_after(node, change)
        except BaseException:
            with contextlib.suppress(Unlogged):
                self._note(event, change, by)
            raise
        applied = Applied(
            change=change, read_before=before, read_after=after, reply=node.pseudonyms.plain("reply", str(reply))
        )
        self._applied.append(applied)
        try:
            self._note(event, change, by, after=after)
        except Unlogged as error:
            raise Unlogged(f"{change.action} was applied on {node.name}, but that can't be logged: {error}") from None
        return applied

    async def _value_after(self, node: Node, change: Change) -> str | None:
        if change.parameter is not None:
            with contextlib.suppress(ToolError):
                return await current_value(node, change)
        return None

    def _note(
        self, event: AuditEvent, change: Change, by: Approval, *, why: str = "", after: str | None = None
    ) -> None:  # fmt: skip
        self._log(
            change_entry(self._clock, event, change, why=why, user=by.by, channel=by.channel, step=by.step, after=after)
        )  # fmt: skip
