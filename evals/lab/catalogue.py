"""All faults, by id."""

from evals.lab.fault import Fault
from evals.lab.faults import (
    access,
    attacks,
    benign,
    buffers,
    clients,
    clientside,
    cluster,
    connectivity,
    cpu,
    double,
    encryption,
    failover,
    far,
    host,
    limits,
    memory,
    network,
    persistence,
    replication,
    settings,
    stalls,
    waiting,
)

_FAMILIES = (
    connectivity, far, clients, limits, buffers, waiting, cpu, stalls, memory, persistence, replication, failover,
    cluster, access, encryption, settings, network, host, clientside, benign, double, attacks,
)  # fmt: skip
FAULTS: dict[str, Fault] = {id: fault for module in _FAMILIES for id, fault in module.FAULTS.items()}
"""In the order of the taxonomy."""
