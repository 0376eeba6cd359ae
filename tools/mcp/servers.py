"""All the MCP servers of an investigation: reached when a model is, and ended with it."""

import asyncio
from collections.abc import Sequence
from typing import Any

from tools.errors import BudgetSpent, Unanswered
from tools.mcp.answer import said, words
from tools.mcp.connection import SHOWN, Connection
from tools.mcp.offered import Offer, offer, within
from tools.mcp.server import McpServer
from tools.records import SAID_BY, Values
from tools.redact import Pseudonyms

MOST_CALLS = 24
"""Calls of one server in an incident, and again for each question about it."""


class McpServers:
    """The conversations with them."""

    def __init__(self, servers: Sequence[McpServer], pseudonyms: Pseudonyms) -> None:
        self._connections = [Connection(one) for one in servers]
        self._pseudonyms = pseudonyms
        self._calls: dict[str, int] = {}
        for server in servers:
            for secret in server.secrets:
                pseudonyms.add_secret(secret)

    async def reach(self) -> dict[str, Offer]:
        """What each of them offers, by its name; all are asked at once, and none is waited for beyond its time."""
        async with asyncio.TaskGroup() as group:
            tasks = {one.server.name: group.create_task(self._reach(one)) for one in self._connections}
        return within({name: task.result() for name, task in tasks.items()})

    async def _reach(self, connection: Connection) -> Offer:
        server = connection.server

        async def call(tool: str, arguments: dict[str, Any]) -> Values:
            return await self._call(connection, tool, arguments)

        try:
            listed = await connection.open()
        except Unanswered as error:
            return Offer((), (self._pseudonyms.hide(str(error)),))
        found = offer(server, listed.tools, call)
        if listed.cut and found.problems:
            return found._replace(problems=(*found.problems, "its list of tools was cut: it's too long"))
        return found

    async def _call(self, connection: Connection, tool: str, arguments: dict[str, Any]) -> Values:
        name, hide = connection.server.name, self._pseudonyms.hide
        self._calls[name] = self._calls.get(name, 0) + 1
        if self._calls[name] > MOST_CALLS:
            raise BudgetSpent(f"{name} was asked {MOST_CALLS} times, and isn't asked more; conclude from what was read")
        try:
            answer = await connection.call(tool, arguments)
        except Unanswered as error:
            raise Unanswered(error.kind, hide(error.detail), {SAID_BY: name}) from None
        if answer.get("resultType") == "input_required":
            raise Unanswered(
                "denied", f"{name} asks for more than the arguments, and nobody answers it", {SAID_BY: name}
            )
        values = said(name, answer, hide)
        if answer.get("isError"):
            raise Unanswered("denied", f"{name} says: {words(answer, hide, SHOWN)}", values)
        return values

    def allow_more(self) -> None:
        """Let them be asked as often again."""
        self._calls.clear()

    async def close(self) -> None:
        """End all conversations and processes."""
        async with asyncio.TaskGroup() as group:
            for one in self._connections:
                group.create_task(one.close())

    def kill(self) -> None:
        """End the processes that were started, at once."""
        for one in self._connections:
            one.kill()
