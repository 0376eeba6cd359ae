"""The lines of a recording, one JSON object each. What changes their meaning changes `VERSION`.

A recording is a `Head`, then lines in the order in which things ended, and `End`. `t` is in seconds since the head's
`at`, and says when a thing began. A reply is JSON as RESP has it: text, whole number, null, list; an error is
`{"error": "ERR ..."}`. Bytes that aren't UTF-8 are written as `\\xNN`.
"""

from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter

from tools.records import Reading, Record, Unavailable, Values

VERSION: Literal[3] = 3
READABLE = (1, 2, 3)
"""Version 1 lacks a PING's own delay, and before version 3 nothing is pasted."""
Seconds = Annotated[float, Field(ge=0, le=1e8, allow_inf_nan=False)]
Milliseconds = Annotated[float, Field(ge=0, le=1e11, allow_inf_nan=False)]
Number = Annotated[int, Field(ge=0, lt=2**53)]
Address = Annotated[str, Field(max_length=1024)]


class Head(Record):
    """The first line."""

    type: Literal["rediagnose-recording"] = "rediagnose-recording"
    version: Literal[1, 2, 3] = VERSION
    at: Annotated[str, Field(max_length=40)]
    """When it began: ISO 8601 with its offset."""
    url: Address
    """The target, without its secrets."""
    symptom: str = ""
    window: Seconds = 2.0
    """Seconds between the two samples of the investigation; 0 if there is only one."""
    deadline: Annotated[Seconds, Field(gt=0)] = 30.0
    """Seconds that the investigation had."""
    one_node: bool = False
    """Whether only the URL's node was looked at."""
    history: bool = False
    """Whether there was a history."""
    pasted: bool = False
    """Whether it's made from what a person pasted: what isn't in it was never requested."""


class Dial(Record):
    """A connection was opened, or couldn't be."""

    type: Literal["dial"] = "dial"
    t: Seconds
    node: Address
    link: Number
    """The connection's number in this recording."""
    ms: Milliseconds
    stages: Values
    """The time of each stage that was passed, in milliseconds, and what was seen of the address."""
    stage: str
    """The stage it reached: dns, tcp, tls, open."""
    end: Unavailable | None = None
    """Why there is no connection."""


class Ask(Record):
    """Commands that were sent in one write, and their results."""

    type: Literal["ask"] = "ask"
    t: Seconds
    node: Address
    link: Number
    ms: Milliseconds
    """Until the replies were read; of a PING that was timed, until its reply arrived as far as the system tells."""
    own_ms: Milliseconds | None = None
    """Of a PING that was timed: how late its sender was with sending and reading."""
    own_is_known: bool = True
    """Whether `own_ms` is out of `ms`; if it isn't, up to so much of it may have been the sender's own."""
    commands: tuple[tuple[str | int, ...], ...]
    replies: tuple[Any, ...] | None = None
    """Null where not all came."""
    end: Unavailable | None = None
    """Why not; for a timeout, `ms` is how long was waited."""


class Came(Record):
    """Unsolicited data, such as a subscriber's messages."""

    type: Literal["came"] = "came"
    t: Seconds
    node: Address
    link: Number
    replies: tuple[Any, ...]


class Gone(Record):
    """The peer closed a connection."""

    type: Literal["gone"] = "gone"
    t: Seconds
    node: Address
    link: Number


class Named(Record):
    """A name's addresses; null if it doesn't resolve."""

    type: Literal["named"] = "named"
    t: Seconds
    host: Address
    addresses: tuple[str, ...] | None


class Seen(Record):
    """A reading beyond the server's replies: of its machine, or of its past."""

    type: Literal["seen"] = "seen"
    t: Seconds
    reading: Reading


class Happened(Record):
    """Anything else from the investigation: an event as in its stream."""

    type: Literal["event"] = "event"
    t: Seconds
    event: dict[str, Any]


class End(Record):
    """The last line of a recording that was closed properly."""

    type: Literal["end"] = "end"
    t: Seconds
    lines: Number
    """Lines before this one."""


Line = Annotated[Dial | Ask | Came | Gone | Named | Seen | Happened | End, Field(discriminator="type")]
LINE: TypeAdapter[Line] = TypeAdapter(Line)
