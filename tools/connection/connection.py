"""A connection to a node, as seen by everything above it: live, recorded or replayed."""

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from tools.connection.protocol import Command, Reply
from tools.connection.target import Target
from tools.records import Values

Meter = Callable[[int], bool]
"""Counts this many more bytes; returns whether they are still within the limit."""


class Progress:
    """How far a dial has got; it grows as the stages pass."""

    def __init__(self) -> None:
        self.stage = "dns"
        """The current stage: dns, tcp, tls, auth, open."""
        self.stages: Values = {}
        """`<stage>_ms` of each stage passed, in milliseconds, and the address that was dialled."""


class Timed(NamedTuple):
    """A reply and how long it took."""

    reply: Reply
    seconds: float
    """From sending its command to its arrival at this machine, as far as the system reports it."""
    own_seconds: float | None
    """How late this program was with sending and reading; null if not measured."""
    is_known: bool
    """Whether `own_seconds` is excluded from `seconds`; if not, up to that much of them may have been our own."""


class Connection(Protocol):
    """A connection whose every failure is an `Unanswered` with its kind.

    Replies that arrive after their call timed out are dropped, so a slow server doesn't cost the connection its slot. A
    goodbye (an error that the server writes before it closes) is kept even if the close overtook our own write. It
    never reconnects by itself.
    """

    target: Target
    progress: Progress

    @property
    def usable(self) -> bool:
        """Whether it's open in both directions."""

    async def open(self, timeout: float) -> None:
        """Dial within `timeout` seconds. Raises `Unanswered`, its values the stages that were passed."""

    async def exchange(self, commands: Sequence[Command], timeout: float) -> list[Reply]:
        """Send commands in one write; their replies, in order, each a value or a `ServerError`.

        Raises `Unanswered`: timeout (the connection stays usable), reset, or the kind of the server's goodbye.
        """

    async def timed(self, command: Command, timeout: float) -> Timed:
        """Send one command; its reply and the time that it took. Raises as `exchange` does."""

    def measure(self, meter: Meter) -> None:
        """Have bytes counted as they arrive, and the connection ended if there are too many."""

    def take_bytes(self) -> int:
        """The bytes sent and received since the last call, except those that a meter has counted."""

    def take_unasked(self) -> list[Reply]:
        """The replies that no command asked for, oldest first: a subscriber's messages."""

    async def closed(self, timeout: float) -> bool:
        """Whether the peer closed the connection within `timeout` seconds."""

    def on_lost(self, callback: Callable[[], None]) -> None:
        """Have this called once the peer has closed the connection, before any waiter learns of it."""

    def close(self) -> None:
        """Close at once, without waiting for the peer."""
