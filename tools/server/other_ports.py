"""Whether a server answers on a usual port of the named host, if nothing does on the named port."""

import asyncio
from typing import Literal

from tools.connection.budget import Budget
from tools.connection.live import LiveConnection
from tools.connection.node import Node
from tools.connection.protocol import ServerError
from tools.connection.target import Target
from tools.errors import Unanswered
from tools.records import Kind, Values
from tools.toolbox import reads

USUAL = (6379, 6380, 7000, 7001, 16379, 26379)
"""The ports most often used for Redis, its TLS, its clusters and its sentinels."""
WAIT = 1.0
"""Seconds for a connect and for the answer: what is there answers at once or isn't worth the wait."""
_SAID: frozenset[Kind | None] = frozenset(
    ("noauth", "denied", "loading", "busy", "misconf", "maxclients", "protected")
)  # fmt: skip
"""Errors with which only a server of this protocol answers a PING."""
Answer = Literal["redis", "tls"]


def may_be_tried(target: Target) -> bool:
    """Whether other ports may be tried: on a host that a person named, never on one that a server named."""
    return target.host is not None and target.named_from is None and not target.watched


@reads
async def other_ports(node: Node) -> Values:
    """Which usual ports of the URL's own host have a server, tried without credentials where the URL's port has none.

    `tried` are the ports; `servers_at` those that answered a PING as Redis does, even if they refused it, and `tls_at`
    those that wanted TLS, as HOST:PORT.
    """
    found = await answering(node.target, node.budget)
    return {
        "tried": " ".join(str(port) for port in USUAL if port != node.target.port),
        "servers_at": " ".join(at for at, one in found.items() if one == "redis"),
        "tls_at": " ".join(at for at, one in found.items() if one == "tls"),
    }


async def answering(target: Target, budget: Budget, ports: tuple[int, ...] = USUAL) -> dict[str, Answer]:
    """What answers at these ports of a target's host but its own, by HOST:PORT: nothing else of the URL is used.

    Raises `ValueError` for a host that may not be tried.
    """
    if not may_be_tried(target):
        raise ValueError(f"{target.node}: other ports are tried only on the host that a person named")
    others = [target.bare_at(port) for port in ports if port != target.port]
    budget.spend(commands=len(others))
    async with asyncio.TaskGroup() as group:
        tasks = {other.node: group.create_task(_answer(other, budget)) for other in others}
    return {at: answer for at, task in tasks.items() if (answer := task.result()) is not None}


async def _answer(target: Target, budget: Budget) -> Answer | None:
    connection = LiveConnection(target)
    connection.measure(budget.transfer)
    try:
        await connection.open(WAIT)
        (reply,) = await connection.exchange([("PING",)], WAIT)
    except Unanswered as error:
        return "redis" if error.kind in _SAID else "tls" if error.kind == "tls" else None
    finally:
        budget.spend(transferred=connection.take_bytes())
        connection.close()
    is_server = reply.kind in _SAID if isinstance(reply, ServerError) else reply == "PONG"
    return "redis" if is_server else None
