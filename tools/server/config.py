"""CONFIG GET, with secrets hidden by the names in the reply."""

import fnmatch
import re
from typing import Annotated

from pydantic import Field

from tools.connection.node import Node
from tools.connection.protocol import Reply, ServerError
from tools.records import Scalar, Values
from tools.redact import hide_parameters
from tools.toolbox import reads

LONGEST = 2048
"""Characters of a value that are read."""
MOST_MATCHED = 64
"""Most parameters shown for globs; a server has about 250."""
Parameter = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_.?-]*(\*[A-Za-z0-9_.?-]*){0,2}$")]
"""A name or a glob. Each additional star costs the server more time."""


@reads
async def config_get(
    node: Node,
    parameters: Annotated[list[Parameter], Field(min_length=1, max_length=32)],
) -> Values:
    """Running values by name or glob; secrets come as ***.

    A parameter that this server doesn't have is null. `left_out` is how many more a glob matched.
    """
    read = await read_config(node, parameters)
    exact = [name for name in parameters if not _is_glob(name)]
    shown: Values = {name: read.get(name.lower()) for name in exact}
    named = {name.lower() for name in exact}
    matched = [name for name in read if name not in named]
    shown |= {name: read[name] for name in matched[:MOST_MATCHED]}
    return {**shown, "left_out": left} if (left := len(matched[MOST_MATCHED:])) else shown


def _is_glob(name: str) -> bool:
    return "*" in name or "?" in name


async def read_config(node: Node, parameters: list[str]) -> dict[str, Scalar]:
    """Running values by lower-case name; for a glob, everything it matches.

    Before 7.0 CONFIG GET takes one name: several are then read by fetching all, which costs less than a command each.
    """
    # Where the version is known nothing has to fail first: another look at the server would see it as an error.
    one = node.one_config or (node.version is not None and node.version < (7, 0))
    names = ["*"] if one and len(parameters) > 1 else parameters
    (reply,) = await node.ask(("CONFIG", "GET", *names))
    if isinstance(reply, ServerError) and len(names) > 1 and "wrong number of arguments" in reply.text.lower():
        node.one_config = True
        (reply,) = await node.ask(("CONFIG", "GET", "*"))
    wanted = {name.lower() for name in parameters}
    globs = [re.compile(fnmatch.translate(name)) for name in wanted if _is_glob(name)]
    return {
        name: value
        for name, value in _pairs(node, reply).items()
        if name in wanted or any(glob.match(name) for glob in globs)
    }


def _pairs(node: Node, reply: Reply) -> dict[str, Scalar]:
    pairs = node.value(reply)
    shown = {str(k).lower(): str(v)[:LONGEST] for k, v in zip(pairs[::2], pairs[1::2], strict=True)}
    return dict(hide_parameters(shown))
