"""The reading of a pod: what the official client brings from a real HTTPS server, and what it makes of bad answers."""

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests import kubernetes as stand_in
from tests.kubernetes import OOM, POD, SELECTOR, event, furnish, give, kubernetes, status
from tools.clock import SystemClock
from tools.errors import Unanswered
from tools.kubernetes.api import MOST
from tools.kubernetes.place import PodName, ServiceName
from tools.kubernetes.reading import Cluster, pod
from tools.kubernetes.role import manifests
from tools.records import Values

NAMED, FRONT = PodName("shop", POD), ServiceName("shop", "cache-redis-master")


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[stand_in.Cluster]:
    with kubernetes(tmp_path) as one:
        monkeypatch.setenv("KUBECONFIG", str(one.kubeconfig))
        yield one


async def read(named: PodName | None = NAMED, front: ServiceName | None = FRONT, **more: Any) -> Values:
    return await pod(Cluster(SystemClock(), named, front, **more))


ENDED = {"restartCount": 1, "lastState": OOM}
LONG_AGO = {"terminated": {**OOM["terminated"], "finishedAt": stand_in.ago(400_000)}}
CRASHING = {
    "restartCount": 7, "lastState": {"terminated": {"exitCode": 1, "reason": "Error", "finishedAt": stand_in.ago(30)}},
    "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 5m0s restarting failed container"}},
}  # fmt: skip
UNSCHEDULED = {
    "phase": "Pending", "containerStatuses": None,
    "conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable",
                    "message": "0/3 nodes are available: pod has unbound immediate PersistentVolumeClaims."}],
}  # fmt: skip
EVICTED = {"phase": "Failed", "reason": "Evicted", "containerStatuses": None,
           "message": "The node was low on resource: ephemeral-storage."}  # fmt: skip
FULL = event("Evicted", "The node was low on resource: ephemeral-storage.", 90)
Build = Callable[[stand_in.Cluster], None]
CASES: Mapping[str, tuple[Build, Mapping[str, Any]]] = {
    "killed for its memory three minutes ago": (
        lambda one: furnish(one, stand_in.pod(container=ENDED, since=170)),
        {"oom_killed": True, "last_state.reason": "OOMKilled", "restart_count": 1, "limits.memory": 192 << 20,
         "edit.memory": "master.resources", "edit.name": "cache", "role_label": "primary"},
    ),
    "killed once, last week": (
        lambda one: furnish(one, stand_in.pod(container={"restartCount": 1, "lastState": LONG_AGO})),
        {"oom_killed": False, "last_end_recent": False, "pod_ready": True},
    ),
    "evicted, the disk was full": (
        lambda one: furnish(one, stand_in.pod(status=EVICTED, ready=False), FULL, ready=(), pressure="DiskPressure"),
        {"status": "Failed", "reason": "Evicted", "event.Evicted.disk.count": 1, "machine.disk_pressure": True},
    ),
    "its volume isn't bound": (
        lambda one: furnish(one, stand_in.pod(status=UNSCHEDULED, spec={"nodeName": None}), ready=(), claim="Pending"),
        {"status": "Pending", "unschedulable": "Unschedulable", "unschedulable.lacks": "volume",
         "service1.endpoints": 0},
    ),
    "it ends after each start": (
        lambda one: furnish(one, stand_in.pod(container=CRASHING, ready=False), event("BackOff", "Back-off", 20, 9)),
        {"state": "Waiting", "state.reason": "CrashLoopBackOff", "last_state.exit_code": 1, "event.BackOff.count": 9},
    ),
    "its readiness probe fails": (
        lambda one: furnish(
            one, stand_in.pod(ready=False), event("Unhealthy", "Readiness probe failed: NOAUTH", 5, 40), ready=(False,)
        ),
        {"pod_ready": False, "state": "Running", "event.Unhealthy.readiness.count": 40, "service1.endpoints": 1,
         "service1.ready_endpoints": 0},
    ),
    "the Service selects another label": (
        lambda one: furnish(one, stand_in.pod(), ready=(), selector=SELECTOR | {"app.kubernetes.io/component": "main"}),
        {"service1.addressed": True, "service1.endpoints": 0, "service1.selects_pod": False,
         "service1.selector_label": "app.kubernetes.io/component", "service1.selector_wants": "main",
         "service1.pod_has": "master"},
    ),
    "a rollout that is over": (
        lambda one: furnish(
            one, stand_in.pod(since=300), event("Unhealthy", "Readiness probe failed: LOADING", 310, 3),
            event("FailedScheduling", "0/3 nodes are available", 400), event("FailedMount", "timed out", 390),
        ),
        {"past_event.Unhealthy.readiness.count": 3, "past_event.FailedScheduling.count": 1,
         "past_event.FailedMount.count": 1, "event.Unhealthy.count": None, "event.FailedMount.count": None,
         "owner.updating": False, "pod_ready": True},
    ),
    "no such pod": (lambda one: furnish(one, None, ready=()), {"exists": False, "pod": POD}),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
async def test_what_kubernetes_knows_is_read(cluster: stand_in.Cluster, case: str) -> None:
    build, expected = CASES[case]
    build(cluster)
    values = await read()
    assert {field: values.get(field) for field in expected} == expected
    assert values.get("claims_unbound") in ((None,) if case == "no such pod" else (case == "its volume isn't bound",))
    assert "hunter2" not in repr(values)


@pytest.mark.parametrize("wrong", [False, True], ids=["by its selector", "by what its selector nearly fits"])
async def test_a_services_name_leads_to_the_pod_in_trouble(cluster: stand_in.Cluster, wrong: bool) -> None:
    furnish(cluster, stand_in.pod(ready=False), ready=() if wrong else (False,),
            selector=SELECTOR | ({"app.kubernetes.io/component": "main"} if wrong else {}))  # fmt: skip
    other = stand_in.pod()
    other["metadata"]["name"] = "another"
    other["metadata"]["labels"] = {"app": "web"} if wrong else other["metadata"]["labels"]
    cluster.add("/api/v1/namespaces/shop/pods", other)
    values = await read(named=None)
    assert (values["pod"], values["pods"], values["pods_ready"]) == (POD, 0 if wrong else 2, 0 if wrong else 1)


async def test_only_what_the_role_grants_is_asked_for(cluster: stand_in.Cluster) -> None:
    for build, _ in CASES.values():
        cluster.objects.clear()
        cluster.lists.clear()
        build(cluster)
        await read()
        await read(named=None)
    granted = {
        (verb, group, plural)
        for one in yaml.safe_load_all(manifests("shop")) for rule in one.get("rules") or ()
        for verb in rule["verbs"] for group in rule["apiGroups"] for plural in rule["resources"]
    }  # fmt: skip
    asked = {(one.verb, one.group, one.plural) for one in cluster.requests}
    assert asked <= granted
    # A Deployment's pod would be asked about with the rest.
    assert {plural for _, _, plural in granted - asked} == {"replicasets", "deployments"}
    assert {one.token for one in cluster.requests} == {stand_in.TOKEN}


def _flood(to: BaseHTTPRequestHandler) -> None:
    give(to, 200, b'{"items": ["' + b"x" * (MOST + 10) + b'"]}')


def _dripping(to: BaseHTTPRequestHandler) -> None:
    to.send_response(200)
    to.send_header("Content-Length", "1000000")
    to.end_headers()
    try:
        for _ in range(200):
            to.wfile.write(b" ")
            to.wfile.flush()
            time.sleep(0.05)
    except OSError:
        pass


BAD: Mapping[str, tuple[Callable[[BaseHTTPRequestHandler], None], str, str]] = {
    "forbidden": (lambda to: give(to, 403, status(403, "Forbidden")), "denied", "acl --kubernetes"),
    "a login that has expired": (lambda to: give(to, 401, status(401, "Unauthorized")), "denied", "log in again"),
    "a redirect": (lambda to: give(to, 302, {}, Location="https://127.0.0.1:1/"), "refused", "isn't followed"),
    "too long": (_flood, "malformed", "longer than"),
    "a byte at a time": (_dripping, "timeout", "time|within"),
    "nothing": (lambda to: time.sleep(3), "timeout", "ReadTimeoutError|within"),
    "no JSON": (lambda to: give(to, 200, b"<html>"), "malformed", "isn't JSON"),
    "nested deeply": (lambda to: give(to, 200, b"[" * 200_000), "malformed", "isn't JSON"),
    "a list": (lambda to: give(to, 200, []), "malformed", "no object"),
}


@pytest.mark.parametrize("case", BAD)
async def test_a_bad_answer_says_why(cluster: stand_in.Cluster, case: str) -> None:
    answer, kind, why = BAD[case]
    cluster.answers["*"] = answer
    with pytest.raises(Unanswered, match=why) as failed:
        await read(deadline=1.0)
    assert failed.value.kind == kind
    assert len({one.plural for one in cluster.requests}) <= 2


async def test_what_is_forbidden_takes_nothing_else_along(cluster: stand_in.Cluster) -> None:
    furnish(cluster, stand_in.pod(container=ENDED, since=170))
    for plural in ("nodes", "events", "services", "statefulsets"):
        cluster.answers[plural] = lambda to: give(to, 403, status(403, "Forbidden"))
    values = await read()
    assert values["oom_killed"] is True
    assert {field: kind for field, kind in values.items() if field.endswith(".unavailable")} == {
        "services.unavailable": "denied", "events.unavailable": "denied", "owner.unavailable": "denied",
        "machine.unavailable": "denied",
    }  # fmt: skip


HOSTILE: list[Any] = ["\x1b[2J", "../../secrets/x", "$(id)", None, 7, [], {"a": {}}, "x" * 100_000, -1, True, 2**80, "‮"]


async def test_objects_of_wrong_shapes_hold_nothing_that_isnt_a_name(cluster: stand_in.Cluster) -> None:
    for bad in HOSTILE:
        one = stand_in.pod()
        one["metadata"] |= {"labels": {"app": bad, str(bad): "x"}, "ownerReferences": bad, "deletionTimestamp": None}
        one["spec"] |= {"nodeName": bad, "volumes": [{"persistentVolumeClaim": {"claimName": bad}}, bad]}
        one["spec"]["containers"] = [{"name": bad, "image": bad, "resources": bad}, bad]
        one["status"] |= {"phase": bad, "reason": bad, "conditions": [bad, {"type": bad, "status": bad}],
                          "containerStatuses": [{"name": bad, "restartCount": bad, "lastState": {str(bad): bad},
                                                 "state": {"waiting": {"reason": bad}}}, bad]}  # fmt: skip
        cluster.objects.clear()
        cluster.lists.clear()
        cluster.add("/api/v1/namespaces/shop/pods", one)
        cluster.add("/api/v1/namespaces/shop/events", event("Evicted", "x", 5) | {"reason": bad, "count": bad})
        values = await read()
        text = [value for value in values.values() if isinstance(value, str)]
        assert all(value.isascii() and value.isprintable() and len(value) <= 253 for value in text), values
        assert not any(mark in repr(values) for mark in ("$(", "..", "\\x1b"))
        assert not any("secrets" in one.plural for one in cluster.requests)


async def test_a_certificate_of_nobody_known_is_not_trusted(cluster: stand_in.Cluster) -> None:
    with pytest.raises(Unanswered) as failed:
        await read(context="strange")
    assert failed.value.kind == "tls" and not cluster.requests


@pytest.mark.parametrize("content", [None, "", "{", "[]", "clusters: 7", "current-context: lost"])
async def test_a_kubeconfig_that_cant_be_used_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str | None
) -> None:
    path = tmp_path / "config"
    if content is not None:
        path.write_text(content)
    monkeypatch.setenv("KUBECONFIG", str(path))
    with pytest.raises(Unanswered, match="kubeconfig") as failed:
        await read()
    assert failed.value.kind in ("not-recorded", "malformed")


async def test_waiting_for_the_api_keeps_nothing_else_waiting(cluster: stand_in.Cluster) -> None:
    cluster.answers["*"] = lambda to: time.sleep(2)
    reading = asyncio.ensure_future(read(deadline=1.0))
    ticks = 0
    while not reading.done():
        await asyncio.sleep(0.01)
        ticks += 1
    with pytest.raises(Unanswered):
        await reading
    assert ticks > 10
