"""What people and assistants proposed and nobody decided about stands after another look, with the value read anew."""

from collections.abc import Sequence

from agent.answer.diagnosis import Step
from agent.investigation.investigation import Investigation
from agent.plan.build import step_of_proposal
from tools.errors import Absent, Forbidden, RediagnoseError
from tools.gate.equality import equal_values
from tools.gate.policy import parse_command


async def standing(investigation: Investigation, earlier: Sequence[Step], plan: Sequence[Step]) -> tuple[Step, ...]:
    """A new plan, and behind it what of an earlier one was proposed, is open and isn't so or planned anyway by now."""
    steps = list(plan)
    for one in earlier:
        if one.proposed_by is None or one.state != "proposed":
            continue
        if any((each.node, each.action) == (one.node, one.action) for each in steps):
            continue
        if (again := await _again(investigation, one)) is not None:
            last = max((int(each.id[1:]) for each in steps), default=0)
            steps.append(again.model_copy(update={"id": f"s{last + 1}", "proposed_by": one.proposed_by}))
    return tuple(steps)


async def _again(investigation: Investigation, step: Step) -> Step | None:
    """The same step with the value that stands there now; null if it's so already, or not possible any more."""
    node = investigation.nodes.get(step.node or "")
    if node is None:
        return None
    try:
        proposal = await investigation.proposals.propose(node, parse_command(step.action), step.why)
    except (Forbidden, Absent, ValueError):
        return None
    except RediagnoseError:
        # Nobody knows what stands there now; the gate reads it before it changes anything.
        return step
    change = proposal.change
    if change.parameter is not None and equal_values(change.parameter, change.args[3], change.before):
        return None
    causes = [one.id for one in investigation.verdict.causes] if investigation.verdict else []
    return step_of_proposal(proposal, node, investigation.library, causes)
