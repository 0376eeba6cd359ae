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
process-frozen: TCP accepts, nothing answers for over 6 s; state T or D
firewall-drop: the connect itself times out
protected-mode-denied: greeted by -DENIED
loading-dataset: -LOADING; loading:1
listen-backlog-overflow: listener's recv_q above send_q; ListenOverflows grows

clients
maxclients-exhausted: rejected_connections grows
fd-limit-clamp: maxclients is the file limit less 32
connection-leak: many clients of one owner, unused since they connected
connection-churn: total_connections_received.rate close to the commands'
slow-consumer-output: a client's omem in megabytes
query-buffer-hog: a client's qbuf or argv-mem in megabytes
client-evicted: evicted_clients grows
idle-timeout: `timeout` matches the period of the resets
idle-drop-by-network: timeout 0, an idle flow dies, its client still listed
client-paused: clients blocked in commands that don't block

cpu and latency
cpu-saturated: the main thread uses a whole core on cheap commands
cpu-throttled: cgroup nr_throttled grows
mass-expiry: expired_keys leaps; expire-cycle event
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
maxmemory-shrunk: a step in evicted_keys
nonkey-memory: buffers fill the memory, not keys
script-cache-bloat: number_of_cached_scripts above 1000
ttl-leak: keys grow, the share that expires falls
swapping: VmSwap above 0, trivial commands slow
oom-killed: a log that just stops; the kernel's oom kill
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
aof-enabled-by-restart: empty after appendonly came by the file
cow-blowup: rdb_last_cow_size close to used memory
start-failed: refused; its log says why it gave up at the start
save-path-unwritable: rdb_last_bgsave_status:err, its folder isn't writable
save-stuck: a child that saves or rewrites doesn't get on
aof-rewrite-failing: aof_last_bgrewrite_status:err, the file grows

data
data-gone: flushed, evicted, expired, restarted empty or synced from an empty primary
wrong-database: lookups miss in an empty database, another has the keys
queue-evicted: allkeys-* evicts while queues live here
exposed-instance: anybody may come in from elsewhere, and somebody did

replication and failover
replica-link-down: master_link_status:down
masterauth-mismatch: a replica never syncs, its primary counts NOAUTH
backlog-too-small: sync_partial_err grows
replica-output-loop: sync_full grows with total_forks
sync-failed: whole copies begin again and again, none is kept
failover-stuck: master_failover_state isn't no-failover, writes wait
balancer-over-replicas: one address, several run_ids
replica-lag: the replica's offset falls behind
noreplicas: NOREPLICAS; min-replicas-to-write above the good replicas
replica-write-or-stale: READONLY or MASTERDOWN from a replica
stale-endpoint: clients still write to the old master
unexpected-replica: role:slave of a master nobody knows
sentinel-noquorum: SENTINEL CKQUORUM says NOQUORUM
sentinel-no-good-replica: failover aborts, no good replica
slowness-failover: +sdown while the process is alive
split-brain: the old master still accepts writes

cluster
cluster-slots-down: cluster_slots_fail above 0
non-cluster-client: errorstat_MOVED or CROSSSLOT grows
open-slot: slots migrating or importing
hot-shard: one node's CPU far above the others'

addresses and clients
script-missing: errorstat_NOSCRIPT grows
client-errors: one error is a large share of one command's calls

configuration and access
config-drift: the running value isn't the file's
diagnostics-disabled: the slow log is switched off
auth-failure: errorstat_NOAUTH, WRONGPASS or NOPERM grows
tls-mismatch: TLS to a plain port hangs, plain to a TLS port resets

network and host
packet-loss: p99 in steps of 200 or 400 ms; retransmits
path-latency: even the fastest PING is slow, the server isn't
bandwidth-cap: output flat at the link's rate
thp: transparent huge pages in the process's memory

client side
pool-exhausted: "No connection available" while the server is idle
blocking-in-pool: blocking commands hold the whole pool
client-starved: the client's own threads are busy
retry-storm: load stays far above the usual after a blip

addresses and clients
bound-elsewhere: nothing listens at this address; the server does at another
announced-address-unreachable: an announced address is dead, its node lives
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
