"""What a recording says about each node, ordered so that the reply for a moment can be found."""

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from tools.connection.protocol import Command, Reply, ServerError
from tools.record.load import Recording
from tools.record.redaction import decoded
from tools.record.schema import Ask, Came, Dial, Gone, Named, Seen
from tools.records import Kind, Reading
from tools.server.command_keys import CONTAINERS

AHEAD = 1.0
"""Seconds for which a replay waits for the moment at which a thing was recorded, so that it doesn't run ahead."""
BEHIND = 1.0
"""Seconds by which an item may lie in the past and still be the next in turn."""
Key = tuple[str, ...]
_TWO_WORDS = CONTAINERS | {"INFO"}


def key(command: Command) -> Key:
    """A command as a look-up key: the letter case of its own words doesn't matter, that of a Redis key does."""
    words = [str(word) for word in command]
    own = 2 if words[0].upper() in _TWO_WORDS else 1
    return (*(word.upper() for word in words[:own]), *words[own:])


@dataclass(frozen=True, eq=False)
class Outcome:
    """The result of one command, once."""

    t: float
    link: int
    ms: float
    reply: Reply
    end: Kind | None
    """Why there was no reply."""
    detail: str
    own_ms: float | None = None
    own_is_known: bool = True


@dataclass
class NodeTape:
    """One node's part."""

    dials: list[Dial] = field(default_factory=list)
    asks: list[Ask] = field(default_factory=list)
    outcomes: dict[Key, list[Outcome]] = field(default_factory=dict)
    came: dict[int, list[Came]] = field(default_factory=dict)
    gone: dict[int, float] = field(default_factory=dict)

    @property
    def subscribed(self) -> bool:
        """Whether somebody listened to what it published."""
        return any(asked[0] in ("SUBSCRIBE", "PSUBSCRIBE") for asked in self.outcomes)

    @property
    def is_sentinel(self) -> bool:
        """Whether it answered as a Sentinel."""
        return any(asked[0] == "SENTINEL" and not isinstance(outcomes[-1].reply, ServerError)
                   for asked, outcomes in self.outcomes.items())  # fmt: skip


class Tape:
    """A whole recording."""

    def __init__(self, recording: Recording) -> None:
        self.head = recording.head
        self.began = recording.began
        self.nodes: dict[str, NodeTape] = {}
        self.names: dict[str, tuple[str, ...] | None] = {}
        self.seen: dict[tuple[str, str | None], list[Seen]] = {}
        self.events: list[dict[str, object]] = []
        self.ends = 0.0
        """When its last thing began."""
        for line in recording.lines:
            self.ends = max(self.ends, line.t)
            if isinstance(line, Dial | Ask | Came | Gone):
                _add(self.nodes.setdefault(line.node, NodeTape()), line)
            elif isinstance(line, Named):
                self.names.setdefault(line.host, line.addresses)
            elif isinstance(line, Seen):
                self.seen.setdefault((line.reading.tool, line.reading.node), []).append(line)
            elif line.type == "event":
                self.events.append(line.event)
        for node in self.nodes.values():
            node.dials.sort(key=lambda dial: dial.t)
            node.asks.sort(key=lambda ask: ask.t)
            for outcomes in node.outcomes.values():
                outcomes.sort(key=lambda one: one.t)
        for readings in self.seen.values():
            readings.sort(key=lambda one: (one.t, len(one.reading.id), one.reading.id))

    def readings(self, tool: str, node: str | None) -> Sequence[Reading]:
        """What one tool read from a node, in order."""
        return [one.reading for one in self.seen.get((tool, node), ())]


def _add(node: NodeTape, line: Dial | Ask | Came | Gone) -> None:
    if isinstance(line, Dial):
        node.dials.append(line)
    elif isinstance(line, Came):
        node.came.setdefault(line.link, []).append(line)
    elif isinstance(line, Gone):
        node.gone.setdefault(line.link, line.t)
    else:
        node.asks.append(line)
        end = line.end.kind if line.end else None
        for number, command in enumerate(line.commands):
            reply = decoded(line.replies[number]) if line.replies is not None else None
            detail = line.end.detail if line.end else ""
            outcome = Outcome(line.t, line.link, line.ms, reply, end, detail, line.own_ms, line.own_is_known)
            node.outcomes.setdefault(key(command), []).append(outcome)


T = TypeVar("T", bound=Hashable)


class Turns(Generic[T]):
    """Items returned in order to one listener, each at its own moment."""

    def __init__(self, things: Iterable[T], at: Callable[[T], float]) -> None:
        self._things = list(things)
        self._at = at
        self._next = 0

    def take(self, now: float) -> T | None:
        """The next one if its moment has come, else the newest past one; the first if there is none."""
        things = self._things
        while self._next < len(things) and self._at(things[self._next]) <= now + AHEAD:
            number, self._next = self._next, self._next + 1
            later = self._next < len(things) and self._at(things[self._next]) <= now
            if not later or self._at(things[number]) >= now - BEHIND:
                return things[number]
        if not things:
            return None
        return things[max(0, self._next - 1)]
