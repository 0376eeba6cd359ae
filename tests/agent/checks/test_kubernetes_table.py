"""What Kubernetes says of a pod becomes the causes that it shows, and an old trouble becomes none."""

from collections.abc import Mapping
from typing import Any

import pytest

from agent.answer.diagnosis import Cause
from agent.checks.complaints import complaints
from agent.checks.footprint import oom_killed
from agent.checks.kubernetes import FAMILY, filled_its_disk, no_endpoint, not_running, unheard
from agent.checks.types import Check
from agent.fleet.preventive import preventive
from tests.agent.checks.rows import LIMITS, Expected, Given, found, table, view

WELL = {
    "source": "kubernetes", "namespace": "shop", "pod": "cache-redis-master-0", "exists": True, "status": "Running",
    "state": "Running", "pod_ready": True, "container": "redis", "restart_count": 0, "last_end_recent": False,
    "oom_killed": False, "claims_unbound": 0, "machine.ready": True, "machine.disk_pressure": False,
}  # fmt: skip
FRONT: dict[str, Any] = {
    "service1.name": "cache", "service1.addressed": True, "service1.exists": True, "service1.endpoints": 1,
    "service1.ready_endpoints": 1,
}  # fmt: skip
BARE = {field: value for field, value in WELL.items() if field != "claims_unbound"}
"""A pod without a volume."""
PENDING = {"status": "Pending", "state": None, "pod_ready": False}


def given(connect: Any = "refused", **pod: Any) -> Given:
    fields = {name.replace("__", "."): value for name, value in pod.items()}
    return {"connect": connect, "pod": {**WELL, **fields}}


def waits(reason: str, **more: Any) -> Given:
    return given(state="Waiting", pod_ready=False, **{"state.reason": reason}, **more)


@table([
    ("there is no such pod", not_running, given(exists=False), {"process-down": "sure"}),
    ("its image is missing", not_running, waits("ImagePullBackOff"), {"start-failed": "sure"}),
    ("a Secret is missing", not_running, waits("CreateContainerConfigError"), {"start-failed": "sure"}),
    ("it gives up at each start", not_running,
     waits("CrashLoopBackOff", restart_count=7, **{"last_state": "Terminated", "last_state.exit_code": 1}),
     {"start-failed": "sure"}),
    ("it crashes", not_running,
     waits("CrashLoopBackOff", restart_count=7, **{"last_state": "Terminated", "last_state.exit_code": 139}),
     {"process-down": "sure"}),
    ("no node has the memory", not_running,
     given("timeout", **PENDING, unschedulable="Unschedulable", unschedulable__lacks="memory"),
     {"process-down": "sure"}),
    ("its volume isn't bound", not_running,
     given("dns", **PENDING, unschedulable="Unschedulable", unschedulable__lacks="volume", claims_unbound=1),
     {"process-down": "sure"}),
    ("its volume can't be mounted", not_running, waits("ContainerCreating", **{"event.FailedMount.count": 4}),
     {"process-down": "sure"}),
    ("it was evicted", not_running,
     given(status="Failed", reason="Evicted", state=None, **{"event.Evicted.disk.count": 1}),
     {"process-down": "sure"}),
    ("it was evicted for what it wrote", not_running,
     given(status="Failed", reason="Evicted", state=None, evicted__own_disk=True), {"process-down": "sure"}),
    ("it wrote too much and runs again", filled_its_disk,
     {"connect": {"address": "10.42.0.17"}, "pod": {**BARE, "evicted.own_disk": True, "event.Evicted.newest_age": 90}},
     {"bgsave-disk-full": "sure"}),
    ("its append-only file was too much", filled_its_disk,
     {"connect": {"address": "10.42.0.17"}, "pod": {**BARE, "evicted.own_disk": True},
      "persistence": {"config.appendonly": "yes"}}, {"aof-disk-full": "sure"}),
    ("it wrote too much beside its volume", filled_its_disk, given(evicted__own_disk=True),
     {"bgsave-disk-full": "maybe"}),
    ("its node was full of others' files", filled_its_disk, given(evicted__disk=True), {}),
    ("its node isn't there", not_running, given("timeout", machine__ready=False), {"process-down": "sure"}),
    ("it runs, and something else refuses", not_running, given(), {}),
    ("it answers, so another pod serves", not_running, given({"address": "10.42.0.17"}, exists=False), {}),
    ("nobody asked Kubernetes", not_running, {"connect": "refused"}, {}),
    ("Kubernetes said nothing", not_running, {"connect": "refused", "pod": "denied"}, {}),
    ("the Service doesn't exist", no_endpoint,
     given("dns", service0__name="cahce", service0__addressed=True, service0__exists=False),
     {"outside-redis": "sure"}),
    ("the Service selects nobody", no_endpoint,
     given(**FRONT | {"service1.endpoints": 0, "service1.selector_label": "app", "service1.selector_wants": "x"}),
     {"outside-redis": "sure"}),
    ("the Service's pod isn't ready, and can't be reached", no_endpoint,
     given(**FRONT | {"service1.ready_endpoints": 0}, pod_ready=False), {"outside-redis": "maybe"}),
    ("the Service's pod isn't ready, yet answers", no_endpoint,
     {"connect": {"address": "10.42.0.17"}, "info": {"loading": 0},
      "pod": {**WELL, **FRONT, "service1.ready_endpoints": 0, "pod_ready": False}}, {"outside-redis": "sure"}),
    ("it loads, so it isn't ready", no_endpoint,
     {"connect": {"address": "10.42.0.17"}, "info": {"loading": 1},
      "pod": {**WELL, **FRONT, "service1.ready_endpoints": 0, "pod_ready": False}}, {"outside-redis": "maybe"}),
    ("the Service is well", no_endpoint, given(**FRONT), {}),
    ("the Service selects a pod that doesn't run", no_endpoint,
     given(**FRONT | {"service1.endpoints": 0, "service1.selects_pod": True}, status="Failed", state=None), {}),
    ("another Service selects nobody", no_endpoint,
     given(**FRONT | {"service1.endpoints": 0, "service1.addressed": False}), {}),
    ("killed for its memory lately", oom_killed, given(oom_killed=True, last_end_recent=True), {"oom-killed": "sure"}),
    ("killed for its memory last week", oom_killed,
     given({"address": "10.42.0.17"}, **{"last_state.reason": "OOMKilled", "last_state.exit_code": 137}), {}),
    ("killed from outside lately", oom_killed,
     given({"address": "10.42.0.17"}, last_end_recent=True, **{"last_state.exit_code": 137}), {"oom-killed": "hint"}),
])  # fmt: skip
def test_a_pod_shows_its_cause(check: Check, given: Given, expected: Expected, more: Mapping[str, Any]) -> None:
    assert found(check, given, **more) == expected


MIB = 2**20
COMPLAINTS: Mapping[str, tuple[Mapping[str, Any], str]] = {
    "not ready": ({"pod_ready": False}, "isn't ready"),
    "a full node": ({"machine.disk_pressure": True}, "short of disk"),
    "a failed probe": ({"event.Unhealthy.liveness.count": 3}, "liveness probe failed 3 times"),
    "an unbound claim": ({"claims_unbound": 1, "claim1.phase": "Pending"}, "claim isn't bound"),
    "well": ({}, ""),
    "a generous limit": ({"limits.memory": 512 * MIB}, ""),
    "nearly at its limit": ({"limits.memory": 110 * MIB}, "91% of its container's memory limit"),
    "one old restart": ({"restart_count": 1, "last_state.reason": "OOMKilled", "last_state.exit_code": 137}, ""),
    "many old restarts": ({"restart_count": 9, "last_state.reason": "Error"}, ""),
    "a rollout that is over": ({"past_event.Unhealthy.readiness.count": 3, "past_event.FailedMount.count": 1}, ""),
    "leaving": ({"pod_ready": False, "deleting": True}, ""),
}  # fmt: skip


@pytest.mark.parametrize("case", COMPLAINTS)
def test_what_is_wrong_now_is_a_complaint(case: str) -> None:
    fields, expected = COMPLAINTS[case]
    memory = {"used_memory_rss": 100 * MIB, "maxmemory": 90 * MIB}
    told = "; ".join(one.what for one in complaints(view({"pod": {**WELL, **fields}, "memory": memory}), LIMITS))
    assert expected in told and bool(told) == bool(expected)


def test_what_kubernetes_didnt_say_is_named() -> None:
    assert "denied" in next(unheard(view({"pod": "denied"})))
    assert "machine (denied)" in next(unheard(view({"pod": {**WELL, "machine.unavailable": "denied"}})))
    assert not list(unheard(view({"pod": WELL}))) and not list(unheard(view({})))


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"edit.with": "helm", "edit.name": "cache", "edit.memory": "master.resources",
          "deployed_by": "Bitnami's chart redis"},
         "master.resources in the values of the Helm release cache (Bitnami's chart redis)"),
        ({"edit.with": "kubectl", "edit.name": "cache", "edit.kind": "RedisFailover.databases.spotahome.com",
          "edit.memory": "spec.redis.resources", "deployed_by": "Spotahome's redis-operator"},
         "spec.redis.resources of the RedisFailover cache (Spotahome's redis-operator)"),
        ({"owner.kind": "StatefulSet", "owner.name": "cache"},
         "resources of the container redis in the StatefulSet cache"),
    ],
)  # fmt: skip
def test_a_remedy_names_what_is_edited(fields: Mapping[str, Any], expected: str) -> None:
    memory = next(one for one in FAMILY.placeholders if one.name == "kube_memory")
    assert memory.values(view({"pod": {**WELL, **fields}})) == (expected,)
    assert memory.values(view({})) == ()


@pytest.mark.parametrize(
    ("most", "limit", "told"),
    [
        (0, 192, "maxmemory isn't set"), (256, 192, "isn't below that limit"), (192, 192, "isn't below that limit"),
        (170, 192, "is 89% of that limit"), (140, 192, ""), (64, 192, ""), (None, 192, ""), (256, None, ""),
    ],
)  # fmt: skip
def test_a_kill_says_whether_maxmemory_left_room(most: int | None, limit: int | None, told: str) -> None:
    memory = {} if most is None else {"maxmemory": most * MIB}
    pod = {
        **WELL,
        "oom_killed": True,
        "last_end_recent": True,
        **({} if limit is None else {"limits.memory": limit * MIB}),
    }
    named = view({"connect": {"address": "10.42.0.17"}, "pod": pod, "memory": memory})
    (cause,) = (one for one in oom_killed(named, LIMITS) if isinstance(one, Cause))
    assert told in cause.why and ("maxmemory" in cause.why) == bool(told)
    before = [
        one.what for one in preventive(view({"pod": pod, "memory": memory, "persistence": {"config.save": "60 1"}}))
    ]
    assert bool(before) == (told != "" and most != 0)
