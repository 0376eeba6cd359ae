"""Metrics of the usual collectors: what an alert on one asks, and which figure of a reading it is.

The names are those of redis_exporter, of Datadog's integration, of CloudWatch for ElastiCache and MemoryDB, of Azure
Monitor for Microsoft.Cache, and of Google Cloud Monitoring for Memorystore.
"""

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from agent.alerts.questions import Question
from agent.evidence.view import Cited

GOOGLE = "redis.googleapis.com/"
Kind = Literal["gauge", "counter", "rate", "status"]


class Figure(NamedTuple):
    """What is read for a metric."""

    told: str
    """Words in which {} stands for the value."""
    kind: Kind
    """A counter's growth over the window counts, a rate is per second, and a status is wrong if it's `err`."""
    fields: Sequence[Cited]
    """The first that was read counts; of a rate all are added."""
    unit: Literal["count", "bytes", "share", "seconds"] = "count"
    low: bool = False
    """Whether the alert is for too little."""
    names: str = ""
    """How rules about it are named, as a pattern of words."""


FIGURES: Mapping[str, Figure] = {
    "cpu": Figure(
        "its main thread uses {} of a core", "rate",
        (("info", "used_cpu_sys_main_thread.rate"), ("info", "used_cpu_user_main_thread.rate")), "share",
        names="(high (engine )?cpu( usage)?|(engine )?cpu (usage |utilization )?high)",
    ),
    "evicted": Figure(
        "{} keys were evicted", "counter", (("info", "evicted_keys"),),
        names="(high )?(keys? )?evict(ed|ion)s?( keys)?( rate)?( high)?",
    ),
    "expired": Figure("{} keys expired", "counter", (("info", "expired_keys"),), names="keys? expired"),
    "opened": Figure("{} connections were opened", "counter", (("info", "total_connections_received"),)),
    "hits": Figure(
        "{} of the lookups found their key", "gauge", (("keyspace", "hit_ratio"),), "share", low=True,
        names="(low (cache )?hit (rate|ratio)|(cache )?hit (rate|ratio) low)",
    ),
    "blocked": Figure(
        "{} clients wait in a blocking command", "gauge", (("info", "blocked_clients"),),
        names="(too many )?blocked clients( high)?",
    ),
    "fragmentation": Figure(
        "the fragmentation ratio is {}", "gauge", (("info", "mem_fragmentation_ratio"),),
        names="(high )?(memory )?fragmentation( ratio)?( high)?",
    ),
    "used": Figure("{} of memory is used", "gauge", (("info", "used_memory"),), "bytes"),
    "operations": Figure("{} commands a second are carried out", "gauge", (("info", "instantaneous_ops_per_sec"),)),
    "lag": Figure(
        "the slowest replica is {} behind", "gauge",
        (("replication", "lag_max"), ("info", "master_last_io_seconds_ago")), "seconds",
        names="(high )?(replication|replica|slave) (lag|delay)( high)?",
    ),
    "saved": Figure(
        "the last snapshot's status is {}", "status", (("info", "rdb_last_bgsave_status"),),
        names="(rdb|bgsave|rdb last) (last )?(bg)?save fail(ed|ure)|(bgsave|rdb save|save) fail(ed|ing|ure)",
    ),
    "written": Figure(
        "the append-only file's last write has the status {}", "status", (("info", "aof_last_write_status"),),
        names="aof (last )?write fail(ed|ing|ure)",
    ),
    "uptime": Figure(
        "it started {} ago", "gauge", (("info", "uptime_in_seconds"),), "seconds", low=True,
        names="(instance )?restart(ed|s)",
    ),
}  # fmt: skip
"""By an id of this table's own."""

PROMETHEUS: Mapping[str, Question | str] = {
    "redis_up": Question.DOWN, "redis_instance_info": Question.NO_MASTER, "redis_master_link_up": Question.REPLICAS,
    "redis_connected_slaves": Question.REPLICAS, "redis_connected_replicas": Question.REPLICAS,
    "redis_rdb_last_save_timestamp_seconds": Question.BACKUP, "redis_memory_max_bytes": Question.MAXMEMORY,
    "redis_config_maxmemory": Question.MAXMEMORY, "redis_total_system_memory_bytes": Question.SYSTEM_MEMORY,
    "redis_connected_clients": Question.CONNECTIONS, "redis_rejected_connections_total": Question.REJECTED,
    "redis_cluster_slots_fail": Question.SLOTS_FAIL, "redis_cluster_slots_pfail": Question.SLOTS_PFAIL,
    "redis_cluster_state": Question.CLUSTER_STATE, "redis_evicted_keys_total": "evicted",
    "redis_expired_keys_total": "expired", "redis_connections_received_total": "opened",
    "redis_keyspace_hits_total": "hits", "redis_blocked_clients": "blocked",
    "redis_mem_fragmentation_ratio": "fragmentation", "redis_memory_used_bytes": "used",
    "redis_instantaneous_ops_per_sec": "operations", "redis_connected_slave_lag_seconds": "lag",
    "redis_master_last_io_seconds_ago": "lag", "redis_rdb_last_bgsave_status": "saved",
    "redis_aof_last_write_status": "written", "redis_uptime_in_seconds": "uptime",
    "redis_cpu_sys_main_thread_seconds_total": "cpu", "redis_cpu_user_main_thread_seconds_total": "cpu",
    "redis_cpu_sys_seconds_total": "cpu", "redis_cpu_user_seconds_total": "cpu",
}  # fmt: skip
"""Those that an expression divides by come before what they divide."""
DATADOG: Mapping[str, Question | str] = {
    "redis.can_connect": Question.DOWN, "redis.net.slaves": Question.REPLICAS,
    "redis.replication.master_link_down_since_seconds": Question.REPLICAS, "redis.mem.maxmemory": Question.MAXMEMORY,
    "redis.net.clients": Question.CONNECTIONS, "redis.net.maxclients": Question.CONNECTIONS,
    "redis.net.rejected": Question.REJECTED, "redis.keys.evicted": "evicted", "redis.keys.expired": "expired",
    "redis.stats.keyspace_hits": "hits", "redis.clients.blocked": "blocked",
    "redis.mem.fragmentation_ratio": "fragmentation", "redis.mem.used": "used",
    "redis.net.instantaneous_ops_per_sec": "operations", "redis.replication.last_io_seconds_ago": "lag",
    "redis.info.uptime_in_seconds": "uptime", "redis.cpu.sys_main_thread": "cpu", "redis.cpu.user_main_thread": "cpu",
    "redis.cpu.sys": "cpu", "redis.cpu.user": "cpu",
}  # fmt: skip
CLOUDWATCH: Mapping[str, Question | str] = {
    "DatabaseMemoryUsagePercentage": Question.MAXMEMORY, "CurrConnections": Question.CONNECTIONS,
    "MasterLinkHealthStatus": Question.REPLICAS, "PrimaryLinkHealthStatus": Question.REPLICAS,
    "EngineCPUUtilization": "cpu", "Evictions": "evicted", "Reclaimed": "expired", "NewConnections": "opened",
    "CacheHitRate": "hits", 
    "MemoryFragmentationRatio": "fragmentation", "BytesUsedForCache": "used", "BytesUsedForMemoryDB": "used",
    "ReplicationLag": "lag",
}  # fmt: skip
"""In the namespaces AWS/ElastiCache and AWS/MemoryDB."""
AZURE: Mapping[str, Question | str] = {
    "usedmemorypercentage": Question.MAXMEMORY, "connectedclients": Question.CONNECTIONS, "evictedkeys": "evicted",
    "expiredkeys": "expired", "connectionscreatedpersecond": "opened", "usedmemory": "used",
    "operationspersecond": "operations", "serverload": "cpu",
}  # fmt: skip
"""Without what is before their name, such as all."""
GCLOUD: Mapping[str, Question | str] = {
    "stats/memory/usage_ratio": Question.MAXMEMORY, "stats/memory/system_memory_usage_ratio": Question.SYSTEM_MEMORY,
    "clients/connected": Question.CONNECTIONS, "stats/reject_connections_count": Question.REJECTED,
    "replication/master/slaves/lag": "lag", "stats/evicted_keys": "evicted", "stats/expired_keys": "expired",
    "stats/connections/total": "opened", "stats/cache_hit_ratio": "hits", "clients/blocked": "blocked",
    "stats/memory/usage": "used", "stats/cpu_utilization_main_thread": "cpu", "stats/cpu_utilization": "cpu",
    "server/uptime": "uptime",
}  # fmt: skip
"""Behind redis.googleapis.com/."""
