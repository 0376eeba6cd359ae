"""What the operations and the state of an instance of Memorystore say of what its provider did."""

from collections.abc import Iterator, Mapping
from typing import Any

from tools.providers import names
from tools.providers.found import Event, EventKind, Setting, Window
from tools.providers.rest import dig, moment, some
from tools.records import Scalar

_VERBS: Mapping[str, tuple[EventKind, str, str]] = {
    # One that the service makes by itself is no operation.
    "failover": ("failover", "failover-requested", "failover-complete"),
    "upgrade": ("patch", "update-under-way", "update-done"),
    "export": ("backup", "backup-started", "backup-complete"),
    "backup": ("backup", "backup-started", "backup-complete"),
    "update": ("other", "update-requested", "update-done"),
    "import": ("other", "import-started", "import-done"), "create": ("other", "creating", "created"),
    "reschedulemaintenance": ("other", "maintenance-postponed", "maintenance-postponed"),
}  # fmt: skip
"""By the verb of an operation: what it's about, and what its start and its end are called."""
_NOW: Mapping[str, tuple[EventKind, str]] = {
    "FAILING_OVER": ("failover", "failover-started"), "REPAIRING": ("node-replaced", "node-recovering"),
    "MAINTENANCE": ("maintenance", "maintenance-started"),
}  # fmt: skip
"""What the state of a resource says of this moment."""
_AVAILABLE, _CHANGING = frozenset(("READY", "ACTIVE")), "UPDATING"


def events_of(operations: list[Mapping[str, Any]], resource: str) -> Iterator[Event]:
    """The starts and the ends of the operations on a resource, which is named in full."""
    for one in operations:
        about = one.get("metadata")
        # The project is its number in some answers, and its id in others.
        if str(dig(about, "target")).partition("/locations/")[2] != resource.partition("/locations/")[2]:
            continue
        verb = str(dig(about, "verb") or "").lower()
        kind, begun, ended = next((row for name, row in _VERBS.items() if verb.startswith(name)),
                                  ("other", "other", "other"))  # fmt: skip
        begins, ends = moment(dig(about, "createTime")), moment(dig(about, "endTime"))
        if begins is not None and begun != ended:
            yield Event(begins, kind, begun)
        if ends is not None and one.get("done") is True:
            yield Event(ends, kind, f"{verb}-failed" if one.get("error") and names.name(verb) else ended)


def state_of(resource: Mapping[str, Any], window: Window) -> Iterator[Event]:
    """What is under way at this moment."""
    begins = moment(dig(resource, "maintenanceSchedule", "startTime"))
    # It's announced long before, and gone from here once it's over.
    if begins is not None and begins <= window.ends:
        yield Event(begins, "maintenance", "maintenance-started")
    if (now := _NOW.get(str(resource.get("state")))) is not None:
        yield Event(window.ends, *now)


def facts_of(resource: Mapping[str, Any], location: str) -> dict[str, Scalar]:
    """What a resource of any kind says of itself."""
    nodes = resource.get("replicaCount"), resource.get("shardCount")
    shards, replicas = (one if isinstance(one, int) and not isinstance(one, bool) else None for one in nodes[::-1])
    facts: dict[str, Scalar] = {
        "region": names.name(location), "status": _status(resource),
        "node_type": names.name(resource.get("nodeType") or resource.get("tier")),
        "engine_version": names.name(resource.get("redisVersion") or resource.get("engineVersion")),
        "nodes": (shards or 1) * (1 + (replicas or 0)) if (shards, replicas) != (None, None) else None,
        "maintenance_window": _window(resource),
    }  # fmt: skip
    if dig(resource, "stateInfo", "updateInfo"):
        facts["scaling.under_way"] = True
    return facts


def _status(resource: Mapping[str, Any]) -> str:
    state = names.name(resource.get("state"))
    if state in _AVAILABLE:
        return "available"
    return "modifying" if state == _CHANGING else state.lower().replace("_", "-")


def _window(resource: Mapping[str, Any]) -> str:
    for key in ("weeklyMaintenanceWindow", "weeklyMaintenanceWindows"):
        for one in some(dig(resource, "maintenancePolicy", key), 1):
            hours, minutes = (dig(one, "startTime", unit) or 0 for unit in ("hours", "minutes"))
            if isinstance(hours, int) and isinstance(minutes, int) and 0 <= hours < 24 and 0 <= minutes < 60:
                return names.name(f"{one.get('day')}:{hours:02}:{minutes:02}")
    return ""


def settings_of(resource: Mapping[str, Any]) -> Iterator[Setting]:
    """The parameters that were set: those at their defaults aren't listed."""
    for key in ("redisConfigs", "engineConfigs"):
        for name, value in (dig(resource, key) or {}).items() if isinstance(resource.get(key), dict) else ():
            if isinstance(value, str | int):
                yield Setting(str(name), str(value))
