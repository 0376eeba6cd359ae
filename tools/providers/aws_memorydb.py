"""MemoryDB: which cluster an address leads to, and what is asked about it. These functions block."""

from functools import partial

from tools.errors import Unanswered
from tools.providers import names
from tools.providers.aws_calls import Calls
from tools.providers.aws_figures import cluster_node, figures
from tools.providers.aws_parts import Resource, addresses, dig, events_of, share, some
from tools.providers.aws_place import AwsPlace
from tools.providers.aws_reads import permission
from tools.providers.aws_updates import cluster_updates
from tools.providers.found import Setting, Window
from tools.providers.pieces import Piece, blocking
from tools.records import Scalar

MOST_PARAMETERS = 100


def find(calls: Calls, place: AwsPlace, window: Window) -> Resource:
    """The cluster behind an address or of a name. Raises `Unanswered`; of kind `not-recorded` if there is none."""
    asked = f"has the address {place.host}" if place.host else f"is called {place.group}"
    absent = Unanswered("not-recorded", f"no cluster that these credentials see in {place.region} {asked}")
    try:
        answer = calls.read("memorydb", "DescribeClusters", ClusterName=place.group, ShowShardDetails=True)
    except Unanswered as error:
        raise (absent if error.kind == "not-recorded" else error) from None
    cluster = next(iter(some(answer.get("Clusters"))), None)
    if cluster is None:
        raise absent
    members = [one for shard in some(cluster.get("Shards"), 500) for one in some(shard.get("Nodes"), 6)]
    known = addresses(cluster.get("ClusterEndpoint"), *(one.get("Endpoint") for one in members))
    if place.host and place.host not in known:
        raise absent
    nodes = [name for one in members if (name := names.name(one.get("Name")))]
    chosen = [place.node] if place.node in nodes else nodes
    group = names.name(cluster.get("ParameterGroupName"))
    facts: dict[str, Scalar] = {
        "region": place.region, "nodes": len(nodes) or None, "status": names.name(cluster.get("Status")),
        "node_type": names.name(cluster.get("NodeType")),
        "engine_version": names.name(cluster.get("EnginePatchVersion")),
        "maintenance_window": names.name(cluster.get("MaintenanceWindow")), "settings.group": group,
        "settings.status": names.name(cluster.get("ParameterGroupStatus")),
    }  # fmt: skip
    for percent in share(dig(cluster, "PendingUpdates", "Resharding", "SlotMigration", "ProgressPercentage")):
        facts |= {"scaling.under_way": True, "scaling.percent": percent}
    if len(chosen) == 1:
        facts["node"] = chosen[0]
    measured = [cluster_node(place.group, one) for one in chosen]
    events = partial(events_of, calls, "memorydb", window, "SourceName", SourceType="cluster",
                     SourceName=place.group, MaxResults=50)  # fmt: skip
    jobs = [
        blocking("figures", permission("cloudwatch", "GetMetricData"),
            lambda: Piece(figures=figures(calls, measured, window))),
        blocking("events", permission("memorydb", "DescribeEvents"), events),
        blocking("updates", permission("memorydb", "DescribeServiceUpdates"),
            partial(cluster_updates, calls, window, place.group)),
    ]  # fmt: skip
    if group and not group.startswith("default."):
        read = partial(_parameters, calls, group)
        jobs.append(blocking("settings", permission("memorydb", "DescribeParameters"), read))
    return Resource(place.group, facts, tuple(jobs))


def _parameters(calls: Calls, group: str) -> Piece:
    """The parameters of a group of the customer's own; which of them differ from the defaults isn't said."""
    answer = calls.read("memorydb", "DescribeParameters", ParameterGroupName=group, MaxResults=MOST_PARAMETERS)
    settings = (Setting(str(row.get("Name")), str(row.get("Value")))
                for row in some(answer.get("Parameters")) if row.get("Value") is not None)  # fmt: skip
    return Piece(settings=tuple(settings))
