"""--kubernetes: a real server, and what Kubernetes says of the Service and the pod in front of it."""

import asyncio
import gzip
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from agent.answer.diagnosis import Diagnosis
from agent.recordings.replay import case, on_virtual_time
from evals.lab.servers import ServerKind, running
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


async def test_what_cant_be_asked_is_said_and_the_answer_comes(tmp_path: Path) -> None:
    done = await rediagnose("triage", "redis://127.0.0.1:1", REPORT, "--kubernetes", "--model", "offline",
                            "--format", "json", KUBECONFIG=str(tmp_path / "none"))  # fmt: skip
    found = done.answer()
    assert "Kubernetes can't be asked" in done.err
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
