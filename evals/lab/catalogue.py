"""All faults, by id."""

from evals.lab.fault import Fault
from evals.lab.faults import (
    access,
    addresses,
    attacks,
    benign,
    buffers,
    clients,
    clientside,
    cluster,
    connectivity,
    copies,
    cpu,
    data,
    disputed,
    double,
    earlier,
    electing,
    encryption,
    ended,
    failover,
    far,
    growing,
    host,
    limits,
    lost,
    memory,
    mistaken,
    modules,
    moments,
    moved,
    moving_slots,
    network,
    node_settings,
    past,
    persistence,
    quiet,
    readdressed,
    repairable,
    replication,
    settings,
    stalls,
    swapped,
    syncs,
    two_channels,
    vain,
    waiting,
)

_FAMILIES = (
    connectivity, far, clients, limits, buffers, waiting, cpu, modules, stalls, memory, growing, quiet, persistence,
    data, lost, swapped, replication, syncs, two_channels, failover, copies, moved, past, cluster, readdressed,
    electing, disputed, moving_slots, mistaken, access, encryption, settings, network, host, clientside, addresses,
    vain, benign, moments, double, attacks, earlier, node_settings, ended,
)  # fmt: skip
_TWINS = {
    "process-down": "firewall-reject-refused", "process-frozen": "client-paused-all",
    "loading-dataset": "process-down", "listen-backlog-overflow": "packet-loss",
    "listen-backlog-overflow-frozen": "process-frozen", "firewall-drop": "listen-backlog-overflow-frozen",
    "firewall-reject": "healthy-load", "protected-mode-denied": "tls-mismatch-plain-client",
    "maxclients-exhausted": "fd-limit-clamp", "maxclients-exhausted-for-good": "fd-limit-clamp",
    "leak-until-refused": "fd-limit-clamp", "connection-leak": "healthy-pool",
    "connection-leak-standing": "healthy-pool", "fd-limit-clamp": "maxclients-exhausted",
    "fd-limit-clamp-at-run-time": "healthy-load", "connection-churn": "cpu-saturated",
    "slow-consumer-output": "query-buffer-hog", "slow-consumer-output-dropped": "client-evicted",
    "slow-consumer-output-normal": "query-buffer-hog", "query-buffer-hog": "slow-consumer-output",
    "client-evicted": "idle-timeout", "client-paused": "fsync-always-slow", "client-paused-all": "process-frozen",
    "idle-timeout": "idle-drop-by-network-reset", "idle-drop-by-network": "idle-timeout",
    "idle-drop-by-network-reset": "idle-timeout", "lua-busy": "process-frozen", "lua-busy-fresh": "client-paused-all",
    "lua-busy-function": "process-frozen", "lua-unkillable": "process-frozen", "lua-unkillable-tried": "healthy-load",
    "slow-on-command": "packet-loss", "slow-on-command-sort": "huge-exec",
    "slow-on-command-big-key": "big-key-delete", "cpu-saturated": "connection-churn", "auth-failure": "healthy-load",
    "auth-failure-no-password": "healthy-load", "auth-failure-application": "maxclients-exhausted",
    "auth-failure-permissions": "oom-noeviction", "tls-mismatch": "healthy-load",
    "tls-mismatch-plain-client": "protected-mode-denied", "tls-mismatch-untrusted": "healthy-load",
    "path-latency": "cpu-saturated", "replica-link-down-lost": "replica-lag", "replica-masterdown": "healthy-replicas",
    "healthy-load": "cpu-saturated", "healthy-workers": "client-paused", "healthy-pool": "connection-leak",
    "healthy-subscribers": "slow-consumer-output", "healthy-old-slowlog": "slow-on-command",
    "healthy-old-counters": "maxclients-exhausted", "healthy-slowlog-off": "slow-on-command-sort",
    "healthy-snapshot": "fork-stall", "healthy-short-sessions": "mass-expiry", "healthy-stream": "stream-backlog",
    "healthy-new-and-empty": "aof-enabled-by-restart", "healthy-truncated-tail": "aof-enabled-by-restart",
    "healthy-disk-was-slow": "fsync-everysec-slow", "healthy-snapshot-memory": "cow-blowup",
    "healthy-after-a-failed-save": "bgsave-disk-full", "healthy-replicas": "replica-lag",
    "healthy-failover": "slowness-failover", "healthy-cluster": "hot-shard", "healthy-resharding": "open-slot",
}  # fmt: skip
"""Of faults whose twin is in another module: one about which the same could be reported. A server that is well by the
time that somebody looks is a twin as good as any."""


def _twinned(fault: Fault) -> Fault:
    return fault if fault.twin else fault.model_copy(update={"twin": _TWINS.get(fault.id, "")})


FAULTS: dict[str, Fault] = {id: _twinned(fault) for module in _FAMILIES for id, fault in module.FAULTS.items()}
"""In the order of the taxonomy."""
EVERY: dict[str, Fault] = {**FAULTS, **repairable.FAULTS}
"""With those that are there to be repaired only, and that no recording is of."""
