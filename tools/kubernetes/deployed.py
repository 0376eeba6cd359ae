"""Who deployed a server: the usual charts and operators by their labels and owners, and where each takes its settings.

What is edited in a pod, or in a ConfigMap that a chart wrote, lasts until the next upgrade or reconciliation.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from tools.kubernetes import words
from tools.kubernetes.pods import mapping
from tools.records import Values


class Chart(NamedTuple):
    """A Helm chart: the keys of its values."""

    called: str
    memory: Mapping[str, str]
    """By role, the key with the container's bounds; "" for every other role."""
    config: str
    """The key with lines of the server's configuration."""


class Operator(NamedTuple):
    """An operator: the fields of its resource."""

    called: str
    memory: str
    config: str


_BITNAMI = {"master": "master.resources", "primary": "primary.resources", "": "replica.resources"}
CHARTS: Mapping[tuple[str, bool], Chart] = {
    ("redis", True): Chart("Bitnami's chart redis", _BITNAMI, "commonConfiguration"),
    ("valkey", True): Chart("Bitnami's chart valkey", _BITNAMI, "commonConfiguration"),
    ("redis-cluster", True): Chart("Bitnami's chart redis-cluster", {"": "redis.resources"}, "redis.configmap"),
    ("valkey-cluster", True): Chart("Bitnami's chart valkey-cluster", {"": "valkey.resources"}, "valkey.configmap"),
    ("valkey", False): Chart("the valkey project's chart", {"": "resources"}, "valkeyConfig"),
    ("redis-ha", False): Chart("DandyDeveloper's chart redis-ha", {"": "redis.resources"}, "redis.config"),
}
"""By the chart's name, and whether its pods have a component as Bitnami's do."""
OPERATORS: Mapping[tuple[str, str], Operator] = {
    ("redis.redis.opstreelabs.in", "Redis"): Operator(
        "OT-CONTAINER-KIT's redis-operator", "spec.kubernetesConfig.resources", "spec.redisConfig.additionalRedisConfig"
    ),
    ("redis.redis.opstreelabs.in", "RedisReplication"): Operator(
        "OT-CONTAINER-KIT's redis-operator", "spec.kubernetesConfig.resources", "spec.redisConfig.additionalRedisConfig"
    ),
    ("redis.redis.opstreelabs.in", "RedisCluster"): Operator(
        "OT-CONTAINER-KIT's redis-operator", "spec.kubernetesConfig.resources",
        "spec.redisLeader.redisConfig.additionalRedisConfig",
    ),
    ("redis.redis.opstreelabs.in", "RedisSentinel"): Operator(
        "OT-CONTAINER-KIT's redis-operator", "spec.kubernetesConfig.resources",
        "spec.redisSentinelConfig.additionalSentinelConfig",
    ),
    ("databases.spotahome.com", "RedisFailover"): Operator(
        "Spotahome's redis-operator", "spec.redis.resources", "spec.redis.customConfig"
    ),
    ("valkey.io", "ValkeyCluster"): Operator("the valkey-operator", "spec.resources", "spec.config"),
    ("valkey.io", "ValkeyNode"): Operator("the valkey-operator", "", ""),
    ("hyperspike.io", "Valkey"): Operator("Hyperspike's valkey-operator", "spec.resources", ""),
    ("cache.cs.sap.com", "Valkey"): Operator("SAP's valkey-operator", "spec.resources", ""),
}  # fmt: skip
"""By the group and the kind of the resource that owns the StatefulSet."""
ROLES = (
    "redisfailovers-role", "redis-role", "role", "app.kubernetes.io/component", "redis_setup_type",
)  # fmt: skip
"""Labels that say what a pod is for, the most exact first."""
_SERVERS = {
    "master": "primary", "primary": "primary", "leader": "primary", "slave": "replica", "replica": "replica",
    "follower": "replica", "sentinel": "sentinel", "node": "node",
}  # fmt: skip


def deployed(labels: Mapping[str, str], chain: Sequence[Mapping[str, Any]], owner: Values) -> Values:
    """Who deployed the pod, its role, and what to edit; empty for a deployment that isn't known."""
    everything = {
        **{key: text for one in reversed(chain)
           for key, text in words.labels(mapping(one.get("metadata")).get("labels")).items()},
        **labels,
    }  # fmt: skip
    role = next((_SERVERS[text] for key in ROLES if (text := everything.get(key, "")) in _SERVERS), "")
    said: Values = {"role_label": role} if role else {}
    group, kind = str(owner.get("controller.group")), str(owner.get("controller.kind"))
    if operator := OPERATORS.get((group, kind)):
        return {
            **said, "deployed_by": operator.called, "edit.with": "kubectl", "edit.kind": f"{kind}.{group}",
            "edit.name": owner.get("controller.name"), "edit.memory": operator.memory or None,
            "edit.config": operator.config or None,
        }  # fmt: skip
    chart = everything.get("helm.sh/chart") or everything.get("chart") or ""
    stem, _, version = chart.rpartition("-")
    component = "app.kubernetes.io/component" in labels or stem.endswith("-cluster")
    known = CHARTS.get((stem, component)) if version[:1].isdecimal() else None
    release = everything.get("app.kubernetes.io/instance") or everything.get("release")
    if known is None or not release:
        if everything.get("app.kubernetes.io/managed-by") == "Helm" and release:
            said |= {"edit.with": "helm", "edit.name": release}
        return said
    where = known.memory.get(everything.get("app.kubernetes.io/component", ""), known.memory[""])
    return {
        **said, "deployed_by": known.called, "chart": chart, "edit.with": "helm", "edit.name": release,
        "edit.memory": where, "edit.config": known.config,
    }  # fmt: skip
