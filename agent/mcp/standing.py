"""What an assistant proposed and nobody decided about: it stands after another look, with the value read anew."""

import contextlib
from collections.abc import Mapping

from agent.investigation.investigation import Investigation
from tools.connection.node import Node
from tools.errors import Forbidden, ToolError
from tools.gate.equality import equal_values

Asked = tuple[Node, tuple[str, ...], str]
"""Where, which command, and why."""


async def propose_again(investigation: Investigation, asked: Mapping[str, Asked]) -> None:
    """Let the next plan have these proposals, by the ids of their steps, as far as they are open and still possible."""
    standing = {step.id for step in investigation.planned.steps if step.state == "proposed"}
    for id, (node, args, why) in asked.items():
        if id not in standing:
            continue
        # What policy or the server refuses by now has no step any more.
        with contextlib.suppress(Forbidden, ToolError):
            proposal = await investigation.proposals.propose(node, args, why)
            change = proposal.change
            if change.parameter is not None and equal_values(change.parameter, args[3], change.before):
                # It is so already.
                investigation.proposals.pending = [
                    one for one in investigation.proposals.pending if one.change != change
                ]  # fmt: skip
