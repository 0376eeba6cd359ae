"""The server that assistants talk to: few tools, and what can be read and asked beside those."""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from string import Template
from typing import Annotated, Any

from mcp.server.context import ServerRequestContext
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.request_state import RequestStateSecurity
from pydantic import Field

from agent.answer.schema import SCHEMA
from agent.loop.prompts import FOLDER
from agent.mcp.applying import add_applying
from agent.mcp.arguments import Report
from agent.mcp.callers import CallerOf, as_resource, must_be
from agent.mcp.incidents import Incidents
from agent.mcp.looking import add_looking, runbook_text
from agent.mcp.means import Means
from agent.mcp.questions import Questions
from agent.mcp.short import short, shown_reading
from tools.gate.apply import VALID_FOR
from tools.text import printable

NAME = "rediagnose"
JSON, MARKDOWN = "application/json", "text/markdown"


def server_of(incidents: Incidents, means: Means, caller: CallerOf) -> MCPServer:
    """The server over these incidents."""

    def principal(context: ServerRequestContext[Any, Any]) -> str:
        """A question's answer is taken from whoever was asked."""
        return caller(Context(request_context=context)).name

    security = RequestStateSecurity.ephemeral(ttl=VALID_FOR.total_seconds())
    security.bind_principal = principal
    with _logging_left_alone():
        server = MCPServer(
            NAME, title="rediagnose", version=_version(), instructions=(FOLDER / "assistant.md").read_text("utf-8"),
            request_state_security=security, log_level="WARNING",
        )  # fmt: skip
    add_looking(server, incidents, means, caller)
    add_applying(server, incidents, means, caller, Questions(means.clock))
    _add_resources(server, incidents, means, caller)
    _add_prompts(server)
    return server


def _add_resources(server: MCPServer, incidents: Incidents, means: Means, caller: CallerOf) -> None:
    @server.resource("rediagnose://schema", mime_type=JSON, title="The JSON schema of a whole answer")
    async def schema() -> str:
        return SCHEMA.read_text(encoding="utf-8")

    @server.resource("rediagnose://runbooks", mime_type=JSON, title="The runbooks, and the causes that each is about")
    async def runbooks() -> str:
        books = means.library().runbooks
        return json.dumps({one.name: {"title": one.title, "causes": list(one.causes)} for one in books})

    @server.resource("rediagnose://runbooks/{name}", mime_type=MARKDOWN, title="A runbook, by its name or a cause's id")
    @as_resource
    async def runbook(name: str) -> str:
        return runbook_text(means, name)

    @server.resource("rediagnose://incidents{?limit}", mime_type=JSON, title="The newest incidents")
    @as_resource
    async def newest(ctx: Context[Any, Any], limit: int = 20) -> str:
        must_be(caller(ctx), "reader", "approver")
        return json.dumps([one.model_dump() for one in (await incidents.listed())[:limit]])

    @server.resource("rediagnose://incidents/{incident}", mime_type=JSON, title="An incident's answer, in short")
    @as_resource
    async def one_incident(incident: str, ctx: Context[Any, Any]) -> str:
        must_be(caller(ctx), "reader", "approver")
        return short(*await incidents.answered(incident)).model_dump_json(exclude_none=True)

    @server.resource(
        "rediagnose://incidents/{incident}/readings/{reading}", mime_type=JSON, title="A reading of an incident"
    )
    @as_resource
    async def one_reading(incident: str, reading: str, ctx: Context[Any, Any]) -> str:
        must_be(caller(ctx), "reader", "approver")
        answer = (await incidents.answered(incident)).answer
        return shown_reading(answer.readings, reading, None).model_dump_json(exclude_none=True)


def _add_prompts(server: MCPServer) -> None:
    @server.prompt(title="A first look at an incident")
    def first_look(
        report: Report,
        target: Annotated[str, Field(max_length=500, description="A target's name in rediagnose.toml.")] = "",
    ) -> str:
        """Have an incident investigated and explained, without any change."""
        text = Template((FOLDER / "first_look.md").read_text(encoding="utf-8"))
        named = f"`{printable(target)}`" if target else "that the report means (or the only one there is)"
        return text.substitute(report=printable(report), target=named)


@contextmanager
def _logging_left_alone() -> Iterator[None]:
    """The SDK sets up logging of the whole process, which isn't its own."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)


def _version() -> str:
    try:
        return version("rediagnose")
    except PackageNotFoundError:
        return ""
