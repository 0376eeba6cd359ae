"""How a number goes on after a recording's end: the recording's steady part happens again and again.

The moment asked for is folded into that part (`Stretch`), and what a number does there depends on what it is. A
counter keeps what it gained each time, a clock runs on, an age of something that didn't happen again grows, the time of
something that did moves along, a gauge repeats, and a level that grew steadily goes on growing within its limit. Two
clients see the same at the same moment, and a counter never goes backwards.
"""

from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

OPENING = 1.0
"""Seconds of the stretch that are over for whoever comes: the recorder opened its connections in them.

Two readings of theirs then lie between those of the recorder, who read at the beginning, and not at the edge of one.
"""
LEAST = 0.4
"""Seconds between two samples that tell a pace."""
ONE = 1.6
"""Seconds between two moments that may be one and the same: ages are whole seconds."""
RECENT = 3.0
"""Seconds since something that was seen once, from which on it's taken to be over."""
STEADY = 3
"""Samples that a level needs to have grown steadily."""
GROWN = 0.004
"""The share of a level below which its growth is noise."""
NEARLY = 0.8
"""The share of a limit up to which a level goes on growing: what wasn't full in the recording doesn't become full.

Of what a level still is at the end, it's the share that it goes on falling by: what wasn't empty doesn't become empty.
"""


class Sample(NamedTuple):
    """A number at a moment of the recording."""

    t: float
    value: float
    text: str = ""
    """As it was written."""


class Visit(NamedTuple):
    """Somebody's coming after a while in which nobody asked anything."""

    came: float
    away: float
    """Seconds after the recording's end in which nobody was there, all in all."""


class Place(NamedTuple):
    """A moment, as one of the recording."""

    phase: float
    turns: int
    """How often the stretch was over by then."""
    shift: float
    """Seconds between that moment of the recording and this one."""
    is_first: bool = False
    """Whether this turn began because somebody came."""
    is_mirrored: bool = False
    """Whether levels run backwards in this turn."""
    away: float = 0.0
    """Seconds of the shift in which nobody was there."""
    visited: tuple[int, float] | None = None
    """Turns and shift when somebody came; null for those who were there from the recording on."""

    def gain(self, rate: float, usual: float | None) -> float:
        """What a counter gained besides what it has in the recording, if it gains `usual` while nobody is there.

        It's no more than what it gains while somebody is: data that was once loaded isn't loaded again and again.
        """
        meanwhile = rate if usual is None else min(rate, usual)
        return (self.shift - self.away) * rate + self.away * meanwhile if self.turns else 0.0

    @property
    def wraps(self) -> bool:
        """Whether what was last in the stretch came before what is first in it."""
        return self.turns > 0 and not self.is_first


class Stretch(NamedTuple):
    """The part of a recording that happens again after its end."""

    begins: float
    ends: float
    visits: Sequence[Visit] = ()
    """After its end, in order: a turn begins with each."""

    @property
    def length(self) -> float:
        """Seconds."""
        return self.ends - self.begins

    def place(self, now: float) -> Place:
        """Where a moment is in it."""
        if now <= self.ends or self.length <= 0:
            return Place(min(now, self.ends), 0, max(0.0, now - self.ends))
        found = bisect_right(self.visits, now, key=lambda visit: visit.came)
        visit = self.visits[found - 1] if found else None
        since = self.ends if visit is None else visit.came - min(OPENING, self.length / 2)
        over = int((now - since) // self.length)
        shift = since - self.begins + over * self.length
        phase = min(max(now - shift, self.begins), self.ends)
        # The recording itself was the first turn that ran forwards.
        mirrored = (over + (visit is None)) % 2 == 1
        turns, away = max(1, round(shift / self.length)), visit.away if visit else 0.0
        visited = (max(1, turns - over), since - self.begins) if visit else None
        return Place(phase, turns, shift, visit is not None and not over, mirrored, away, visited)

    def until(self, attended: float, now: float) -> float:
        """The moment at which somebody had been there up to that second, all in all; at most `now`."""
        for visit in reversed(self.visits[: bisect_right(self.visits, now, key=lambda visit: visit.came)]):
            if (then := attended + visit.away) >= visit.came:
                return min(now, then)
        return min(now, attended)


class Series(NamedTuple):
    """What a recording shows of a number within the stretch, in order; never empty."""

    samples: Sequence[Sample]
    stretch: Stretch
    pace: float = 0.0
    """A second's gain, where there is only one sample."""
    usual: float | None = None
    """A second's gain before the recording, which is also that of the time in which nobody is there; null if unknown.

    What was unusual then is what was to be looked at: for whoever comes later it's as unusual.
    """
    drift: float = 0.0
    """A second's gain beyond the recorded one, so that it doesn't fall behind what it follows."""

    def before(self, now: float) -> Sample:
        """The sample that is repeated at a moment."""
        place = self.stretch.place(now)
        found = bisect_right(self.samples, place.phase, key=lambda sample: sample.t)
        wrapped = -1 if place.wraps else 0
        return self.samples[found - 1 if found else wrapped]

    @property
    def rate(self) -> float:
        """The gain in a second."""
        first, last = self.samples[0], self.samples[-1]
        return (last.value - first.value) / (last.t - first.t) if last.t - first.t >= LEAST else self.pace

    @property
    def floor(self) -> float:
        """The least that a level falls to."""
        return self.samples[-1].value - NEARLY * self.samples[-1].value

    def falls(self) -> bool:
        """Whether it ever fell."""
        return any(later.value < one.value for one, later in pairwise(self.samples))

    def moves(self) -> bool:
        """Whether it ever changed."""
        return any(later.value != one.value for one, later in pairwise(self.samples))

    def moves_steadily(self) -> bool:
        """Whether it grew all the time, or fell all the time."""
        values = [sample.value for sample in self.samples]
        steps = [later - one for one, later in pairwise(values)]
        if len(values) < STEADY or abs(values[-1] - values[0]) <= GROWN * max(map(abs, values)):
            return False
        up, down = sum(step > 0 for step in steps), sum(step < 0 for step in steps)
        return (not down and up > len(steps) / 2) or (not up and down > len(steps) / 2)

    def gained(self, now: float) -> float:
        """A counter's value: linear between its samples, and with each turn's gain added."""
        place, rate = self.stretch.place(now), self.rate
        turns = place.gain(rate, self.usual) + self.drift * max(0.0, now - self.stretch.ends - place.away)
        first, last = self.samples[0], self.samples[-1]
        if place.phase <= first.t:
            return first.value - rate * (first.t - place.phase) + turns
        if place.phase >= last.t:
            return last.value + rate * (place.phase - last.t) + turns
        number = bisect_right(self.samples, place.phase, key=lambda sample: sample.t)
        one, later = self.samples[number - 1], self.samples[number]
        return one.value + (later.value - one.value) * (place.phase - one.t) / (later.t - one.t) + turns

    def run(self, now: float, unit: float) -> float:
        """A clock's value; `unit` is how many of its units are a second."""
        found = bisect_right(self.samples, now, key=lambda sample: sample.t)
        one = self.samples[max(0, found - 1)]
        return one.value + (now - one.t) * unit

    def to_and_fro(self, now: float) -> Sample:
        """The sample of a level: each second turn runs backwards, so that nothing is suddenly lost at a seam."""
        place = self.stretch.place(now)
        phase = self.stretch.begins + self.stretch.ends - place.phase if place.is_mirrored else place.phase
        found = bisect_right(self.samples, phase, key=lambda sample: sample.t)
        return self.samples[max(0, found - 1)]

    def aged(self, now: float, unit: float) -> float:
        """Time since something: it grows if that didn't happen within the stretch, and repeats if it did."""
        last = self.samples[-1]
        if last.value < 0:
            return self.before(now).value
        moments = [sample.t - sample.value / unit for sample in self.samples if sample.value >= 0]
        once = max(moments) - min(moments) < ONE if len(moments) > 1 else last.value / unit > RECENT
        if once or max(moments) <= self.stretch.begins:
            return self.run(now, unit)
        one = self.before(now)
        return min(one.value, self.stretch.length * unit) if now > self.stretch.ends else one.value

    def moved(self, now: float, unit: float, zero: float) -> float:
        """The time of something, in units since 1970; `zero` is the recording's beginning in seconds."""
        place, one = self.stretch.place(now), self.before(now)
        if not place.turns or self._within(self.samples[-1], unit, zero) is False:
            return one.value
        if self._within(one, unit, zero):
            return one.value + place.shift * unit
        return self.samples[-1].value + (place.shift - self.stretch.length) * unit

    def _within(self, sample: Sample, unit: float, zero: float) -> bool:
        return sample.value / unit - zero > self.stretch.begins
