"""The tools that lead to a change: one shows it, one has a person asked about it and carries it out."""

from typing import Annotated, Any, NamedTuple

from mcp.server.elicitation import AcceptedElicitation, DeclinedElicitation, ElicitationResult
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.resolve import Elicit, Resolve
from mcp_types import CallToolResult, ToolAnnotations

from agent.mcp.arguments import Action, Incident, Node, OwnStep, Step, Undo, Why
from agent.mcp.callers import CallerOf, can_ask, client_of, must_be, spoken
from agent.mcp.incidents import Incidents, Wanted, Yes
from agent.mcp.looking import result
from agent.mcp.means import Means
from agent.mcp.questions import Consent, Questions, is_yes
from agent.mcp.records import Came, Proposed
from agent.remediation.approval import ApprovalRequest
from tools.errors import ToolError
from tools.gate.policy import command_line

PROPOSES = ToolAnnotations(read_only_hint=False, destructive_hint=False, open_world_hint=False)
CHANGES = ToolAnnotations(read_only_hint=False, destructive_hint=True, idempotent_hint=True, open_world_hint=False)


class NotAsked(NamedTuple):
    """Why nobody is asked here, and what a person does instead."""

    why: str


def add_applying(server: MCPServer, incidents: Incidents, means: Means, caller: CallerOf, questions: Questions) -> None:
    """Add them."""

    @server.tool(title="Propose a change", annotations=PROPOSES)
    @spoken
    async def propose(
        incident: Incident,
        ctx: Context[Any, Any],
        step: OwnStep = None,
        action: Action = None,
        node: Node = None,
        why: Why = "",
        undo: Undo = False,
    ) -> Annotated[CallToolResult, Proposed]:
        """Show a change as a person would be asked about it: the exact command, the value before, the risk, the undo.
        Give a step of the plan, or an action of your own, which policy may forbid. Changes nothing.
        """
        person = caller(ctx)
        must_be(person, "approver")
        if (step is None) == (action is None):
            raise ToolError("give either step or action")
        if action is not None:
            if undo:
                raise ToolError("an undo is of a step; give step and undo")
            step = (await incidents.propose(incident, action, node, why, person)).id
        wanted = Wanted(incident, step or "", undo)
        request = await incidents.request(wanted)
        target = (await incidents.answered(incident)).target
        return result(_proposed(wanted, request, _how(wanted, target, ctx)))

    def _how(wanted: Wanted, target: str, ctx: Context[Any, Any]) -> str:
        if why := _nobody_here(target, ctx):
            return f"{why}: {incidents.elsewhere(wanted, target)}"
        return f"call apply with step {wanted.step}{' and undo' if wanted.undo else ''}, which asks a person"

    def _nobody_here(target: str, ctx: Context[Any, Any]) -> str | None:
        """Why no person is asked through this client."""
        if not means.approves(target):
            return f"approving through an assistant is off for {target} (mcp.approve in rediagnose.toml)"
        return None if can_ask(ctx) else "this client can't put a question to a person"

    async def ask(incident: str, step: str, undo: bool, ctx: Context[Any, Any]) -> Elicit[Consent] | NotAsked:
        return await asking(Wanted(incident, step, undo), ctx)

    @spoken
    async def asking(wanted: Wanted, ctx: Context[Any, Any]) -> Elicit[Consent] | NotAsked:
        person = caller(ctx)
        must_be(person, "approver")
        request = await incidents.request(wanted)
        target = (await incidents.answered(wanted.incident)).target
        if why := _nobody_here(target, ctx):
            return NotAsked(f"{why}: {incidents.elsewhere(wanted, target)}")
        return Elicit(questions.ask(person.name, wanted, request, target).text, Consent)

    @server.tool(title="Apply an approved change", annotations=CHANGES)
    @spoken
    async def apply(
        incident: Incident,
        step: Step,
        ctx: Context[Any, Any],
        answer: Annotated[ElicitationResult[Any], Resolve(ask)],
        undo: Undo = False,
    ) -> Annotated[CallToolResult, Came]:
        """Have a person asked about one step of the plan, and carry it out if they approve: it's sent once, only if the
        value is still the one that was shown, and measured before and after. Where nobody can be asked here, the
        answer says where a person approves it.
        """
        wanted, person = Wanted(incident, step, undo), caller(ctx)
        if isinstance(answer, AcceptedElicitation) and isinstance(answer.data, NotAsked):
            return result(Came(incident=incident, step=step, state="needs-a-person", said=answer.data.why))
        request = questions.take(person.name, wanted)
        said = Yes(wanted, request, f"mcp elicitation, {client_of(ctx)}")
        if isinstance(answer, AcceptedElicitation) and is_yes(request, answer.data.answer):
            came = await incidents.approve(said, person)
            return result(Came(incident=incident, step=step, state=came.state, said=came.said, undo=came.undo))
        if isinstance(answer, AcceptedElicitation | DeclinedElicitation):
            await incidents.refuse(said, person)
            return result(Came(incident=incident, step=step, state="refused", said="the person didn't approve it"))
        return result(
            Came(incident=incident, step=step, state="proposed", said="nobody answered the question; nothing was sent")
        )


def _proposed(wanted: Wanted, request: ApprovalRequest, how: str) -> Proposed:
    change = request.change
    return Proposed(
        incident=wanted.incident, step=request.step, node=change.node, action=change.action, before=change.before,
        risk=change.risk, undo=command_line(change.undo) if change.undo and not request.takes_back else None,
        unchecked=request.unchecked, approve=how,
    )  # fmt: skip
