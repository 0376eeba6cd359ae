"""A node as the readings take it, beside an application's connection."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from evals.lab.servers import Server
from evals.lab.wire import Wire, dial
from tools.clock import SystemClock
from tools.connection.budget import Budget
from tools.connection.node import Node
from tools.connection.target import parse_target
from tools.records import Values
from tools.redact import Pseudonyms


@asynccontextmanager
async def looking(server: Server, user: str = "") -> AsyncIterator[tuple[Node, Wire]]:
    """A node, as a user of the server whose password is pw, and a connection of an application."""
    url = server.url.replace("//", f"//{user}:pw@") if user else server.url
    node, wire = Node(parse_target(url, environ={}), SystemClock(), Budget(), Pseudonyms()), await dial(server.url)
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
