"""Managed services: by which address they are recognised, and what each of them refuses."""

import pytest

from tools.connection.managed import of_host, of_info, services
from tools.gate.policy import parse_command


@pytest.mark.parametrize(("host", "service"), [
    ("shop.abc123.ng.0001.use1.cache.amazonaws.com", "elasticache"),
    ("shop.abc123.clustercfg.euc1.cache.amazonaws.com:6379", "elasticache"),
    ("shop-0001-001.abc123.cnn1.cache.amazonaws.com.cn", "elasticache"),
    ("clustercfg.orders.abc123.memorydb.us-east-1.amazonaws.com", "memorydb"),
    ("shop.redis.cache.windows.net", "azure"),
    ("SHOP.redis.cache.windows.net.:6380", "azure"),
    ("shop.westeurope.redis.azure.net:10000", "azure-managed"),
    ("redis-12345.c1.us-east-1-2.ec2.redns.redis-cloud.com:12345", "redis-cloud"),
    ("redis-12345.c55.eu-central-1-1.ec2.cloud.redislabs.com", "redis-cloud"),
    ("eu1-quiet-fox-30123.upstash.io:30123", "upstash"),
])  # fmt: skip
def test_an_address_says_whose_it_is(host: str, service: str) -> None:
    found = of_host(host)
    assert found is not None and found.id == service


@pytest.mark.parametrize("host", [
    None, "", "127.0.0.1:6379", "[::1]:6379", "unix:/run/redis.sock", "redis.internal",
    "cache.amazonaws.com.example.org", "evil-cache.amazonaws.com", "upstash.io", "memorydb.amazonaws.com",
])  # fmt: skip
def test_another_address_says_nothing(host: str | None) -> None:
    assert of_host(host) is None


@pytest.mark.parametrize(("host", "reads_only"), [
    ("shop-ro.abc123.ng.0001.use1.cache.amazonaws.com:6379", True),
    ("replica.shop.abc123.use1.cache.amazonaws.com", True),
    ("shop.abc123.ng.0001.use1.cache.amazonaws.com", False), ("master.shop.abc123.use1.cache.amazonaws.com", False),
    ("shop-ro.redis.cache.windows.net", False), ("shop-ro.example.org", False), (None, False),
])  # fmt: skip
def test_an_address_says_whether_it_leads_to_replicas_only(host: str | None, reads_only: bool) -> None:
    assert services()["elasticache"].is_reader(host) is reads_only


def test_info_says_whose_it_is() -> None:
    named = {system: found.id for system in ("Amazon ElastiCache", "Amazon MemoryDB") if (found := of_info(system))}
    assert named == {"Amazon ElastiCache": "elasticache", "Amazon MemoryDB": "memorydb"}
    assert of_info("Linux 6.1.0 x86_64") is None and of_info(None) is None


@pytest.mark.parametrize("service", services())
def test_a_service_is_complete(service: str) -> None:
    one = services()[service]
    assert one.refuses(("CONFIG", "SET")), "each of them keeps its settings elsewhere"
    assert one.refuses(("SHUTDOWN",)) and one.refuses(("BGSAVE",)) and one.refuses(("REPLICAOF", "NO"))
    assert not one.refuses(("INFO",)) and not one.refuses(("PING",)) and not one.refuses(("SET", "k"))
    assert {"bigger", "reserve", "failover", "events", "network", "access", "backup", "support"} <= one.terms.keys()
    assert one.sets == () or "setting" in one.terms
    assert ("line" in one.terms) == ("pair" in one.terms)
    assert not {*one.instead} & {*one.sets}
    said = " ".join((*one.terms.values(), *one.where.values(), *one.instead.values()))
    assert one.blocked_in(said) is None


def test_a_subcommand_is_refused_without_the_others() -> None:
    cloud = services()["redis-cloud"]
    assert cloud.refuses(parse_command("config set maxmemory-policy allkeys-lru"))
    assert not cloud.refuses(parse_command("config get maxmemory-policy"))
    assert cloud.blocked_in("MEMORY USAGE key") is None and cloud.blocked_in("MEMORY  PURGE") == "MEMORY  PURGE"
    assert services()["elasticache"].blocked_in("SAVED by a SAVE-like word, save lower") is None


def test_a_setting_is_what_it_is_called_there() -> None:
    aws, azure, google = (services()[id] for id in ("elasticache", "azure", "memorystore"))
    parts = aws.parameters("client-output-buffer-limit", "pubsub 33554432 8388608 60")
    assert parts == {
        "client-output-buffer-limit-pubsub-hard-limit": "33554432",
        "client-output-buffer-limit-pubsub-soft-limit": "8388608",
        "client-output-buffer-limit-pubsub-soft-seconds": "60",
    }
    assert aws.line({"timeout": "300"}) == (
        "aws elasticache modify-cache-parameter-group --cache-parameter-group-name GROUP "
        "--parameter-name-values ParameterName=timeout,ParameterValue=300"
    )
    assert azure.line({"maxmemory-policy": "allkeys-lru"}) == (
        'az redis update --name NAME --resource-group GROUP --set "redisConfiguration.maxmemory-policy"="allkeys-lru"'
    )
    assert google.line({"timeout": "0"}) == (
        "gcloud redis instances update INSTANCE --region REGION --update-redis-config timeout=0"
    )
    assert services()["redis-cloud"].line({"maxmemory-policy": "noeviction"}) is None
    assert services()["memorystore-cluster"].line({"maxclients": "32000"}) == (
        "gcloud redis clusters update CLUSTER --region REGION --update-redis-config maxclients=32000"
    )
    assert services()["memorystore-valkey"].line({"slowlog-max-len": "256"}) == (
        "gcloud memorystore instances update INSTANCE --location LOCATION --update-engine-configs slowlog-max-len=256"
    )


def test_memorystores_newer_kinds_let_clients_be_listed_and_slots_be_read() -> None:
    older = services()["memorystore"]
    for newer in (services()["memorystore-cluster"], services()["memorystore-valkey"]):
        for command in (("CLIENT", "LIST"), ("CLUSTER", "NODES"), ("CLUSTER", "SHARDS"), ("COMMAND", "INFO")):
            assert older.refuses(command) and not newer.refuses(command), command
        assert newer.refuses(("CONFIG", "GET")) and newer.refuses(("CLIENT", "PAUSE"))
