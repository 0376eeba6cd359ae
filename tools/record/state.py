"""A node's state at a moment: whether it accepted connections, whether it answered, and what it said to everything."""

import math
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar

from tools.connection.protocol import ServerError
from tools.record.continuation import Stretch
from tools.record.schema import Ask, Dial
from tools.record.tape import Key, NodeTape, key
from tools.records import Kind

T = TypeVar("T")
LEAST_IDLE = 0.5
"""Seconds of idleness after which a connection that the peer closed was closed for being idle."""
MUCH_LONGER = 2.0
"""How many times as long as any before a silence at the end has to be, to be taken for one that lasts."""
ONCE = 1
"""Silences in a recording that may have been the machine's, and are over."""
LEAST_SILENCE = 1000.0
"""Milliseconds for which an answer was waited for before it's taken for silence: less is slow, or was given up."""
_NO_ENTRY = ServerError("NOAUTH Authentication required.")
_SPARED = frozenset(("AUTH", "HELLO", "QUIT", "RESET", "SHUTDOWN", "MULTI", "DISCARD", "WATCH", "UNWATCH"))
"""Answered even by a server that refuses everything else."""
_SPARED_TWO = frozenset((("SCRIPT", "KILL"), ("FUNCTION", "KILL"), ("FUNCTION", "STATS")))
_WHILE_LOADING = frozenset(
    ("ACL", "CLIENT", "COMMAND", "COMMANDLOG", "CONFIG", "INFO", "LATENCY", "MEMORY", "MODULE", "ROLE", "SELECT",
     "SLOWLOG", "TIME")
)  # fmt: skip
"""Also answered while the dataset is being loaded."""


class Steps(Generic[T]):
    """A state from one moment to the next; before the first it's as at the first."""

    def __init__(self, rows: Iterable[tuple[float, T]]) -> None:
        self.rows = sorted(rows, key=lambda row: row[0])

    def at(self, now: float) -> tuple[float, T] | None:
        """The state at a moment, and since when; None if unknown."""
        number = bisect_right(self.rows, now, key=lambda row: row[0])
        return self.rows[max(0, number - 1)] if self.rows else None

    def after(self, now: float) -> Iterator[tuple[float, T]]:
        """What is still to come."""
        return iter(self.rows[bisect_right(self.rows, now, key=lambda row: row[0]) :])


class State:
    """One node's."""

    def __init__(self, tape: NodeTape, stretch: Stretch | None = None) -> None:
        """`stretch` is the part of the recording that happens again after its end; null where nothing does."""
        self._dials: Steps[Dial] = Steps((dial.t, dial) for dial in tape.dials)
        first: dict[int, Ask] = {}
        for ask in tape.asks:
            first.setdefault(ask.link, ask)
        self.arrivals: Steps[Kind | None] = Steps((dial.t, _welcome(dial, first.get(dial.link))) for dial in tape.dials)
        """Connections: null if accepted, else how they failed."""
        self.voice: Steps[Kind | None] = Steps(_voice(tape))
        """Whether it answers: null, timeout or reset."""
        self._refrain: Steps[ServerError | None] = Steps(_refrain(tape.asks))
        answers = (pair for ask in tape.asks for pair in zip(ask.commands, ask.replies or (), strict=False))
        replies = [reply for command, reply in answers if command[0] == "AUTH"]
        let_in = [ServerError(reply["error"]).kind if isinstance(reply, dict) else None for reply in replies]
        self._shut = bool(let_in) and all(kind in ("wrongpass", "noauth") for kind in let_in)
        """Whether nobody was admitted."""
        self.idle = min(_rests(tape), default=None)
        """Seconds after which it closes an idle connection; null if none was seen closed."""
        self._stretch = stretch if stretch is not None and self._speaks_again(stretch, tape) else None
        rows = [kind for t, kind in self.voice.rows if stretch is not None and t >= stretch.begins]
        self._closes = stretch is None or None not in rows[-2:]
        """Whether it goes on closing connections, other than once."""
        self._ends = math.inf if stretch is None else stretch.ends

    def _speaks_again(self, stretch: Stretch, tape: NodeTape) -> bool:
        """Whether it fell silent and spoke again more than once; a server that stays silent isn't heard again."""
        rows = [row for row in self.voice.rows if row[0] >= stretch.begins]
        since: float | None = None
        over = [0.0]
        for t, kind in rows:
            if kind == "timeout":
                since = t if since is None else since
            elif since is not None:
                over.append(t - since)
                since = None
        if since is None:
            # The first of `over` is none of them.
            return len(over) > ONCE + 1
        # It's silent at the end: not for long, compared with before.
        last = max((ask.t + ask.ms / 1000 for ask in tape.asks), default=since)
        return last - since <= MUCH_LONGER * max(over)

    def voice_at(self, now: float) -> Kind | None:
        """Whether it answers: null, timeout or reset."""
        place = self._stretch.place(now) if self._stretch else None
        row = self.voice.at(place.phase if place else now)
        if place and place.turns and row and not self.begins_turn(row[0], place.phase):
            # A silence that had begun before isn't added to that of the turn before.
            return None
        once = row is not None and row[1] == "reset" and now > self._ends and not self._closes
        return row[1] if row and not once else None

    def begins_turn(self, since: float, phase: float) -> bool:
        """Whether a state began within the stretch, before this moment of it."""
        return self._stretch is not None and self._stretch.begins <= since <= phase

    def speaks_at(self, now: float) -> float | None:
        """The moment from `now` on at which it's no longer silent; null for never."""
        if self.voice_at(now) != "timeout":
            return now
        phase = now if self._stretch is None else self._stretch.place(now).phase
        there = next((t for t, kind in self.voice.after(phase) if kind != "timeout"), None)
        if there is not None:
            return now + there - phase
        if self._stretch is None:
            return None
        again = next((t for t, kind in self.voice.after(self._stretch.begins) if kind != "timeout"), self._stretch.ends)
        return now + self._stretch.ends - phase + again - self._stretch.begins

    def newest_dial(self, now: float) -> Dial:
        """How a connection was opened last by then; where a silence happens again, as in that silence."""
        silent = now > self._ends and self._stretch is not None and self.silent(now)
        row = self._dials.at(self._stretch.place(now).phase if silent and self._stretch else now)
        assert row is not None
        return row[1]

    def listens(self, now: float) -> bool:
        """Whether its port was open then."""
        row = self.arrivals.at(now)
        return row is None or row[1] not in ("refused", "dns")

    def silent(self, now: float) -> bool:
        """Whether it accepted commands then but answered none."""
        return self.voice_at(now) == "timeout"

    def refrain(self, asked: Key, now: float) -> tuple[float, ServerError] | None:
        """What it said to a command of this kind whatever it was, as while it's busy; and since when."""
        row = (0.0, _NO_ENTRY) if self._shut else self._refrain.at(now)
        if row is None or row[1] is None or _is_spared(asked, row[1].kind):
            return None
        return row[0], row[1]


def _welcome(dial: Dial, then: Ask | None) -> Kind | None:
    if dial.end is not None:
        return dial.end.kind
    return then.end.kind if then and then.end and then.end.kind in ("maxclients", "protected", "reset") else None


def _voice(tape: NodeTape) -> Iterator[tuple[float, Kind | None]]:
    for dial in tape.dials:
        if dial.end is not None and dial.end.kind == "timeout" and dial.ms >= LEAST_SILENCE:
            yield dial.t, "timeout"
    for ask in tape.asks:
        if ask.end is None:
            if ask.ms >= LEAST_SILENCE:
                yield ask.t, "timeout"
            yield ask.t + ask.ms / 1000, None
        elif ask.end.kind == "timeout" and ask.ms < LEAST_SILENCE:
            continue
        elif ask.end.kind in ("timeout", "reset"):
            yield ask.t, ask.end.kind


def _refrain(asks: list[Ask]) -> Iterator[tuple[float, ServerError | None]]:
    kind: Kind | None = None
    known = False
    for ask in asks:
        for command, reply in zip(ask.commands, ask.replies or (), strict=False):
            asked, error = key(command), ServerError(reply["error"]) if isinstance(reply, dict) else None
            if error is not None and error.kind in ("busy", "loading", "noauth") and asked[0] not in ("AUTH", "HELLO"):
                kind, known = error.kind, True
                yield ask.t, error
            elif error is None and (kind is None or not _is_spared(asked, kind)) and (kind or not known):
                kind, known = None, True
                yield ask.t, None


def _is_spared(asked: Key, kind: Kind | None) -> bool:
    return asked[0] in _SPARED or asked[:2] in _SPARED_TWO or (kind == "loading" and asked[0] in _WHILE_LOADING)


def _rests(tape: NodeTape) -> Iterator[float]:
    """How long each connection that the peer closed had been idle."""
    moved: dict[int, float] = {dial.link: dial.t for dial in tape.dials}
    ended: set[int] = set()
    for ask in tape.asks:
        moved[ask.link] = max(moved.get(ask.link, 0.0), ask.t + ask.ms / 1000)
        if ask.end is not None:
            ended.add(ask.link)
    for link, gone in tape.gone.items():
        rest = gone - moved.get(link, gone)
        if link not in ended and rest >= LEAST_IDLE:
            yield rest
