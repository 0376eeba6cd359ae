"""The pieces that a paste consists of, each as what it was before somebody copied it."""

from typing import Any, Literal

from tools.records import Record, Values

Form = Literal[
    "info", "slowlog", "commandlog", "client-list", "config", "config-file", "latency-latest", "latency-history",
    "latency-doctor", "memory-stats", "memory-doctor", "cluster-nodes", "cluster-info", "cluster-shards",
    "cluster-slots", "sentinel", "acl-log", "role", "reply", "error", "bigkeys", "latency-cli", "stat", "server-log",
    "kernel-log", "kubernetes", "container", "metrics", "client-error", "host-facts", "machine", "disk",
    "sockets", "monitor",
]  # fmt: skip
"""What a piece is. `reply` is that of any other command which its prompt shows, `error` one that refuses."""


class Piece(Record):
    """One piece that was recognised."""

    form: Form
    command: tuple[str, ...] | None = None
    """The command whose reply it is, as the wire has it (`SLOWLOG`, `GET`), with the arguments that a prompt shows;
    null where it's no reply, and of an error whose command isn't shown."""
    reply: Any = None
    """That reply in the JSON form of a recording: text, whole number, null, list, `{"error": ...}`; null otherwise."""
    text: str
    """Its own text without prompts, quotes, line numbers and fences, and without secrets."""
    values: Values | None = None
    """Of what is no reply: its figures under the names that INFO has for them, or else their own."""
    source: str
    """Where it stood: `ticket.txt:12-57`."""
    node: str | None = None
    """host:port, where a prompt, a command line or a label names it."""
    label: str | None = None
    """What the heading above it calls the server."""
    cut: bool = False
    """Whether it begins or ends in the middle, or was too long to be kept whole."""
    at: float | None = None
    """Unix time of it, where it tells one; of a log its last line's, if its zone were UTC."""


class Stretch(Record):
    """Lines that couldn't be recognised."""

    source: str
    lines: int
    """How many there are that aren't blank."""
    words: str
    """How they begin, without secrets."""
    prose: bool = False
    """Whether they're sentences."""


class Recognised(Record):
    """All of one text."""

    pieces: tuple[Piece, ...]
    unrecognised: tuple[Stretch, ...]
    prose: str = ""
    """What somebody wrote around the pieces, without secrets."""
