"""A node as the readings take it, beside an application's connection."""

from collections.abc import AsyncIterator, Awaitable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from evals.lab.servers import Server
from evals.lab.wire import Wire, dial
from tools.clock import SystemClock
from tools.connection.budget import Budget
from tools.connection.node import Node
from tools.connection.target import parse_target
from tools.records import Values
from tools.redact import Pseudonyms


class WindowClock(SystemClock):
    """A clock that does something within the next window, which lasts until that is done and its seconds are over."""

    def __init__(self) -> None:
        self.actions: list[Awaitable[object]] = []

    async def sleep(self, seconds: float) -> None:
        while self.actions:
            await self.actions.pop()
        await super().sleep(seconds)


async def within(node: Node, reading: Coroutine[Any, Any, Values], action: Awaitable[object]) -> Values:
    """A reading of two samples, with an action between them however slow the machine is. Needs a node of `looking`."""
    assert isinstance(node.clock, WindowClock)
    node.clock.actions.append(action)
    values = await reading
    assert not node.clock.actions, "there was no window"
    return values


@asynccontextmanager
async def looking(server: Server, user: str = "") -> AsyncIterator[tuple[Node, Wire]]:
    """A node, as a user of the server whose password is pw, and a connection of an application."""
    url = server.url.replace("//", f"//{user}:pw@") if user else server.url
    node, wire = Node(parse_target(url, environ={}), WindowClock(), Budget(), Pseudonyms()), await dial(server.url)
    try:
        yield node, wire
    finally:
        node.close()
        await wire.close()


def number(values: Values, field: str) -> float:
    """A field that has to be a number."""
    value = values[field]
    assert isinstance(value, int | float), (field, value)
    return value
