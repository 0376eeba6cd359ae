"""The past out of this program's own file: the same comparison as Prometheus', and what servers no longer have."""

from collections.abc import Sequence
from itertools import pairwise
from math import ceil
from pathlib import Path

from tools.clock import iso_time
from tools.errors import Unanswered
from tools.past.changes import Window, comparison
from tools.past.coverage import gaps, restarts, usual_interval
from tools.past.figures import CLIENTS, FIGURES, PREFIX, STARTED, Figure, labelled_figure, labelled_figures
from tools.past.series import Series
from tools.past.stored import Happened, Reader, Sampled
from tools.records import Values
from tools.redact import Pseudonyms

POINTS = 120
"""Most points of one series."""
SOURCE = "rediagnose"
MOST = {"cmd": 5, "err": 4, "db": 4, "client": 8}
"""Most values of a label that are compared, those that moved most."""
SHOWN = 3
"""Most entries of each kind that are shown."""
UNKNOWN_INTERVAL = 60.0
CUT = "cut"
"""Stands among the figures of a sample that has only some of the commands and errors."""
LISTED = "listed"
"""Stands among the figures of a sample that has all groups of clients."""
_ORDERED_BY = {"cmd": "usec.rate", "err": "count.rate", "db": "keys", "client": CLIENTS.field}


def kept_past(path: Path, node: str, run_id: str | None, pseudonyms: Pseudonyms, window: Window) -> Values:
    """What the file has of a node: its figures over the window, and what happened. Raises `Unanswered`."""
    reader = Reader(path)
    number = reader.node(node, run_id)
    if number is None:
        raise Unanswered("not-recorded", f"{path.name} has nothing of {node}")
    sampled = reader.samples(number, window.start, window.now)
    values: Values = {"source": SOURCE}
    if not sampled:
        problem = f"{path.name} knows {node} but has no figures from {iso_time(window.start)} on"
        raise Unanswered("not-recorded", f"{problem}; ask about a later time", values)
    within = [one for one in sampled if one.at <= window.end]
    interval = usual_interval([[(one.at, 1.0) for one in within]])
    span = window.end - window.start
    every = max(1, round(interval or UNKNOWN_INTERVAL))
    step = ceil(span / (POINTS - 1) / every) * every
    ranges = [Series(one.labels, _stepped(one, window.end, step)) for one in _series(within, window)]
    last = [Series(one.labels, one.points[-1:]) for one in _series(sampled, window)]
    return {
        **values, "step_seconds": step,
        **gaps(ranges, len(within), interval, window, step), **restarts(ranges),
        **comparison(pseudonyms, ranges, last, window, step),
        **_slow(pseudonyms, reader.happened(number, "slow", window.start, window.end)),
        **_stalls(pseudonyms, reader.happened(number, "stall", window.start, window.end)),
        **_settings(pseudonyms, reader.happened(number, "config", window.start, window.now)),
    }  # fmt: skip


def growth(reader: Reader, node: str, now: float, hours: float = 6.0, least: float = 3600.0) -> float | None:
    """How fast a node's memory grew over the last hours, in bytes per second; null with less than an hour of it."""
    number = reader.node(node)
    if number is None:
        return None
    sampled = reader.samples(number, now - hours * 3600, now)
    points = [(one.at, one.figures["used_memory"]) for one in sampled if "used_memory" in one.figures]
    if len(points) < 5 or points[-1][0] - points[0][0] < least:
        return None
    middle, mean = (sum(column) / len(points) for column in zip(*points, strict=True))
    spread = sum((at - middle) ** 2 for at, _ in points)
    return sum((at - middle) * (value - mean) for at, value in points) / spread if spread else None


def _series(sampled: Sequence[Sampled], window: Window) -> list[Series]:
    """The series of all figures, a counter's as its rate."""
    found = [Series({"figure": one.field}, _points(sampled, one.field)) for one in (STARTED, *FIGURES)]
    for label in PREFIX:
        prefix = f"{label}:"
        texts = {
            name[len(prefix) :].rpartition(":")[0] for one in sampled for name in one.figures if name.startswith(prefix)
        }
        by_value = {text: _of_value(sampled, label, text) for text in sorted(texts)}
        # Those that moved most in the minutes in question.
        moved = {text: _moved(several, _ORDERED_BY[label], window) for text, several in by_value.items()}
        for text in sorted(moved, key=lambda one: -moved[one])[: MOST[label]]:
            found += by_value[text]
    return [one for one in found if one.points]


def _of_value(sampled: Sequence[Sampled], label: str, text: str) -> list[Series]:
    return [
        Series({"figure": one.field, label: text}, _points(sampled, one.field, f"{label}:{text}:"))
        for one in labelled_figures(label)
    ]


def _moved(several: Sequence[Series], figure: str, window: Window) -> float:
    points = next((one.points for one in several if one.labels["figure"] == figure), [])
    recent = [value for at, value in points if at >= window.spans.page]
    earlier = [value for at, value in points if at < window.spans.page]
    return max(max(recent, default=0.0), max(earlier, default=0.0) - min(recent, default=0.0))


def _points(sampled: Sequence[Sampled], field: str, prefix: str = "") -> list[tuple[float, float]]:
    name = prefix + field.removesuffix(".rate")
    if field == CLIENTS.field:
        # Who isn't in a list that was read wasn't there.
        return [(one.at, one.figures.get(name, 0.0)) for one in sampled if LISTED in one.figures or name in one.figures]
    if prefix.startswith("db:"):
        # A database without keys isn't in INFO.
        return [(one.at, one.figures.get(name, 0.0)) for one in sampled if one.figures.get("redis_up")]
    if not field.endswith(".rate"):
        return [(one.at, one.figures[name]) for one in sampled if name in one.figures]
    found = []
    for earlier, later in pairwise(one for one in sampled if one.figures.get("redis_up")):
        # What wasn't counted yet was zero, unless some were left out; a counter that fell began anew.
        unknown = name not in earlier.figures and (not prefix or CUT in earlier.figures)
        if name in later.figures and later.at > earlier.at and not unknown:
            before = earlier.figures.get(name, 0.0)
            grown = later.figures[name] - before
            found.append((later.at, (grown if grown >= 0 else later.figures[name]) / (later.at - earlier.at)))
    return found


def _stepped(series: Series, end: float, step: int) -> list[tuple[float, float]]:
    """A point per step: its largest value, or its smallest of what is bad when low."""
    figure, buckets = _figure(series), dict[int, list[float]]()
    for at, value in series.points:
        buckets.setdefault(-int((end - at) // step), []).append(value)
    return [(end + number * step, figure.worst(values)) for number, values in sorted(buckets.items())]


def _figure(series: Series) -> Figure:
    name = series.labels["figure"]
    for label in PREFIX:
        if label in series.labels and (found := labelled_figure(name, label)):
            return found
    return next(one for one in (STARTED, *FIGURES) if one.field == name)


def _slow(pseudonyms: Pseudonyms, found: Sequence[Happened]) -> Values:
    """The worst entries of SLOWLOG in the window, whether or not the server still has them."""
    values: Values = {"slowlog_kept": len(found)}
    for number, one in enumerate(sorted(found, key=lambda one: -_number(one, "usec"))[:SHOWN], 1):
        values |= {f"slow{number}.when": iso_time(one.at), f"slow{number}.usec": int(_number(one, "usec"))}
        for field, what in (("command", "command"), ("key", "key"), ("client", "address"), ("name", "client")):
            if text := _text(one, field):
                values[f"slow{number}.{field}"] = pseudonyms.plain(what, text)
    return values


def _stalls(pseudonyms: Pseudonyms, found: Sequence[Happened]) -> Values:
    """The longest stalls that the server itself measured in the window."""
    values: Values = {"stalls_kept": len(found)}
    for number, one in enumerate(sorted(found, key=lambda one: -_number(one, "ms"))[:SHOWN], 1):
        values |= {
            f"stall{number}.event": pseudonyms.plain("event", _text(one, "event")),
            f"stall{number}.when": iso_time(one.at), f"stall{number}.ms": int(_number(one, "ms")),
        }  # fmt: skip
    return values


def _settings(pseudonyms: Pseudonyms, found: Sequence[Happened]) -> Values:
    """The parameters that were changed since the window began, the latest first."""
    values: Values = {"config_changes": len(found)}
    for number, one in enumerate(found[:SHOWN], 1):
        values[f"config{number}.parameter"] = pseudonyms.plain("parameter", _text(one, "parameter"))
        values |= {f"config{number}.{side}": pseudonyms.hide(_text(one, side)) for side in ("before", "after")}
        values[f"config{number}.when"] = iso_time(one.at)
    return values


def _text(one: Happened, field: str) -> str:
    value = one.body.get(field)
    return "" if value is None else str(value)


def _number(one: Happened, field: str) -> float:
    value = one.body.get(field)
    return value if isinstance(value, int | float) else 0.0
