"""The plan: remedies from the runbooks and the model's proposals, each classified, none carried out."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence

from agent.answer.diagnosis import Action, Cause, Goal, Step
from agent.evidence.view import Readings
from agent.plan.shell import sent_by_hand, ways
from agent.runbooks.library import Library
from agent.runbooks.placeholders import values_at
from agent.runbooks.remedy import Remedy
from tools.connection.node import Node
from tools.errors import Absent, Forbidden, ToolError, Unanswered
from tools.gate.advice import act_of, repeats
from tools.gate.equality import equal_values
from tools.gate.policy import Change, allowed_change, command_line, parse_command, refusal_of_advice
from tools.gate.proposals import Proposal, Proposals
from tools.patterns import deferred
from tools.records import Reading

UNVERIFIED = "Unverified advice of the model"
BY_HAND = "a manual step that the model adds"
KEPT_ELSEWHERE = (
    "Set {} to {} where this server's settings are kept (the provider's parameter group, or the server's own file): "
    "CONFIG is refused here"
)
_CLIENT = deferred(r"(?<![\w.:-])[\w.:-]{1,32} at (?=[\[:\d])")
"""A client's name before its address, as the checks write it."""
MOST = 8
"""Steps that a person can still take in."""


class Planned:
    """Steps and the changes that they'd make.

    A plan that replaces another keeps the steps that were acted on, under `done`, and the ids of the same steps.
    """

    def __init__(self, before: "Planned | None" = None) -> None:
        known = [*before.steps, *before.done] if before else []
        self.steps: list[Step] = []
        self.changes: dict[str, Change] = {}
        """The exact change of each step that can be applied from here, by the step's id."""
        self.done: list[Step] = [step for step in known if not step.is_open]
        self._open = {_same(step): step.id for step in known if step.is_open}
        self._last: int = before._last if before else 0

    def add(self, step: Step, change: Change | None = None) -> None:
        """Append a step unless the same action is there already."""
        if len(self.steps) >= MOST or (step.action, step.node) in [(one.action, one.node) for one in self.steps]:
            return
        if (id := self._open.get(_same(step))) is None:
            self._last += 1
            id = f"s{self._last}"
        numbered = step.model_copy(update={"id": id})
        self.steps.append(numbered)
        if change is not None:
            self.changes[numbered.id] = change

    def recall(self, steps: Iterable[Step]) -> None:
        """Take over a recorded plan. It allows nothing: no step of it has a change that could be applied."""
        self.steps = list(steps)
        self._last = max((int(step.id[1:]) for step in self.steps), default=0)


def _same(step: Step) -> tuple[str, str | None]:
    """What makes a step of a plan the same as one of the plan before: of what a person does, figures may differ."""
    return (step.action if step.needs_approval else re.sub(r"\d+", "#", step.action)), step.node


async def build(
    causes: Sequence[Cause], library: Library, readings: Sequence[Reading], nodes: Mapping[str, Node],
    proposals: Proposals, actions: Sequence[Action] = (), before: Planned | None = None,
) -> Planned:  # fmt: skip
    """Steps for the causes, most likely first, each at its cause's node, and for whatever else was proposed.

    A cause that names no node, and what the model adds, goes to the first of `nodes`. `before` is the plan until now.
    """
    planned = Planned(before)
    proposed = list(proposals.pending)
    first, deployment = next(iter(nodes.values())), Readings(readings)
    ids = {cause.id for cause in causes}
    for cause in causes:
        notes = library.notes(cause.id)
        node = nodes.get(cause.where or "", first)
        view = deployment.view(node.name)
        fitting = [one for one in notes.remedies if one.fits(cause.evidence, ids, view.fields)] if notes else []
        named = {name for one in fitting for name in one.placeholders}
        values = values_at(view, named)
        cli = ways(node.target, deployment)
        for remedy in (made for one in fitting for made in one.filled(values, cli)):
            if view.is_sentinel and remedy.kind != "outside":
                # What is set at a data node can't be set at the sentinel that found it.
                continue
            await _add(planned, remedy, cause, notes.avoid if notes else None, node, proposals)
    for proposal in proposed:
        checks = _checks(library, proposal.change.args, ids)
        reworded = proposal.model_copy(update={"why": _without_acts(proposal.why)})
        at = nodes.get(proposal.change.node, first)
        planned.add(_step(reworded, at, avoid=None, checks=checks), proposal.change)
    for action in sorted(actions, key=lambda one: one.kind == "outside"):
        if action.kind == "outside":
            _add_advice(planned, action, library, ids, first, proposals)
        else:
            await _add_proposed(planned, action, library, ids, first, proposals)
    return planned


def _add_advice(
    planned: Planned, action: Action, library: Library, causes: Collection[str], node: Node, proposals: Proposals
) -> None:
    """What a model would have a person do: refused in our words where nobody should, else shown as what it is."""
    if act := act_of(action.action):
        proposals.forbid(f"{BY_HAND}: {act[0]}", act[1])
        return
    for cause in causes:
        notes = library.notes(cause)
        if notes and repeats(action.action, notes.avoid):
            proposals.forbid(f"{BY_HAND}: the runbook of {cause} warns against it", notes.avoid)
            return
    advised = Step(
        id="s0", kind="outside", node=node.name, action=f"{UNVERIFIED}: {action.action}", why=_without_acts(action.why),
        risk="risky", needs_approval=False, verify=_without_acts(action.verify or "") or None, unverified=True,
    )  # fmt: skip
    planned.add(advised)


def _without_acts(text: str) -> str:
    """A model's reason, or nothing where it tells a person to do what nobody should."""
    return "" if act_of(text, urged=True) or refusal_of_advice(text) else text


async def _add_proposed(
    planned: Planned, action: Action, library: Library, causes: Collection[str], node: Node, proposals: Proposals
) -> None:  # fmt: skip
    """A step that the model would add: classified like any proposal, forbidden ones left out."""
    cause = Cause(id="", probability=0, where=node.name, why="", evidence=())
    try:
        checks = _checks(library, parse_command(action.action), causes)
        said = {"why": _without_acts(action.why), "verify": _without_acts(action.verify or "") or None}
        # Nothing is filled into what a model says, so a $ in it is a plain one.
        remedy = Remedy(kind=action.kind, action=action.action, why="", risk="risky", check=checks).model_copy(
            update=said
        )
        await _add(planned, remedy, cause, None, node, proposals, advised=True)
    except ValueError:
        # A quote that never ends: no command, so nothing that could be approved.
        proposals.forbid(action.action, "it isn't one command")


def _checks(library: Library, args: Sequence[str], causes: Collection[str]) -> tuple[Goal, ...]:
    """What shows that a proposed command worked: what a runbook says of the same one, with the value that it sets."""
    known = library.remedy(args, causes)
    own = {("config_get", args[2].lower()): {"value": args[3]}} if len(args) > 3 else {}
    goals = known.check if known else ()
    return tuple(goal.model_copy(update=own.get((goal.tool, goal.field))) for goal in goals)


def without_clients(action: str) -> str:
    """An action without the names of clients that it says: one that is called debug advises nothing."""
    return _CLIENT.sub("", action)


async def _add(
    planned: Planned, remedy: Remedy, cause: Cause, avoid: str | None, node: Node, proposals: Proposals,
    *, advised: bool = False,
) -> None:  # fmt: skip
    """A step of a remedy; `advised` says that it's a model's and no runbook's."""
    action = remedy.action
    if remedy.kind == "outside":
        said = without_clients(action)
        if why := next(filter(None, map(refusal_of_advice, (said, *remedy.lines))), None):
            proposals.forbid(action, why)
            return
        planned.add(_outside(remedy, action, cause, avoid, node))
        return
    args = parse_command(action)
    try:
        allowed = allowed_change(node.name, args)
        if not advised and _is_set_already(planned, allowed):
            return
        if not node.held:
            raise ToolError("there is no open connection to send it through")
        proposal = await proposals.propose(node, args, remedy.why)
    except Forbidden as error:
        proposals.forbid(command_line(args[:4]), str(error))
        return
    except Absent as error:
        # This version has no such parameter, or the client is gone: there is nothing to do.
        if advised:
            proposals.forbid(command_line(args[:4]), str(error))
        return
    except ToolError as error:
        if refused := isinstance(error, Unanswered) and error.kind == "unknown-command":
            if allowed.parameter is None:
                # Neither the server nor the proxy before it has that command, so nobody can send it.
                return
            action = KEPT_ELSEWHERE.format(allowed.parameter, args[3])
        # A paste needn't have the value that stood there.
        is_plain = refused or (isinstance(error, Unanswered) and error.kind == "not-pasted" and not advised)
        by_hand = action if is_plain else f"{allowed.action if advised else action} (by hand: {error})"
        by_hand = f"{UNVERIFIED}: {by_hand}" if advised else by_hand
        # A node that another one named and that was never logged in to may be anybody's.
        is_strange = node.target.named_from is not None and node.target.has_credentials and node.auth is None
        paste = () if refused or is_strange else (sent_by_hand(node.target, allowed.args),)
        pasted = remedy.model_copy(update={"paste": paste})
        planned.add(_outside(pasted, by_hand, cause, avoid, node).model_copy(update={"unverified": advised}))
        return
    change = proposal.change
    if change.parameter is None or not equal_values(change.parameter, args[3], change.before):
        planned.add(_step(proposal, node, remedy, avoid=avoid, checks=remedy.check), change)


def _is_set_already(planned: Planned, change: Change) -> bool:
    """Whether a likelier cause's step sets the same parameter, to which a second one would put another value."""
    # Of the output limits each command sets one class of clients.
    part = change.args[3].split()[:1] if change.parameter == "client-output-buffer-limit" else []
    return change.parameter is not None and any(
        (one.node, one.parameter) == (change.node, change.parameter) and one.args[3].split()[: len(part)] == part
        for one in planned.changes.values()
    )


def _step(
    proposal: Proposal, node: Node, remedy: Remedy | None = None, *, avoid: str | None, checks: Sequence[Goal] = ()
) -> Step:  # fmt: skip
    change = proposal.change
    undo = change.undo
    return Step(
        id="s0", kind="config_set" if change.parameter else "command", node=change.node, action=change.action,
        before=change.before, after=change.args[3] if change.parameter else None, why=proposal.why, risk=change.risk,
        needs_approval=True, rollback=command_line(undo) if undo else None, avoid=avoid,
        verify=remedy.verify if remedy else None, shown_by=remedy.shown_by if remedy else (),
        paste=(sent_by_hand(node.target, change.args),), login=node.target.has_credentials,
        checks=tuple(checks), unchecked=proposal.unchecked,
    )  # fmt: skip


def _outside(remedy: Remedy, action: str, cause: Cause, avoid: str | None, node: Node) -> Step:
    asks = any("redis-cli" in line for line in remedy.lines)
    return Step(
        id="s0", kind="outside", node=cause.where, action=action, why=remedy.why, risk=remedy.risk,
        needs_approval=False, rollback=remedy.rollback, verify=remedy.verify, avoid=avoid, paste=remedy.paste,
        shown_by=remedy.shown_by, login=asks and node.target.has_credentials,
    )  # fmt: skip
