"""Texts of `name:value` lines, as INFO's and CLUSTER INFO's: their numbers at a moment after the recording's end."""

import math
import re
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from types import MappingProxyType
from typing import NamedTuple

from tools.record.continuation import NEARLY, Series, Stretch
from tools.record.field_classes import LIMITS, class_of, is_number, series_of, text_at

_PARTED = re.compile(r"(cmdstat_|errorstat_|latency_percentiles_usec_|db\d+$|slave\d+$|io_thread_\d+$|master\d+$)")
"""Lines that consist of `name=value` parts."""
_MEMORY = re.compile(r"(used_memory|mem_|allocator_)(?!peak)")
"""What can't grow forever unless the whole does."""
_KEYS = re.compile(r"db\d+\.keys")
_ACCUMULATED = re.compile(r"(cmdstat_.+\.(calls|usec|rejected_calls|failed_calls)|errorstat_.+\.count)")
"""What is 0 before its line first appears."""
OFFSETS = re.compile(r"master_repl_offset|slave_(read_)?repl_offset|slave\d+\.offset")
"""What several nodes count together, each of which may have lived for another time."""
_KEPT = ("Commandstats", "Errorstats", "Latencystats")
"""Sections whose lines never go away."""
BUFFERS = 1 << 20
"""Bytes that buffers take for a while, those of whoever recorded it among them."""
KEEPS_UP = 0.8
"""The share of another's pace at which a replica's offset follows it."""
Follow = Callable[[str], float | None]
"""A field's gain in a second that another node's recording tells better; None for any other."""


class Part(NamedTuple):
    """A number of a line, or other text."""

    field: str
    """Empty for text that isn't a field's number."""
    text: str


def parts(line: str) -> Iterator[Part]:
    """A line in pieces that together are the line."""
    name, colon, value = line.partition(":")
    if not colon:
        yield Part("", line)
    elif _PARTED.match(name):
        yield Part("", f"{name}:")
        for number, piece in enumerate(value.split(",")):
            key, equals, text = piece.partition("=")
            yield Part("", f"{',' * bool(number)}{key}{equals}")
            yield Part(f"{name}.{key}" if is_number(text) else "", text)
    else:
        yield Part("", f"{name}:")
        yield Part(name if is_number(value) else "", value)


class ContinuedText:
    """One node's texts of a kind."""

    def __init__(self, replies: Sequence[tuple[float, str]], stretch: Stretch, zero: float, follow: Follow,
                 own: Mapping[str, Sequence[float]] = MappingProxyType({})) -> None:  # fmt: skip
        """`replies` are in order; `zero` is when the recording began, on the server's clock.

        `own` says when the recorder itself was counted, by field: nobody is counted again for it.
        """
        self._counted = own
        self._replies = replies
        self._stretch = stretch
        self._zero = zero
        self._follow = follow
        self._rows: dict[str, list[tuple[float, str]]] | None = None
        self._series: dict[str, Series] = {}
        self._lines: dict[tuple[str, str], list[list[Part]]] = {}
        self._newest: tuple[tuple[str, str, float], str] = ("", "", 0.0), ""

    def at(self, text: str, last: str, now: float) -> str:
        """The text at a moment: `text` is that of its phase, `last` the newest."""
        if self._newest[0] == (text, last, now):
            # Many commands are answered from one INFO.
            return self._newest[1]
        if (text, last) not in self._lines:
            self._lines[text, last] = [[*parts(line)] for line in _merged(text, last).split("\r\n")]
        lines = self._lines[text, last]
        recorded = {part.field: part.text for line in lines for part in line if part.field}
        values = {part.field: self._value(part, now) for line in lines for part in line if part.field}
        _settle(values, recorded)
        self._newest = (text, last, now), "\r\n".join(_line(line, values, recorded) for line in lines)
        return self._newest[1]

    def _value(self, part: Part, now: float) -> str:
        series = self._of(part.field)
        if series is None:
            return part.text
        moves = self._moves(part.field)
        moment = self._stretch.until(self.settles_at(), now) if moves and _MEMORY.match(part.field) else now
        return text_at("info", part.field, series, moment, self._zero, part.text, moves=moves)

    def _moves(self, field: str) -> bool:
        """Whether this level may go on growing: parts only with the whole, and a database's numbers only together."""
        if _MEMORY.match(field):
            return self.memory_moves
        database, _, number = field.partition(".")
        if number not in ("keys", "expires"):
            return True
        both = [self._of(f"{database}.{one}") for one in ("keys", "expires")]
        return all(one is None or one.moves_steadily() or not one.moves() for one in both)

    @cached_property
    def memory_moves(self) -> bool:
        """Whether the memory in use grows or shrinks steadily: keys with it, or by more than buffers come and go."""
        used = self._of("used_memory")
        if used is None or not used.moves_steadily() or self.settles_at() <= self._stretch.ends:
            return False
        held = (series for field in self._all() if _KEYS.fullmatch(field) and (series := self._of(field)) is not None)
        moved = abs(used.samples[-1].value - used.samples[0].value)
        return moved >= BUFFERS or any(series.moves_steadily() for series in held)

    def settles_at(self) -> float:
        """The moment from which memory and its parts stay as they are: near their limit, or at the floor."""
        used, most = self._of("used_memory"), self._of("maxmemory")
        if used is None or not used.rate:
            return math.inf
        end = used.floor if used.rate < 0 else NEARLY * most.samples[-1].value if most else 0.0
        left = end - used.gained(self._stretch.ends)
        return math.inf if end <= 0 else self._stretch.ends + max(0.0, left / used.rate)

    def _of(self, field: str) -> Series | None:
        if field not in self._series:
            rows = self._all().get(field)
            if rows is None:
                return None
            series = series_of(rows, self._stretch, self._life(rows[-1]))
            if class_of("info", field) == "counter":
                series = series._replace(usual=0.0 if OFFSETS.fullmatch(field) else self._usual(series))
            self._series[field] = self._followed(field, series)
        return self._series[field]

    def uptime(self, t: float) -> float | None:
        """The server's, at a moment of the recording; None if it never said."""
        uptimes = self._all().get("uptime_in_seconds")
        return max(1.0, float(uptimes[0][1]) + t - uptimes[0][0]) if uptimes else None

    def _usual(self, series: Series) -> float | None:
        first = series.samples[0]
        up = self.uptime(first.t)
        return None if up is None else first.value / up

    def gain(self, field: str, now: float) -> float:
        """What a counter gained besides what it has in the recording."""
        series = self._of(field)
        return 0.0 if series is None else self._stretch.place(now).gain(series.rate, series.usual)

    def _followed(self, field: str, series: Series) -> Series:
        """A replica that keeps up: a small difference in pace would grow into a lag that was never there."""
        rate = self._follow(field)
        keeps_up = rate is not None and len(series.samples) > 1 and series.rate >= KEEPS_UP * rate
        return series._replace(drift=max(0.0, rate - series.rate)) if rate is not None and keeps_up else series

    def _life(self, newest: tuple[float, str]) -> float:
        """The pace of a counter that was read once: that of the server's life."""
        uptimes = self._all().get("uptime_in_seconds")
        return float(newest[1]) / max(1.0, float(uptimes[-1][1])) if uptimes else 0.0

    def _all(self) -> dict[str, list[tuple[float, str]]]:
        if self._rows is None:
            self._rows = {}
            before: float | None = None
            for t, text in self._replies:
                for line in text.split("\r\n"):
                    for part in parts(line):
                        if part.field:
                            rows = self._rows.setdefault(part.field, [])
                            if not rows and before is not None and _ACCUMULATED.fullmatch(part.field):
                                rows.append((before, "0"))
                            rows.append((t, self._without_own(part, t)))
                before = t if "cmdstat_" in text else before
        return self._rows

    def _without_own(self, part: Part, t: float) -> str:
        own = bisect_left(self._counted.get(part.field, ()), t)
        return str(max(0, int(part.text) - own)) if own else part.text

    def rate(self, field: str) -> float | None:
        """A field's gain in a second, as recorded; None if that isn't known."""
        rows = self._all().get(field)
        series = series_of(rows, self._stretch) if rows else None
        return None if series is None or len(series.samples) < 2 else series.rate

    def rises(self, field: str) -> bool:
        """Whether a level grows steadily."""
        rows = self._all().get(field)
        series = series_of(rows, self._stretch) if rows else None
        return series is not None and series.moves_steadily() and series.rate > 0


def fields_in(text: str) -> dict[str, str]:
    """The lines of a text, by name."""
    return dict(line.split(":", 1) for line in text.split("\r\n") if ":" in line and not line.startswith("#"))


def _merged(text: str, last: str) -> str:
    """The text with those sections of the newest whose lines never go away."""
    if text is last:
        return text
    newest = {part.partition("\r\n")[0]: part for part in re.split(r"(?m)^(?=# )", last)}
    kept = [f"# {name}" for name in _KEPT]
    return "".join(newest.get(title, part) if (title := part.partition("\r\n")[0]) in kept else part
                   for part in re.split(r"(?m)^(?=# )", text))  # fmt: skip


def _line(line: list[Part], values: dict[str, str], recorded: dict[str, str]) -> str:
    name = line[0].text.removesuffix(":")
    base = name.removesuffix("_human").removesuffix("_perc")
    if name != base and values.get(base) != recorded.get(base):
        if name.endswith("_human"):
            return f"{name}:{human(int(values[base]))}"
        if name == "used_memory_peak_perc":
            return f"{name}:{int(values['used_memory']) * 100 / max(1, int(values[base])):.2f}%"
    return "".join(values.get(part.field, part.text) for part in line)


def human(size: int) -> str:
    """A number of bytes as INFO writes it for people."""
    for unit, name in ((2**40, "T"), (2**30, "G"), (2**20, "M"), (2**10, "K")):
        if size >= unit:
            return f"{size / unit:.2f}{name}"
    return f"{size}B"


def _settle(values: dict[str, str], recorded: dict[str, str]) -> None:
    """Make the fields agree that follow from others."""
    for field, limit in LIMITS.items():
        most = int(values.get(limit, "0") if is_number(values.get(limit, "")) else 0)
        if field in values and 0 < NEARLY * most < int(values[field]):
            values[field] = str(max(int(NEARLY * most), min(most, int(recorded[field]))))
    if {"used_memory", "used_memory_peak"} <= values.keys():
        values["used_memory_peak"] = str(max(int(values["used_memory"]), int(values["used_memory_peak"])))
    if {"total_connections_received", "connected_clients"} <= values.keys():
        counts = int(values["total_connections_received"]), int(values["connected_clients"])
        values["total_connections_received"] = str(max(counts))
    if {"uptime_in_seconds", "uptime_in_days"} <= values.keys():
        values["uptime_in_days"] = str(int(values["uptime_in_seconds"]) // 86400)
    for field in values:
        if field.startswith("cmdstat_") and field.endswith(".usec_per_call"):
            stat = field.removesuffix(".usec_per_call")
            calls, usec = values.get(f"{stat}.calls", "0"), values.get(f"{stat}.usec", "0")
            values[field] = f"{int(usec) / int(calls):.2f}" if int(calls) else values[field]
