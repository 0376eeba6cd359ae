"""The figures of Cloud Monitoring: which ones, and what the uptime and the role of each node say happened."""

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any, NamedTuple

from tools.clock import iso_time
from tools.providers import names
from tools.providers.found import Event, Figure, Point, Window
from tools.providers.rest import dig, moment, some

PERIOD = 60
LATE = 300.0
"""Seconds for which the newest samples aren't visible yet."""
MOST_POINTS, MOST_SERIES = 300, 400


class Metric(NamedTuple):
    """A metric, and how a minute of all its series is summed up."""

    path: str
    align: str = "ALIGN_MAX"
    reduce: str = "REDUCE_MAX"

    @property
    def counts(self) -> bool:
        """Whether a minute of it is how often something happened."""
        return self.align == "ALIGN_DELTA"

    @property
    def name(self) -> str:
        """As the documentation has it, without slashes."""
        return self.path.replace("/", ".")


def _count(path: str) -> Metric:
    return Metric(path, "ALIGN_DELTA", "REDUCE_SUM")


_SHARDED = (
    Metric("cpu/maximum_utilization"), Metric("memory/maximum_utilization"), Metric("memory/size"),
    Metric("clients/maximum_connected_clients"), _count("stats/total_rejected_connections_count"),
    _count("stats/total_evicted_keys_count"), Metric("replication/average_ack_lag"),
)  # fmt: skip
METRICS: Mapping[str, tuple[Metric, ...]] = {
    "memorystore": (
        Metric("stats/cpu_utilization_main_thread", "ALIGN_RATE", "REDUCE_SUM"), Metric("stats/memory/usage_ratio"),
        Metric("stats/memory/system_memory_usage_ratio"), Metric("stats/memory/maxmemory"),
        Metric("clients/connected"), _count("stats/reject_connections_count"), _count("stats/evicted_keys"),
        Metric("replication/master/slaves/lag"),
    ),
    "memorystore-cluster": _SHARDED, "memorystore-valkey": _SHARDED,
}  # fmt: skip
SIZES = ("stats/memory/maxmemory", "memory/size")
"""What changes when the service is scaled."""
UPTIME = {"memorystore": "server/uptime", "memorystore-cluster": "node/server/uptime",
          "memorystore-valkey": "node/server/uptime"}  # fmt: skip
"""The metric of each node's uptime, whose label is its role."""


def asked(prefix: str, metric: Metric, whom: str, window: Window) -> dict[str, str]:
    """The query of a metric; of the CPU the busiest node counts, not their sum."""
    grouped = {"aggregation.groupByFields": "resource.labels.node_id"} if metric.align == "ALIGN_RATE" else {}
    return {
        "filter": f'metric.type="{prefix}{metric.path}" AND {whom}', **_interval(window), **grouped,
        "aggregation.alignmentPeriod": f"{PERIOD}s", "aggregation.perSeriesAligner": metric.align,
        "aggregation.crossSeriesReducer": metric.reduce, "pageSize": "1000",
    }  # fmt: skip


def uptimes_asked(prefix: str, service: str, whom: str, window: Window) -> dict[str, str]:
    """The query of the nodes' uptimes, as they were sampled."""
    return {"filter": f'metric.type="{prefix}{UPTIME[service]}" AND {whom}', **_interval(window), "pageSize": "20000"}


def _interval(window: Window) -> dict[str, str]:
    return {"interval.startTime": iso_time(window.begins), "interval.endTime": iso_time(window.ends)}


def figure(metric: Metric, series: list[Mapping[str, Any]]) -> Figure | None:
    """The figure of a metric; of several series that which was highest."""
    found = [(points, _node(one)) for one in series[:MOST_SERIES] if (points := tuple(points_of(one)))]
    if not found:
        return None
    points, node = max(found, key=lambda one: max(point.value for point in one[0]))
    return Figure(metric.name, points, metric.counts, node)


def points_of(series: Mapping[str, Any]) -> list[Point]:
    """The points of a series in the order of time; an interface writes the newest first."""
    found = []
    for one in some(series.get("points"), MOST_POINTS):
        at, value = moment(dig(one, "interval", "endTime")), _value(one.get("value"))
        if at is not None and value is not None:
            found.append(Point(at, value))
    return sorted(found)


def _value(value: object) -> float | None:
    for kind in ("doubleValue", "int64Value"):
        found = dig(value, kind)
        if isinstance(found, str) and len(found) < 20:
            # A JSON number can't have 64 bits, so it's written as a text.
            found = int(found) if found.lstrip("-").isdecimal() else None
        if (number := names.number(found)) is not None:
            return number
    return None


def _node(series: Mapping[str, Any]) -> str:
    return names.name(dig(series, "resource", "labels", "node_id"))


def resized(metric: Metric, series: list[Mapping[str, Any]]) -> Iterator[Event]:
    """When the memory that the service gives has changed."""
    if metric.path not in SIZES:
        return
    for one in series[:1]:
        for before, after in pairwise(points_of(one)):
            if before.value and before.value != after.value:
                yield Event(after.at, "scaling", "node-type-changed")


def happened(series: list[Mapping[str, Any]], window: Window) -> Iterator[Event]:
    """Restarts and failovers, by the uptime and the role of each node: not all of them are operations."""
    nodes: dict[str, list[tuple[float, float, str]]] = {}
    for one in series[:MOST_SERIES]:
        role = names.name(dig(one, "metric", "labels", "role"))
        nodes.setdefault(_node(one), []).extend((at, value, role) for at, value in points_of(one))
    for node, points in nodes.items():
        points.sort()
        started: set[int] = set()
        for at, uptime, _ in points:
            begun = at - uptime
            # Two samples of one run differ by the time that each took.
            if begun >= window.events_begin and not any(abs(begun - other) < PERIOD for other in started):
                started.add(round(begun))
                yield Event(begun, "maintenance", "node-restarted", node)
        for before, after in pairwise(points):
            if (before[2], after[2]) == ("replica", "primary"):
                yield Event(after[0], "failover", "failover-complete", node)
