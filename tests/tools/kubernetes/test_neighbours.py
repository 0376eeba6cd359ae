"""The pods of a deployment's other nodes: matched by address, name or port, from one list of the namespace's pods."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import kubernetes as stand_in
from tests.kubernetes import OOM, SHOP, at, event, furnish, give, kubernetes, status
from tools.clock import SystemClock
from tools.errors import Unanswered
from tools.kubernetes.neighbours import PAGE, PAGES
from tools.kubernetes.place import PodName
from tools.kubernetes.reading import Cluster, Login, Neighbour, Wanted, pod

KILLED = {"restartCount": 2, "lastState": OOM}


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[stand_in.Cluster]:
    with kubernetes(tmp_path) as one:
        monkeypatch.setenv("KUBECONFIG", str(one.kubeconfig))
        furnish(one, stand_in.pod())
        yield one


def named(login: Login | None = None) -> Cluster:
    return Cluster(SystemClock(), PodName("shop", stand_in.POD), login=login)


async def test_each_node_gets_its_pod_from_one_list(cluster: stand_in.Cluster) -> None:
    for number in range(6):
        one = stand_in.pod(container=KILLED if number == 4 else {}, since=170 if number == 4 else 90_000)
        cluster.add(f"{SHOP}/pods", at(one, f"cache-{number}", f"10.42.1.{number}", 6379))
    for name, age in (("cache-1", 20), ("elsewhere-1", 30)):
        cluster.add(f"{SHOP}/events", event("Unhealthy", "Liveness probe failed", age, of=name))
    wanted = [Wanted(f"10.42.1.{number}:6379", f"10.42.1.{number}", 6379) for number in range(5)]
    wanted.append(Wanted("named", "cache-5.cache-headless.shop.svc.cluster.local", 6379))
    wanted.append(Wanted("10.9.9.9:6379", "10.9.9.9", 6379))
    found = await named().around(wanted)
    assert {node: values["pod"] for node, values in found.items()} == {
        **{f"10.42.1.{number}:6379": f"cache-{number}" for number in range(5)}, "named": "cache-5",
    }  # fmt: skip
    assert [node for node, values in found.items() if values["oom_killed"]] == ["10.42.1.4:6379"]
    assert [node for node, values in found.items() if "event.Unhealthy.count" in values] == ["10.42.1.1:6379"]
    assert found["10.42.1.0:6379"]["edit.memory"] == "master.resources"
    counted = Counter(one.plural for one in cluster.requests)
    assert counted == {"pods": 1, "events": 1, "statefulsets": 1}


async def test_pods_on_a_machines_own_network_differ_by_their_port(cluster: stand_in.Cluster) -> None:
    for name, port in (("cache-a", 7000), ("cache-b", 7001)):
        cluster.add(f"{SHOP}/pods", at(stand_in.pod(), name, "10.0.0.5", port))
    wanted = [Wanted(f"n{port}", "10.0.0.5", port) for port in (7000, 7001, 7002)]
    found = await named().around(wanted)
    assert {node: values["pod"] for node, values in found.items()} == {"n7000": "cache-a", "n7001": "cache-b"}


async def test_a_sentinel_beside_its_server_is_its_own_container(cluster: stand_in.Cluster) -> None:
    one = at(stand_in.pod(container=KILLED, since=170), "cache-node-0", "10.42.1.7", 6379)
    well = {"name": "sentinel", "restartCount": 0, "lastState": {}, "state": {"running": {}}, "ready": True}
    one["spec"]["containers"].append(
        {"name": "sentinel", "image": "bitnami/redis-sentinel:7.4", "ports": [{"containerPort": 26379}]}
    )
    one["status"]["containerStatuses"].append(well)
    cluster.add(f"{SHOP}/pods", one)
    found = await named().around([Wanted("server", "10.42.1.7", 6379), Wanted("sentinel", "10.42.1.7", 26379)])
    assert (found["server"]["container"], found["server"]["oom_killed"]) == ("redis", True)
    assert (found["sentinel"]["container"], found["sentinel"]["oom_killed"]) == ("sentinel", False)


async def test_a_long_list_is_read_in_parts_and_not_for_ever(cluster: stand_in.Cluster) -> None:
    for number in range(PAGE * PAGES + 20):
        cluster.add(f"{SHOP}/pods", at(stand_in.pod(), f"p-{number}", f"10.50.{number // 250}.{number % 250}", 6379))
    late, never = PAGE + 7, PAGE * PAGES + 10
    wanted = [Wanted(f"n{n}", f"10.50.{n // 250}.{n % 250}", 6379) for n in (late, never)]
    assert list(await named().around(wanted)) == [f"n{late}"]
    assert Counter(one.plural for one in cluster.requests)["pods"] == PAGES


async def test_what_has_ended_has_no_address_and_what_isnt_a_server_is_none(cluster: stand_in.Cluster) -> None:
    gone = at(stand_in.pod(), "cache-old", "10.42.1.8", 6379)
    gone["status"]["phase"] = "Failed"
    web = at(stand_in.pod(), "web-0", "10.42.1.9", 6379)
    web["spec"]["containers"][0] |= {"name": "web", "image": "nginx:1"}
    for one in (gone, web):
        cluster.add(f"{SHOP}/pods", one)
    assert not await named().around([Wanted("a", "10.42.1.8", 6379), Wanted("b", "10.42.1.9", 6379)])


async def test_a_second_look_at_a_node_asks_again(cluster: stand_in.Cluster) -> None:
    cluster.add(f"{SHOP}/pods", at(stand_in.pod(), "cache-1", "10.42.1.1", 6379))
    one, wanted = named(), Wanted("n", "10.42.1.1", 6379)
    neighbour = Neighbour(one, wanted, (await one.around([wanted]))["n"])
    assert (await pod(neighbour))["pod"] == "cache-1"
    cluster.lists[f"{SHOP}/pods"].clear()
    with pytest.raises(Unanswered, match="no pod of shop"):
        await pod(neighbour)


async def test_forbidden_events_take_nothing_else_along(cluster: stand_in.Cluster) -> None:
    cluster.add(f"{SHOP}/pods", at(stand_in.pod(container=KILLED, since=170), "cache-1", "10.42.1.1", 6379))
    cluster.answers["events"] = lambda to: give(to, 403, status(403, "Forbidden"))
    values = (await named().around([Wanted("n", "10.42.1.1", 6379)]))["n"]
    assert values["oom_killed"] is True and values["events.unavailable"] == "denied"


async def test_a_fleet_logs_in_once_and_doesnt_wait_for_a_failed_login_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    login = Login()
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    for _ in range(2):
        with pytest.raises(Unanswered, match="no kubeconfig") as failed:
            await named(login).look()
    assert failed.value.kind == "not-recorded"
    with kubernetes(tmp_path) as one:
        monkeypatch.setenv("KUBECONFIG", str(one.kubeconfig))
        furnish(one, stand_in.pod())
        shared = Login()
        assert await named(shared).look() and await named(shared).look()
        assert await shared.client() is await shared.client()
