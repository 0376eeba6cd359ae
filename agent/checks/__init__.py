"""The checks: pure functions from readings and thresholds to findings."""

from agent.checks import (
    access,
    clients,
    clientside,
    cluster,
    connectivity,
    cpu,
    failover,
    host,
    memory,
    network,
    outside,
    persistence,
    replication,
    settings,
    stalls,
)
from agent.checks.types import Check, Consequences, Found, Limits

_FAMILIES = (
    connectivity, clients, cpu, stalls, memory, persistence, replication, failover, cluster, settings, access, network,
    host, clientside, outside,
)  # fmt: skip
CHECKS: tuple[Check, ...] = tuple(check for family in _FAMILIES for check in family.CHECKS)
CONSEQUENCES: dict[str, dict[str, float]] = {}
"""What each cause explains away, of all families."""
for _family in _FAMILIES:
    for _cause, _effects in getattr(_family, "CONSEQUENCES", {}).items():
        CONSEQUENCES.setdefault(_cause, {}).update(_effects)

__all__ = ["CHECKS", "CONSEQUENCES", "Check", "Consequences", "Found", "Limits"]
