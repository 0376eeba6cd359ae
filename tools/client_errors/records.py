"""What an error of a client library says."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from tools.records import Record, Scalar

Stage = Literal[
    "dns", "connect", "tls", "auth", "pool", "send", "reply", "error-reply", "redirect", "closed"
]  # fmt: skip
"""How far a command got: `pool` waits for a connection of the client's own, `send` stands in the client's queue,
`reply` waits for the answer, `error-reply` is what the server refused with, `closed` a connection that ended."""
Side = Literal["client", "network", "server", "unclear"]
"""Whom an error accuses: the client's own pool, threads or event loop, the way between, or the server."""


class ClientError(Record):
    """One error that clients report, however often."""

    library: str
    """The client library; `a client` where nothing names it."""
    name: str
    """What it is, such as pool-empty: the same word for the same thing in all libraries."""
    stage: Stage
    side: Side
    weight: Annotated[float, Field(ge=0, le=1)]
    """How surely it's that side, by this error alone."""
    means: str
    """That in words, as a part of a sentence about the client."""
    code: str = ""
    """The first word of the server's error reply, such as OOM; empty where the server didn't refuse."""
    figures: Mapping[str, Scalar] = Field(default_factory=dict)
    """What it carries: timeout_ms, endpoint, command, pool_size and the like."""
    count: int = 1
    """How often it was found."""
    text: str
    """The line, without secrets."""
    place: int = 0
    """Where in the text it stands."""
    before: str = ""
    """What stands before it on the line: a denial would."""
