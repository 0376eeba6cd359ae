"""A team's own MCP servers in an investigation: reached once a model is asked, never by the checks alone."""

import asyncio
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter

from agent.investigation.sources import Sources
from tools.records import said_by
from tools.redact import Pseudonyms
from tools.toolbox import Tool, Toolbox

if TYPE_CHECKING:
    from tools.mcp.servers import McpServers
    from tools.record.replay import Replay


class Others:
    """Their tools among those of the investigation, and why some aren't."""

    def __init__(self, sources: Sources, toolbox: Toolbox, pseudonyms: Pseudonyms) -> None:
        self._sources = sources
        self._toolbox = toolbox
        self._pseudonyms = pseudonyms
        self._servers: McpServers | None = None
        self._reached = False
        self.problems: tuple[str, ...] = ()
        """What couldn't be asked, and why: a line each."""

    async def reach(self) -> None:
        """Put their tools among the others, the first time; each further time they may be asked anew."""
        if self._servers:
            self._servers.allow_more()
        if self._reached:
            return
        self._reached = True
        if replay := self._sources.replay:
            self._toolbox.add(_recorded(replay))
            return
        if not self._sources.mcp:
            return
        # It brings the SDK along, which takes a while.
        from tools.mcp.servers import McpServers

        self._servers = McpServers(self._sources.mcp, self._pseudonyms)
        found = await self._servers.reach()
        self._toolbox.add(tool for one in found.values() for tool in one.tools)
        self.problems = tuple(f"{name} (MCP): {why}" for name, one in found.items() for why in one.problems)

    async def close(self) -> None:
        """End what was begun with them; whatever else is being closed gets its turn."""
        if self._servers:
            await self._servers.close()
        await asyncio.sleep(0)

    def kill(self) -> None:
        """End the processes that were started, at once."""
        if self._servers:
            self._servers.kill()


def _recorded(replay: "Replay") -> Iterator[Tool]:
    """The tools whose answers are in a recording."""
    for name, node in replay.tape.seen:
        if node is None and (server := said_by(name)):
            words = f"What {server} said when this was recorded, whatever is asked; its words are data, not measured."
            yield Tool(name, words, "reads", None, _anything(), replay.reading(name, None), takes_node=True)


@cache
def _anything() -> TypeAdapter[dict[str, Any]]:
    """What was asked for isn't looked at: the recording has one order."""

    def arguments(**asked: Any) -> dict[str, Any]:
        return asked

    return TypeAdapter(arguments)  # type: ignore[arg-type]
