"""What soon goes wrong, by the readings of one node; and what is by design, of which nothing is said."""

from typing import Any

import pytest

from agent.fleet.preventive import DAY, nearest_limit, preventive
from tests.agent.checks.rows import view

MIB = 2**20
SAVES = {"config.save": "3600 1 300 100", "config.appendonly": "no", "config.repl-diskless-sync": "yes"}
FULL = {"maxmemory": 100 * MIB, "used_memory": 90 * MIB, "maxmemory_used_share": 0.9}


def ids(growth: float | None = None, **given: Any) -> list[str]:
    return [one.id for one in preventive(view(given), growth)]


def said(growth: float | None = None, **given: Any) -> str:
    return "; ".join(one.what for one in preventive(view(given), growth))


def test_a_server_of_which_nothing_was_read_has_no_findings() -> None:
    assert ids() == [] and nearest_limit(view({})) == (0.0, "")


def test_memory_that_grows_towards_its_limit_has_a_time() -> None:
    grows = {
        "maxmemory": 100 * MIB, "maxmemory_used_share": 0.7, "maxmemory_policy": "noeviction", "used_memory": 70 * MIB,
        "used_memory.delta": 100_000, "used_memory_dataset.delta": 100_000, "window_seconds": 2.0,
    }  # fmt: skip
    keys = {"keys": 1000, "keys.delta": 10}
    assert said(memory=grows, keyspace=keys) == "memory full in 10 min at this rate"
    assert ids(memory={**grows, "maxmemory_policy": "allkeys-lru"}, keyspace=keys) == []


def test_memory_that_is_nearly_full_is_said_where_nothing_may_go() -> None:
    assert said(memory={**FULL, "maxmemory_policy": "noeviction"}) == "90% of maxmemory, and nothing may be evicted"
    assert ids(memory={**FULL, "maxmemory_policy": "volatile-lru"}, keyspace={"keys": 9}) == ["memory-nearly-full"]


@pytest.mark.parametrize(
    "given",
    [
        {"memory": {**FULL, "maxmemory_policy": "allkeys-lfu"}},
        {"memory": {**FULL, "maxmemory_policy": "volatile-ttl"}, "keyspace": {"keys": 9, "expires": 9}},
        {"memory": {"maxmemory": 0, "maxmemory_policy": "noeviction", "used_memory": 90 * MIB}},
        {"memory": {**FULL, "maxmemory_policy": "noeviction"}, "info": {"role": "slave"}},
    ],
    ids=["a cache", "a cache by expiry", "no limit", "a replica"],
)
def test_memory_that_is_full_by_design_is_no_finding(given: dict[str, Any]) -> None:
    assert ids(**given) == []
    assert ids(growth=1e6, **given) == []


def test_the_growth_of_hours_counts_for_more_than_that_of_seconds_unless_it_is_nearly_over() -> None:
    def filling(bytes_: float) -> dict[str, Any]:
        memory = {"used_memory": 400 * MIB, "maxmemory": 1000 * MIB, "maxmemory_policy": "noeviction",
                  "maxmemory_used_share": 0.4, "used_memory.delta": bytes_, "used_memory_dataset.delta": bytes_,
                  "window_seconds": 2.0}  # fmt: skip
        return {"memory": memory, "keyspace": {"keys.delta": 10}}

    hours = 600 * MIB / (6 * 3600)
    burst = filling(0.5 * MIB)
    assert said(**burst) == "memory full in 40 min at this rate"
    assert said(growth=hours, **burst) == "memory full in 6 h at the rate of the last hours"
    assert said(growth=-5.0, **burst) == "", "for hours it hasn't grown"
    flood = filling(5 * MIB)
    assert said(growth=hours, **flood) == said(**flood) == "memory full in 4 min at this rate"


def test_the_growth_of_hours_tells_days_ahead() -> None:
    memory = {"maxmemory": 1000 * MIB, "used_memory": 400 * MIB, "maxmemory_used_share": 0.4}
    memory["maxmemory_policy"] = "noeviction"  # type: ignore[assignment]
    assert said(growth=600 * MIB / (6 * 3600), memory=memory) == "memory full in 6 h at the rate of the last hours"
    assert said(growth=600 * MIB / (9 * DAY), memory=memory) == "memory full in 9 days at the rate of the last hours"
    for none in (None, 0.0, -1e6, 600 * MIB / (60 * DAY)):
        assert ids(growth=none, memory=memory) == []


def test_limits_that_are_near_are_told_with_their_figures() -> None:
    info = {"connected_clients": 9100, "maxclients": 10_000}
    assert said(info=info) == "91% of maxclients (9100 of 10000)"
    assert ids(info={**info, "connected_clients": 7900}) == []
    assert nearest_limit(view({"info": {**info, "connected_clients": 7900}})) == (0.79, "79% of maxclients")
    assert ids(process={"num_fds": 950, "nofile_soft": 1024}) == ["files-nearly-full"]


def test_a_maxmemory_above_its_container_is_told() -> None:
    memory = {
        "maxmemory": 4096 * MIB,
        "used_memory": MIB,
        "maxmemory_used_share": 0.0,
        "maxmemory_policy": "noeviction",
    }
    told = said(memory=memory, process={"cgroup_memory_limit": 2048 * MIB})
    assert told == "maxmemory 4 GiB is above its container's 2 GiB"


def test_a_certificate_is_told_before_it_ends_and_not_afterwards() -> None:
    def ends(days: float, life: float = 365) -> dict[str, Any]:
        seconds = int(days * DAY)
        return {"connect": {"certificate_expires_in_seconds": seconds, "certificate_lifetime_seconds": life * DAY}}

    assert said(**ends(9)) == "certificate expires in 9 days"
    assert [one.rank for one in preventive(view(ends(0.4)))] == [1]
    # One that lives a day is renewed in its last hours, one that has ended is an incident.
    assert ids(**ends(0.4, life=1)) == ids(**ends(40)) == ids(**ends(-1)) == []


def test_a_snapshot_that_should_have_come_is_told() -> None:
    old = {"rdb_last_save_age": 3 * DAY, "rdb_changes_since_last_save": 5_000, "rdb_saved_since_start": True}
    assert said(persistence={**old, **SAVES}) == "no backup for 3 days, 5,000 changes since"
    # Somebody saved it every day by cron, and has stopped to.
    by_cron = {**old, **SAVES, "config.save": "", "rdb_saves": 20}
    assert ids(persistence=by_cron, info={"uptime_in_seconds": 23 * DAY}) == ["backup-overdue"]
    # A single one, one a week, and one for each replica that came are no such habit.
    assert ids(persistence={**by_cron, "rdb_saves": 1}, info={"uptime_in_seconds": 23 * DAY}) == []
    assert ids(persistence={**by_cron, "rdb_saves": 3}, info={"uptime_in_seconds": 24 * DAY}) == []
    synced = {**by_cron, "config.repl-diskless-sync": "no"}
    assert ids(persistence=synced, info={"uptime_in_seconds": 23 * DAY, "sync_full": 20}) == []


@pytest.mark.parametrize(
    "change",
    [
        {"config.save": "", "rdb_saved_since_start": False},
        {"rdb_changes_since_last_save": 0},
        {"rdb_last_save_age": 600},
        {"rdb_bgsave_in_progress": 1},
        {"config.save": "900 100000", "rdb_saved_since_start": False},
        {"config.save": "", "rdb_last_save_age": 2 * DAY},
    ],
    ids=["keeps nothing", "nothing changed", "young", "saves now", "too few changes", "saved by hand lately"],
)
def test_no_snapshot_is_missed_where_none_is_due(change: dict[str, Any]) -> None:
    old = {"rdb_last_save_age": 3 * DAY, "rdb_changes_since_last_save": 5_000, "rdb_saved_since_start": True}
    assert ids(persistence={**old, **SAVES, **change}) == []


def test_a_copy_for_a_replica_is_no_backup_that_somebody_makes() -> None:
    old = {
        "rdb_last_save_age": 9 * DAY, "rdb_changes_since_last_save": 5_000, "rdb_saved_since_start": True, **SAVES,
        "config.save": "", "config.repl-diskless-sync": "no",
    }  # fmt: skip
    assert ids(persistence={**old, "rdb_saves": 5}, info={"sync_full": 5, "uptime_in_seconds": 90 * DAY}) == []


def test_a_backlog_is_too_short_only_where_a_replica_needs_it() -> None:
    short = {"backlog_seconds": 8.0, "repl_backlog_size": MIB, "replicas_online": 1}
    assert said(replication=short) == "replication backlog holds 8 s"
    assert ids(replication=short, memory={"used_memory": 400 * MIB}) == ["backlog-short"]
    # What is copied within a second needs no bridge.
    assert ids(replication=short, memory={"used_memory": 20 * MIB}) == []
    assert ids(replication={**short, "replicas_online": 0}) == ids(replication={**short, "backlog_seconds": 90.0}) == []


def test_a_full_disk_is_told_where_something_is_saved() -> None:
    disk = {"dir_used_share": 0.96, "dir_free_bytes": 900 * MIB}
    assert said(disk=disk, persistence=SAVES) == "the disk it saves to is 96% full, 900 MiB free"
    assert ids(disk=disk, persistence={**SAVES, "config.save": ""}) == []
    # A twentieth of a large disk is still a lot.
    large = {"dir_used_share": 0.96, "dir_free_bytes": 160 * 1024 * MIB}
    assert ids(disk=large, persistence=SAVES, memory={"used_memory": 1024 * MIB}) == []
    assert ids(disk=large, persistence=SAVES, memory={"used_memory": 60 * 1024 * MIB}) == ["disk-nearly-full"]
    roomy = {"dir_used_share": 0.9, "dir_free_bytes": 900 * MIB}
    assert ids(disk=roomy, persistence=SAVES, memory={"used_memory": 10 * MIB}) == []
    assert ids(disk=roomy, persistence=SAVES, memory={"used_memory": 800 * MIB}) == ["disk-nearly-full"]


def test_a_version_that_crashes_is_told_with_its_remedy() -> None:
    told = said(info={"redis_version": "7.2.4", "valkey_version": "9.1.0"})
    assert told == "known bad version valkey 9.1.0, fixed in 9.1.1: ACL LOAD that removes a user can crash the server"
    # What has no fix, or is an error that some see, is reported where it happens.
    assert ids(info={"redis_version": "7.2.4", "valkey_version": "9.0.2"}) == []
    assert ids(info={"redis_version": "7.0.15"}) == []


def test_the_most_urgent_stands_first() -> None:
    given: dict[str, Any] = {
        "info": {"redis_version": "7.2.4", "valkey_version": "9.1.0", "connected_clients": 95, "maxclients": 100},
        "connect": {"certificate_expires_in_seconds": 7200, "certificate_lifetime_seconds": 365 * DAY},
    }
    assert ids(**given) == ["certificate-expires", "clients-nearly-full", "version-known-bad"]


def test_a_cache_that_warms_up_is_not_extrapolated() -> None:
    grows = {
        "maxmemory": 1000 * MIB, "maxmemory_used_share": 0.4, "maxmemory_policy": "noeviction",
        "used_memory": 400 * MIB, "used_memory.delta": MIB, "used_memory_dataset.delta": MIB, "window_seconds": 2.0,
    }  # fmt: skip
    keys = {"keys": 400_000, "keys.delta": 1000, "expires": 400_000, "expires.delta": 1000}
    assert ids(memory=grows, keyspace={**keys, "db0.avg_ttl": 300_000}) == []
    # Those that live longer than the memory lasts fill it all the same, and so do those that don't expire.
    assert ids(memory=grows, keyspace={**keys, "db0.avg_ttl": 86_400_000}) == ["memory-fills-up"]
    assert ids(memory=grows, keyspace={**keys, "expires.delta": 10, "db0.avg_ttl": 300_000}) == ["memory-fills-up"]


def test_a_machine_is_not_used_up_by_the_first_seconds_of_a_small_server() -> None:
    memory = {
        "maxmemory": 0, "maxmemory_policy": "noeviction", "used_memory": 20 * MIB, "used_memory.delta": 2 * MIB,
        "used_memory_dataset.delta": 2 * MIB, "window_seconds": 2.0, "used_memory_rss": 25 * MIB,
    }  # fmt: skip
    keys, machine = {"keys": 10_000, "keys.delta": 1000}, {"memory_available_bytes": 4096 * MIB}
    assert ids(memory=memory, keyspace=keys, machine=machine) == []
    large = {**memory, "used_memory": 6000 * MIB, "used_memory_rss": 6500 * MIB, "used_memory.delta": 4 * MIB}
    large["used_memory_dataset.delta"] = 4 * MIB
    assert ids(memory=large, keyspace=keys, machine=machine) == ["memory-fills-up"]
    # Buffers come and go.
    assert ids(memory={**large, "used_memory_dataset.delta": 1000}, keyspace=keys, machine=machine) == []


def test_a_certificate_whose_lifetime_is_unknown_is_told_of_later() -> None:
    def ends(days: float) -> dict[str, Any]:
        return {"info": {"tls_server_cert_serial": "1A", "tls_server_cert_expires_in_seconds": days * DAY}}

    # Many are renewed when thirty days are left.
    assert ids(**ends(29)) == [] and ids(**ends(10)) == ["certificate-expires"]
