"""What changed: each figure before, at and after the alert, most unusual first."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from tools.clock import iso_time
from tools.past.figures import FIGURES, PREFIX, Figure, labelled_figure
from tools.past.series import Series
from tools.past.shift import Points, Shift, Spans, left, shift
from tools.records import Scalar, Values
from tools.redact import Pseudonyms

CHANGES = 8
"""Most changes that are listed."""
_OWNER = {"cmd": "command", "err": "error", "db": "label", "client": "client"}
_GROUP = re.compile(r"[A-Za-z0-9_.:*/-]{1,40}")
"""A client's name with stars for what varies, or a network."""
_COMMAND = re.compile(r"[a-z0-9_.-]{1,32}(\|[a-z0-9_.-]{1,32})?")


class Window(NamedTuple):
    """What is asked about: Unix seconds."""

    start: float
    at: float
    end: float
    now: float
    lead: float
    """The condition had to hold for minutes before the alert, and a person took some to react: the alert's minutes
    cover both sides."""

    @property
    def spans(self) -> Spans:
        return Spans(self.at - self.lead, self.at + self.lead)


def comparison(
    pseudonyms: Pseudonyms, ranges: Sequence[Series], last: Sequence[Series], window: Window, step: int
) -> Values:
    """The figures of `ranges`, and those that changed. `last` holds the newest points, `step` is in seconds."""
    now = {_identity(one): one.points[-1] for one in last if one.points}
    scraped = [at for one in ranges if one.labels.get("figure") == "redis_up" for at, _ in one.points]
    values: Values = {figure.field: None for figure in FIGURES}
    changed: list[tuple[str, Figure, Shift]] = []
    for series in ranges:
        known = _figure_of(pseudonyms, series)
        if known is None:
            continue
        key, figure = known
        points = _zero_filled(figure, series.points, scraped)
        found, first = shift(points, window.spans, figure.floor), left(points, window.spans, figure.floor)
        latest = now.get(_identity(series))
        values.pop(figure.field, None)
        values |= {
            f"{key}.before": _printed(figure, found.before),
            f"{key}.at": _printed(figure, found.at),
            f"{key}.now": _printed(figure, latest[1]) if latest and window.now - latest[0] <= 2 * step else None,
        }
        if not figure.words:
            both = found.before is not None and found.at is not None
            values[f"{key}.change"] = _rounded((found.at or 0) - (found.before or 0)) if both else None
        if first and not figure.words:
            values |= {f"{key}.first": _rounded(first.value), f"{key}.until": iso_time(first.until)}
        if found.changed:
            changed.append((key, figure, found))
    changed.sort(key=lambda one: (one[2].seen_before, -one[2].spreads))
    ranked: Values = {"changed": len(changed)}
    for index, (key, figure, found) in enumerate(changed[:CHANGES], 1):
        ranked |= _change_fields(f"changed{index}", key, figure, found) | {f"changed{index}.now": values[f"{key}.now"]}
    return {**ranked, **values}


def _change_fields(name: str, key: str, figure: Figure, found: Shift) -> Values:
    ratio = None if figure.words or not found.before or found.at is None else _rounded(found.at / found.before)
    return {
        f"{name}.field": key, f"{name}.before": _printed(figure, found.before),
        f"{name}.at": _printed(figure, found.at), f"{name}.ratio": ratio,
        f"{name}.when": iso_time(found.when or 0), f"{name}.seconds": round(found.seconds),
        f"{name}.spreads": round(found.spreads, 1), f"{name}.seen_before": found.seen_before,
    }  # fmt: skip


def _zero_filled(figure: Figure, points: Points, scraped: Sequence[float]) -> Points:
    """The points of a figure; a counter that didn't exist yet at the first scrapes counted nothing then."""
    if not figure.field.endswith(".rate") or not points:
        return points
    return [*((at, 0.0) for at in scraped if at < points[0][0]), *points]


def _identity(series: Series) -> tuple[str, ...]:
    return tuple(series.labels.get(label, "") for label in ("figure", *PREFIX))


def _figure_of(pseudonyms: Pseudonyms, series: Series) -> tuple[str, Figure] | None:
    """A series' key and figure; untrusted text in a label enters the key only as a plain name or a handle."""
    name = series.labels.get("figure", "")
    for label, prefix in PREFIX.items():
        if (text := series.labels.get(label)) and (figure := labelled_figure(name, label)):
            return f"{prefix}{_shown(pseudonyms, label, text)}.{name}", figure
    return next(((one.field, one) for one in FIGURES if one.field == name), None)


def _shown(pseudonyms: Pseudonyms, label: str, text: str) -> str:
    known = {"cmd": _COMMAND, "client": _GROUP}.get(label)
    is_plain = known is not None and known.fullmatch(text) is not None and not pseudonyms.knows(text)
    return text if is_plain else pseudonyms.plain(_OWNER[label], text)


def _printed(figure: Figure, value: float | None) -> Scalar:
    if value is None:
        return None
    return figure.words[value >= 0.5] if figure.words else _rounded(value)


def _rounded(value: float) -> int | float:
    short = float(f"{value:.6g}")
    return int(short) if short.is_integer() else short
