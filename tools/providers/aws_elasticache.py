"""ElastiCache: which cache an address leads to, and what is asked about it. These functions block."""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from tools.errors import Unanswered
from tools.providers import names
from tools.providers.aws_calls import Calls
from tools.providers.aws_figures import Measured, cache_node, figures, serverless
from tools.providers.aws_log import engine_log
from tools.providers.aws_parts import MOST_SOURCES, Resource, addresses, dig, events_of, share, some
from tools.providers.aws_place import AwsPlace
from tools.providers.aws_reads import permission
from tools.providers.aws_updates import cache_updates
from tools.providers.found import Refused, Setting, Window
from tools.providers.pieces import Job, Piece, blocking
from tools.records import Scalar

MOST_PARAMETERS = 100


def find(calls: Calls, place: AwsPlace, window: Window) -> Resource:
    """The cache behind an address or of a name. Raises `Unanswered`; of kind `not-recorded` if there is none."""
    ways = [_serverless] if place.serverless else [_group] if place.group else [_node]
    if not place.host:
        ways = [_group, _node, _serverless]
    for number, way in enumerate(ways, 1):
        try:
            return way(calls, place, window)
        except Unanswered as error:
            if error.kind != "not-recorded" or number == len(ways):
                raise
    raise AssertionError


def _absent(place: AwsPlace) -> Unanswered:
    asked = f"has the address {place.host}" if place.host else f"is called {place.name}"
    return Unanswered("not-recorded", f"no cache that these credentials see in {place.region} {asked}")


def _one(calls: Calls, operation: str, listed: str, place: AwsPlace, **asked: object) -> Mapping[str, Any]:
    try:
        found = some(calls.read("elasticache", operation, **asked).get(listed))
    except Unanswered as error:
        raise (_absent(place) if error.kind == "not-recorded" else error) from None
    if not found:
        raise _absent(place)
    return found[0]


def _group(calls: Calls, place: AwsPlace, window: Window, name: str = "") -> Resource:
    asked = name or place.group
    group = _one(calls, "DescribeReplicationGroups", "ReplicationGroups", place, ReplicationGroupId=asked)
    shards = some(group.get("NodeGroups"), 500)
    members = [one for shard in shards for one in some(shard.get("NodeGroupMembers"), 6)]
    ends = (group.get("ConfigurationEndpoint"), *(dig(one, key) for one in shards for key in _SHARD),
            *(dig(one, "ReadEndpoint") for one in members))  # fmt: skip
    if place.host and not name and place.host not in addresses(*ends):
        raise _absent(place)
    nodes = [found for one in members if (found := names.name(one.get("CacheClusterId")))]
    primary = [names.name(one.get("CacheClusterId")) for one in members if one.get("CurrentRole") == "primary"]
    chosen = [place.node] if place.node in nodes else primary[:1] or nodes
    status = names.name(group.get("Status"))
    facts: dict[str, Scalar] = {"region": place.region, "status": status, "nodes": len(nodes) or None}
    moved = dig(group, "PendingModifiedValues", "Resharding", "SlotMigration", "ProgressPercentage")
    for percent in share(moved):
        facts |= {"scaling.under_way": True, "scaling.percent": percent}
    resource = names.name(group.get("ReplicationGroupId")) or asked
    sources = [("replication-group", resource), *(("cache-cluster", one) for one in nodes[:MOST_SOURCES])]
    jobs = [
        *_jobs(calls, [cache_node(one) for one in chosen], sources, window),
        *(_settings(calls, one) for one in chosen[:1]),
        blocking("updates", permission("elasticache", "DescribeUpdateActions"),
            partial(cache_updates, calls, window, ReplicationGroupIds=[resource])),
        *engine_log(calls, group.get("LogDeliveryConfigurations"), window),
    ]  # fmt: skip
    if len(chosen) == 1:
        facts["node"] = chosen[0]
    return Resource(resource, facts, tuple(jobs))


_SHARD = ("PrimaryEndpoint", "ReaderEndpoint")


def _node(calls: Calls, place: AwsPlace, window: Window) -> Resource:
    """A cache cluster: a node of a group, or one on its own."""
    asked = place.node or place.group
    node = _one(calls, "DescribeCacheClusters", "CacheClusters", place, CacheClusterId=asked, ShowCacheNodeInfo=True)
    ends = (node.get("ConfigurationEndpoint"), *(one.get("Endpoint") for one in some(node.get("CacheNodes"))))
    if place.host and place.host not in addresses(*ends):
        raise _absent(place)
    if group := names.name(node.get("ReplicationGroupId")):
        return _group(calls, place._replace(node=asked), window, group)
    jobs = (
        *_jobs(calls, [cache_node(asked)], [("cache-cluster", asked)], window), _settings(calls, asked),
        blocking("updates", permission("elasticache", "DescribeUpdateActions"),
            partial(cache_updates, calls, window, CacheClusterIds=[asked])),
        *engine_log(calls, node.get("LogDeliveryConfigurations"), window),
    )  # fmt: skip
    return Resource(asked, {"region": place.region, "node": asked, "nodes": 1}, jobs)


def _serverless(calls: Calls, place: AwsPlace, window: Window) -> Resource:
    asked = place.serverless or place.group
    cache = _one(calls, "DescribeServerlessCaches", "ServerlessCaches", place, ServerlessCacheName=asked)
    if place.host and place.host not in addresses(cache.get("Endpoint"), cache.get("ReaderEndpoint")):
        raise _absent(place)
    facts = {"region": place.region, "status": names.name(cache.get("Status")),
             "engine_version": names.name(cache.get("FullEngineVersion"))}  # fmt: skip
    return Resource(asked, facts, tuple(_jobs(calls, [serverless(asked)], [("serverless-cache", asked)], window)))


def _jobs(calls: Calls, measured: list[Measured], sources: list[tuple[str, str]], window: Window) -> Iterator[Job]:
    yield blocking("figures", permission("cloudwatch", "GetMetricData"),
              lambda: Piece(figures=figures(calls, measured, window)))  # fmt: skip
    for kind, name in sources:
        asked = {"SourceType": kind, "SourceIdentifier": name, "MaxRecords": 100}
        read = partial(events_of, calls, "elasticache", window, "SourceIdentifier", **asked)
        yield blocking("events", permission("elasticache", "DescribeEvents"), read)


def _settings(calls: Calls, node: str) -> Job:
    return blocking("settings", permission("elasticache", "DescribeCacheClusters"), partial(_of_node, calls, node))


def _of_node(calls: Calls, node: str) -> Piece:
    """A node's state, and what differs in its parameter group from the defaults."""
    found = some(calls.read("elasticache", "DescribeCacheClusters", CacheClusterId=node).get("CacheClusters"))
    one = found[0] if found else {}
    group = names.name(dig(one, "CacheParameterGroup", "CacheParameterGroupName"))
    facts: dict[str, Scalar] = {
        "node_type": names.name(one.get("CacheNodeType")), "engine_version": names.name(one.get("EngineVersion")),
        "maintenance_window": names.name(one.get("PreferredMaintenanceWindow")), "settings.group": group,
        "settings.status": names.name(dig(one, "CacheParameterGroup", "ParameterApplyStatus")),
    }  # fmt: skip
    if one.get("CacheClusterStatus") == "modifying" and dig(one, "PendingModifiedValues", "CacheNodeType"):
        facts["scaling.under_way"] = True
    if not group:
        return Piece(facts)
    try:
        answer = calls.read("elasticache", "DescribeCacheParameters", CacheParameterGroupName=group, Source="user",
                            MaxRecords=MOST_PARAMETERS)  # fmt: skip
    except Unanswered as error:
        wanted = permission("elasticache", "DescribeCacheParameters") if error.kind == "denied" else ""
        return Piece(facts, refused=(Refused("settings", error.kind, wanted),))
    settings = (Setting(str(row.get("ParameterName")), str(row.get("ParameterValue")))
                for row in some(answer.get("Parameters")) if row.get("ParameterValue") is not None)  # fmt: skip
    return Piece(facts, settings=tuple(settings))
