"""The figures of CloudWatch: which ones, and of which node."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from tools.providers import names
from tools.providers.aws_calls import Calls
from tools.providers.found import Figure, Point, Window

PERIOD = 60
MOST_POINTS, MOST_NODES = 200, 6


class Metric(NamedTuple):
    """A metric and how a minute of it is summed up."""

    name: str
    stat: str = "Maximum"

    @property
    def counts(self) -> bool:
        """Whether a minute of it is how often something happened."""
        return self.stat == "Sum"

    @property
    def least_is_worst(self) -> bool:
        """Whether a low one is bad."""
        return self.stat == "Minimum"


_OF_NODES = (
    Metric("EngineCPUUtilization"), Metric("CPUUtilization"), Metric("CPUCreditBalance", "Minimum"),
    Metric("DatabaseMemoryUsagePercentage"), Metric("FreeableMemory", "Minimum"), Metric("SwapUsage"),
    Metric("Evictions", "Sum"), Metric("CurrConnections"), Metric("NewConnections", "Sum"), Metric("ReplicationLag"),
    Metric("NetworkBandwidthInAllowanceExceeded", "Sum"), Metric("NetworkBandwidthOutAllowanceExceeded", "Sum"),
    Metric("NetworkConntrackAllowanceExceeded", "Sum"), Metric("NetworkPacketsPerSecondAllowanceExceeded", "Sum"),
)  # fmt: skip
_CACHES = (
    *_OF_NODES, Metric("SaveInProgress"), Metric("TrafficManagementActive"), Metric("IsMaster", "Minimum"),
)  # fmt: skip
_SERVERLESS = (
    Metric("ThrottledCmds", "Sum"), Metric("ElastiCacheProcessingUnits", "Sum"), Metric("BytesUsedForCache"),
    Metric("CurrConnections"), Metric("NewConnections", "Sum"), Metric("Evictions", "Sum"),
)  # fmt: skip


class Measured(NamedTuple):
    """What has figures: a node, or a serverless cache."""

    namespace: str
    dimensions: tuple[tuple[str, str], ...]
    metrics: tuple[Metric, ...]
    node: str = ""


def cache_node(id: str) -> Measured:
    """A node of ElastiCache."""
    return Measured("AWS/ElastiCache", (("CacheClusterId", id),), _CACHES, id)


def serverless(name: str) -> Measured:
    """A serverless cache."""
    return Measured("AWS/ElastiCache", (("clusterId", name),), _SERVERLESS)


def cluster_node(cluster: str, node: str) -> Measured:
    """A node of MemoryDB."""
    metrics = (*_OF_NODES, Metric("IsPrimary", "Minimum"))
    return Measured("AWS/MemoryDB", (("ClusterName", cluster), ("NodeName", node)), metrics, node)


def figures(calls: Calls, measured: Sequence[Measured], window: Window) -> tuple[Figure, ...]:
    """The figures of one node, or of several that of the one where each looks worst. Raises `Unanswered`."""
    pairs = [(one, metric) for one in measured[:MOST_NODES] for metric in one.metrics]
    asked = {f"m{number}": pair for number, pair in enumerate(pairs)}
    answer = calls.read(
        "cloudwatch", "GetMetricData", StartTime=window.begins, EndTime=window.ends, ScanBy="TimestampAscending",
        MetricDataQueries=[_query(id, one, metric) for id, (one, metric) in asked.items()],
    )  # fmt: skip
    best: dict[str, tuple[float, Figure]] = {}
    results = answer.get("MetricDataResults")
    for result in results[: len(asked)] if isinstance(results, list) else ():
        if not isinstance(result, dict) or result.get("Id") not in asked:
            continue
        one, metric = asked[result["Id"]]
        points = tuple(_points(result, window))
        if not points:
            continue
        figure = Figure(metric.name, points, metric.counts, one.node)
        badness = sum(p.value for p in points) if metric.counts else max(p.value for p in points)
        if metric.least_is_worst:
            badness = -min(p.value for p in points)
        if metric.name not in best or badness > best[metric.name][0]:
            best[metric.name] = badness, figure
    return tuple(figure for _, figure in best.values())


def _query(id: str, one: Measured, metric: Metric) -> Mapping[str, Any]:
    dimensions = [{"Name": name, "Value": value} for name, value in one.dimensions]
    named = {"Namespace": one.namespace, "MetricName": metric.name, "Dimensions": dimensions}
    return {"Id": id, "MetricStat": {"Metric": named, "Period": PERIOD, "Stat": metric.stat}, "ReturnData": True}


def _points(result: Mapping[str, Any], window: Window) -> Iterator[Point]:
    moments, values = result.get("Timestamps"), result.get("Values")
    if not isinstance(moments, list) or not isinstance(values, list):
        return
    pairs = list(zip(moments[:MOST_POINTS], values[:MOST_POINTS], strict=False))
    found = [(at, value) for one, each in pairs
             if (at := names.moment(one)) is not None and (value := names.number(each)) is not None]  # fmt: skip
    yield from (Point(at, value) for at, value in sorted(found) if window.begins - PERIOD <= at <= window.ends)
