"""Whether an idle connection survives: the one thing that no counter shows."""

from typing import Annotated

from pydantic import Field

from tools.connection.connection import Connection
from tools.connection.node import PATIENCE, Node
from tools.connection.protocol import ServerError
from tools.connection.shapes import checked
from tools.errors import Unanswered
from tools.records import Values
from tools.toolbox import reads


@reads
async def idle_probe(
    node: Node,
    seconds: Annotated[float, Field(ge=1, le=15)] = 8.0,
) -> Values:
    """Open another connection, leave it idle, and see whether it survives.

    `closed_by_peer` after `closed_after_seconds`; else `ping_after` is PONG, timeout or reset. `still_listed` says
    whether the server still lists that connection as a client.
    """
    connection, _ = await node.dial(PATIENCE)
    rested = connection if not node.is_held(connection) else (await node.dial(PATIENCE))[0]
    try:
        node.budget.spend(commands=2)
        (reply,) = await rested.exchange([("CLIENT", "ID")], PATIENCE)
        # Whoever answers with something else than a client's number isn't asked about that one.
        number = checked(("CLIENT", "ID"), reply)
        return await _rest(node, rested, number if isinstance(number, int) else None, seconds)
    finally:
        rested.close()


async def _rest(node: Node, connection: Connection, number: int | None, seconds: float) -> Values:
    began = node.clock.monotonic()
    values: Values = {"idle_seconds": seconds, "closed_by_peer": False, "ping_after": None, "still_listed": None}
    while (left := began + seconds - node.clock.monotonic()) > 0 and not values["closed_by_peer"]:
        values["closed_by_peer"] = await connection.closed(min(1.0, left))
        # Other connections on the same path must not go idle with it.
        if not values["closed_by_peer"] and node.held:
            await node.ask(("PING",))
    if values["closed_by_peer"]:
        values["closed_after_seconds"] = round(node.clock.monotonic() - began, 1)
    else:
        try:
            (reply,) = await connection.exchange([("PING",)], PATIENCE)
            right = checked(("PING",), reply)
            values["ping_after"] = "error" if isinstance(right, ServerError) else str(right)
        except Unanswered as error:
            values["ping_after"] = error.kind
    if number is not None and values["ping_after"] != "PONG":
        values["still_listed"] = await _listed(node, number)
    return values


async def _listed(node: Node, number: int) -> bool | None:
    (reply,) = await node.ask(("CLIENT", "LIST", "ID", number))
    return None if isinstance(reply, ServerError) else f"id={number} " in str(reply)
