"""What AWS says beside a real server that refuses what ElastiCache refuses: a cause at its time, and none otherwise."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest

from agent.answer.diagnosis import OFFLINE, Diagnosis
from agent.cli.inputs import InvestigationInputs
from agent.recordings.replay import case, on_virtual_time
from evals.lab.servers import Server, ServerKind, running
from tests.agent.investigation.test_managed import renaming
from tests.aws import SECRET, Account, ago, aws, furnish, level, refuse
from tests.program import Done, checked, rediagnose
from tools.clock import SystemClock
from tools.connection.managed import services
from tools.connection.target import parse_target
from tools.record.load import load
from tools.record.tape import Tape

DROPPED = "checkout lost all its redis connections at once"
SLOW = "checkout is slow, timeouts from redis"
FAILED_OVER = "Failover from primary node shop-002 to replica node shop-001 completed"
OUT, CONNTRACK = "NetworkBandwidthOutAllowanceExceeded", "NetworkConntrackAllowanceExceeded"
Arrange = Callable[[Account], None]


@pytest.fixture
def account() -> Iterator[Account]:
    with aws() as one:
        yield one


def elasticache(kind: ServerKind) -> AbstractAsyncContextManager[Server]:
    """A server that refuses what ElastiCache refuses."""

    def prepare(folder: Path) -> None:
        with (folder / "redis.conf").open("a") as file:
            file.write(renaming("elasticache"))

    return running(kind, prepare=prepare)


async def answer(server: str, account: Account, folder: Path, report: str, *more: str) -> tuple[dict[str, Any], Done]:
    file = folder / "rediagnose.toml"
    named = f'name = "cache"\nurl = "{server}"\nservice = "elasticache"\nprovider = "us-east-1/shop"\n'
    file.write_text(f"[[targets]]\n{named}")
    environ = {**account.environ, "REDIAGNOSE_CONFIG": str(file)}
    done = await rediagnose("triage", "cache", report, "--model", "offline", "--format", "json", *more, **environ)
    return done.answer(), done


def reading(found: Mapping[str, Any]) -> dict[str, Any]:
    one: dict[str, Any] = next(one for one in found["readings"] if one["tool"] == "provider")
    return one


def failed_over(account: Account) -> None:
    furnish(account)
    account.happened("shop", FAILED_OVER, 240)


def replaced(account: Account) -> None:
    furnish(account)
    account.happened("shop-001", "Recovering cache nodes 0001", 200)


def failed_and_replaced(account: Account) -> None:
    failed_over(account)
    account.happened("shop-002", "Recovering cache nodes 0001", 200)


def updated(account: Account) -> None:
    failed_over(account)
    account.updates = [{"ServiceUpdateName": "valkey-20261101", "UpdateActionStatus": "in-progress",
                        "ServiceUpdateSeverity": "important", "UpdateActionStatusModifiedDate": ago(500)}]  # fmt: skip


def resharded(account: Account) -> None:
    furnish(account, Status="modifying",
            PendingModifiedValues={"Resharding": {"SlotMigration": {"ProgressPercentage": 12.0}}})  # fmt: skip


def shaped(account: Account) -> None:
    furnish(account)
    account.metrics["shop-001", CONNTRACK] = level(55.0)


def without_credits(account: Account) -> None:
    furnish(account, node_type="cache.t4g.small")
    account.metrics["shop-001", "CPUCreditBalance"] = level(0.2, step=5)
    account.metrics["shop-001", "CPUUtilization"] = level(20.0)


def held_back(account: Account) -> None:
    furnish(account)
    account.metrics["shop-001", "TrafficManagementActive"] = level(1.0, 9)


def pending(account: Account) -> None:
    furnish(account, status="pending-reboot")


TRUE: Mapping[str, tuple[Arrange, str, str]] = {
    "failed over": (failed_over, DROPPED, "managed-failover"),
    "failed over, and the old primary is being replaced": (failed_and_replaced, DROPPED, "managed-failover"),
    "a node is being replaced": (replaced, DROPPED, "managed-maintenance"),
    "an update is applied, which fails over": (updated, DROPPED, "managed-maintenance"),
    "it is being resharded": (resharded, SLOW, "managed-scaling"),
    "too many connections for the node": (shaped, SLOW, "managed-network-allowance"),
    "no credits": (without_credits, SLOW, "managed-cpu-credits"),
    "commands are held back": (held_back, SLOW, "managed-throttled"),
    "a reboot is pending": (pending, "the config setting that we changed has no effect", "managed-settings-pending"),
}


@pytest.mark.live
@pytest.mark.parametrize("what", TRUE)
async def test_what_the_service_did_is_the_cause(kind: ServerKind, account: Account, tmp_path: Path, what: str) -> None:
    arrange, report, cause = TRUE[what]
    arrange(account)
    async with elasticache(kind) as server:
        found, done = await answer(server.url, account, tmp_path, report, "--record", str(tmp_path / "incident.rec"))
    checked(found)
    assert found["causes"][0]["id"] == cause, found["summary"]
    cited = {one["reading"] for one in found["causes"][0]["evidence"]}
    assert reading(found)["id"] in cited and all(one["verified"] for one in found["causes"][0]["evidence"])
    assert found["plan"] and all(step["kind"] != "config_set" for step in found["plan"])
    for step in found["plan"]:
        for text in (step["action"], step["why"], *step["paste"]):
            assert services()["elasticache"].blocked_in(text) is None
    assert "asking Amazon ElastiCache shop in us-east-1; only reading" in done.err
    assert SECRET not in done.out + done.err
    again = await asyncio.to_thread(on_virtual_time, answered(Tape(load(tmp_path / "incident.rec")), report))
    assert [one.id for one in again.causes][:1] == [cause] and again.summary == found["summary"]


async def answered(tape: Tape, report: str) -> Diagnosis:
    async with case(tape, report) as incident:
        return incident.answer()


def last_week(account: Account) -> None:
    furnish(account)
    account.happened("shop", FAILED_OVER, 7 * 86_400)
    account.happened("shop-001", "Finished recovery for cache nodes 0001", 7 * 86_400)
    account.metrics["shop-001", OUT] = [(3000.0, 12.0)]


def announced(account: Account) -> None:
    furnish(account)
    account.happened("shop-001", "The node with Cache Cluster ID: shop-001, Node ID: 0001 is scheduled for replacement "
                     "during the maintenance window from Start Time: Sun, End Time: Sun", 60)  # fmt: skip
    account.updates = [{"ServiceUpdateName": "v", "UpdateActionStatus": "complete",
                        "UpdateActionStatusModifiedDate": ago(9e6)}]  # fmt: skip


def hours_ago(account: Account) -> None:
    furnish(account)
    account.happened("shop", FAILED_OVER, 3 * 3600)
    account.happened("shop-001", "Cache node 0001 restarted", 3 * 3600)


@pytest.mark.live
@pytest.mark.parametrize("arrange", [furnish, last_week, announced, hours_ago])
async def test_what_is_over_or_usual_accuses_nobody(
    kind: ServerKind, account: Account, tmp_path: Path, arrange: Arrange
) -> None:
    arrange(account)
    async with elasticache(kind) as server:
        found, _ = await answer(server.url, account, tmp_path, DROPPED)
    assert reading(found)["values"]["resource"] == "shop"
    assert not [one for one in found["findings"] if one["id"].startswith("managed-")]
    assert not found["complaints"]
    # Nobody sees the machine there, so that what only that shows may stay open.
    assert not found["causes"] and {one["reading"] for one in found["blind"]} <= {"log", "machine", "process"}


@pytest.mark.live
async def test_what_the_service_may_not_say_isnt_taken_for_nothing(
    kind: ServerKind, account: Account, tmp_path: Path
) -> None:
    furnish(account)
    account.answers["GetMetricData"] = refuse("AccessDenied", 403)
    async with elasticache(kind) as server:
        found, _ = await answer(server.url, account, tmp_path, SLOW)
    assert found["outcome"] == "insufficient-evidence"
    (blind,) = (one for one in found["blind"] if "managed-network-allowance" in one["hides"])
    assert "`rediagnose acl --aws` prints the policy" in blind["what"]
    assert any("cloudwatch:GetMetricData" in line for line in found["unknown"])


@pytest.mark.parametrize(("url", "wanted", "what"), [
    ("redis://shop.abc123.ng.0001.use1.cache.amazonaws.com", None, "Amazon ElastiCache shop in us-east-1"),
    ("redis://clustercfg.orders.abc123.memorydb.us-east-1.amazonaws.com", None, "Amazon MemoryDB orders in us-east-1"),
    ("redis://shop.abc123.ng.0001.use1.cache.amazonaws.com", False, None),
    ("redis://x.abc.use1.cache.amazonaws.com", None, None), ("redis://127.0.0.1", None, None),
    ("redis://cache.internal", None, None), ("redis://eu1-a-b-1.upstash.io", None, None),
])  # fmt: skip
def test_whoever_looks_into_an_incident_asks_where_the_address_says_whom(
    url: str, wanted: bool | None, what: str | None
) -> None:
    setup = InvestigationInputs(model=OFFLINE, provider=wanted).setup(parse_target(url, environ={}), "", SystemClock())
    managed = setup.sources.provider
    assert (managed.provider.what if managed else None) == what


async def test_nobody_is_asked_who_wasnt_named(account: Account) -> None:
    furnish(account)
    done = await rediagnose("triage", "redis://127.0.0.1:1", DROPPED, "--model", "offline", "--format", "json",
                            **account.environ)  # fmt: skip
    assert not account.asked and not any(one["tool"] == "provider" for one in done.answer()["readings"])


async def test_nobody_is_asked_against_the_persons_will(account: Account, tmp_path: Path) -> None:
    furnish(account)
    found, _ = await answer("redis://127.0.0.1:1", account, tmp_path, DROPPED, "--no-provider")
    assert not account.asked and not any(one["tool"] == "provider" for one in found["readings"])


async def test_a_dead_node_that_is_being_replaced_is_explained_by_that(account: Account, tmp_path: Path) -> None:
    replaced(account)
    found, _ = await answer("redis://127.0.0.1:1", account, tmp_path, DROPPED)
    assert found["causes"][0]["id"] == "managed-maintenance", found["summary"]


async def test_without_credentials_the_rest_is_answered(account: Account, tmp_path: Path) -> None:
    file = tmp_path / "rediagnose.toml"
    file.write_text('[[targets]]\nname = "c"\nurl = "redis://127.0.0.1:1"\nservice = "elasticache"\n'
                    'provider = "us-east-1/shop"\n')  # fmt: skip
    environ = {**account.environ, "REDIAGNOSE_CONFIG": str(file), "AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}
    done = await rediagnose("triage", "c", DROPPED, "--model", "offline", "--format", "json", **environ)
    found = done.answer()
    assert not any("managed-failover" in one["hides"] for one in found["blind"])
    assert any("Amazon ElastiCache itself said nothing" in line for line in found["unknown"])
    assert reading(found)["unavailable"]["kind"] == "noauth" and "no AWS credentials were found" in done.err
    # Behind an address of this machine that has ended, nothing says more.
    assert found["outcome"] == "outside-redis" and not account.asked


@pytest.mark.parametrize(
    ("args", "named"),
    [
        (("redis://127.0.0.1:1", "--provider"), "neither its address nor its settings"),
        (("redis://x.abc.use1.cache.amazonaws.com:1", "--provider"), "REGION/NAME"),
        (("redis://eu1-a-b-1.upstash.io:1", "--provider"), "no interface that is known here"),
    ],
)
def test_wrong_usage_asks_nobody(program: Callable[..., Done], args: tuple[str, ...], named: str) -> None:
    done = program("triage", *args, "is it down?", "--model", "offline")
    assert done.status == 2 and named in done.err


def test_the_policy_is_printed_as_it_can_be_used(program: Callable[..., Done]) -> None:
    done = program("acl", "--aws")
    assert done.status == 0 and '"elasticache:DescribeEvents"' in done.out and '"cloudwatch:GetMetricData"' in done.out
    for wrong in (("redis://127.0.0.1:1",), ("--check",), ("--kubernetes",), ("--format", "json")):
        assert program("acl", "--aws", *wrong).status == 2
