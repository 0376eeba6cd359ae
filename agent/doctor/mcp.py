"""Whether the team's own MCP servers are there, and which of their tools a model would be offered."""

import asyncio
import time
from collections.abc import Sequence
from importlib.util import find_spec

from agent.doctor.check import Check, State
from tools.errors import UsageError
from tools.mcp.server import McpServer
from tools.records import SAID
from tools.redact import Pseudonyms
from tools.settings.mcp_table import McpTable


async def checked_mcp(tables: Sequence[McpTable]) -> list[Check]:
    """Each server of the settings; none of its tools is called."""
    return list(await asyncio.gather(*map(_checked, tables)))


async def _checked(table: McpTable) -> Check:
    name = f"mcp {table.name}"
    try:
        server = table.server()
    except UsageError as error:
        return Check(name=name, state="failed", line=str(error))
    if find_spec("mcp") is None:
        line = "what asks it isn't installed; pip install 'rediagnose[mcp]'"
        return Check(name=name, state="failed", line=line)
    return await _reached(name, table.place, server)


async def _reached(name: str, place: str, server: McpServer) -> Check:
    from tools.mcp.servers import McpServers

    servers, began = McpServers([server], Pseudonyms()), time.monotonic()
    try:
        found = (await servers.reach())[server.name]
    finally:
        await servers.close()
    took = time.monotonic() - began
    tools = tuple(tool.name.partition(SAID)[2] for tool in found.tools)
    facts: dict[str, str | tuple[str, ...]] = {"place": place, "tools": tools}
    if not tools:
        line = f"nothing of it can be asked: {'; '.join(found.problems)}"
        return Check(name=name, state="failed", line=line, facts=facts)
    line = f"{place} answered in {took:.1f} s; a model may ask {', '.join(tools)}"
    state: State = "warning" if found.problems else "ok"
    return Check(name=name, state=state, line=line, details=found.problems, facts=facts)
