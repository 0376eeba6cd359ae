"""The figures of Azure Monitor: which ones, and the failovers that it counts."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from tools.clock import iso_time
from tools.providers import names
from tools.providers.found import Event, EventKind, Figure, Point, Window
from tools.providers.rest import dig, moment, some

MOST_POINTS = 300
ERROR_TYPE = "errortype"


class Metric(NamedTuple):
    """A metric, and the aggregation of a minute of it."""

    name: str
    aggregation: str = "maximum"

    @property
    def counts(self) -> bool:
        """Whether a minute of it is how often something happened."""
        return self.aggregation == "total"


_BOTH = (
    Metric("serverLoad"), Metric("percentProcessorTime"), Metric("usedmemorypercentage"), Metric("connectedclients"),
    Metric("evictedkeys", "total"), Metric("cacheLatency", "average"), Metric("cacheRead"), Metric("cacheWrite"),
    Metric("operationsPerSecond"),
)  # fmt: skip
METRICS: Mapping[str, tuple[Metric, ...]] = {
    "azure": (*_BOTH, Metric("LatencyP99"), Metric("allConnectionsCreatedPerSecond")), "azure-managed": _BOTH,
}  # fmt: skip
_ERRORS: Mapping[str, tuple[EventKind, str]] = {
    "failover": ("failover", "failover-complete"), "dataloss": ("other", "data-lost"),
    "rdb": ("backup", "backup-failed"), "aof": ("backup", "append-failed"),
}  # fmt: skip
"""What the types of its metric Errors mean; of the others only how many there were is kept."""


def asked(service: str, window: Window) -> dict[str, str]:
    """The query of the figures."""
    return {
        "metricnames": ",".join(one.name for one in METRICS[service]), "interval": "PT1M",
        "timespan": _timespan(window.begins, window), "aggregation": "Maximum,Average,Total",
    }  # fmt: skip


def errors_asked(window: Window) -> dict[str, str]:
    """The query of the errors by their type, of all the time of the events."""
    return {
        "metricnames": "errors", "interval": "PT5M", "timespan": _timespan(window.events_begin, window),
        "aggregation": "Maximum", "$filter": "ErrorType eq '*'",
    }  # fmt: skip


def _timespan(begins: float, window: Window) -> str:
    return f"{iso_time(begins)}/{iso_time(window.ends)}"


def figures(service: str, answer: Mapping[str, Any]) -> Iterator[Figure]:
    """The figures of an answer."""
    known = {one.name.lower(): one for one in METRICS[service]}
    for one in some(answer.get("value")):
        metric = known.get(str(dig(one, "name", "value")).lower())
        series = some(one.get("timeseries"), 1)
        if metric and series and (points := tuple(points_of(series[0], metric.aggregation))):
            yield Figure(metric.name, points, metric.counts)


def errors(answer: Mapping[str, Any], window: Window) -> Iterator[Figure | Event]:
    """The errors of each type within the window, and what those of a type say happened at any time."""
    for metric in some(answer.get("value"), 1):
        for series in some(metric.get("timeseries"), 20):
            kind = next((names.name(one.get("value")) for one in some(series.get("metadatavalues"), 5)
                         if str(dig(one, "name", "value")).lower() == ERROR_TYPE), "")  # fmt: skip
            points = points_of(series, "maximum")
            if not kind or not any(one.value > 0 for one in points):
                continue
            if recent := tuple(one for one in points if one.at >= window.begins):
                yield Figure(f"errors.{kind}", recent, counts=True)
            if (meant := _ERRORS.get(kind.lower())) is not None:
                yield from (Event(one.at, *meant) for one in points if one.value > 0)


def points_of(series: Mapping[str, Any], aggregation: str) -> list[Point]:
    """The points of a series that have a value, in the order of time."""
    found = []
    for one in some(series.get("data"), MOST_POINTS):
        at, value = moment(one.get("timeStamp")), names.number(one.get(aggregation))
        if at is not None and value is not None:
            found.append(Point(at, value))
    return sorted(found)
