"""Azure Cache for Redis and Azure Managed Redis through Azure's REST interfaces as they're written, with azure-identity
as it is."""

import json
import time
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from agent.checks.managed import FAMILY
from tests.agent.checks.rows import found
from tests.clouds import TOKEN, Answer, Cloud, at, azure_identity, cloud, drips, endless, hangs, status
from tools.errors import Unanswered, UsageError
from tools.providers.azure_reads import PATHS, READS, role
from tools.providers.choice import provider_of
from tools.providers.found import Place, Window
from tools.providers.values import values_of
from tools.records import Values

SUBSCRIPTION = "/subscriptions/4a5b6c7d-0000-4000-8000-0123456789ab"
CACHE = f"{SUBSCRIPTION}/resourceGroups/rg-shop/providers/Microsoft.Cache/redis/shop"
MANAGED = f"{SUBSCRIPTION}/resourceGroups/rg-shop/providers/Microsoft.Cache/redisEnterprise/carts"
HOST, MANAGED_HOST = "shop.redis.cache.windows.net", "carts.westeurope.redis.azure.net"
METRICS, HEALTH = "/providers/Microsoft.Insights/metrics", "/providers/Microsoft.ResourceHealth/availabilityStatuses"
ACTIVITY = f"{SUBSCRIPTION}/providers/Microsoft.Insights/eventtypes/management/values"
PATIENT, SHORT = 30.0, 1.0
"""Seconds for a look whose answers come, on a machine that may be busy, and for one whose don't."""


def resource(**more: Any) -> dict[str, Any]:
    """A cache as the API has it."""
    return {
        "id": CACHE, "location": "West Europe", "name": "shop", "type": "Microsoft.Cache/Redis",
        "properties": {
            "provisioningState": "Succeeded", "redisVersion": "6.0.14", "enableNonSslPort": False, "hostName": HOST,
            "sku": {"name": "Premium", "family": "P", "capacity": 1}, "port": 6379, "sslPort": 6380,
            "redisConfiguration": {
                "maxmemory-policy": "volatile-lru", "maxclients": "7500", "maxmemory-reserved": "642",
                "rdb-storage-connection-string": "DefaultEndpointsProtocol=https;AccountKey=c2VjcmV0",
            },
            "accessKeys": None, "instances": [{"isPrimary": True}, {"isPrimary": False}], **more,
        },
    }  # fmt: skip


def metric(name: str, points: Mapping[float, float], aggregation: str = "maximum", **dimensions: str) -> dict[str, Any]:
    """A metric of Azure Monitor: by how long ago."""
    marks = [{"name": {"value": key.lower()}, "value": value} for key, value in dimensions.items()]
    data = [{"timeStamp": at(ago), aggregation: value} for ago, value in sorted(points.items(), reverse=True)]
    return {
        "name": {"value": name, "localizedValue": name}, "type": "Microsoft.Insights/metrics", "unit": "Count",
        "timeseries": [{"metadatavalues": marks, "data": [*data, {"timeStamp": at(0)}]}], "errorCode": "Success",
    }  # fmt: skip


def monitored(*known: Mapping[str, Any]) -> Any:
    """What Azure Monitor gives for the metrics that are named."""

    def give(query: Mapping[str, str]) -> Mapping[str, Any]:
        assert query["api-version"] == "2024-02-01" and "/" in query["timespan"]
        asked = query["metricnames"].split(",")
        assert ("$filter" in query) == (asked == ["errors"])
        return {"cost": 59, "interval": query["interval"], "value": [m for m in known if m["name"]["value"] in asked]}

    return give


def entry(operation: str, begun: float, state: str = "Started", mark: str = "c1") -> dict[str, Any]:
    """An entry of the activity log."""
    return {
        "eventTimestamp": at(begun), "operationName": {"value": operation, "localizedValue": "x"},
        "correlationId": mark, "status": {"value": state}, "caller": "oncall@example.com",
        "properties": {"requestbody": '{"password": "x"}'},
    }  # fmt: skip


def health(begun: float, state: str = "Unavailable", why: str = "Unplanned") -> dict[str, Any]:
    """A state of the resource's health."""
    return {"properties": {"availabilityState": state, "reasonType": why, "occuredTime": at(begun), "summary": "We're"}}


def failed_over(ago: float) -> dict[str, Any]:
    """What a cache's paths answer so long after a failover."""
    return {
        CACHE: resource(), ACTIVITY: {"value": []}, f"{CACHE}{HEALTH}": {"value": []},
        f"{CACHE}{METRICS}": monitored(
            metric("errors", {7200: 0, ago: 2}, ErrorType="Failover"), metric("errors", {ago: 0}, ErrorType="RDB")
        ),
    }  # fmt: skip


@pytest.fixture
def azure(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    with cloud() as made:
        azure_identity(made, monkeypatch)
        carts = {"hostName": MANAGED_HOST, "provisioningState": "Succeeded", "resourceState": "Running",
                 "redisVersion": "7.4", "highAvailability": "Enabled"}  # fmt: skip
        database = {"evictionPolicy": "AllKeysLRU", "clientProtocol": "Encrypted", "clusteringPolicy": "OSSCluster"}
        made.rows = {
            "/subscriptions": {"value": [{"id": SUBSCRIPTION}, {"id": "/subscriptions/not-one"}]},
            f"{SUBSCRIPTION}/resources": lambda query: {
                "value": [{"id": CACHE if "'Microsoft.Cache/redis'" in query["$filter"] else MANAGED}]
            },
            CACHE: resource(), ACTIVITY: {"value": []},
            MANAGED: {"id": MANAGED, "location": "West Europe", "sku": {"name": "Balanced_B10"}, "properties": carts},
            f"{MANAGED}/databases/default": {"properties": database},
            f"{CACHE}/patchSchedules/default": {
                "properties": {"scheduleEntries": [{"dayOfWeek": "Sunday", "startHourUtc": 2}]}
            },
        }  # fmt: skip
        made.rows |= {f"{id}{METRICS}": monitored() for id in (CACHE, MANAGED)}
        made.rows |= {f"{id}{HEALTH}": {"value": [health(9000, "Available", "")]} for id in (CACHE, MANAGED)}
        yield made


async def look(named: str | None = None, host: str = HOST, service: str = "azure", deadline: float = PATIENT) -> Values:
    """The reading of such a cache."""
    provider = provider_of(Place(service, host, named))
    assert provider is not None
    # Loading what asks takes longer than anybody waits where a dozen tests run beside each other.
    await provider.prepare()
    now = time.time()
    window = Window(now, now - 3600, now, now - 86_400)
    return values_of(await provider.look(window, deadline), window)


async def test_the_cache_is_found_by_its_address(azure: Cloud) -> None:
    values = await look()
    expected = {
        "source": "azure", "service": "azure", "resource": "shop", "region": "westeurope", "status": "available",
        "node_type": "Premium-P1", "engine_version": "6.0.14", "nodes": 2, "maintenance_window": "Sunday:02:00",
        "setting.maxmemory-policy": "volatile-lru", "setting.maxclients": "7500", "setting.non-tls-port": "no",
        "events": 0,
    }  # fmt: skip
    assert {key: values.get(key) for key in expected} == expected
    assert "AccountKey" not in str(values) and "storage" not in str(values)


async def test_a_managed_redis_is_found_with_its_database(azure: Cloud) -> None:
    values = await look(host=f"{MANAGED_HOST}:10000", service="azure-managed")
    expected = {
        "resource": "carts", "status": "available", "node_type": "Balanced_B10", "engine_version": "7.4",
        "setting.maxmemory-policy": "allkeys-lru", "setting.client-protocol": "Encrypted",
        "setting.high-availability": "Enabled",
    }  # fmt: skip
    assert {key: values.get(key) for key in expected} == expected


async def test_a_cache_of_the_same_name_elsewhere_is_not_taken_for_it(azure: Cloud) -> None:
    azure.rows[CACHE] = resource(hostName="shop.redis.cache.chinacloudapi.cn")
    with pytest.raises(Unanswered, match=f"has the address {HOST}") as raised:
        await look()
    assert raised.value.kind == "not-recorded"


async def test_a_failover_two_minutes_before_is_an_event(azure: Cloud) -> None:
    azure.rows = failed_over(120)
    values = await look(CACHE)
    assert (values["events"], values["e1.kind"], values["e1.event"]) == (1, "failover", "failover-complete")
    assert 119 <= float(str(values["e1.age"])) <= 150


async def test_one_of_yesterday_is_told_with_its_age(azure: Cloud) -> None:
    azure.rows[f"{CACHE}{METRICS}"] = monitored(metric("errors", {80_000: 1}, ErrorType="Failover"))
    azure.rows[f"{CACHE}{HEALTH}"] = {"value": [health(80_060), health(600_000)]}
    values = await look(CACHE)
    assert (values["events"], values["e1.event"], values["e2.event"]) == (
        2,
        "failover-complete",
        "unplanned-outage",
    )
    assert float(str(values["e1.age"])) >= 79_999


async def test_maintenance_and_what_people_did_are_events_each_once(azure: Cloud) -> None:
    azure.rows[f"{CACHE}{HEALTH}"] = {"value": [health(300, "Degraded", "Planned"), health(200, "Available", "")]}
    azure.rows[ACTIVITY] = {"value": [
        entry("Microsoft.Cache/redis/forceReboot/action", 500, "Succeeded"),
        entry("Microsoft.Cache/redis/forceReboot/action", 560),
        entry("Microsoft.Cache/redis/regenerateKey/action", 900, mark="c2"),
        entry("Microsoft.Cache/redis/listKeys/action", 50, mark="c3"),
        entry("Microsoft.Cache/redis/write", 40, "Failed", mark="c4"),
    ]}  # fmt: skip
    values = await look(CACHE)
    assert [values[f"e{n}.event"] for n in (1, 2, 3)] == ["maintenance-started", "reboot-requested", "keys-regenerated"]
    assert values["events"] == 3 and float(str(values["e2.age"])) >= 559
    assert "oncall" not in str(values) and "password" not in str(values)


async def test_scaling_is_under_way(azure: Cloud) -> None:
    azure.rows[CACHE] = resource(provisioningState="Scaling")
    values = await look(CACHE)
    assert (values["status"], values["scaling.under_way"]) == ("modifying", True)


async def test_figures_have_their_documented_names(azure: Cloud) -> None:
    azure.rows[f"{CACHE}{METRICS}"] = monitored(
        metric("serverLoad", {1800: 20, 120: 99}), metric("evictedkeys", {120: 7, 60: 5}, "total"),
        metric("cacheLatency", {120: 850.5}, "average"), metric("errors", {120: 3}, ErrorType="UnresponsiveClients"),
    )  # fmt: skip
    values = await look(CACHE)
    assert (values["figure.serverLoad.max_15m"], values["figure.evictedkeys.sum_15m"]) == (99, 12)
    assert values["figure.cacheLatency.last"] == 850.5
    assert values["figure.errors.UnresponsiveClients.sum_15m"] == 3 and values["events"] == 0


PAGE = "connection reset by Redis at checkout, errors for a minute"


def named(values: Values) -> dict[str, str]:
    """What the checks name by it for a page about lost connections."""
    every = [found(check, {"provider": values}, symptom=PAGE) for check in FAMILY.checks]
    return {id: word for one in every for id, word in one.items()}


@pytest.mark.parametrize(("failed_over", "states", "entries", "state", "expected"), [
    (120, [], [], "Succeeded", {"managed-failover": "sure"}),
    (80_000, [(80_000, "Unavailable", "Unplanned")], [], "Succeeded", {}),
    (None, [(300, "Degraded", "Planned")], [], "Succeeded", {"managed-maintenance": "sure"}),
    (None, [(300, "Unavailable", "Unplanned")], [], "Succeeded", {"managed-maintenance": "sure"}),
    (None, [(300, "Available", ""), (200, "Unavailable", "UserInitiated")], [], "Succeeded", {}),
    (None, [], [("redis/regenerateKey/action", 60), ("redis/export/action", 50), ("redis/write", 40)], "Succeeded", {}),
    (None, [], [("redis/forceReboot/action", 200)], "Succeeded", {"managed-maintenance": "sure"}),
    (None, [], [], "Scaling", {"managed-scaling": "likely"}), (None, [], [], "Succeeded", {}),
])  # fmt: skip
async def test_what_the_checks_name(
    azure: Cloud, failed_over: float | None, states: list[tuple[float, str, str]], entries: list[tuple[str, float]],
    state: str, expected: dict[str, str],
) -> None:  # fmt: skip
    azure.rows[CACHE] = resource(provisioningState=state)
    if failed_over is not None:
        azure.rows[f"{CACHE}{METRICS}"] = monitored(metric("errors", {failed_over: 1}, ErrorType="Failover"))
    azure.rows[f"{CACHE}{HEALTH}"] = {"value": [health(*one) for one in states]}
    azure.rows[ACTIVITY] = {"value": [entry(f"Microsoft.Cache/{name}", ago, mark=name) for name, ago in entries]}
    assert named(await look(CACHE)) == expected


async def test_nothing_but_listed_paths_is_read_and_the_token_goes_with_it(azure: Cloud) -> None:
    await look()
    assert {one.method for one in azure.read} == {"GET"}
    assert {one.authorization for one in azure.read} == {f"Bearer {TOKEN}"}
    assert {one.path for one in azure.read} == {
        "/subscriptions", f"{SUBSCRIPTION}/resources", CACHE, f"{CACHE}{METRICS}", f"{CACHE}{HEALTH}", ACTIVITY,
        f"{CACHE}/patchSchedules/default",
    }  # fmt: skip
    assert not any("keys" in path.lower() for path in PATHS)
    actions = json.loads(role())["Actions"]
    assert {*actions} == {permission for one in READS.values() for permission in one.permissions}
    assert all(action.endswith("/read") for action in actions)


@pytest.mark.parametrize(("answer", "kind"), [
    (status(401), "denied"), (status(403), "denied"), (status(429, Retry_After="17"), "busy"), (status(503), "busy"),
    (status(307, Location="https://evil.example/"), "malformed"), (hangs, "timeout"), (drips, "timeout"),
    (endless, "malformed"), (status(200, "7"), "malformed"), (status(200, '{"a":'), "malformed"),
])  # fmt: skip
async def test_what_is_not_answered_has_its_kind(azure: Cloud, answer: Answer, kind: str) -> None:
    azure.odd["*"] = answer
    with pytest.raises(Unanswered) as raised:
        await look(CACHE, deadline=SHORT if kind == "timeout" else PATIENT)
    assert raised.value.kind == kind and TOKEN not in raised.value.detail


@pytest.mark.parametrize(("end", "part", "permission"), [
    ("/values", "events", "Microsoft.Insights/eventtypes/values/read"),
    ("/metrics", "figures", "Microsoft.Insights/metrics/read"),
])  # fmt: skip
async def test_a_part_that_is_refused_leaves_the_others(azure: Cloud, end: str, part: str, permission: str) -> None:
    azure.odd[end] = status(403)
    values = await look(CACHE)
    assert values[f"{part}.unavailable"] == "denied" and values["setting.maxclients"] == "7500"
    assert values.get(f"{part}.permission", permission) == permission


HOSTILE = '\x1b]0;x\x07"; DROP TABLE' + "y" * 3000


async def test_text_of_others_is_kept_only_in_its_usual_forms(azure: Cloud) -> None:
    azure.rows[CACHE] = resource(
        redisVersion=HOSTILE, provisioningState=HOSTILE, sku={"name": HOSTILE, "family": 1, "capacity": {}},
        redisConfiguration={HOSTILE: "1", "maxmemory-policy": HOSTILE, "timeout": 3}, instances="many",
    )  # fmt: skip
    azure.rows[ACTIVITY] = {
        "value": [
            entry(HOSTILE, 5),
            {"eventTimestamp": {}},
            7,
            entry("/write", 5) | {"eventTimestamp": "9999-99-99T00:00:00Z"},
        ]
    }
    azure.rows[f"{CACHE}{HEALTH}"] = {"value": [{"properties": HOSTILE}, health(5, HOSTILE, HOSTILE)]}
    odd = metric("serverLoad", {}) | {"timeseries": [{"data": [{"timeStamp": at(5), "maximum": 1e999}, 5]}]}
    azure.rows[f"{CACHE}{METRICS}"] = monitored(odd, metric("errors", {5: 1}, ErrorType=HOSTILE))
    values = await look(CACHE)
    assert not any("\x1b" in str(one) or "DROP" in str(one) for pair in values.items() for one in pair)
    assert values["events"] == 0


async def test_a_next_page_elsewhere_gets_no_token(azure: Cloud) -> None:
    with cloud() as other:
        azure.rows[f"{CACHE}{HEALTH}"] = {"value": [health(60)], "nextLink": f"{other.url}{CACHE}{HEALTH}?page=2"}
        azure.rows[ACTIVITY] = lambda query: (
            {"value": [entry("Microsoft.Cache/redis/flush/action", 80)]} if "page" in query
            else {"value": [], "nextLink": f"{azure.url}{ACTIVITY}?page=2&api-version=2015-04-01"}
        )  # fmt: skip
        values = await look(CACHE)
        assert other.asked == []
    assert [values[f"e{n}.event"] for n in (1, 2)] == ["unplanned-outage", "flush-requested"]


@pytest.mark.parametrize(("named", "host"), [
    ("shop", HOST), (MANAGED, HOST), (f"{CACHE}/listKeys", HOST), (CACHE.replace("rg-shop", "../.."), HOST),
    (None, "10.0.0.5"), (None, "cache.internal"),
])  # fmt: skip
def test_what_names_no_cache_is_wrong_usage(named: str | None, host: str) -> None:
    with pytest.raises(UsageError, match="give provider = "):
        provider_of(Place("azure", host, named))


def test_other_clouds_have_a_manager_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REDIAGNOSE_AZURE_ENDPOINT", raising=False)
    from tools.providers.azure_place import azure_place

    assert azure_place(Place("azure", "a.redis.cache.chinacloudapi.cn")).manager == "management.chinacloudapi.cn"
    assert azure_place(Place("azure", "a.redis.cache.usgovcloudapi.net")).manager == "management.usgovcloudapi.net"
    assert azure_place(Place("azure", HOST)).manager == "management.azure.com"


def test_a_token_goes_only_over_tls_or_to_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIAGNOSE_AZURE_ENDPOINT", "http://manager.example.org")
    with pytest.raises(UsageError, match="REDIAGNOSE_AZURE_ENDPOINT: not the base"):
        provider_of(Place("azure", HOST))
