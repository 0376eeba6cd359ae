"""Who deployed a server: the usual charts and operators by their labels and owners, and where each takes its settings.

What is edited in a pod, or in a ConfigMap that a chart wrote, lasts until the next upgrade or reconciliation.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from tools.kubernetes import words
from tools.kubernetes.pods import mapping
from tools.records import Scalar, Values


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
    ("valkey-cluster", False): Chart("the valkey project's chart valkey-cluster", {"": "resources"}, "valkeyConfig"),
    ("redis-ha", False): Chart("DandyDeveloper's chart redis-ha", {"": "redis.resources"}, "redis.config"),
}
"""By the chart's name, and whether it's Bitnami's of that name."""
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
    ("app.redislabs.com", "RedisEnterpriseCluster"): Operator(
        "the Redis Enterprise operator", "spec.redisEnterpriseNodeResources", ""
    ),
    ("dragonflydb.io", "Dragonfly"): Operator("the Dragonfly operator", "spec.resources", "spec.args"),
    ("valkey.io", "Valkey"): Operator("the valkey-operator", "spec.resources", "spec.config"),
    ("valkey.io", "ValkeyCluster"): Operator("the valkey-operator", "spec.resources", "spec.config"),
    ("hyperspike.io", "Valkey"): Operator("Hyperspike's valkey-operator", "spec.resources", ""),
    ("cache.cs.sap.com", "Valkey"): Operator("SAP's valkey-operator", "spec.resources", ""),
}  # fmt: skip
"""By the group and the kind of the resource that owns the StatefulSet."""
SENTINELS: Mapping[tuple[str, str], Operator] = {
    ("databases.spotahome.com", "RedisFailover"): Operator(
        "Spotahome's redis-operator", "spec.sentinel.resources", "spec.sentinel.customConfig"
    ),
}
"""The same for its sentinels, where one resource describes both."""
ROLES = (
    "redisfailovers-role", "redis-role", "role", "kubeblocks.io/role", "app.kubernetes.io/component",
    "redis_setup_type",
)  # fmt: skip
"""Labels that say what a pod is for, the most exact first."""
_SERVERS = {
    "master": "primary", "primary": "primary", "leader": "primary", "slave": "replica", "replica": "replica",
    "follower": "replica", "secondary": "replica", "sentinel": "sentinel", "node": "node",
}  # fmt: skip


def deployed(
    labels: Mapping[str, str], chain: Sequence[Mapping[str, Any]], owner: Values, images: str = ""
) -> Values:  # fmt: skip
    """Who deployed the pod, its role, and what to edit; empty for a deployment that isn't known."""
    everything = {
        **{key: text for one in reversed(chain)
           for key, text in words.labels(mapping(one.get("metadata")).get("labels")).items()},
        **labels,
    }  # fmt: skip
    role = next((_SERVERS[text] for key in ROLES if (text := everything.get(key, "")) in _SERVERS), "")
    said: Values = {"role_label": role} if role else {}
    return said | (_by_operator(everything, role, owner) or _by_chart(everything, images))


def _by_operator(labels: Mapping[str, str], role: str, owner: Values) -> Values:
    group, kind, name = str(owner.get("controller.group")), str(owner.get("controller.kind")), owner.get(
        "controller.name"
    )  # fmt: skip
    if (group, kind) == ("valkey.io", "ValkeyNode") and (whole := labels.get("valkey.io/cluster")):
        # Each node is described by a resource that the cluster's controller writes.
        kind, name = "ValkeyCluster", whole
    if group == "workloads.kubeblocks.io" and (whole := labels.get("app.kubernetes.io/instance")):
        part = labels.get("apps.kubeblocks.io/component-name", "")
        shard = labels.get("apps.kubeblocks.io/sharding-name")
        # Of a sharding the components are made, each with a name of its own.
        memory = f"spec.shardings[{shard}].template.resources" if shard else f"spec.componentSpecs[{part}].resources"
        return _edited("KubeBlocks", "Cluster.apps.kubeblocks.io", whole, memory if shard or part else "", "")
    operators = SENTINELS if role == "sentinel" and (group, kind) in SENTINELS else OPERATORS
    if (found := operators.get((group, kind))) is None:
        return {}
    return _edited(found.called, f"{kind}.{group}", name, found.memory, found.config)


def _edited(called: str, kind: str, name: Scalar, memory: str, config: str) -> Values:
    return {
        "deployed_by": called, "edit.with": "kubectl", "edit.kind": kind, "edit.name": name,
        "edit.memory": memory or None, "edit.config": config or None,
    }  # fmt: skip


def _by_chart(labels: Mapping[str, str], images: str) -> Values:
    chart = labels.get("helm.sh/chart") or labels.get("chart") or ""
    stem, _, version = chart.rpartition("-")
    component = labels.get("app.kubernetes.io/component", "")
    # Both make a chart of that name, and neither gives its pods a component.
    bitnami = "bitnami" in images if stem == "valkey-cluster" else bool(component) or stem.endswith("-cluster")
    known = CHARTS.get((stem, bitnami)) if version[:1].isdecimal() else None
    release = labels.get("app.kubernetes.io/instance") or labels.get("release")
    if known is None or not release:
        helm = labels.get("app.kubernetes.io/managed-by") == "Helm" and release
        return {"edit.with": "helm", "edit.name": release} if helm else {}
    return {
        "deployed_by": known.called, "chart": chart, "edit.with": "helm", "edit.name": release,
        "edit.memory": known.memory.get(component, known.memory[""]), "edit.config": known.config,
    }  # fmt: skip
