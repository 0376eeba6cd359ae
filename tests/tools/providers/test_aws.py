"""The reading of a managed server: what botocore as it is brings from AWS' wire formats, and from bad answers."""

import asyncio
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from tests.aws import (
    ELASTICACHE,
    KEY,
    MEMORYDB,
    SECRET,
    Account,
    ago,
    aws,
    furnish,
    furnish_memorydb,
    give,
    level,
    refuse,
)
from tools.clock import SystemClock
from tools.connection.bounded_body import MOST
from tools.errors import Unanswered
from tools.providers.aws_reads import READS
from tools.providers.choice import provider_of
from tools.providers.found import Place
from tools.providers.reading import Managed, provider
from tools.records import Values

FAILED_OVER = "Failover from primary node shop-002 to replica node shop-001 completed"


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    with aws() as one:
        for name, value in one.environ.items():
            monkeypatch.setenv(name, value)
        monkeypatch.delenv("AWS_PROFILE", raising=False)
        yield one


async def read(host: str = ELASTICACHE, named: str | None = None, service: str = "elasticache", **more: Any) -> Values:
    whom = provider_of(Place(service, host, named))
    assert whom is not None
    return await provider(Managed(SystemClock(), whom, **more))


async def test_a_group_that_is_well(account: Account) -> None:
    furnish(account)
    values = await read()
    expected = {
        "source": "aws", "service": "elasticache", "resource": "shop", "region": "us-east-1", "node": "shop-001",
        "status": "available", "node_type": "cache.r7g.large", "settings.group": "shop-valkey8",
        "settings.status": "in-sync", "setting.maxmemory-policy": "allkeys-lru", "events": 2, "e1.kind": "backup",
        "figure.EngineCPUUtilization.max_15m": 12, "figure.NetworkBandwidthOutAllowanceExceeded.minutes_15m": 0,
        "figure.NewConnections.sum": 180,
    }  # fmt: skip
    assert {field: values.get(field) for field in expected} == expected
    assert not [field for field in values if field.endswith(".unavailable")]
    assert all(one.signed.startswith("AWS4-HMAC-SHA256") and KEY in one.signed for one in account.asked)
    asked = {one.operation for one in account.asked}
    assert asked <= {operation for reads in READS.values() for operation in reads}
    assert SECRET not in repr(account.asked) + repr(values)


async def test_a_node_that_is_named_is_the_one_whose_figures_are_read(account: Account) -> None:
    furnish(account)
    account.metrics["shop-002", "EngineCPUUtilization"] = level(99.0)
    values = await read("shop-002.abc123.0001.use1.cache.amazonaws.com")
    assert (values["node"], values["figure.EngineCPUUtilization.max_15m"]) == ("shop-002", 99)


async def test_of_several_nodes_each_figure_is_that_of_the_worst(account: Account) -> None:
    furnish_memorydb(account)
    account.metrics["orders-0001-002", "SwapUsage"] = level(5e8)
    account.metrics["orders-0001-002", "FreeableMemory"] = level(1e6)
    values = await read(MEMORYDB, service="memorydb")
    assert values["figure.SwapUsage.max_15m"] == 500_000_000 and values["figure.SwapUsage.node"] == "orders-0001-002"
    assert values["figure.FreeableMemory.min_15m"] == 1_000_000
    assert values["setting.maxmemory-policy"] == "noeviction" and values["node_type"] == "db.r7g.large"


async def test_a_resource_that_a_person_named_needs_no_address(account: Account) -> None:
    account.clusters["single"] = {"CacheClusterId": "single", "CacheNodeType": "cache.t4g.micro", "CacheNodes": []}
    account.serverless["carts"] = {"ServerlessCacheName": "carts", "Status": "available"}
    account.metrics["carts", "ThrottledCmds"] = level(7.0, 5)
    assert (await read("10.0.0.1", "us-east-1/single"))["node_type"] == "cache.t4g.micro"
    values = await read("10.0.0.1", "us-east-1/carts")
    assert values["figure.ThrottledCmds.sum_15m"] == 35 and values["figure.ThrottledCmds.minutes_15m"] == 5


async def test_what_is_under_way_is_said(account: Account) -> None:
    moved = {"Resharding": {"SlotMigration": {"ProgressPercentage": 42.5}}}
    furnish(account, Status="modifying", PendingModifiedValues=moved)
    account.updates = [
        {"ServiceUpdateName": "valkey-20261101", "UpdateActionStatus": "in-progress",
         "ServiceUpdateSeverity": "critical", "UpdateActionStatusModifiedDate": ago(90)},
        {"ServiceUpdateName": "old", "UpdateActionStatus": "complete", "UpdateActionStatusModifiedDate": ago(9e6)},
    ]  # fmt: skip
    values = await read()
    assert (values["scaling.under_way"], values["scaling.percent"], values["status"]) == (True, 42.5, "modifying")
    assert (values["update.status"], values["update.name"]) == ("in-progress", "valkey-20261101")
    assert (values["e1.event"], values["events.patch"]) == ("update-under-way", 1)


async def test_the_moment_of_the_report_is_what_ages_count_from(account: Account) -> None:
    furnish(account)
    account.happened("shop", FAILED_OVER, 3 * 3600 - 60)
    at = datetime.fromtimestamp(time.time() - 3 * 3600, UTC)
    values = await read(at=at)
    assert values["e1.event"] == "failover-complete" and -70 <= float(str(values["e1.age"])) <= -50
    begins = next(one.given["StartTime"] for one in account.asked if one.operation == "GetMetricData")
    assert abs(float(begins) - (at.timestamp() - 3600)) < 2


async def test_the_engine_log_is_read_where_its_delivery_says_where_it_is(account: Account) -> None:
    to = {"LogType": "engine-log", "DestinationType": "cloudwatch-logs", "Status": "active", "LogFormat": "json",
          "DestinationDetails": {"CloudWatchLogsDetails": {"LogGroup": "/cache/shop"}}}  # fmt: skip
    furnish(account, LogDeliveryConfigurations=[to])
    said = (
        '{"CacheClusterId": "shop-001", "LogLevel": "WARNING", "Message": "Can\'t save in background: fork: no memory"}'
    )
    newest = int(time.time() * 1000) - 60_000
    account.log = [
        {"timestamp": newest, "message": said},
        {"timestamp": newest, "message": "shop-001/0001:M 29 Oct 2020 19:29:02.345 UTC * \x1b[2J"},
        {"timestamp": "x", "message": None}, {},
    ]  # fmt: skip
    values = await read()
    assert values["log.fork_failed.count"] == 1
    given = next(one.given for one in account.asked if one.operation == "FilterLogEvents")
    assert given["logGroupName"] == "/cache/shop" and given["limit"] == 200


@pytest.mark.parametrize(("operation", "part", "permission"), [
    ("GetMetricData", "figures", "cloudwatch:GetMetricData"),
    ("DescribeEvents", "events", "elasticache:DescribeEvents"),
    ("DescribeCacheClusters", "settings", "elasticache:DescribeCacheClusters"),
    ("DescribeCacheParameters", "settings", "elasticache:DescribeCacheParameters"),
    ("DescribeUpdateActions", "updates", "elasticache:DescribeUpdateActions"),
])  # fmt: skip
async def test_a_part_that_is_denied_takes_nothing_else_along(
    account: Account, operation: str, part: str, permission: str
) -> None:
    furnish(account)
    account.answers[operation] = refuse("AccessDenied" if part != "figures" else "AccessDeniedException", 403)
    values = await read()
    assert (values[f"{part}.unavailable"], values[f"{part}.permission"]) == ("denied", permission)
    assert [field for field in values if field.endswith(".unavailable")] == [f"{part}.unavailable"]
    assert values["resource"] == "shop" and ("events" in values) == (part != "events")


@pytest.mark.parametrize(("code", "kind", "said"), [
    ("AccessDenied", "denied", "elasticache:DescribeReplicationGroups isn't allowed; `rediagnose acl --aws`"),
    ("ExpiredToken", "noauth", "log in again"), ("InvalidClientTokenId", "noauth", "log in again"),
    ("Throttling", "timeout", "throttles"), ("ReplicationGroupNotFoundFault", "not-recorded", "no cache"),
    ("InternalFailure", "refused", "InternalFailure"), ("\x1b[2J" * 100, "refused", "DescribeReplicationGroups"),
])  # fmt: skip
async def test_why_the_resource_couldnt_be_read(account: Account, code: str, kind: str, said: str) -> None:
    furnish(account)
    account.answers["DescribeReplicationGroups"] = refuse(code.replace("\x1b", ""), 400)
    with pytest.raises(Unanswered, match=said.replace("(", r"\(")) as failed:
        await read()
    assert failed.value.kind == kind and len(failed.value.detail) < 300
    assert len(account.asked) == 1


async def test_a_cache_of_the_same_name_at_another_address_is_another_one(account: Account) -> None:
    furnish(account)
    with pytest.raises(Unanswered, match=r"has the address shop\.zzz999") as failed:
        await read(ELASTICACHE.replace("abc123", "zzz999"))
    assert failed.value.kind == "not-recorded" and len(account.asked) == 1


async def test_without_credentials_nobody_is_asked(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(Unanswered, match="no AWS credentials were found") as failed:
        await read()
    assert failed.value.kind == "noauth" and not account.asked


def hang(to: BaseHTTPRequestHandler) -> None:
    time.sleep(9)


def trickle(to: BaseHTTPRequestHandler) -> None:
    to.send_response(200)
    to.send_header("Content-Length", "1000000")
    to.end_headers()
    for _ in range(90):
        to.wfile.write(b"<")
        to.wfile.flush()
        time.sleep(0.1)


async def test_a_part_that_never_comes_is_left_behind(account: Account) -> None:
    furnish(account)
    account.answers["GetMetricData"] = hang
    account.answers["DescribeUpdateActions"] = trickle
    values = await read(deadline=3.0)
    assert values["figures.unavailable"] == "timeout" and values["updates.unavailable"] == "timeout"
    assert values["settings.status"] == "in-sync" and values["events"] == 2


async def test_waiting_keeps_nothing_else_waiting(account: Account) -> None:
    furnish(account)
    account.answers["*"] = hang
    reading = asyncio.ensure_future(read(deadline=0.6))
    ticks = 0
    while not reading.done():
        await asyncio.sleep(0.02)
        ticks += 1
    with pytest.raises(Unanswered) as failed:
        await reading
    assert failed.value.kind == "timeout" and ticks > 3


BODIES: dict[str, bytes] = {
    "nothing": b"", "no XML": b"\x00\xff<", "HTML": b"<html><body>504</body></html>", "JSON": b"[]",
    "a bomb": b'<!DOCTYPE a [<!ENTITY a "x"><!ENTITY b "&a;&a;">]><r>&b;</r>', "deep": b"<a>" * 5_000,
    "too long": b"<a>" + b"x" * (MOST + 1) + b"</a>", "other types": b"<R><XResult><Events>7</Events></XResult></R>",
}  # fmt: skip


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
async def test_a_body_that_isnt_one_is_no_answer(account: Account, body: bytes) -> None:
    furnish(account)
    for operation in ("DescribeEvents", "GetMetricData", "DescribeUpdateActions", "DescribeCacheClusters"):
        account.answers[operation] = lambda to: give(to, 200, body, "text/xml")
    values = await read()
    assert values["resource"] == "shop" and not [field for field in values if field.startswith(("figure.", "e1."))]
    account.answers["DescribeReplicationGroups"] = account.answers["DescribeEvents"]
    with pytest.raises(Unanswered):
        await read()


HOSTILE = ("\x1b[2J", "../../x", "$(id)", "x" * 100_000, "‮", "a\nb", "`id`", "<b>")


@pytest.mark.parametrize("bad", HOSTILE)
async def test_nothing_that_isnt_a_name_is_kept(account: Account, bad: str) -> None:
    text = bad.replace("\x1b", "")
    furnish(account, Status=text)
    account.clusters["shop-001"] |= {
        "CacheNodeType": text, "EngineVersion": text,
        "CacheParameterGroup": {"CacheParameterGroupName": text, "ParameterApplyStatus": text},
    }  # fmt: skip
    account.happened("shop", f"Failover to replica node {text} completed", 60)
    account.updates = [
        {"ServiceUpdateName": text, "UpdateActionStatus": text, "UpdateActionStatusModifiedDate": ago(1)}
    ]
    account.parameters[text] = [{"ParameterName": text, "ParameterValue": text}]
    for name in ("EngineCPUUtilization", "SwapUsage"):
        account.metrics["shop-001", name] = [(60, float("nan")), (120, 1e400)]
    values = await read()
    kept = [str(value) for value in values.values()] + list(values)
    assert not any(part in "".join(kept) for part in ("$(", "..", "`", "<b", "\n", "‮", "[2J"))
    assert max(map(len, kept)) <= 128 and len(values) < 200
