"""What each cause means, for somebody who knows neither the incident nor Redis well."""

from collections.abc import Mapping

from agent.answer.diagnosis import Cause

_TABLE = """
process-down: Redis isn't running
process-frozen: The Redis process exists but is frozen
firewall-drop: Something on the way, most likely a firewall, blocks connections to Redis
protected-mode-denied: Redis only accepts connections from its own machine
loading-dataset: Redis has just started and is still loading its data
listen-backlog-overflow: New connections are lost before Redis accepts them
maxclients-exhausted: Redis is full and turns new clients away
fd-limit-clamp: The operating system allows Redis fewer connections than it was configured for
connection-leak: An application opens connections and doesn't close them
connection-churn: Clients reconnect every few commands
slow-consumer-output: A client doesn't read its replies, and they pile up in Redis' memory
query-buffer-hog: A client sends requests that are too large for Redis
client-evicted: Redis disconnects clients because their buffers take too much memory
idle-timeout: Redis closes idle connections
idle-drop-by-network: Something on the network drops idle connections
client-paused: Somebody paused the clients (CLIENT PAUSE), so commands wait
cpu-saturated: Redis uses a whole core: there is more work than one thread can do
cpu-throttled: The container's CPU limit keeps stopping Redis
mass-expiry: A large number of keys expire at the same moment, and Redis stalls while it removes them
fork-stall: Redis freezes for a moment each time it starts to save its data
monitor-attached: Somebody left MONITOR running, which slows every command
slow-on-command: Individual commands are slow and hold up all others
big-key-delete: Deleting very large keys stalls Redis
lua-busy: A script or function is blocking Redis, and everyone else waits
lua-unkillable: A script that has already written is blocking Redis and can't be stopped
huge-exec: A very large transaction (MULTI/EXEC) holds up all others
stream-backlog: Jobs in a stream arrive faster than they are processed
oom-noeviction: Redis' memory limit is reached, and it refuses writes
oom-volatile-no-ttl: Redis' memory limit is reached, and no key can be removed because none has an expiry
eviction-churn: The cache is too small: Redis evicts keys that are still needed
maxmemory-shrunk: The memory limit was lowered, and Redis evicted keys
nonkey-memory: Buffers, not data, take up the memory
script-cache-bloat: New scripts keep filling Redis' memory
ttl-leak: Keys are written without an expiry and pile up
queue-backlog: Jobs in a queue arrive faster than they are taken out
tracking-table-growth: Client-side caching makes Redis keep track of more and more keys
stream-consumer-leak: Workers leave their names behind in a stream, and the names fill the memory
swapping: Parts of Redis' memory are on disk (swap), so simple commands are slow
oom-killed: The operating system killed Redis because memory ran out
allocator-fragmentation: Redis' memory is fragmented: it holds far more than its data needs
rss-after-peak: Redis keeps memory from an earlier peak, which is normal
bgsave-disk-full: Saving to disk fails because the disk is full, so Redis refuses writes
fork-denied: Saving fails because the operating system refuses to create the process for it
aof-disk-full: The append-only file can't be written because the disk is full
fsync-always-slow: Every write waits for a slow disk
fsync-everysec-slow: The disk is slow, and writes stall from time to time
aof-corrupt-start: Redis can't start because its append-only file is damaged
aof-enabled-by-restart: Redis started empty because the append-only file was switched on by a restart
cow-blowup: Saving needs so much extra memory that it endangers the server
start-failed: Redis can't start: something that it reads at startup stops it
save-path-unwritable: Redis isn't allowed to write where it saves its data
save-stuck: A save has been running for far too long and makes no progress
aof-rewrite-failing: Redis can't compact its append-only file, so the file keeps growing
data-gone: Data was removed from Redis: deleted, evicted, expired, or missing after a restart
wrong-database: An application looks in the wrong one of Redis' numbered databases; the data is in another
queue-evicted: Redis evicts queued jobs to make room, because its policy for full memory allows that
exposed-instance: Anyone can reach this Redis without a password, and somebody seems to have used that
replica-link-down: A replica has lost its primary, so its answers are getting old
masterauth-mismatch: A replica can't log in to its primary and never syncs
backlog-too-small: Short interruptions make replicas copy everything again
replica-output-loop: A replica keeps restarting its full copy and never finishes
sync-failed: A replica can't copy its primary's data, no matter how often it tries
failover-stuck: A planned switchover is waiting for a replica, and all writes are held back in the meantime
balancer-over-replicas: One address leads sometimes to the primary and sometimes to a replica, which refuses writes
replica-lag: A replica is behind its primary, so it answers with old data
noreplicas: Redis refuses writes because too few replicas are connected
replica-write-or-stale: A replica refuses what clients ask of it
stale-endpoint: After a failover clients still use the old primary
unexpected-replica: This server became a replica of one that nobody knows; that may be an intrusion
sentinel-noquorum: Too few sentinels are reachable, so no failover can happen
sentinel-no-good-replica: A failover can't happen: no replica is suitable for promotion
slowness-failover: Sentinel mistakes a slow server for a dead one and fails over
split-brain: Two servers act as the primary, and writes to one of them will be lost
cluster-slots-down: Part of the cluster's data has no server
non-cluster-client: A client doesn't know that this is a cluster
open-slot: A move of data between cluster nodes was left unfinished
hot-shard: One node of the cluster carries most of the load
script-missing: An application calls scripts or functions that Redis lacks since a restart, failover or flush
client-errors: An application sends commands that Redis answers with an error
config-drift: The running configuration differs from the file and will be lost at a restart
diagnostics-disabled: Redis' slow log is switched off, so slow commands can't be seen
auth-failure: Redis refuses logins or commands: a password, user or permission is wrong
tls-mismatch: One side speaks TLS and the other doesn't, or doesn't trust the certificate
packet-loss: The network loses packets
path-latency: The network path to Redis is slow, not Redis itself
bandwidth-cap: The network link is full
thp: Transparent huge pages make saving slow and costly
pool-exhausted: The application's connection pool is exhausted; Redis itself is idle
blocking-in-pool: Commands that wait (such as BLPOP) occupy the application's whole connection pool
client-starved: The application itself is too busy to read Redis' answers in time
retry-storm: Retries keep the load up long after the original problem ended
managed-maintenance: The service that runs Redis restarts or replaces its nodes
managed-failover: The service that runs Redis made another node the primary
managed-scaling: The service that runs Redis is changing the size or number of its nodes
managed-network-allowance: The node is too small for its traffic: the service drops packets
managed-cpu-credits: The node has used up its CPU credits and is slowed down
managed-throttled: The service that runs Redis holds commands back because the load is too high
managed-settings-pending: A changed setting doesn't apply yet: the service's nodes wait for a reboot
bound-elsewhere: Redis listens on a different address from the one in use
announced-address-unreachable: The deployment gives its clients an address at which nothing answers
"""
MEANINGS: Mapping[str, str] = {
    name: meaning for name, _, meaning in (line.partition(": ") for line in _TABLE.splitlines() if line)
}
"""By cause id; without a full stop."""
EVICTED = "Redis wrote more to its pod's disk than it may, and the pod was evicted for it"
"""What a full disk means where it wasn't full for the server, but over the pod's limit."""
TAKES_WRITES = "replica-read-only", "no"
"""The setting with which a replica refuses nothing."""
_FULL = ("bgsave-disk-full", "aof-disk-full")
_BY_FIELD: Mapping[tuple[str, str], str] = {
    ("nonkey-memory", "slowlog-max-len"): "The slow log, not data, takes up the memory",
    ("client-paused", "shutdown_in_milliseconds"): (
        "Redis is shutting down and holds writes back until its replicas have caught up"
    ),
    ("config-drift", "config_rewrite_failed.count"): (
        "Redis can't write its configuration file, so a restart brings old values back"
    ),
    ("replica-link-down", "primary_timeout.count"): "A replica keeps giving up the link to its primary",
    ("process-down", "stops.count"): "Something outside Redis ends it soon after each start",
    ("nonkey-memory", "sub_max"): "Subscriptions, not data, take up the memory",
    ("stream-backlog", "redelivered"): "Jobs in a stream fail again and again, and hold up those behind them",
}
"""What a cause means where its evidence has that field, or one whose last part it is."""
_BY_VALUE: Mapping[tuple[str, str, str], str] = {
    ("replica-write-or-stale", *TAKES_WRITES): (
        "Clients write to a replica, which accepts that, and nobody else ever sees those writes"
    ),
    ("eviction-churn", "role", "slave"): "A replica evicts keys by itself, which its primary still has",
}
"""The same where that field has that value."""


def meaning_of(cause: Cause) -> str | None:
    """What a cause that was found means, without a full stop; null for one that has no words."""
    if cause.id in _FULL and any(one.field == "evicted.own_disk" for one in cause.evidence):
        return EVICTED
    if cause.id == "unexpected-replica" and "there is no primary" in cause.why:
        return "There is no primary: a server replicates from itself, or two from each other"
    for one in cause.evidence:
        names = (one.field, one.field.rpartition(".")[2])
        meant = next((_BY_FIELD[cause.id, name] for name in names if (cause.id, name) in _BY_FIELD), None)
        if meant := meant or _BY_VALUE.get((cause.id, one.field, str(one.value))):
            return meant
    return MEANINGS.get(cause.id)
