"""All faults, by id."""

from evals.lab.fault import Fault
from evals.lab.faults import (
    access,
    benign,
    buffers,
    clients,
    connectivity,
    cpu,
    encryption,
    far,
    limits,
    network,
    waiting,
)

FAULTS: dict[str, Fault] = {
    id: fault
    for module in (connectivity, far, clients, limits, buffers, waiting, cpu, access, encryption, network, benign)
    for id, fault in module.FAULTS.items()
}
"""In the order of the taxonomy."""
