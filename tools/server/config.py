"""CONFIG GET, secrets hidden by the names that come back."""

from typing import Annotated

from pydantic import Field

from tools.connection.node import Node
from tools.connection.protocol import Reply, ServerError
from tools.records import Scalar, Values
from tools.redact import hide_parameters
from tools.toolbox import reads

LONGEST = 2048
"""Characters of a value that are read."""
Parameter = Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{1,64}$")]


@reads
async def config_get(
    node: Node,
    parameters: Annotated[list[Parameter], Field(min_length=1, max_length=32)],
) -> Values:
    """CONFIG GET: running values. Secrets come as ***.

    A parameter that this server doesn't have is null.
    """
    read = await read_config(node, parameters)
    return {name: read.get(name.lower()) for name in parameters}


async def read_config(node: Node, parameters: list[str]) -> dict[str, Scalar]:
    """Running values by lower-case name.

    Before 7.0 CONFIG GET takes one name: several are then had by reading all, which costs less than a command each.
    """
    names = ["*"] if node.one_config and len(parameters) > 1 else parameters
    (reply,) = await node.ask(("CONFIG", "GET", *names))
    if isinstance(reply, ServerError) and len(names) > 1 and "wrong number of arguments" in reply.text.lower():
        node.one_config = True
        (reply,) = await node.ask(("CONFIG", "GET", "*"))
    wanted = {name.lower() for name in parameters}
    return {name: value for name, value in _pairs(node, reply).items() if name in wanted}


def _pairs(node: Node, reply: Reply) -> dict[str, Scalar]:
    pairs = node.value(reply)
    shown = {str(k).lower(): str(v)[:LONGEST] for k, v in zip(pairs[::2], pairs[1::2], strict=True)}
    return dict(hide_parameters(shown))
