"""CONFIG GET, secrets hidden by the names that come back."""

from typing import Annotated

from pydantic import Field

from tools.records import Scalar, Values
from tools.redact import hide_parameters
from tools.server.link import Command, Reply, ServerError
from tools.server.node import Node
from tools.toolbox import reads

Parameter = Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{1,64}$")]


@reads
async def config_get(
    node: Node,
    parameters: Annotated[list[Parameter], Field(min_length=1, max_length=32, description="Names, without globs.")],
) -> Values:
    """CONFIG GET of some parameters: the running values, as the server prints them. Secrets come as ***.

    A parameter that this server doesn't have is null.
    """
    read = await read_config(node, parameters)
    return {name: read.get(name.lower()) for name in parameters}


async def read_config(node: Node, parameters: list[str]) -> dict[str, Scalar]:
    """Running values by lower-case name; one round trip where the server takes several names (7.0 and later)."""
    (reply,) = await node.ask(("CONFIG", "GET", *parameters))
    if isinstance(reply, ServerError) and len(parameters) > 1 and "wrong number of arguments" in reply.text.lower():
        each: list[Command] = [("CONFIG", "GET", name) for name in parameters]
        return {k: v for answer in await node.ask(*each) for k, v in _pairs(node, answer).items()}
    return _pairs(node, reply)


def _pairs(node: Node, reply: Reply) -> dict[str, Scalar]:
    pairs = node.value(reply)
    return dict(hide_parameters({str(k).lower(): str(v) for k, v in zip(pairs[::2], pairs[1::2], strict=True)}))
