"""--kubernetes: a real server, and what Kubernetes says of the Service and the pod in front of it."""

import asyncio
import gzip
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from agent.answer.diagnosis import Diagnosis
from agent.recordings.replay import case, on_virtual_time
from evals.lab.servers import ServerKind, running
from evals.lab.topologies import replicated
from tests import kubernetes as stand_in
from tests.kubernetes import OOM, POD, SELECTOR, event, furnish, kubernetes
from tests.program import Done, rediagnose
from tools.record.load import load
from tools.record.tape import Tape

REPORT = "connection refused at cache-redis-master.shop.svc.cluster.local:6379 since noon"
WRONG = SELECTOR | {"app.kubernetes.io/component": "main"}


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[stand_in.Cluster]:
    with kubernetes(tmp_path) as one:
        yield one


async def answer(url: str, cluster: stand_in.Cluster, *more: str, report: str = REPORT) -> tuple[dict[str, Any], Done]:
    done = await rediagnose("triage", url, report, "--kubernetes", "--model", "offline", "--format", "json",
                            *more, KUBECONFIG=str(cluster.kubeconfig))  # fmt: skip
    return done.answer(), done


def reading(found: Mapping[str, Any]) -> dict[str, Any]:
    """The reading of the pod."""
    one: dict[str, Any] = next(one for one in found["readings"] if one["tool"] == "pod")
    return one


async def answered(tape: Tape) -> Diagnosis:
    """The answer to what was recorded."""
    async with case(tape, REPORT) as incident:
        return incident.answer()


@pytest.mark.live
async def test_a_service_that_selects_nobody_is_named_though_the_server_is_well(
    kind: ServerKind, cluster: stand_in.Cluster, tmp_path: Path
) -> None:
    furnish(cluster, stand_in.pod(), ready=(), selector=WRONG)
    async with running(kind) as server:
        found, done = await answer(server.url, cluster, "--record", str(tmp_path / "incident.rec"))
    assert found["outcome"] == "outside-redis"
    assert "selects app.kubernetes.io/component=main" in found["summary"]
    assert "asking Kubernetes" in done.err and "only reading" in done.err
    assert reading(found)["values"]["service1.endpoints"] == 0
    lines = gzip.decompress((tmp_path / "incident.rec").read_bytes()).decode()
    assert stand_in.TOKEN not in done.out + done.err + lines and "hunter2" not in done.out + lines
    tape = Tape(load(tmp_path / "incident.rec"))
    again = await asyncio.to_thread(on_virtual_time, answered(tape))
    assert again.outcome == "outside-redis" and again.summary == found["summary"]


@pytest.mark.live
async def test_a_pod_that_was_killed_for_its_memory(kind: ServerKind, cluster: stand_in.Cluster) -> None:
    furnish(cluster, stand_in.pod(container={"restartCount": 3, "lastState": OOM}, since=170))
    async with running(kind) as server:
        found, _ = await answer(server.url, cluster)
    assert found["causes"][0]["id"] == "oom-killed"
    memory = next(step for step in found["plan"] if "master.resources" in step["action"])
    assert memory["kind"] == "outside" and f"kubectl -n shop get pod {POD}" in memory["shown_by"]


@pytest.mark.live
async def test_a_pod_that_is_well_by_now_accuses_nobody(kind: ServerKind, cluster: stand_in.Cluster) -> None:
    old = {"terminated": {**OOM["terminated"], "finishedAt": stand_in.ago(500_000)}}
    events = event("Unhealthy", "Readiness probe failed: LOADING", 420, 3), event("FailedScheduling", "0/3", 500)
    furnish(cluster, stand_in.pod(container={"restartCount": 1, "lastState": old}, since=400), *events)
    async with running(kind) as server:
        found, _ = await answer(server.url, cluster, report="is cache-redis-master.shop.svc well?")
    assert reading(found)["values"]["past_event.Unhealthy.readiness.count"] == 3
    assert not [cause for cause in found["findings"] if cause["probability"] >= 0.5]
    assert not found["complaints"] and found["outcome"] == "no-fault"


async def test_a_dead_server_is_explained_by_its_pod(cluster: stand_in.Cluster) -> None:
    waiting = {"waiting": {"reason": "ImagePullBackOff", "message": "Back-off pulling image"}}
    furnish(cluster, stand_in.pod(container={"state": waiting}, ready=False), ready=(False,))
    found, _ = await answer("redis://127.0.0.1:1", cluster)
    assert found["causes"][0]["id"] == "start-failed" and "ImagePullBackOff" in found["causes"][0]["why"]
    assert any(f"kubectl -n shop describe pod {POD}" in step["paste"] for step in found["plan"])


FULL = 'Container redis exceeded its local ephemeral storage limit "2Gi". '
NODE_FULL = (
    "The node was low on resource: ephemeral-storage. Threshold quantity: 1Gi, available: 512Mi. Container metrics was "
    "using 5Gi, request is 0, has larger consumption of ephemeral-storage. "
)
UNSCHEDULED = {
    "phase": "Pending", "containerStatuses": None,
    "conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable",
                    "message": "0/3 nodes are available: pod has unbound immediate PersistentVolumeClaims."}],
}  # fmt: skip
CRASHING = {
    "restartCount": 7, "lastState": {"terminated": {"exitCode": 1, "reason": "Error", "finishedAt": stand_in.ago(30)}},
    "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 5m0s restarting failed container"}},
}  # fmt: skip


def evicted(cluster: stand_in.Cluster, message: str, *, pressure: str = "") -> None:
    """A pod that the kubelet evicted, in place of which none runs yet."""
    state = {"phase": "Failed", "reason": "Evicted", "containerStatuses": None, "message": message}
    one = stand_in.pod(status=state, ready=False)
    furnish(cluster, one, event("Evicted", message, 90), ready=(), pressure=pressure)


DEAD: Mapping[str, tuple[Callable[[stand_in.Cluster], None], str, str]] = {
    "evicted, a node's disk is full": (
        lambda one: evicted(one, NODE_FULL, pressure="DiskPressure"), "process-down", "node ran short of disk space",
    ),
    "evicted for what it wrote itself": (
        lambda one: evicted(one, FULL), "process-down", "evicted because of what it had written itself",
    ),
    "its volume isn't bound": (
        lambda one: furnish(
            one, stand_in.pod(status=UNSCHEDULED, spec={"nodeName": None}), ready=(), claim="Pending"
        ),
        "process-down", "its volume's claim isn't bound",
    ),
    "it ends after each start": (
        lambda one: furnish(one, stand_in.pod(container=CRASHING, ready=False), ready=(False,)),
        "start-failed", "ended with status 1 and was restarted 7 times",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", DEAD)
async def test_why_no_server_runs_is_what_kubernetes_says(cluster: stand_in.Cluster, name: str) -> None:
    build, cause, why = DEAD[name]
    build(cluster)
    found, _ = await answer("redis://127.0.0.1:1", cluster)
    first = found["causes"][0]
    assert first["id"] == cause and why in first["why"], found["causes"]
    assert all(cited["verified"] for cited in first["evidence"])
    assert not any(one["id"] == "outside-redis" and one["probability"] >= 0.5 for one in found["findings"])


@pytest.mark.live
async def test_a_pod_that_was_evicted_for_its_snapshots_and_runs_again(
    kind: ServerKind, cluster: stand_in.Cluster
) -> None:
    again = stand_in.pod(since=80, spec={"volumes": []})
    furnish(cluster, again, event("Evicted", "Pod ephemeral local storage usage exceeds the total limit of 2Gi. ", 90))
    async with running(kind) as server:
        found, _ = await answer(server.url, cluster)
    assert found["causes"][0]["id"] == "bgsave-disk-full"
    assert "the pod was evicted" in found["summary"] and "refuses writes" not in found["summary"]
    first = found["plan"][0]
    assert "limits.ephemeral-storage" in first["action"] and "BGSAVE" not in [one["action"] for one in found["plan"]]


@pytest.mark.live
async def test_an_eviction_of_another_pod_and_an_old_restart_accuse_nobody(
    kind: ServerKind, cluster: stand_in.Cluster
) -> None:
    old = {"terminated": {**OOM["terminated"], "finishedAt": stand_in.ago(5 * 86_400)}}
    one = stand_in.pod(container={"restartCount": 1, "lastState": old}, since=400_000)
    furnish(cluster, one, event("Evicted", FULL, 90, of="cache-redis-master-1"))
    async with running(kind, maxmemory="48mb") as server:
        found, _ = await answer(server.url, cluster, report="is cache-redis-master.shop.svc well?")
    assert found["outcome"] == "no-fault" and not found["complaints"]


@pytest.mark.live
async def test_a_failing_readiness_probe_is_named_though_the_server_answers(
    kind: ServerKind, cluster: stand_in.Cluster
) -> None:
    one, probe = stand_in.pod(ready=False), event("Unhealthy", "Readiness probe failed: NOAUTH", 5, 40)
    one["status"]["containerStatuses"][0] |= {"state": {"running": {"startedAt": stand_in.ago(900)}}}
    furnish(cluster, one, probe, ready=(False,))
    async with running(kind) as server:
        found, _ = await answer(server.url, cluster)
    assert found["outcome"] == "outside-redis" and "readiness probe" in found["summary"]


@pytest.mark.live
async def test_a_replicas_pod_is_asked_about_with_the_others(kind: ServerKind, cluster: stand_in.Cluster) -> None:
    furnish(cluster, stand_in.pod())
    others = stand_in.LABELS | {"app.kubernetes.io/component": "replica"}
    async with replicated(kind, 2) as data:
        for number, one in enumerate(data.replicas):
            more = {"container": {"restartCount": 3, "lastState": OOM}, "since": 170} if number else {}
            pod = stand_in.at(
                stand_in.pod(labels=others, **more), f"cache-replica-{number}", "127.0.0.1", one.server.port
            )
            cluster.add(f"{stand_in.SHOP}/pods", pod)
        found, _ = await answer(data.url, cluster)
    pods = {one["node"]: one["values"]["pod"] for one in found["readings"] if one["tool"] == "pod"}
    assert sorted(pods.values()) == [POD, "cache-replica-0", "cache-replica-1"]
    killed = next(one for one in found["causes"] if one["id"] == "oom-killed")
    assert pods[killed["where"]] == "cache-replica-1"
    assert sum(one.plural == "events" for one in cluster.requests) == 2


@pytest.mark.live
async def test_a_service_in_front_of_all_nodes_accuses_the_right_one(
    kind: ServerKind, cluster: stand_in.Cluster
) -> None:
    furnish(cluster, None)
    async with replicated(kind, 1) as data:
        killed = stand_in.pod(container={"restartCount": 3, "lastState": OOM}, since=170)
        servers = (data.primary.server.port, stand_in.pod()), (data.replicas[0].server.port, killed)
        for number, (port, pod) in enumerate(servers):
            cluster.add(f"{stand_in.SHOP}/pods", stand_in.at(pod, f"cache-{number}", "127.0.0.1", port))
        found, _ = await answer(data.primary.url, cluster)
    newest = {one["node"]: one["values"]["pod"] for one in found["readings"] if one["tool"] == "pod"}
    assert sorted(newest.values()) == ["cache-0", "cache-1"]
    killed_at = next(one["where"] for one in found["causes"] if one["id"] == "oom-killed")
    assert newest[killed_at] == "cache-1" and killed_at.endswith(f":{servers[1][0]}")


@pytest.mark.live
async def test_check_and_doctor_ask_about_a_targets_pod(
    kind: ServerKind, cluster: stand_in.Cluster, tmp_path: Path
) -> None:
    furnish(cluster, stand_in.pod(container={"restartCount": 3, "lastState": OOM}, since=170))
    cluster.answers["nodes"] = lambda to: stand_in.give(to, 403, stand_in.status(403, "Forbidden"))
    file = tmp_path / "rediagnose.toml"
    async with running(kind) as server:
        file.write_text(SETTINGS.replace("redis://127.0.0.1:1", server.url))
        environ = {"KUBECONFIG": str(cluster.kubeconfig), "REDIAGNOSE_CONFIG": str(file)}
        checked = await rediagnose("check", "cache", "--format", "json", **environ)
        examined = await rediagnose("doctor", "--target", "cache", "--model", "offline", "--format", "json", **environ)
    (line,) = json.loads(checked.out)["targets"]
    assert line["level"] == "incident" and [one["id"] for one in line["causes"]] == ["oom-killed"]
    found = next(one for one in json.loads(examined.out)["checks"] if one["name"] == "kubernetes")
    assert found["state"] == "warning" and "Bitnami's chart redis" in found["line"] and "machine" in found["line"]


async def test_the_name_of_a_service_from_outside_the_cluster_says_how_to_get_there(
    program: Callable[..., Done],
) -> None:
    done = await rediagnose("triage", "cache.no-such-namespace.svc:6379", "slow", "--model", "offline")
    told = " ".join(done.out.split())
    assert "kubectl -n no-such-namespace port-forward svc/cache 6379" in told and "only resolves inside" in told


async def test_what_cant_be_asked_is_said_and_the_answer_comes(tmp_path: Path) -> None:
    done = await rediagnose("triage", "redis://127.0.0.1:1", REPORT, "--kubernetes", "--model", "offline",
                            "--format", "json", KUBECONFIG=str(tmp_path / "none"))  # fmt: skip
    found = done.answer()
    assert "Kubernetes can't be asked" in done.err
    screen = await rediagnose("triage", "redis://127.0.0.1:1", REPORT, "--kubernetes", "--model", "offline",
                              KUBECONFIG=str(tmp_path / "none"))  # fmt: skip
    assert "Kubernetes couldn't be asked about the pod: there is no kubeconfig" in " ".join(screen.out.split())
    assert reading(found)["unavailable"]["kind"] == "not-recorded" and found["causes"]


async def test_nobody_is_asked_unasked(cluster: stand_in.Cluster) -> None:
    furnish(cluster, stand_in.pod())
    done = await rediagnose("triage", "redis://127.0.0.1:1", REPORT, "--model", "offline", "--format", "json",
                            KUBECONFIG=str(cluster.kubeconfig))  # fmt: skip
    assert not any(one["tool"] == "pod" for one in done.answer()["readings"]) and not cluster.requests


@pytest.mark.parametrize(
    ("args", "named"),
    [
        (("--kubernetes",), "NAME.NAMESPACE.svc"),
        (("--context", "prod"), "--pod or --kubernetes"),
        (("--kubernetes", "--context", "-x", "--pod", "shop/a"), "--context"),
        (("--pod", "shop"), "NAMESPACE/POD"),
    ],
)
def test_wrong_usage_asks_nobody(program: Callable[..., Done], args: tuple[str, ...], named: str) -> None:
    done = program("triage", "redis://127.0.0.1:1", "is it down?", "--model", "offline", *args)
    assert done.status == 2 and named in done.err


def test_the_role_is_printed_for_a_namespace(program: Callable[..., Done]) -> None:
    done = program("acl", "--kubernetes", "--namespace", "shop")
    assert done.status == 0 and "kind: ClusterRole" in done.out and "namespace: shop" in done.out
    assert "secrets" not in done.out and not any(verb in done.out for verb in ("create,", "watch", "patch", "delete"))
    for wrong in (("--namespace", "shop"), ("--kubernetes", "--check"), ("--kubernetes", "-n", "a b")):
        assert program("acl", *wrong).status == 2


SETTINGS = """
[[targets]]
name = "cache"
url = "redis://127.0.0.1:1"
pod = "shop/cache-redis-master-0"
context = "here"
"""


async def test_a_target_of_the_settings_names_its_pod(cluster: stand_in.Cluster, tmp_path: Path) -> None:
    furnish(cluster, stand_in.pod())
    file = tmp_path / "rediagnose.toml"
    file.write_text(SETTINGS)
    args = ("triage", "--target", "cache", "is it down?", "--model", "offline", "--format", "json")
    environ = {"KUBECONFIG": str(cluster.kubeconfig), "REDIAGNOSE_CONFIG": str(file)}
    done = await rediagnose(*args, **environ)
    assert reading(done.answer())["values"]["pod"] == POD
