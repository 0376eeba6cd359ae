"""Proposals: recorded, classified, and nothing more."""

from collections.abc import Callable
from typing import Annotated

from pydantic import Field

from tools.connection.node import Node
from tools.errors import Absent, Forbidden, ToolError, Unanswered
from tools.gate.bounds import Room, check_room
from tools.gate.current_value import current_value
from tools.gate.policy import Change, allowed_change, canonical_name, command_line, spellings
from tools.records import Record, Values
from tools.redact import hide_secrets
from tools.server.config import read_config
from tools.toolbox import proposes

ACTION_MOST, REFUSED_MOST = 200, 20
"""Characters of a refused proposal, and how many of them are reported."""


class Proposal(Record):
    """A change that somebody proposed and nobody approved."""

    change: Change
    why: str
    unchecked: str | None = None
    """What couldn't be checked."""


def _unknown_room(node: str) -> Room:
    return Room()


class Proposals:
    """The list of proposals. It can't approve or apply any."""

    def __init__(
        self, on_forbidden: Callable[[str, str], None], room: Callable[[str], Room] = _unknown_room
    ) -> None:  # fmt: skip
        """`room` gives what is known of a node's machine and data."""
        self.pending: list[Proposal] = []
        self.refused: dict[str, str] = {}
        """What was proposed and isn't offered to anybody, and why."""
        self._on_forbidden = on_forbidden
        self._room = room

    def forbid(self, action: str, why: str) -> None:
        """Note that a proposal was refused; reported once, in one line, without secrets."""
        action = " ".join(hide_secrets(action).split())[:ACTION_MOST]
        if action not in self.refused and len(self.refused) < REFUSED_MOST:
            self.refused[action] = why
            self._on_forbidden(action, why)

    def withdraw(self, why: str) -> None:
        """Refuse what was proposed so far: its author turned out to be wrong."""
        for proposal in self.pending:
            self.forbid(proposal.change.action, why)
        self.pending.clear()

    async def propose(self, node: Node, args: tuple[str, ...], why: str) -> Proposal:
        """A proposal with the value read now. Raises `Forbidden`, or `Unanswered` where the value can't be read."""
        try:
            change = allowed_change(node.name, args)
            unchecked = None
            if change.parameter is not None:
                unchecked = check_room(canonical_name(change.parameter), change.args[3], self._room(node.name))
            change = await self._with_current_value(node, change)
        except Forbidden as error:
            self.forbid(command_line(args[:4]), str(error))
            raise
        proposal = Proposal(change=change, why=why, unchecked=unchecked)
        if proposal.change not in [known.change for known in self.pending]:
            self.pending.append(proposal)
        return proposal

    async def _with_current_value(self, node: Node, change: Change) -> Change:
        """The change with its current value, under this server's name for the parameter."""
        if change.parameter is not None:
            names = spellings(change.parameter)
            known = await read_config(node, names)
            if (name := next((name for name in names if name in known), None)) is None:
                raise Absent(f"{node.name} has no parameter {names[0]!r}; propose one that CONFIG GET shows")
            args = ("CONFIG", "SET", name, change.args[3])
            return change.model_copy(update={"args": args, "before": str(known[name])})
        if not node.held:
            raise Unanswered("timeout", f"there is no open connection to {node.name} to send {change.action} through")
        before = await current_value(node, change)
        if change.client is not None and before is None:
            raise Absent(f"{node.name} has no client {change.client}; look at clients again")
        return change.model_copy(update={"before": before})


@proposes
async def propose_config_set(
    node: Node,
    proposals: Proposals,
    parameter: Annotated[str, Field(max_length=64)],
    value: Annotated[str, Field(max_length=256)],
    why: Annotated[str, Field(max_length=400, description="For the person who decides")],
) -> Values:
    """Propose one CONFIG SET; a person decides. Nothing is changed.

    Gives the value read before, the risk class and the rollback. Forbidden parameters are refused with the reason.
    """
    try:
        proposal = await proposals.propose(node, ("CONFIG", "SET", parameter, value), why)
    except Forbidden as error:
        raise ToolError(str(error)) from None
    undo = proposal.change.undo
    return {
        "action": proposal.change.action, "before": proposal.change.before, "after": value,
        "risk": proposal.change.risk, "rollback": command_line(undo) if undo else None, "state": "proposed",
        "unchecked": proposal.unchecked,
    }  # fmt: skip
