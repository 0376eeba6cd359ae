"""Memorystore through Google Cloud's REST interfaces as they're written, with google-auth as it is."""

import asyncio
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from agent.checks.managed import FAMILY
from tests.agent.checks.rows import found
from tests.clouds import TOKEN, Answer, Cloud, at, cloud, drips, endless, google_key, hangs, status
from tools.errors import Unanswered, UsageError
from tools.providers.choice import provider_of
from tools.providers.found import Place, Window
from tools.providers.google_reads import PATHS, WHY, role
from tools.providers.values import values_of
from tools.records import Values

PROJECT, REGION = "shop-prod", "europe-west4"
ROOT = f"/v1/projects/{PROJECT}/locations"
FULL = f"projects/{PROJECT}/locations/{REGION}/instances/sessions"
HOST = "10.20.0.3"
PATIENT, SOME, SHORT = 30.0, 5.0, 1.0
"""Seconds for a look whose answers come, on a machine that may be busy; of which some come; and of which none do."""
SERIES = f"/v3/projects/{PROJECT}/timeSeries"


def instance(**more: Any) -> dict[str, Any]:
    """An instance of Memorystore for Redis as the API has it."""
    return {
        "name": FULL, "locationId": f"{REGION}-a", "redisVersion": "REDIS_7_2", "reservedIpRange": "10.20.0.0/29",
        "host": HOST, "port": 6379, "readEndpoint": "10.20.0.4", "tier": "STANDARD_HA", "memorySizeGb": 5,
        "state": "READY", "redisConfigs": {"maxmemory-policy": "allkeys-lru", "timeout": "300"}, "replicaCount": 1,
        "maintenancePolicy": {"weeklyMaintenanceWindow": [{"day": "SUNDAY", "startTime": {"hours": 2}}]}, **more,
    }  # fmt: skip


def operation(verb: str, begun: float, ended: float | None = None, target: str = FULL) -> dict[str, Any]:
    """A long-running operation as both interfaces list it."""
    about = {
        "@type": "type.googleapis.com/google.cloud.redis.v1.OperationMetadata", "createTime": at(begun),
        "target": target, "verb": verb, "requestedCancellation": False, "apiVersion": "v1",
    }  # fmt: skip
    done = {} if ended is None else {"done": True, "response": {}}
    return {"name": "operations/1", "metadata": about if ended is None else {**about, "endTime": at(ended)}, **done}


def series(
    metric: str, points: Mapping[float, float], node: str = "node-0", role: str = "primary", kind: str = "int64Value"
) -> dict[str, Any]:
    """A series of Cloud Monitoring: by how long ago, the newest first."""
    return {
        "metric": {"type": f"redis.googleapis.com/{metric}", "labels": {"role": role}},
        "resource": {"type": "redis_instance", "labels": {"instance_id": FULL, "node_id": node, "region": REGION}},
        "points": [
            {"interval": {"startTime": at(ago), "endTime": at(ago)},
             "value": {kind: str(int(value)) if kind == "int64Value" else value}}
            for ago, value in sorted(points.items())
        ],
    }  # fmt: skip


def monitored(*known: Mapping[str, Any]) -> Any:
    """What timeSeries.list gives for a metric, by the filter that it has to have."""

    def give(query: Mapping[str, str]) -> Mapping[str, Any]:
        assert query["interval.startTime"] < query["interval.endTime"]
        assert f'"{FULL}"' in query["filter"] and f'region="{REGION}"' in query["filter"]
        there = [one for one in known if f'metric.type="{one["metric"]["type"]}"' in query["filter"]]
        return {"timeSeries": there, "unit": "1"} if there else {}

    return give


def failed_over(ago: float) -> dict[str, Any]:
    """What an instance's paths answer so long after a failover."""
    return {
        f"/v1/{FULL}": instance(), SERIES: monitored(),
        f"{ROOT}/{REGION}/operations": {"operations": [operation("failover", ago + 20, ago)]},
    }  # fmt: skip


@pytest.fixture
def google(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Cloud]:
    with cloud() as made:
        google_key(made, monkeypatch, tmp_path, PROJECT)
        made.rows = {
            f"{ROOT}/-/instances": {
                "instances": [instance(name=f"{FULL}2", host="10.9.9.9", readEndpoint=""), instance()]
            },
            f"{ROOT}/{REGION}/instances/sessions": instance(), f"{ROOT}/{REGION}/operations": {"operations": []},
            SERIES: monitored(),
        }  # fmt: skip
        yield made


async def look(
    named: str | None = None, host: str = HOST, service: str = "memorystore", deadline: float = PATIENT
) -> Values:
    """The reading of such a server."""
    provider = provider_of(Place(service, host, named))
    assert provider is not None
    # Loading what asks takes longer than anybody waits where a dozen tests run beside each other.
    await provider.prepare()
    now = time.time()
    window = Window(now, now - 3600, now, now - 86_400)
    return values_of(await provider.look(window, deadline), window)


async def test_the_instance_is_found_by_its_address(google: Cloud) -> None:
    values = await look()
    assert {key: values.get(key) for key in ("source", "service", "resource", "region", "status", "node_type")} == {
        "source": "google", "service": "memorystore", "resource": "sessions", "region": REGION, "status": "available",
        "node_type": "STANDARD_HA",
    }  # fmt: skip
    assert (values["engine_version"], values["maintenance_window"]) == ("REDIS_7_2", "SUNDAY:02:00")
    assert (values["setting.maxmemory-policy"], values["setting.timeout"]) == ("allkeys-lru", "300")
    assert values["events"] == 0 and values["nodes"] == 2


async def test_the_read_endpoint_is_the_same_instance(google: Cloud) -> None:
    assert (await look(host="10.20.0.4:6379"))["resource"] == "sessions"


async def test_an_address_of_nobodys_is_not_found(google: Cloud) -> None:
    with pytest.raises(Unanswered, match=f"project {PROJECT} has the address 10.20.0.99") as raised:
        await look(host="10.20.0.99")
    assert raised.value.kind == "not-recorded"


async def test_a_failover_two_minutes_before_is_an_event(google: Cloud) -> None:
    google.rows = failed_over(120)
    values = await look(FULL)
    assert (values["events"], values["events.failover"]) == (2, 2)
    assert (values["e1.event"], values["e1.kind"]) == ("failover-complete", "failover")
    assert 119 <= float(str(values["e1.age"])) <= 130
    assert values["e2.event"] == "failover-requested"


async def test_one_of_yesterday_is_told_with_its_age_and_one_of_last_week_not_at_all(google: Cloud) -> None:
    day = 80_000.0
    google.rows[f"{ROOT}/{REGION}/operations"] = {
        "operations": [operation("failover", day + 20, day), operation("update", 600_000, 599_000),
                       operation("failover", 60, 50, target=FULL + "-other")],
    }  # fmt: skip
    values = await look(FULL)
    assert (values["events"], values["e1.event"]) == (2, "failover-complete")
    assert day - 1 <= float(str(values["e1.age"])) <= day + 10


async def test_a_failover_that_is_no_operation_shows_in_the_roles(google: Cloud) -> None:
    google.rows[SERIES] = monitored(
        series("server/uptime", {600: 990_000, 300: 990_300}, "node-0", "primary"),
        series("server/uptime", {120: 60, 60: 120}, "node-0", "replica"),
        series("server/uptime", {600: 980_000, 300: 980_300}, "node-1", "replica"),
        series("server/uptime", {120: 980_480, 60: 980_540}, "node-1", "primary"),
    )
    values = await look(FULL)
    assert (values["events"], values["events.failover"], values["e1.event"]) == (1, 1, "failover-complete")
    assert values["e1.source"] == "node-1" and 119 <= float(str(values["e1.age"])) <= 150


async def test_a_restart_without_a_failover_shows_in_the_uptime(google: Cloud) -> None:
    google.rows[SERIES] = monitored(
        series("server/uptime", {600: 90_000, 60: 120}), series("clients/connected", {60: 3})
    )
    values = await look(FULL)
    ages = [float(str(values[f"e{n}.age"])) for n in range(1, int(str(values["events"])) + 1)]
    assert values["e1.event"] == "node-restarted" and 179 <= ages[0] <= 210
    assert len(ages) == 1


async def test_one_failover_is_not_told_twice(google: Cloud) -> None:
    google.rows[f"{ROOT}/{REGION}/operations"] = {"operations": [operation("failover", 150, 130)]}
    google.rows[SERIES] = monitored(
        series("server/uptime", {300: 980_300}, "node-1", "replica"),
        series("server/uptime", {120: 980_480, 60: 980_540}, "node-1", "primary"),
    )
    values = await look(FULL)
    assert [values[f"e{n}.event"] for n in range(1, int(str(values["events"])) + 1)] == [
        "failover-complete", "failover-requested",
    ]  # fmt: skip


async def test_figures_have_their_documented_names(google: Cloud) -> None:
    google.rows[SERIES] = monitored(
        series("stats/memory/usage_ratio", {1800: 0.5, 120: 0.97}, kind="doubleValue"),
        series("stats/evicted_keys", {120: 12, 60: 8}), series("clients/connected", {120: 64_990, 60: 64_000}),
        series("stats/memory/maxmemory", {1800: 2**32, 900: 2**33, 60: 2**33}),
    )  # fmt: skip
    values = await look(FULL)
    assert (values["figure.stats.memory.usage_ratio.max_15m"], values["figure.stats.evicted_keys.sum_15m"]) == (
        0.97,
        20,
    )
    assert values["figure.clients.connected.last"] == 64_000
    assert (values["e1.kind"], values["e1.event"]) == ("scaling", "node-type-changed")


async def test_maintenance_is_under_way_once_its_time_has_come(google: Cloud) -> None:
    google.rows[f"{ROOT}/{REGION}/instances/sessions"] = instance(
        state="MAINTENANCE", maintenanceSchedule={"startTime": at(240), "endTime": at(-3000)}
    )
    values = await look(FULL)
    assert (values["status"], values["e1.kind"], values["e1.event"]) == (
        "maintenance",
        "maintenance",
        "maintenance-started",
    )
    google.rows[f"{ROOT}/{REGION}/instances/sessions"] = instance(
        maintenanceSchedule={"startTime": at(-86_400), "endTime": at(-90_000)}
    )
    assert (await look(FULL))["events"] == 0


PAGE = "connection reset by Redis at checkout, errors for a minute"


def named(values: Values) -> dict[str, str]:
    """What the checks name by it for a page about lost connections."""
    every = [found(check, {"provider": values}, symptom=PAGE) for check in FAMILY.checks]
    return {id: word for one in every for id, word in one.items()}


@pytest.mark.parametrize(("operations", "more", "expected"), [
    ([("failover", 140, 120)], {}, {"managed-failover": "sure"}),
    ([("failover", 80_000, 79_990)], {}, {}),
    ([("upgrade", 900, 300)], {}, {"managed-maintenance": "sure"}),
    ([("export", 300, 200), ("update", 100, 90), ("import", 50_000, 49_000)], {}, {}),
    ([], {"state": "MAINTENANCE"}, {"managed-maintenance": "sure"}),
    ([], {"state": "FAILING_OVER"}, {"managed-failover": "sure"}),
    ([], {}, {}),
])  # fmt: skip
async def test_what_the_checks_name(
    google: Cloud, operations: list[tuple[str, float, float]], more: dict[str, Any], expected: dict[str, str]
) -> None:
    google.rows[f"{ROOT}/{REGION}/operations"] = {"operations": [operation(*one) for one in operations]}
    google.rows[f"/v1/{FULL}"] = instance(**more)
    assert named(await look(FULL)) == expected


async def test_a_cluster_and_valkey_are_asked_about_by_their_own_names(google: Cloud) -> None:
    cluster = f"projects/{PROJECT}/locations/{REGION}/clusters/carts"
    valkey = f"projects/{PROJECT}/locations/{REGION}/instances/carts"
    google.rows = {
        f"/v1/{cluster}": {
            "name": cluster, "state": "ACTIVE", "shardCount": 3, "replicaCount": 1, "nodeType": "REDIS_HIGHMEM_MEDIUM",
            "discoveryEndpoints": [{"address": "10.1.0.2", "port": 6379}], "redisConfigs": {"maxclients": "32000"},
            "stateInfo": {"updateInfo": {"targetShardCount": 5}},
        },
        f"/v1/{valkey}": {
            "name": valkey, "state": "ACTIVE", "shardCount": 1, "replicaCount": 2, "nodeType": "STANDARD_SMALL",
            "engineVersion": "VALKEY_9_0", "engineConfigs": {"maxmemory-policy": "noeviction"},
        },
        f"{ROOT}/{REGION}/operations": {}, SERIES: {},
    }  # fmt: skip
    one, other = await look(cluster, service="memorystore-cluster"), await look(valkey, service="memorystore-valkey")
    assert (one["nodes"], one["scaling.under_way"], one["setting.maxclients"]) == (6, True, "32000")
    assert (other["nodes"], other["engine_version"], other["setting.maxmemory-policy"]) == (
        3,
        "VALKEY_9_0",
        "noeviction",
    )
    filters = [ask.query["filter"] for ask in google.read if ask.path == SERIES]
    assert any('"redis.googleapis.com/cluster/cpu/maximum_utilization"' in text for text in filters)
    assert any('"memorystore.googleapis.com/instance/node/server/uptime"' in text for text in filters)


async def test_nothing_but_listed_paths_is_read_and_the_token_goes_with_it(google: Cloud) -> None:
    await look()
    assert {one.method for one in google.read} == {"GET"}
    assert {one.authorization for one in google.read} == {f"Bearer {TOKEN}"}
    assert {one.path for one in google.read} == {f"{ROOT}/-/instances", f"{ROOT}/{REGION}/operations", SERIES}
    assert all(one.sent == b"" for one in google.read)
    assert not any("authString" in path or "getAuthString" in path for path in PATHS)
    assert "authString" not in role() and all(f"  - {one}" in role() for one in WHY)


@pytest.mark.parametrize(("answer", "kind"), [
    (status(401), "denied"), (status(403), "denied"), (status(429, Retry_After="30"), "busy"), (status(500), "busy"),
    (status(302, Location="http://127.0.0.1:9/v1"), "malformed"), (hangs, "timeout"), (drips, "timeout"),
    (endless, "malformed"), (status(200, "[]"), "malformed"), (status(200, "nonsense"), "malformed"),
    (status(200, "[" * 100_000), "malformed"),
])  # fmt: skip
async def test_what_is_not_answered_has_its_kind(google: Cloud, answer: Answer, kind: str) -> None:
    google.odd["*"] = answer
    with pytest.raises(Unanswered) as raised:
        await look(FULL, deadline=SHORT if kind == "timeout" else PATIENT)
    assert raised.value.kind == kind
    assert TOKEN not in raised.value.detail
    assert all(ask.path.startswith((ROOT, SERIES)) for ask in google.read)


@pytest.mark.parametrize(("answer", "kind"), [(status(403), "denied"), (status(429), "busy"), (hangs, "timeout")])
async def test_a_part_that_is_refused_leaves_the_others(google: Cloud, answer: Answer, kind: str) -> None:
    google.odd["/operations"] = answer
    values = await look(FULL, deadline=SOME if kind == "timeout" else PATIENT)
    assert values["events.unavailable"] == kind and "events" not in values
    assert values["setting.timeout"] == "300"
    assert values.get("events.permission") == ("redis.operations.list" if kind == "denied" else None)


async def test_what_the_roles_say_stands_without_the_operations(google: Cloud) -> None:
    google.odd["/operations"] = status(403)
    google.rows[SERIES] = monitored(
        series("server/uptime", {300: 980_300}, "node-1", "replica"),
        series("server/uptime", {120: 980_480}, "node-1", "primary"),
    )
    values = await look(FULL)
    assert values["events.failover"] == 1 and values["events.unavailable"] == "denied"


HOSTILE = '\x1b[2J"; rm -rf / #' + "x" * 5000


async def test_text_of_others_is_kept_only_in_its_usual_forms(google: Cloud) -> None:
    made = instance(
        redisConfigs={"maxmemory-policy": HOSTILE, HOSTILE: "1", "timeout": {"a": 1}, "x": None}, state=HOSTILE,
        redisVersion=HOSTILE, replicaCount=10**400, maintenancePolicy={"weeklyMaintenanceWindow": "SUNDAY"},
        maintenanceSchedule={"startTime": HOSTILE}, tier=[1],
    )  # fmt: skip
    google.rows[f"{ROOT}/{REGION}/instances/sessions"] = made
    google.rows[f"{ROOT}/{REGION}/operations"] = {"operations": [
        operation(HOSTILE, 60, 50), {"metadata": "x"}, 7, {"metadata": {"target": FULL, "createTime": 7}},
        operation("", 5),
    ]}  # fmt: skip
    google.rows[SERIES] = monitored(
        series("clients/connected", {}) | {"points": [{"interval": 1}, {"value": {"int64Value": "9" * 50}}, 5]},
        series("server/uptime", {60: 7}, node=HOSTILE, role=HOSTILE),
    )  # fmt: skip
    values = await look(FULL)
    assert not any("\x1b" in str(one) or "rm -rf" in str(one) for pair in values.items() for one in pair)
    assert not {key for key in values if key.startswith("figure.")}


async def test_pages_are_followed_a_few_and_no_more(google: Cloud) -> None:
    def paged(query: Mapping[str, str]) -> Mapping[str, Any]:
        number = int(query.get("pageToken", "0"))
        found = [operation("failover", 200, 190)] if number == 1 else []
        return {"operations": found, "nextPageToken": str(number + 1)}

    google.rows[f"{ROOT}/{REGION}/operations"] = paged
    values = await look(FULL)
    assert values["events.failover"] == 2
    assert len([one for one in google.read if one.path.endswith("/operations")]) == 3


async def test_figures_that_never_come_leave_the_rest_within_few_requests(google: Cloud) -> None:
    google.odd["/timeSeries"] = hangs
    values = await look(FULL, deadline=SOME)
    assert values["figures.unavailable"] == "timeout"
    assert len(google.read) <= 24


@pytest.mark.parametrize("named", [
    "sessions", "projects/p/locations/x/instances/y/../z", f"{FULL}/authString", FULL.replace("instances", "clusters"),
    "https://evil.example/v1", "projects/a%2fb/locations/x/instances/y",
])  # fmt: skip
def test_a_name_of_another_form_is_wrong_usage(named: str) -> None:
    with pytest.raises(UsageError, match=r"provider: .* give provider = "):
        provider_of(Place("memorystore", HOST, named))


def test_a_token_goes_only_over_tls_or_to_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLOUDSDK_API_ENDPOINT_OVERRIDES_REDIS", "http://redis.example.org/")
    with pytest.raises(UsageError, match="CLOUDSDK_API_ENDPOINT_OVERRIDES_REDIS: not the base"):
        provider_of(Place("memorystore", HOST, FULL))


async def test_without_credentials_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "absent.json"))
    with pytest.raises(Unanswered, match="gcloud auth application-default login") as raised:
        await asyncio.wait_for(look(FULL), 20)
    assert raised.value.kind == "noauth"
