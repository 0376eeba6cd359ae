"""The taxonomy that a diagnosis answers in: an id never changes its meaning."""

from tools.records import Record


class RootCause(Record):
    """One root cause."""

    id: str
    family: str
    sign: str
    """Its decisive evidence, in a line."""


_TABLE = """
connectivity
process-down: refused at once, and nothing listens
process-frozen: TCP accepts, nothing is answered for over 6 s; process state T or D
firewall-drop: the connect itself times out, while a local PING is fine
protected-mode-denied: -DENIED as the greeting; rejected_connections grows
loading-dataset: -LOADING even to PING; INFO loading:1
listen-backlog-overflow: Recv-Q above Send-Q on the listener, ListenOverflows grows, rejected_connections doesn't

clients
maxclients-exhausted: "max number of clients reached"; rejected_connections grows
fd-limit-clamp: maxclients is the file limit less 32; CONFIG SET says "try with"
connection-leak: many clients of one owner that did nothing since they connected
connection-churn: total_connections_received a second is close to the commands a second
slow-consumer-output: a client's omem in megabytes, flags P or N
query-buffer-hog: a client's qbuf or argv-mem in megabytes, cmd=NULL
client-evicted: evicted_clients grows with maxmemory-clients above 0
idle-timeout: the server's timeout is above 0 and matches the period of the resets
idle-drop-by-network: timeout is 0, an idle flow dies, and the server still lists its client
client-paused: clients blocked in a command that doesn't block; an unknown command is still answered

cpu and latency
cpu-saturated: the main thread uses a whole core on cheap commands
cpu-throttled: slow with little CPU used; the cgroup's nr_throttled grows
mass-expiry: expired_keys leaps; expire-cycle event
fork-stall: latest_fork_usec, fork event, total_forks grows
monitor-attached: a client with flags O, cmd=monitor
slow-on-command: SLOWLOG shows KEYS, SORT, HGETALL and the like, with a high usec_per_call
big-key-delete: SLOWLOG shows DEL; expire-del or eviction-del event
lua-busy: -BUSY, or silence for the first 5 s
lua-unkillable: SCRIPT KILL answers UNKILLABLE
huge-exec: stalls with an empty slow log; command event of EXEC
stream-backlog: XINFO GROUPS pending or lag grows

memory
oom-noeviction: errorstat_OOM grows, policy noeviction
oom-volatile-no-ttl: errorstat_OOM grows, policy volatile-* and no key expires
eviction-churn: evicted_keys and keyspace_misses grow together
maxmemory-shrunk: a step in evicted_keys after maxmemory was lowered
nonkey-memory: client or replication buffers fill the memory, not keys
script-cache-bloat: number_of_cached_scripts above 1000
ttl-leak: keys grow, the share that expires falls
swapping: VmSwap above 0, trivial commands slow
oom-killed: a restart whose log just stops; the kernel killed it
allocator-fragmentation: allocator_frag_bytes above 100 MB
rss-after-peak: used_memory_peak far above used_memory, RSS stays

persistence
bgsave-disk-full: MISCONF; rdb_last_bgsave_status:err and ENOSPC in the log
fork-denied: MISCONF; the log says fork failed
aof-disk-full: MISCONF; aof_last_write_status:err
fsync-always-slow: writes slow, slow log empty, aof-fsync-always event
fsync-everysec-slow: aof_delayed_fsync grows
aof-corrupt-start: exit 1, "Bad file format" in the log
aof-enabled-by-restart: an empty database after appendonly was switched on in the file
cow-blowup: rdb_last_cow_size close to used memory

replication and failover
replica-link-down: master_link_status:down
masterauth-mismatch: a replica never syncs, its master counts NOAUTH
backlog-too-small: sync_partial_err grows
replica-output-loop: sync_full grows with total_forks
replica-lag: the replica's offset falls behind
noreplicas: NOREPLICAS; min-replicas-to-write above the good replicas
replica-write-or-stale: READONLY or MASTERDOWN from a replica
stale-endpoint: clients still write to the old master
unexpected-replica: role:slave of a master nobody knows
sentinel-noquorum: SENTINEL CKQUORUM says NOQUORUM
sentinel-no-good-replica: failover aborts, no good replica
slowness-failover: +sdown while the process lives
split-brain: the old master still accepts writes

cluster
cluster-slots-down: cluster_slots_fail above 0
non-cluster-client: errorstat_MOVED or CROSSSLOT grows, the cluster is ok
open-slot: slots migrating or importing
hot-shard: one node's operations and CPU far above the others'

configuration and access
config-drift: the running value isn't the file's
diagnostics-disabled: the slow log is switched off
auth-failure: NOAUTH, WRONGPASS or NOPERM, and their errorstats grow
tls-mismatch: TLS to a plain port hangs, plain to a TLS port resets

network and host
packet-loss: steps of 200 or 400 ms at p99, the median normal
path-latency: even the fastest PING is slow, the server's own times are not
bandwidth-cap: output flat at the link's rate, small commands fast
thp: transparent huge pages in the process's memory

client side
pool-exhausted: "No connection available" while the server is idle
blocking-in-pool: blocking commands hold the whole pool
client-starved: the client's own threads are busy
retry-storm: connections and operations stay far above the usual after a blip
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
