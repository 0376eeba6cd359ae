"""What an address and an event of AWS mean, and that nothing but reads is asked."""

import json

import botocore.session
import pytest

from tools.errors import UsageError
from tools.providers.aws_calls import Calls
from tools.providers.aws_events import meaning
from tools.providers.aws_place import AwsPlace, aws_place, long_name
from tools.providers.aws_reads import READS, policy
from tools.providers.choice import provider_of
from tools.providers.found import Place

USE1, EUC1 = "use1.cache.amazonaws.com", "euc1.cache.amazonaws.com"


@pytest.mark.parametrize(("host", "region", "group", "node", "serverless"), [
    (f"shop.abc123.ng.0001.{USE1}", "us-east-1", "shop", "", ""),
    (f"shop-ro.abc123.ng.0001.{USE1}:6379", "us-east-1", "shop", "", ""),
    (f"shop-001.abc123.0001.{USE1}", "us-east-1", "", "shop-001", ""),
    (f"shop.abc123.clustercfg.{EUC1}", "eu-central-1", "shop", "", ""),
    (f"master.shop.abc123.{EUC1}", "eu-central-1", "shop", "", ""),
    (f"replica.shop.abc123.{EUC1}", "eu-central-1", "shop", "", ""),
    (f"CLUSTERCFG.shop.abc123.{EUC1}.", "eu-central-1", "shop", "", ""),
    (f"shop-0001-002.shop.abc123.{EUC1}", "eu-central-1", "shop", "shop-0001-002", ""),
    (f"my-carts-abc123.serverless.{USE1}", "us-east-1", "", "", "my-carts"),
    ("shop.abc123.ng.0001.cnn1.cache.amazonaws.com.cn", "cn-north-1", "shop", "", ""),
])  # fmt: skip
def test_an_address_of_elasticache_says_which_cache_it_is(
    host: str, region: str, group: str, node: str, serverless: str
) -> None:
    place = aws_place(Place("elasticache", host))
    assert place[:5] == ("elasticache", region, group, node, serverless)
    assert place.host in host.lower()


def test_an_address_of_memorydb_says_which_cluster_it_is() -> None:
    ends = "orders.abc123.memorydb.us-east-1.amazonaws.com"
    assert aws_place(Place("memorydb", f"clustercfg.{ends}"))[:4] == ("memorydb", "us-east-1", "orders", "")
    assert aws_place(Place("memorydb", f"orders-0001-001.{ends}:6379")).node == "orders-0001-001"


@pytest.mark.parametrize("short", [
    ("use1", "us-east-1"), ("usw2", "us-west-2"), ("apne1", "ap-northeast-1"), ("apse2", "ap-southeast-2"),
    ("sae1", "sa-east-1"), ("cac1", "ca-central-1"), ("eun1", "eu-north-1"), ("usgw1", "us-gov-west-1"), ("x", None),
    ("use", None), ("", None),
])  # fmt: skip
def test_a_region_by_its_short_form(short: tuple[str, str | None]) -> None:
    assert long_name(short[0]) == short[1]


@pytest.mark.parametrize(
    "named", ["shop", "us-east-1", "us-east-1/", "us-east-1/a b", "x/../y", "us-east-1/shop/x", "/s"]
)
def test_what_a_person_names_is_a_region_and_a_name(named: str) -> None:
    with pytest.raises(UsageError, match="REGION/NAME"):
        aws_place(Place("elasticache", "10.0.0.1", named))


@pytest.mark.parametrize("host", ["10.0.0.1", "cache.internal", "a.b.c.d.e.f.use1.cache.amazonaws.com", "x." + USE1])
def test_an_address_that_says_nothing_asks_for_a_name(host: str) -> None:
    with pytest.raises(UsageError, match="eu-west-1/sessions"):
        aws_place(Place("elasticache", host))


def test_a_named_one_needs_no_address() -> None:
    assert aws_place(Place("elasticache", "10.0.0.1", "us-east-1/Shop")) == AwsPlace("elasticache", "us-east-1", "shop")
    assert provider_of(Place("upstash", "x.upstash.io")) is None


@pytest.mark.parametrize(("message", "kind", "event"), [
    ("Failover from primary node shop-001 to replica node shop-002 completed", "failover", "failover-complete"),
    ("Failover to replica node orders-0001-002 completed", "failover", "failover-complete"),
    ("Test Failover API called for node group 0001", "failover", "failover-requested"),
    ("FailoverShard API called for shard 0001", "failover", "failover-requested"),
    ("Starting failover for shard 0001", "failover", "failover-started"),
    ("Recovering cache nodes 0001", "node-replaced", "node-recovering"),
    ("Finished recovery for nodes orders-0001-001", "node-replaced", "node-recovered"),
    ("ElastiCache:CacheNodeReplaceComplete : shop", "node-replaced", "node-recovered"),
    ("Cache node 0001 restarted", "maintenance", "node-restarted"),
    ("Succeeded applying modification to cache node type to cache.r7g.xlarge.", "scaling", "node-type-changed"),
    ("Finished modifying number of nodes from 1 to 3", "scaling", "node-count-changed"),
    ("Added cache node 0002 in availability zone us-west-2a", "scaling", "node-added"),
    ("Updated parameter timeout to 300", "parameter-change", "parameters-changed"),
    ("Snapshot succeeded for snapshot with ID 'a' of cache cluster with ID 'b'", "backup", "backup-complete"),
    ("Snapshot failed for snapshot with ID 'a' of cache cluster with ID 'b'", "backup", "backup-failed"),
    ("The node with Cache Cluster ID: a, Node ID: 0001 is scheduled for replacement during the maintenance window from "
     "Start Time: x, End Time: y", "other", "replacement-announced"),
    ("Cache cluster created", "other", "other"), ("", "other", "other"),
    (None, "other", "other"), (7, "other", "other"),
    ("x" * 10**6 + "Failover to replica node a completed", "other", "other"),
])  # fmt: skip
def test_what_a_message_is_about(message: object, kind: str, event: str) -> None:
    assert meaning(message) == (kind, event)


def test_only_reads_that_botocore_knows_are_in_the_list() -> None:
    session = botocore.session.Session()
    for service, reads in READS.items():
        known = session.get_service_model(service).operation_names
        assert set(reads) <= set(known)
        assert all(name.startswith(("Describe", "GetMetricData", "FilterLogEvents")) for name in reads)


def test_what_isnt_in_the_list_is_never_called(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "x")
    calls = Calls("us-east-1")
    for operation in ("RebootCacheCluster", "TestFailover", "ModifyReplicationGroup", "DescribeUsers"):
        with pytest.raises(ValueError, match="isn't one of the reads"):
            calls.read("elasticache", operation)


def test_the_policy_is_what_is_asked() -> None:
    (statement,) = json.loads(policy())["Statement"]
    assert statement["Effect"] == "Allow" and len(statement["Action"]) == sum(map(len, READS.values()))
    assert all("*" not in action for action in statement["Action"])
