"""The taxonomy of root causes: an id never changes its meaning."""

from tools.records import Record


class RootCause(Record):
    """One root cause."""

    id: str
    family: str
    sign: str
    """Its decisive evidence, in one line."""


_TABLE = """
connectivity
process-down: connections are refused at once and nothing listens
process-frozen: TCP connects but nothing answers for over 6 s; state T or D
firewall-drop: the connect itself times out
protected-mode-denied: the greeting is -DENIED
loading-dataset: -LOADING; loading:1
listen-backlog-overflow: listener's recv_q above send_q; ListenOverflows grows

clients
maxclients-exhausted: rejected_connections grows
fd-limit-clamp: maxclients is the file limit minus 32
connection-leak: many clients of one owner, idle since they connected
connection-churn: total_connections_received.rate close to the rate of commands
slow-consumer-output: a client's omem in megabytes
query-buffer-hog: a client's qbuf or argv-mem in megabytes, or requests over client-query-buffer-limit
client-evicted: evicted_clients grows
idle-timeout: `timeout` matches the period of the resets
idle-drop-by-network: timeout 0, an idle connection dies, its client is still listed
client-paused: clients blocked in commands that don't block

cpu and latency
cpu-saturated: the main thread uses a whole core on cheap commands
cpu-throttled: cgroup nr_throttled grows
mass-expiry: expired_keys jumps; expire-cycle event
fork-stall: latest_fork_usec, fork event
monitor-attached: a client with flags O, cmd=monitor
slow-on-command: slow log shows KEYS, SORT, HGETALL and the like
big-key-delete: slow DEL; expire-del or eviction-del event
lua-busy: -BUSY
lua-unkillable: -UNKILLABLE
huge-exec: command event, slow log empty
stream-backlog: a group's pending or lag grows

memory
oom-noeviction: errorstat_OOM grows, policy noeviction
oom-volatile-no-ttl: errorstat_OOM grows, volatile-*, no key expires
eviction-churn: evicted_keys and keyspace_misses grow together
maxmemory-shrunk: evicted_keys jumps once
nonkey-memory: buffers, not keys, fill the memory
script-cache-bloat: number_of_cached_scripts above 1000
ttl-leak: keys grow, the share with a TTL falls
swapping: VmSwap above 0, trivial commands are slow
oom-killed: a log that just stops; the kernel's OOM kill
allocator-fragmentation: allocator_frag_bytes above 100 MB
rss-after-peak: peak far above used_memory, RSS stays

growth
queue-backlog: a list grows, pushes far above pops
tracking-table-growth: tracking_total_items grows while keys don't
stream-consumer-leak: a group has far more consumers than clients

persistence
bgsave-disk-full: rdb_last_bgsave_status:err, ENOSPC
fork-denied: the log says that fork failed
aof-disk-full: aof_last_write_status:err
fsync-always-slow: aof-fsync-always event
fsync-everysec-slow: aof_delayed_fsync grows
aof-corrupt-start: exit 1, "Bad file format" in the log
aof-enabled-by-restart: empty after a restart with appendonly newly set in the file
cow-blowup: rdb_last_cow_size close to used memory
start-failed: connections refused; its log says why the start failed
save-path-unwritable: rdb_last_bgsave_status:err, its directory isn't writable
save-stuck: a child that saves or rewrites makes no progress
aof-rewrite-failing: aof_last_bgrewrite_status:err, the AOF grows

data
data-gone: flushed, evicted, expired, restarted empty or synced from an empty primary
wrong-database: lookups miss in an empty database while another has the keys
queue-evicted: allkeys-* evicts on a server that holds queues
exposed-instance: open to anyone on the network, and somebody got in

replication and failover
replica-link-down: master_link_status:down
masterauth-mismatch: a replica never syncs, its primary counts NOAUTH
backlog-too-small: sync_partial_err grows
replica-output-loop: sync_full grows with total_forks
sync-failed: full syncs start again and again, none completes
failover-stuck: master_failover_state isn't no-failover, writes wait
balancer-over-replicas: one address, several run_ids
replica-lag: the replica's offset falls behind
noreplicas: NOREPLICAS; min-replicas-to-write exceeds the good replicas
replica-write-or-stale: READONLY or MASTERDOWN from a replica
stale-endpoint: clients still write to the old master
unexpected-replica: role:slave of an unknown master
sentinel-noquorum: SENTINEL CKQUORUM says NOQUORUM
sentinel-no-good-replica: failover aborts, no good replica
slowness-failover: +sdown while the process is alive
split-brain: the old master still accepts writes

cluster
cluster-slots-down: cluster_slots_fail above 0
non-cluster-client: errorstat_MOVED or CROSSSLOT grows
open-slot: slots migrating or importing
hot-shard: one node's CPU far above that of the others

addresses and clients
script-missing: errorstat_NOSCRIPT grows, or FCALL fails and there are no functions
client-errors: a large share of one command's calls fail with one error

configuration and access
config-drift: a running value differs from the file
diagnostics-disabled: the slow log is switched off
auth-failure: errorstat_NOAUTH, WRONGPASS or NOPERM grows
tls-mismatch: TLS to a plain port hangs, plain text to a TLS port is reset

network and host
packet-loss: p99 in steps of 200 or 400 ms; retransmits
path-latency: even the fastest PING is slow, but the server isn't
bandwidth-cap: output is flat at the link's rate
thp: transparent huge pages in the process's memory

client side
pool-exhausted: "No connection available" while the server is idle
blocking-in-pool: blocking commands hold the whole pool
client-starved: the client's own threads are busy
retry-storm: load stays far above normal after a brief failure

managed services
managed-maintenance: the service patches, restarts or replaces a node at that time
managed-failover: the service's events have a failover at that time
managed-scaling: the service changes the size or number of nodes at that time
managed-network-allowance: the service counts packets beyond the node's allowance
managed-cpu-credits: a burstable node has no CPU credits left and runs at its baseline
managed-throttled: the service holds commands back
managed-settings-pending: the parameter group's changes wait for a reboot

addresses and clients
bound-elsewhere: nothing listens at this address; the server listens at another
announced-address-unreachable: an announced address is dead but its node is alive
"""


def _parsed(table: str) -> dict[str, RootCause]:
    causes: dict[str, RootCause] = {}
    family = ""
    for line in filter(None, table.splitlines()):
        name, colon, sign = line.partition(": ")
        if colon:
            causes[name] = RootCause(id=name, family=family, sign=sign)
        else:
            family = line
    return causes


CAUSES: dict[str, RootCause] = _parsed(_TABLE)
"""Every root cause by id."""
WELL = ("no-fault", "outside-redis")
"""The outcomes that say what it was although no cause of these was there."""
