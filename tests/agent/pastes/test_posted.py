"""Pastes in the forms in which people post them: on forums, in issues, in a chat, from a service's console."""

from pathlib import Path

import pytest

from agent.answer.diagnosis import Diagnosis
from agent.pastes.incident import Incident, read_pastes
from tests.agent.pastes.test_incident import answer

POSTED = Path(__file__).parent / "posted"
CAUSES = {
    "clientlist": "slow-consumer-output", "dmesg-oom": "oom-killed", "dragonfly": "oom-noeviction",
    "elasticache-console": "slow-on-command", "gh-issue-html": "save-path-unwritable", "journald": "start-failed",
    "json-logs": "masterauth-mismatch", "k8s-logs": "oom-killed", "keydb": "allocator-fragmentation",
    "quora-table": "oom-noeviction", "readonly": "replica-write-or-stale", "redis8-cluster": "cluster-slots-down",
    "replication-lag": "replica-output-loop", "sentinel-log": "sentinel-no-good-replica",
    "slack-config": "maxclients-exhausted", "systemctl": "start-failed", "thp-log": "fsync-everysec-slow",
    "windows-32": "oom-noeviction",
    "info-grep": "maxclients-exhausted", "docker-logs": "aof-corrupt-start", "journalctl": "start-failed",
    "kubectl-previous": "start-failed", "clientlist-wrapped": "monitor-attached", "slowlog-resp": "slow-on-command",
    "slowlog-resp-escaped": "slow-on-command", "node-info": "oom-noeviction", "python-repr": "bgsave-disk-full",
    "java-properties": "replica-link-down", "java-properties-list": "maxclients-exhausted",
    "redisinsight-slowlog": "slow-on-command", "prometheus-query": "maxclients-exhausted",
    "prometheus-one": "maxclients-exhausted", "ss-tanp": "listen-backlog-overflow", "df-h": "aof-disk-full",
    "dmesg-global-oom": "oom-killed",
}  # fmt: skip
HINTS = {
    "azure": "client-starved", "latency": "fork-stall", "moved": "non-cluster-client",
    "node-econnrefused": "process-down", "rails-sidekiq": "tls-mismatch", "so-partial": "eviction-churn",
    "stacktrace-jedis": "pool-exhausted",
    "intrinsic-latency": "outside-redis", "monitor": "slow-on-command", "node-info-json": "eviction-churn",
    "redis3-maps": "oom-noeviction", "celery-trace": "auth-failure", "bullmq-trace": "non-cluster-client",
    "rails-trace": "loading-dataset", "redis-conf": "bound-elsewhere", "sentinel-conf": "sentinel-noquorum",
    "netstat": "bound-elsewhere", "top-free": "swapping", "iostat": "fsync-always-slow",
}  # fmt: skip
"""What can't be told from the paste alone, and what it most likely is."""
NOTHING = ("healthy-info", "memorystore", "memkeys", "grafana-csv")
OPEN = {
    "latency-history": "a PING took 548 ms", "sidekiq-trace": "waited in vain for a reply",
    "laravel-trace": "no reply came", "go-plusv": "no connection left in its pool",
}  # fmt: skip
"""What shows a symptom that many causes have."""


def posted(name: str) -> tuple[Incident, Diagnosis]:
    found = read_pastes([str(POSTED / f"{name}.txt")], "")
    return found, answer(found)


@pytest.mark.parametrize(("name", "cause"), CAUSES.items())
def test_the_cause_is_named(name: str, cause: str) -> None:
    _, found = posted(name)
    assert (found.outcome, found.causes[0].id) == ("diagnosed", cause)
    assert all(one.verified for one in found.causes[0].evidence)
    assert not [step for step in found.plan if step.needs_approval]


@pytest.mark.parametrize(("name", "cause"), HINTS.items())
def test_what_cant_be_told_is_hinted_at(name: str, cause: str) -> None:
    _, found = posted(name)
    assert found.outcome == "insufficient-evidence"
    assert cause in [one.id for one in found.findings] and f"hint at {cause}" in found.summary


@pytest.mark.parametrize("name", NOTHING)
def test_a_part_that_shows_nothing_wrong_is_no_all_clear(name: str) -> None:
    _, found = posted(name)
    assert (found.outcome, found.causes) == ("insufficient-evidence", ())
    assert found.summary.startswith("Can't tell: ")


@pytest.mark.parametrize(("name", "words"), OPEN.items())
def test_a_symptom_is_said_though_its_cause_cant_be(name: str, words: str) -> None:
    _, found = posted(name)
    assert (found.outcome, found.causes) == ("insufficient-evidence", ())
    assert words in found.summary and "Can't tell: " in found.summary


def test_an_unknown_rate_is_no_rate_of_zero() -> None:
    _, found = posted("clientlist-wrapped")
    assert "each command is also sent" in found.causes[0].why and "6,063 MiB wait" in found.causes[0].why


def test_every_file_is_in_one_of_the_lists() -> None:
    assert {one.stem for one in POSTED.iterdir()} == {*CAUSES, *HINTS, *NOTHING, *OPEN}


def test_where_a_log_was_cut_off_is_no_death() -> None:
    _, found = posted("json-logs")
    assert "ends without a shutdown" not in " ".join(one.what for one in found.complaints)


def test_sections_that_were_not_pasted_are_not_empty() -> None:
    """Neither keys nor commands are zero because nobody pasted them."""
    _, found = posted("slack-config")
    read = {one.tool: one for one in found.readings}
    assert read["keyspace"].get("keys") is None
    assert (lack := read["commandstats"].unavailable) and lack.kind == "not-pasted"
    assert (lack := read["replication"].unavailable) and lack.kind == "not-pasted"


def test_sizes_for_people_and_a_table_are_figures() -> None:
    _, found = posted("quora-table")
    (read,) = (one for one in found.readings if one.tool == "memory")
    assert (read.get("used_memory"), read.get("maxmemory")) == (512 * 2**20, 512 * 2**20)


def test_fields_in_one_line_of_a_sentence_are_understood() -> None:
    told, found = posted("healthy-info")
    (read,) = (one for one in found.readings if one.tool == "info")
    assert (read.get("role"), read.get("redis_version")) == ("master", "7.2.4")
    assert not told.told.unrecognised


def test_a_client_that_reaches_no_server_asks_for_its_machine() -> None:
    _, found = posted("node-econnrefused")
    assert found.pasted and "rediagnose host-script | ssh HOST sh" in found.pasted.ask_for
