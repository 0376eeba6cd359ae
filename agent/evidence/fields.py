"""Which fields of a reading matter most to a person and to a model."""

FIGURES = {
    "connect": ("stage", "dns_ms", "tcp_ms", "tls_ms", "auth_ms", "first_ping_ms"),
    "ping": ("reply", "ms"),
    "silence": ("waited_seconds", "ping_answered", "unknown_command_answered"),
    "script": ("running", "command", "duration_ms", "role"),
    "latency_sample": ("min_ms", "median_ms", "p99_ms", "max_ms", "over_10ms_share"),
    "info": (
        "connected_clients", "maxclients", "rejected_connections.delta", "total_connections_received.rate",
        "total_commands_processed.rate", "blocked_clients",
    ),
    "commandstats": ("busy_share", "top", "top_share"),
    "slowlog": ("entries", "max_usec", "newest_age"),
    "client_errors": ("errors", "e1.library", "e1.name", "e1.stage", "e1.side", "e1.weight"),
    "clients": ("connected", "unused", "blocked", "paused", "omem_max", "qbuf_max"),
    "client_groups": ("by", "groups", "g1.name", "g1.address", "g1.command", "g1.user", "g1.count", "g1.idle_median"),
    "one_client": ("id", "listed", "name", "cmd", "idle", "moved"),
    "config_get": ("maxclients", "timeout", "tcp-keepalive"),
    "access": ("user", "entries"),
    "topology": ("topology", "nodes"),
    "provider": ("status", "node_type", "update.status", "settings.status", "e1.event", "e1.age", "e2.event", "e2.age"),
    "latencystats": ("commands", "slowest", "slowest_p99_usec"),
    "latency_events": ("monitor_threshold_ms", "events", "new_events"),
    "memory": (
        "used_memory", "maxmemory", "maxmemory_used_share", "used_memory_rss", "mem_fragmentation_ratio",
        "largest_overhead", "largest_overhead_share",
    ),
    "persistence": (
        "rdb_last_bgsave_status", "rdb_last_save_age", "aof_enabled", "aof_last_write_status",
        "aof_delayed_fsync.delta", "latest_fork_usec", "writes_refused",
    ),
    "replication": (
        "role", "connected_slaves", "replicas_online", "master_link_status", "lag_bytes_max", "lag_max",
        "sync_full.delta", "sync_partial_err.delta", "backlog_seconds",
    ),
    "cluster": (
        "cluster_state", "slots_unserved", "slots_unassigned", "slots_migrating", "slots_importing", "down1.address",
        "down1.state", "my_share",
    ),
    "sentinel": ("masters", "m1.flags", "m1.ckquorum", "m1.usable_sentinels", "m1.good_replicas", "events"),
    "keyspace": ("keys", "expires", "ttl_coverage", "expired_keys.delta", "evicted_keys.delta", "hit_ratio"),
    "big_keys": ("sampled", "share_seen", "k1.key", "k1.type", "k1.bytes"),
    "prefixes": ("sampled", "p1.prefix", "p1.share", "p1.key_bytes", "k1.key", "k1.bytes"),
    "lists": ("lists", "looked_at", "l1.key", "l1.length", "l1.length.delta"),
    "named_keys": ("k1.key", "k1.type", "k1.length", "k1.length.rate", "k1.bytes", "k1.ttl_ms", "k2.key", "k2.length"),
    "streams": ("streams", "s1.key", "s1.length", "s1.g1.pending", "s1.g1.lag"),
    "config_drift": ("config_file", "drifted"),
    "log": ("critical", "warnings", "last1.event", "last1.age", "last2.event", "started_age", "clean_shutdown"),
    "log_events": ("of", "events", "e1.event", "e1.at", "e2.event", "e2.at"),
    "disk": ("dir_free_bytes", "dir_used_share", "dir_read_only", "temp_count"),
    "history": ("at", "changed1.field", "changed1.before", "changed1.at", "changed2.field", "changed3.field"),
    "baseline": ("age_days", "other_name", "changed1.field", "changed2.field", "changed3.field"),
    "same_server": ("connections", "runs", "roles"),
    "other_ports": ("servers_at", "tls_at"),
    "idle_probe": ("idle_seconds", "closed_by_peer", "closed_after_seconds", "ping_after", "still_listed"),
    "process": ("listening", "state", "nofile_soft", "num_fds", "cpu_share"),
    "sockets": ("established", "time_wait", "close_wait", "recv_q", "send_q", "ListenOverflows.delta"),
    "machine": ("cpu_busy_share", "memory_available_bytes", "top_process.cpu_share"),
}  # fmt: skip
"""The figures of each tool that a person reads first."""

SHOWN: dict[str, str] = {
    "connect": r"stage|auth|\w+_ms",
    "ping": r"reply|ms",
    "silence": r"\w+",
    "latency_sample": r"answered|timeouts|failed\..*|(min|median|p99|max)_ms|over_10ms_share",
    "info": (
        r"(redis|valkey)_version|role|uptime_in_seconds|(connected|blocked)_clients|maxclients|used_memory|maxmemory|"
        r"(rdb_last_bgsave|aof_last_write|master_link)_status|connected_slaves|total_(connections_received|commands_processed)\.rate|"
        r"used_cpu_(user|sys)_main_thread\.rate|latest_fork_usec|db\d+\.keys"
    ),
    "commandstats": r"busy_share|top|top_share|total\.(calls|usec)\.delta",
    "slowlog": r"len|entries|max_usec|newest_age|[^.]+\.(count|max_usec)|e1\.\w+",
    "client_errors": r"errors|e[1-3]\.(library|name|stage|side|weight|code|endpoint|timeout_ms|means)",
    "clients": r"connected|blocked|paused|paused_cmd|unused|\w+_max|o[12]\.(count|name|address|unused|idle_median)|"
    r"g[12]\.(count|cmd|flags|idle_median)",
    "config_get": r"maxclients|timeout|tcp-keepalive|maxmemory(-policy|-clients)?|slowlog-log-slower-than|"
    r"latency-monitor-threshold|client-output-buffer-limit|save",
    "access": r"user|entries|[a-z]+\.(count|newest_age)",
    "topology": r"topology|n\d+\.(node|role|seen)",
    "latencystats": r"slowest(_p99_usec)?",
    "latency_events": r"monitor_enabled|events|new_events|[a-z-]+\.(max_ms|age)",
    "memory": r"maxmemory_used_share|mem_fragmentation_ratio|fragmentation_bytes|largest_overhead(_share)?",
    "persistence": r"rdb_last_save_age|rdb_changes_since_last_save|aof_enabled|writes_refused|config\.save",
    "replication": r"replicas_online|lag_bytes_max|lag_max|backlog_seconds|good_replicas_missing|output\.omem_max",
    "cluster": r"cluster_state|slots_(unserved|unassigned|migrating|importing)|nodes\.(fail|pfail)|"
    r"(down1|open1)\.\w+|my_(role|share)",
    "sentinel": r"masters|events|m\d+\.(name|flags|ckquorum|usable_sentinels|good_replicas)|[+-].*\.count",
    "keyspace": r"keys|ttl_coverage|hit_ratio",
    "big_keys": r"sampled|share_seen|k[123]\..*",
    "prefixes": r"sampled|p[123]\..*|k[12]\..*",
    "lists": r"lists|looked_at|l[12]\..*",
    "streams": r"streams|s[12]\..*",
    "config_drift": r"config_file|drifted|.*\.(file|running)",
    "log": r"critical|warnings|last[123]\.(event|age)|started_age|clean_shutdown",
    "disk": r"dir_(free_bytes|used_share|read_only)",
    "history": r"at|restarted|gap_share|changed[1-4]\.(field|before|at|when)",
    "baseline": r"age_days|found|changed[1-5]\.field|(ops|connections|errors|evicted)_per_second\.(before|now|ratio)|"
    r"(connected_clients|used_memory|keys|hit_ratio|cpu_share|latency_p50_ms)\.(before|now)",
    "same_server": r"connections|runs|roles|c\d+\.(run|role|port)",
    "idle_probe": r".*",
    "process": r"locality|listening|state|stopped|redis_processes|nofile_(soft|maxclients)|num_fds|(main_)?cpu_share|"
    r"main_wait_share|swap_bytes|cgroup_(cpu_quota|frozen|nr_throttled\.delta)",
    "sockets": r"locality|listening|recv_q|send_q|established|time_wait|close_wait|ListenOverflows\.delta",
    "machine": r"cores|cpu_busy_share|cpu_steal_share|load1|memory_available_bytes|top_process\.(name|cpu_share)|"
    r"transparent_hugepage",
}
"""The most important fields of each tool; all fields for a tool that isn't listed."""
