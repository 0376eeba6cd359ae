"""Replies of names and values, however deep: their numbers at a moment after the recording's end."""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from tools.connection.protocol import Reply
from tools.record.continuation import Series, Stretch
from tools.record.field_classes import class_of, is_number, series_of, text_at

Path = tuple[str, ...]
_NAMES = ("name", "id", "entry-id")
"""What distinguishes a row from the others."""
_PAIRS = "histogram_usec"
"""A map whose names are numbers."""
_ENTRIES = ("last-delivered-id", "last-generated-id")
"""Names of entries of a stream, which begin with a time in milliseconds as long as nobody gives them others."""
_ENTRY = re.compile(r"(\d{13})(-\d{1,20})")


def rebuilt(reply: Reply, change: Callable[[Path, Any], Any], path: Path = ()) -> Reply:
    """The same reply with each scalar changed, which is known by its path."""
    if not isinstance(reply, list):
        return change(path, reply)
    if _is_map(reply) or path[-1:] == (_PAIRS,):
        pairs = zip(reply[::2], reply[1::2], strict=False)
        return [word for name, value in pairs for word in (name, rebuilt(value, change, (*path, str(name))))]
    return [rebuilt(row, change, (*path, _row_name(row, number))) for number, row in enumerate(reply)]


def _is_map(reply: list[Any]) -> bool:
    return bool(reply) and len(reply) % 2 == 0 and all(isinstance(name, str) for name in reply[::2])


def _row_name(row: Reply, number: int) -> str:
    if isinstance(row, list) and _is_map(row):
        fields = {str(name): value for name, value in zip(row[::2], row[1::2], strict=True)}
        return next((f"[{fields[name]}]" for name in _NAMES if name in fields), f"[{number}]")
    return f"[{row[0]}]" if isinstance(row, list) and row and isinstance(row[0], int) else f"[{number}]"


def leaves(reply: Reply) -> Iterator[tuple[Path, Any]]:
    """Each scalar of a reply, with its path."""
    found: list[tuple[Path, Any]] = []
    rebuilt(reply, lambda path, value: found.append((path, value)))
    return iter(found)


class ContinuedRows:
    """One node's replies to one command."""

    def __init__(
        self,
        replies: Sequence[tuple[float, Reply]],
        stretch: Stretch,
        zero: float,
        uptime: Callable[[float], float | None],
        *,
        moves: bool = True,
    ) -> None:
        """`uptime` is the server's at a moment, in seconds; levels go on growing only if `moves`."""
        self._moves = moves
        self._replies = replies
        self._stretch = stretch
        self._zero = zero
        self._uptime = uptime
        self._rows: dict[Path, list[tuple[float, str]]] | None = None
        self._series: dict[Path, Series] = {}

    def at(self, reply: Reply, now: float) -> Reply:
        """The reply at a moment, of which `reply` is that of its phase."""
        return rebuilt(reply, lambda path, value: self._value(path, value, now))

    def _value(self, path: Path, value: Any, now: float) -> Any:
        if path[-1:] and path[-1] in _ENTRIES and isinstance(value, str) and (entry := _ENTRY.fullmatch(value)):
            return self._entry(path, entry, now)
        if isinstance(value, bool) or not (isinstance(value, int) or (isinstance(value, str) and is_number(value))):
            return value
        name = ".".join(part for part in path if not part.startswith("["))
        if path not in self._all():
            return value
        if path not in self._series:
            rows = self._all()[path]
            # What was counted in a log happened when it happened; other counters have the pace of the server's life.
            up = self._uptime(rows[-1][0])
            pace = 0.0 if path[-1] == "count" or not up else float(rows[-1][1]) / up
            series = series_of(rows, self._stretch, pace)
            first = series.samples[0]
            usual, before = (0.0 if name.endswith("offset") else None), self._uptime(first.t)
            if usual is None and before is not None and class_of("rows", name) == "counter":
                usual = first.value / before
            self._series[path] = series._replace(usual=usual)
        text = text_at("rows", name, self._series[path], now, self._zero, str(value), moves=self._moves)
        return int(text) if isinstance(value, int) else text

    def _entry(self, path: Path, entry: re.Match[str], now: float) -> str:
        """An entry that was added or read within the stretch is one as recent now."""
        if path not in self._series:
            texts = [(t, str(value)) for t, reply in self._replies for at, value in leaves(reply) if at == path]
            times = [(t, found[1]) for t, text in texts if (found := _ENTRY.fullmatch(text))]
            self._series[path] = series_of(times, self._stretch)
        series = self._series[path]
        return f"{series.moved(now, 1000.0, self._zero):.0f}{entry[2]}" if series.moves() else entry[0]

    def _all(self) -> dict[Path, list[tuple[float, str]]]:
        if self._rows is None:
            self._rows = {}
            for t, reply in self._replies:
                for path, value in leaves(reply):
                    if is_number(str(value)):
                        self._rows.setdefault(path, []).append((t, str(value)))
        return self._rows
