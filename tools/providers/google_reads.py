"""What Google Cloud is asked: GET of these paths and nothing else, and the role that allows them."""

from typing import NamedTuple

_PLACE = r"/v1/projects/[a-z0-9:.-]+/locations/[a-z0-9-]+"
PATHS = (
    rf"{_PLACE}/(?:instances|clusters)", rf"{_PLACE}/(?:instances|clusters)/[a-z0-9-]+", rf"{_PLACE}/operations",
    r"/v3/projects/[a-z0-9:.-]+/timeSeries",
)  # fmt: skip
"""Of the interfaces of Memorystore and of Cloud Monitoring. An instance's AUTH string has a path of its own."""
SERIES = "monitoring.timeSeries.list"


class Rights(NamedTuple):
    """The permissions of one interface."""

    get: str
    list: str
    operations: str


REDIS = Rights("redis.instances.get", "redis.instances.list", "redis.operations.list")
CLUSTER = Rights("redis.clusters.get", "redis.clusters.list", "redis.operations.list")
VALKEY = Rights("memorystore.instances.get", "memorystore.instances.list", "memorystore.operations.list")
WHY = {
    REDIS.get: "an instance: its state, its settings, its maintenance", REDIS.list: "which one has the address",
    CLUSTER.get: "the same of a Redis Cluster", CLUSTER.list: "", VALKEY.get: "the same of Valkey", VALKEY.list: "",
    REDIS.operations: "failovers, updates, imports", VALKEY.operations: "", SERIES: "the figures of Cloud Monitoring",
}  # fmt: skip
"""Each permission, and what it shows."""


def role() -> str:
    """The role that allows the reads, as YAML for `gcloud iam roles create`."""
    lines = ["title: rediagnose reader", "stage: GA", "includedPermissions:"]
    return "\n".join((*lines, *(f"  - {one}" + (f"  # {why}" if why else "") for one, why in WHY.items())))
