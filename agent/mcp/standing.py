"""What an assistant proposed and nobody decided about: it stands after another look, with the value read anew."""

import contextlib
from collections.abc import Mapping

from agent.investigation.investigation import Investigation
from tools.connection.node import Node
from tools.errors import Forbidden, ToolError
from tools.gate.equality import equal_values
from tools.gate.proposals import Proposal

Asked = tuple[Node, tuple[str, ...], str]
"""Where, which command, and why."""


def still_open(investigation: Investigation, asked: Mapping[str, Asked]) -> list[Asked]:
    """Those of some proposals, by the ids of their steps, that nobody decided about."""
    proposed = {step.id for step in investigation.planned.steps if step.state == "proposed"}
    return [one for id, one in asked.items() if id in proposed]


async def proposed_again(investigation: Investigation, asked: list[Asked]) -> list[tuple[Proposal, Node]]:
    """The same proposals with the values that stand there now; without what is so already or not possible any more."""
    found = []
    for node, args, why in asked:
        with contextlib.suppress(Forbidden, ToolError):
            proposal = await investigation.proposals.propose(node, args, why)
            change = proposal.change
            if change.parameter is None or not equal_values(change.parameter, change.args[3], change.before):
                found.append((proposal, node))
    return found
