"""The tools that look: nothing of what they do changes a server."""

from typing import Annotated, Any

from mcp.server.mcpserver import Context, MCPServer
from mcp_types import CallToolResult, ContentBlock, ResourceLink, TextContent, ToolAnnotations

from agent.loop.excerpt import excerpt, sections
from agent.mcp.arguments import Fields, Incident, ReadingId, Report, RunbookName, Section, Target, Targets
from agent.mcp.callers import CallerOf, must_be, spoken
from agent.mcp.incidents import Answered, Incidents
from agent.mcp.means import Means
from agent.mcp.progress import progress
from agent.mcp.records import Checked, Rechecked, Short, ShownReading, Text
from agent.mcp.short import checked, cited, rechecked, short, shown_reading
from tools.errors import ToolError
from tools.records import Record
from tools.text import one_line

LINKS_MOST = 6
READS = ToolAnnotations(read_only_hint=True, destructive_hint=False, open_world_hint=False)


def add_looking(server: MCPServer, incidents: Incidents, means: Means, caller: CallerOf) -> None:
    """Add them."""

    @server.tool(title="Find out what is wrong", annotations=READS)
    @spoken
    async def triage(
        report: Report,
        ctx: Context[Any, Any],
        target: Target = None,
    ) -> Annotated[CallToolResult, Short]:
        """Investigate a Redis or Valkey deployment: measures it for a few seconds, and answers what is wrong (causes
        with probability and evidence), that nothing is, or that it can't be told; with a plan. Changes nothing.
        """
        person = caller(ctx)
        must_be(person, "reader", "approver")
        async with progress(ctx) as heard:
            found = await incidents.open(target, report, person, heard)
        return result(short(*found), links(found))

    @server.tool(title="Look again", annotations=READS)
    @spoken
    async def recheck(incident: Incident, ctx: Context[Any, Any]) -> Annotated[CallToolResult, Rechecked]:
        """Take the same measurements again, for instance after a change, and say what became of each cause and which
        figures moved.
        """
        person = caller(ctx)
        must_be(person, "reader", "approver")
        async with progress(ctx) as heard:
            seen = await incidents.again(incident, person, heard)
        again = rechecked(seen.was, short(*seen.now), seen.now.answer.causes, seen.moved)
        return result(again, links(seen.now))

    @server.tool(title="Open a reading", annotations=READS)
    @spoken
    async def reading(
        incident: Incident,
        reading: ReadingId,
        ctx: Context[Any, Any],
        fields: Fields = None,
    ) -> Annotated[CallToolResult, ShownReading]:
        """Show one measurement of an incident whole, or some of its fields. A field that ends in .delta is over the
        window between two samples, .rate is per second.
        """
        must_be(caller(ctx), "reader", "approver")
        return result(shown_reading((await incidents.answered(incident)).answer.readings, reading, fields))

    @server.tool(title="Read a runbook", annotations=READS)
    @spoken
    async def runbook(
        name: RunbookName,
        ctx: Context[Any, Any],
        section: Section = None,
    ) -> Annotated[CallToolResult, Text]:
        """What a runbook says about a cause: how it shows, what looks like it, how it's remedied and what not to do."""
        must_be(caller(ctx), "reader", "approver")
        text = runbook_text(means, name)
        if (shown := excerpt(text, section)) is None:
            known = ", ".join(sections(text))
            raise ToolError(f"{one_line(name, 64)} has no section {one_line(section or '', 64)!r}; it has {known}")
        return result(Text(name=name, text=shown))

    @server.tool(title="Check targets", annotations=READS)
    @spoken
    async def check(
        ctx: Context[Any, Any],
        targets: Targets = None,
    ) -> Annotated[CallToolResult, Checked]:
        """Whether anything is wrong with the targets, or soon will be: a line for each, the worst first. For a
        complaint about one of them use triage.
        """
        must_be(caller(ctx), "reader", "approver")
        async with progress(ctx) as heard:
            return result(checked(await incidents.check(targets or (), heard.say)))


def runbook_text(means: Means, name: str) -> str:
    """A runbook by its name or a cause's id. Raises `ToolError` naming those there are."""
    library = means.library()
    if (text := library.text(name)) is None:
        known = ", ".join(one.name for one in library.runbooks)
        raise ToolError(f"there is no runbook {one_line(name, 64)!r}; give a cause's id, or one of {known}")
    return text


def result(found: Record, more: list[ResourceLink] | None = None) -> CallToolResult:
    """A record as text for whoever reads that, as JSON for whoever reads JSON, and links."""
    text = TextContent(type="text", text=found.model_dump_json(exclude_none=True))
    content: list[ContentBlock] = [text, *(more or ())]
    return CallToolResult(content=content, structured_content=found.model_dump(mode="json"))


def links(found: Answered) -> list[ResourceLink]:
    """The readings that the causes cite."""
    return [
        ResourceLink(
            type="resource_link", name=f"{one.id} {one.tool}", mime_type="application/json",
            uri=f"rediagnose://incidents/{found.id}/readings/{one.id}",
        )
        for one in cited(found.answer)[:LINKS_MOST]
    ]  # fmt: skip
