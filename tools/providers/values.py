"""What a provider said, as the flat values of a reading."""

from collections import Counter
from collections.abc import Iterator

from tools.clock import iso_time
from tools.providers import names
from tools.providers.found import Event, Figure, Found, Logged, Window
from tools.records import Scalar, Values

RECENT = 900.0
"""Seconds before the moment of the report that count as its time."""
MOST_FIGURES, MOST_EVENTS, MOST_SETTINGS, MOST_LOGGED = 32, 12, 40, 10
FACTS = (
    "region", "node", "nodes", "status", "node_type", "engine_version", "maintenance_window", "settings.group",
    "settings.status", "scaling.under_way", "scaling.percent", "update.name", "update.status", "update.severity",
    "update.age",
)  # fmt: skip
"""What a provider may say of a resource beside its figures, its events and its settings."""


def values_of(found: Found, window: Window) -> Values:
    """The values of what was found: newest events first, ages as of the moment that is asked about."""
    values: Values = {
        "source": found.source, "service": found.service, "resource": names.name(found.resource),
        "at": iso_time(window.moment), "minutes": round((window.ends - window.begins) / 60),
    }  # fmt: skip
    for field in FACTS:
        value = found.facts.get(field)
        if value is not None and (not isinstance(value, str) or names.name(value)):
            values[field] = value
    for figure in found.figures[:MOST_FIGURES]:
        if names.name(figure.name) and figure.points:
            values |= {
                f"figure.{figure.name}.{field}": value
                for field, value in _of_figure(figure, window, values.get("node"))
            }
    if found.events or not _refused(found, "events"):
        # They have several sources, and what one says stands without the others.
        values |= _of_events(found.events, window)
    kept = [(one.name, value) for one in found.settings
            if names.name(one.name) and (value := names.setting(one.value)) is not None]  # fmt: skip
    values |= {f"setting.{name}": value for name, value in kept[:MOST_SETTINGS]}
    values |= _of_log(found.logged, window)
    for refused in found.refused:
        values[f"{refused.part}.unavailable"] = refused.kind
        if names.name(refused.permission):
            values[f"{refused.part}.permission"] = refused.permission
    return values


def _refused(found: Found, part: str) -> bool:
    return any(one.part == part for one in found.refused)


def _of_figure(figure: Figure, window: Window, whole: Scalar) -> Iterator[tuple[str, Scalar]]:
    points = figure.points
    recent = [one.value for one in points if window.moment - RECENT <= one.at]
    if figure.counts:
        happened = [one.at for one in points if one.value > 0]
        yield "sum_15m", _plain(sum(recent))
        yield "minutes_15m", sum(value > 0 for value in recent)
        yield "sum", _plain(sum(one.value for one in points))
        if happened:
            yield "newest_age", round(window.moment - happened[-1])
    else:
        yield "last", _plain(points[-1].value)
        if recent:
            yield "min_15m", _plain(min(recent))
            yield "max_15m", _plain(max(recent))
        yield "mean", _plain(sum(one.value for one in points) / len(points))
    if names.name(figure.node) and figure.node != whole:
        yield "node", figure.node


def _plain(value: float) -> int | float:
    return int(value) if float(value).is_integer() and abs(value) < 2**53 else round(value, 3)


def _of_events(events: tuple[Event, ...], window: Window) -> Values:
    there = [one for one in events if window.events_begin <= one.at <= window.ends]
    newest = sorted(there, key=lambda one: one.at, reverse=True)
    values: Values = {"events": len(there)}
    values |= {f"events.{kind}": count for kind, count in sorted(Counter(one.kind for one in there).items())}
    for number, one in enumerate(newest[:MOST_EVENTS], 1):
        values |= {
            f"e{number}.kind": one.kind, f"e{number}.event": one.event, f"e{number}.at": iso_time(one.at),
            f"e{number}.age": round(window.moment - one.at),
        }  # fmt: skip
        if source := names.name(one.source):
            values[f"e{number}.source"] = source
    return values


def _of_log(logged: tuple[Logged, ...], window: Window) -> Values:
    """How often the log has which event; what is only for information is left out."""
    counts = Counter(one.event for one in logged if one.level != "info")
    newest = {one.event: one.at for one in sorted(logged, key=lambda one: one.at)}
    values: Values = {}
    for event, count in counts.most_common(MOST_LOGGED):
        values |= {f"log.{event}.count": count, f"log.{event}.newest_age": round(window.moment - newest[event])}
    return values
