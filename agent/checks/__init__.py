"""The checks: pure functions from readings and thresholds to findings."""

from agent.checks import (
    access,
    addresses,
    amounts,
    appendonly,
    client_errors,
    clients,
    clientside,
    cluster,
    connectivity,
    cpu,
    data,
    errors,
    exposure,
    failover,
    footprint,
    greetings,
    growth,
    host,
    in_vain,
    info_alone,
    kubernetes,
    lasting_keys,
    log_alone,
    machine_alone,
    managed,
    memory,
    network,
    outside,
    persistence,
    places,
    replication,
    resets,
    saving,
    settings,
    stalls,
    starting,
    subscriptions,
    unread_lists,
    who,
)
from agent.checks.types import Check, Family, Found, Limits, Placeholder

FAMILIES: tuple[Family, ...] = tuple(
    module.FAMILY
    for module in (
        connectivity, clients, resets, cpu, stalls, memory, lasting_keys, footprint, growth, persistence, saving,
        appendonly, starting, data, exposure, replication, failover, cluster, errors, settings, access, network, host,
        clientside, addresses, outside, in_vain, kubernetes, managed, info_alone, log_alone, machine_alone,
        client_errors, subscriptions, unread_lists, greetings,
    )
)  # fmt: skip
"""In the order in which equally likely findings are listed."""
CHECKS: tuple[Check, ...] = tuple(check for family in FAMILIES for check in family.checks)
NEEDS: dict[str, tuple[str, ...]] = {cause: tools for family in FAMILIES for cause, tools in family.needs.items()}
"""The tools whose readings each cause can't be recognised without."""
CONSEQUENCES: dict[str, dict[str, float]] = {}
"""What each cause explains away, across all families."""
for _family in FAMILIES:
    for _cause, _effects in _family.consequences.items():
        CONSEQUENCES.setdefault(_cause, {}).update(_effects)
PLACEHOLDERS: tuple[Placeholder, ...] = (
    *(one for family in FAMILIES for one in family.placeholders), *who.PLACEHOLDERS, *places.PLACEHOLDERS,
    *amounts.PLACEHOLDERS,
)  # fmt: skip


__all__ = [
    "CHECKS", "CONSEQUENCES", "FAMILIES", "NEEDS", "PLACEHOLDERS", "Check", "Family", "Found", "Limits", "Placeholder",
]  # fmt: skip
