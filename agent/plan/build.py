"""The plan: remedies from the runbooks and proposals from the model, each classified, none carried out."""

from collections.abc import Collection, Mapping, Sequence

from agent.answer.diagnosis import Action, Cause, Dropped, Goal, Step
from agent.evidence.managed import service_of
from agent.evidence.view import Readings
from agent.plan.arrangement import Placed, consistent, meant, ordered
from agent.plan.drafts import Draft
from agent.plan.fitting import fitting
from agent.plan.managed import UNVERIFIED, as_offered, at_service, sayable
from agent.plan.planned import Planned as Planned
from agent.plan.shell import sent_by_hand
from agent.runbooks.library import Library
from agent.runbooks.remedy import Remedy
from tools.connection.node import Node
from tools.credentials import PROSE
from tools.errors import Absent, Forbidden, ToolError, Unanswered
from tools.gate.advice import act_of, repeats
from tools.gate.dissuasion import without_refused
from tools.gate.equality import equal_values
from tools.gate.policy import Change, allowed_change, command_line, parse_command, refusal_of_advice
from tools.gate.proposals import Proposal, Proposals
from tools.patterns import deferred
from tools.records import Reading
from tools.server.command_classes import known_class

BY_HAND = "a manual step that the model adds"
KEPT_ELSEWHERE = (
    "Set {} to {} where this server's settings are kept (the provider's parameter group, or the server's own file): "
    "CONFIG is refused here"
)
REF = deferred(r"[a-z0-9-]+/\d{1,2}")
"""The name of a runbook's step."""
_COMMAND_WORDS = 4
"""Most words in a line that still counts as a command if it begins with a command's name in lower case."""


async def build(
    causes: Sequence[Cause], library: Library, readings: Sequence[Reading], nodes: Mapping[str, Node],
    proposals: Proposals, actions: Sequence[Action] = (), before: Planned | None = None,
) -> Planned:  # fmt: skip
    """Steps for the causes, most likely first, each at its cause's node, and for whatever else was proposed.

    A cause without a node, and anything the model adds, goes to the first of `nodes`. `before` is the plan so far.
    """
    planned = Planned(before)
    proposed = [one for one in proposals.pending if (one.change.node, one.change.args) not in planned.ours]
    first, deployment = next(iter(nodes.values())), Readings(readings)
    ids = {cause.id for cause in causes}
    drafts, elsewhere = list[Draft](), list[Dropped]()
    for cause in causes:
        notes = library.notes(cause.id)
        node = nodes.get(cause.where or "", first)
        fits = list(fitting(cause, ids, library, deployment, nodes))
        avoid = notes.avoid if notes else None
        if service := service_of(deployment.view(node.name)):
            fits, unfit = at_service(cause.id, node.name, service, fits)
            elsewhere += unfit
            avoid = sayable(avoid, service)
        for ref, remedy, written in fits:
            await _add(drafts, remedy, cause, avoid, node, proposals, ref=ref, written=written)
    planned.ours |= {(one.change.node, one.change.args) for one in drafts if one.change}
    for proposal in proposed:
        at = nodes.get(proposal.change.node, first)
        drafts.append(Draft(step=step_of_proposal(proposal, at, library, ids), change=proposal.change))
    known = {step.id: step.action for step in before.steps} if before else {}
    said = await _said(actions, drafts, known, library, ids, first, proposals)
    arranged, left_out = ordered(drafts, said, _without_acts)
    arranged, refused = as_offered(arranged, deployment, first.name)
    elsewhere += refused
    kept, contradicting = consistent(arranged)
    for draft in kept:
        planned.add(draft)
    planned.dropped = [*elsewhere, *left_out, *contradicting]
    return planned


def step_of_proposal(proposal: Proposal, node: Node, library: Library, causes: Collection[str]) -> Step:
    """The step, still without an id, of what isn't a runbook's remedy."""
    checks = _checks(library, proposal.change.args, causes)
    reworded = proposal.model_copy(update={"why": _without_acts(proposal.why)})
    return _step(reworded, node, avoid=None, checks=checks)


async def _said(
    actions: Sequence[Action], drafts: Sequence[Draft], known: Mapping[str, str], library: Library,
    causes: Collection[str], node: Node, proposals: Proposals,
) -> list[Placed]:  # fmt: skip
    """The plan with a model's advice: in its order if it places any of `drafts`, otherwise commands first.

    `known` are the actions of the plan so far, by step id.
    """
    said: list[Placed] = []
    for action in actions:
        if earlier := known.get(action.step or ""):
            # A step of its own is in no runbook and has to be built again.
            action = action.model_copy(update={"action": earlier.removeprefix(UNVERIFIED).lstrip(": ")})
        own: list[Draft] = []
        if meant(action, drafts):
            said.append((action, None))
            continue
        if action.step and REF.fullmatch(action.step):
            # A runbook's step that doesn't fit here still says that the rest is in the model's order.
            said.append((action, None))
        if not action.action or action.drop:
            continue
        if action.kind == "outside" or not is_command(action.action):
            _add_advice(own, action, library, causes, node, proposals)
        else:
            await _add_proposed(own, action, library, causes, node, proposals)
        said += [(action, one) for one in own]
    in_order = any(one is None for _, one in said)
    return said if in_order else sorted(said, key=lambda one: one[0].kind == "outside")


def is_command(text: str) -> bool:
    """Whether a text is meant as a Redis command; a sentence that begins with a command's name isn't."""
    words = text.split()
    first = words[0] if words else ""
    named = known_class(first.lower()) is not None or (first.isascii() and first.isupper() and len(first) > 1)
    if not named or _is_sentence(words):
        return False
    return first.isupper() or len(words) <= _COMMAND_WORDS


def _is_sentence(words: Sequence[str]) -> bool:
    """Whether what follows a command's name is prose, or has a gap to fill in: nobody could send it."""
    return any("<" in word for word in words) or sum(word.strip(".,;:") in PROSE for word in words[1:]) > 1


def _add_advice(
    drafts: list[Draft], action: Action, library: Library, causes: Collection[str], node: Node, proposals: Proposals
) -> None:
    """What a model would have a person do: refused in our words if nobody should do it, otherwise shown as advice."""
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
    drafts.append(Draft(step=advised))


def _without_acts(text: str) -> str:
    """A model's reason; empty if it tells a person to do what nobody should."""
    left = without_refused(text)
    return "" if act_of(left, urged=True) or refusal_of_advice(left) else text


async def _add_proposed(
    drafts: list[Draft], action: Action, library: Library, causes: Collection[str], node: Node, proposals: Proposals
) -> None:  # fmt: skip
    """A step that the model adds: classified like any proposal; forbidden ones are left out."""
    cause = Cause(id="", probability=0, where=node.name, why="", evidence=())
    try:
        checks = _checks(library, parse_command(action.action), causes)
        said = {"why": _without_acts(action.why), "verify": _without_acts(action.verify or "") or None}
        # Nothing is filled into a model's words, so a $ in them is literal.
        remedy = Remedy(kind=action.kind, action=action.action, why="", risk="risky", check=checks).model_copy(
            update=said
        )
        await _add(drafts, remedy, cause, None, node, proposals)
    except ValueError:
        # An unterminated quote: it isn't a command, so it can't be approved.
        proposals.forbid(action.action, "it isn't one command")


def _checks(library: Library, args: Sequence[str], causes: Collection[str]) -> tuple[Goal, ...]:
    """What shows that a proposed command worked: a runbook's check for the same one, with the value it sets."""
    known = library.remedy(args, causes)
    own = {("config_get", args[2].lower()): {"value": args[3]}} if len(args) > 3 else {}
    goals = known.check if known else ()
    return tuple(goal.model_copy(update=own.get((goal.tool, goal.field))) for goal in goals)


async def _add(
    drafts: list[Draft], remedy: Remedy, cause: Cause, avoid: str | None, node: Node, proposals: Proposals,
    *, ref: str = "", written: str = "",
) -> None:  # fmt: skip
    """A step from a remedy; `ref` says which remedy of the runbooks, and is empty for a model's.

    `written` is the action without what was filled in: a command that clients were refused isn't advised by naming it.
    """
    action, advised = remedy.action, not ref
    if remedy.kind == "outside":
        if why := next(filter(None, map(refusal_of_advice, (written, *remedy.lines))), None):
            proposals.forbid(action, why)
            return
        drafts.append(Draft(step=_outside(remedy, action, cause, avoid, node), ref=ref))
        return
    args = parse_command(action)
    try:
        allowed = allowed_change(node.name, args)
        if not advised and _is_set_already(drafts, allowed):
            return
        if not node.held:
            raise ToolError("there is no open connection to send it through")
        proposal = await proposals.propose(node, args, remedy.why)
    except Forbidden as error:
        proposals.forbid(command_line(args[:4]), str(error))
        return
    except Absent as error:
        # This version has no such parameter, or the client has gone: there is nothing to do.
        if advised:
            proposals.forbid(command_line(args[:4]), str(error))
        return
    except ToolError as error:
        if refused := isinstance(error, Unanswered) and error.kind == "unknown-command":
            if allowed.parameter is None:
                # The server, or the proxy in front of it, doesn't have that command, so nobody can send it.
                return
            action = KEPT_ELSEWHERE.format(allowed.parameter, args[3])
        # A paste needn't have the value that stood there.
        is_plain = refused or (isinstance(error, Unanswered) and error.kind == "not-pasted" and not advised)
        by_hand = action if is_plain else f"{allowed.action if advised else action} (by hand: {error})"
        by_hand = f"{UNVERIFIED}: {by_hand}" if advised else by_hand
        # A node that only another node named, and that was never logged in to, may belong to anybody.
        is_strange = node.target.named_from is not None and node.target.has_credentials and node.auth is None
        paste = () if refused or is_strange else (sent_by_hand(node.target, allowed.args),)
        pasted = remedy.model_copy(update={"paste": paste})
        step = _outside(pasted, by_hand, cause, avoid, node).model_copy(update={"unverified": advised})
        drafts.append(Draft(step=step, ref=ref))
        return
    change = proposal.change
    if change.parameter is None or not equal_values(change.parameter, args[3], change.before):
        step = _step(proposal, node, remedy, avoid=avoid, checks=remedy.check)
        drafts.append(Draft(step=step, change=change, ref=ref))


def _is_set_already(drafts: Sequence[Draft], change: Change) -> bool:
    """Whether a more likely cause's step already sets the same parameter, so that this would give it another value."""
    # Each command for output limits sets one class of clients.
    part = change.args[3].split()[:1] if change.parameter == "client-output-buffer-limit" else []
    return change.parameter is not None and any(
        (one.node, one.parameter) == (change.node, change.parameter) and one.args[3].split()[: len(part)] == part
        for one in (draft.change for draft in drafts)
        if one is not None
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
