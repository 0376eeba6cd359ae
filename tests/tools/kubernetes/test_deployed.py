"""Who deployed a pod: the usual charts' and operators' labels and owners as they write them."""

from collections.abc import Mapping
from typing import Any

import pytest

from tools.kubernetes.deployed import deployed

HELM = "app.kubernetes.io/managed-by"
NAME, INSTANCE, PART = (f"app.kubernetes.io/{what}" for what in ("name", "instance", "component"))
BITNAMI, PLAIN = "docker.io/bitnamilegacy/valkey-cluster:8.1.3", "docker.io/valkey/valkey:9.0.1"


def chart(name: str, component: str = "") -> dict[str, str]:
    given = {NAME: name.rpartition("-")[0], INSTANCE: "cache", HELM: "Helm", "helm.sh/chart": name}
    return {**given, **({PART: component} if component else {})}


CASES: Mapping[str, tuple[Mapping[str, str], tuple[str, str, str], str, str]] = {
    "Bitnami's redis, master": (chart("redis-20.6.1", "master"), ("", "", ""), "", "master.resources @ cache"),
    "Bitnami's redis, replica": (chart("redis-20.6.1", "replica"), ("", "", ""), "", "replica.resources @ cache"),
    "Bitnami's redis with Sentinel": (chart("redis-20.6.1", "node"), ("", "", ""), "", "replica.resources @ cache"),
    "Bitnami's valkey": (chart("valkey-3.0.9", "primary"), ("", "", ""), "", "primary.resources @ cache"),
    "Bitnami's redis-cluster": (chart("redis-cluster-12.0.1"), ("", "", ""), "", "redis.resources @ cache"),
    "Bitnami's valkey-cluster": (chart("valkey-cluster-3.0.2"), ("", "", ""), BITNAMI, "valkey.resources @ cache"),
    "the valkey project's valkey": (chart("valkey-0.9.2"), ("", "", ""), PLAIN, "resources @ cache"),
    "the valkey project's valkey-cluster": (chart("valkey-cluster-0.1.1"), ("", "", ""), PLAIN, "resources @ cache"),
    "redis-ha": ({"app": "redis-ha", "release": "cache", "chart": "redis-ha-4.33.0"}, ("", "", ""), "",
                 "redis.resources @ cache"),
    "OT-CONTAINER-KIT": ({"app": "cache", "redis_setup_type": "replication", "role": "replication"},
                         ("redis.redis.opstreelabs.in", "RedisReplication", "cache"), "",
                         "spec.kubernetesConfig.resources @ cache"),
    "Spotahome, server": ({NAME: "cache", PART: "redis", "app.kubernetes.io/part-of": "redis-failover",
                           "redisfailovers-role": "master"},
                          ("databases.spotahome.com", "RedisFailover", "cache"), "", "spec.redis.resources @ cache"),
    "Spotahome, sentinel": ({NAME: "cache", PART: "sentinel", "app.kubernetes.io/part-of": "redis-failover"},
                            ("databases.spotahome.com", "RedisFailover", "cache"), "",
                            "spec.sentinel.resources @ cache"),
    "Redis Enterprise": ({"app": "redis-enterprise", "redis.io/cluster": "rec", "redis.io/role": "node"},
                         ("app.redislabs.com", "RedisEnterpriseCluster", "rec"), "",
                         "spec.redisEnterpriseNodeResources @ rec"),
    "Dragonfly": ({"app": "cache", NAME: "dragonfly", HELM: "dragonfly-operator", "role": "master"},
                  ("dragonflydb.io", "Dragonfly", "cache"), "", "spec.resources @ cache"),
    "valkey-operator, a cluster's node": ({"valkey.io/cluster": "cache", "valkey.io/shard-index": "0",
                                           "valkey.io/node-index": "1"},
                                          ("valkey.io", "ValkeyNode", "cache-0-1"), "", "spec.resources @ cache"),
    "valkey-operator, alone": ({}, ("valkey.io", "Valkey", "cache"), "", "spec.resources @ cache"),
    "KubeBlocks": ({INSTANCE: "cache", HELM: "kubeblocks", "apps.kubeblocks.io/component-name": "redis",
                    "kubeblocks.io/role": "primary"},
                   ("workloads.kubeblocks.io", "InstanceSet", "cache-redis"), "",
                   "spec.componentSpecs[redis].resources @ cache"),
    "KubeBlocks, a sharding": ({INSTANCE: "cache", HELM: "kubeblocks", "apps.kubeblocks.io/sharding-name": "shard",
                                "apps.kubeblocks.io/component-name": "shard-7pd"},
                               ("workloads.kubeblocks.io", "InstanceSet", "cache-shard-7pd"), "",
                               "spec.shardings[shard].template.resources @ cache"),
    "a chart of a company's own": (chart("company-cache-1.2.0", "redis"), ("", "", ""), "", "None @ cache"),
    "a StatefulSet by hand": ({"app": "redis"}, ("", "", ""), "", "None @ None"),
    "an operator that nobody knows": ({"app": "redis"}, ("example.com", "Cache", "cache"), "", "None @ None"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_what_is_edited_is_known_by_labels_and_owner(case: str) -> None:
    labels, owner, images, expected = CASES[case]
    controller = dict(zip(("controller.group", "controller.kind", "controller.name"), owner, strict=True))
    found = deployed(labels, (), {**controller}, images)
    assert f"{found.get('edit.memory')} @ {found.get('edit.name')}" == expected
    assert bool(found.get("deployed_by")) == (found.get("edit.memory") is not None)


@pytest.mark.parametrize(
    ("labels", "role"),
    [({"role": "master"}, "primary"), ({"kubeblocks.io/role": "secondary"}, "replica"), ({"role": "web"}, None)],
)
def test_the_label_of_a_role_is_read(labels: Mapping[str, str], role: Any) -> None:
    assert deployed(labels, (), {}).get("role_label") == role
