"""What the activity log, the health and the state of a cache of Azure say of what was done to it."""

from collections.abc import Iterator, Mapping
from typing import Any

from tools.providers import names
from tools.providers.found import Event, EventKind, Setting
from tools.providers.rest import dig, moment, some
from tools.records import Scalar

_OPERATIONS: Mapping[str, tuple[EventKind, str]] = {
    "forcereboot/action": ("maintenance", "reboot-requested"), "flush/action": ("other", "flush-requested"),
    "flushcache/action": ("other", "flush-requested"), "import/action": ("other", "import-requested"),
    "export/action": ("backup", "backup-requested"), "regeneratekey/action": ("other", "keys-regenerated"),
    "upgradedbredisversion/action": ("patch", "update"), "databases/write": ("parameter-change", "parameters-changed"),
    "patchschedules/write": ("other", "maintenance-postponed"), "firewallrules/write": ("other", "network-changed"),
    "firewallrules/delete": ("other", "network-changed"), "redis/write": ("other", "update-requested"),
    "redisenterprise/write": ("other", "update-requested"), "redis/delete": ("other", "deleted"),
    "redisenterprise/delete": ("other", "deleted"), "stop/action": ("maintenance", "node-stopped"),
    "start/action": ("maintenance", "node-restarted"),
}  # fmt: skip
"""How the name of an operation ends, what it's about, and what it's called here."""
_BEGAN = ("started", "accepted", "succeeded")
_RUNNING, _SCALING = ("succeeded", "running"), ("scaling",)
_CHANGING = ("updating", "linking", "unlinking", "provisioning", "moving", "configuringaad")


def activity_of(entries: list[Mapping[str, Any]]) -> Iterator[Event]:
    """The beginnings of what people and programs had done to a cache, each once."""
    begun: dict[tuple[str, str], Event] = {}
    for one in entries:
        at, name = moment(one.get("eventTimestamp")), str(dig(one, "operationName", "value")).lower()
        if at is None or str(dig(one, "status", "value")).lower() not in _BEGAN:
            continue
        meant = next((row for end, row in _OPERATIONS.items() if name.endswith(f"/{end}")), None)
        # One operation is several entries, from its start to its end.
        mark = str(one.get("correlationId")), name
        if meant is not None and (mark not in begun or at < begun[mark].at):
            begun[mark] = Event(at, *meant)
    yield from begun.values()


def health_of(statuses: list[Mapping[str, Any]]) -> Iterator[Event]:
    """The times at which the service itself had the cache down or degraded, and why."""
    for one in statuses:
        about = one.get("properties")
        state, why = (str(dig(about, key)).lower() for key in ("availabilityState", "reasonType"))
        # The interface misspells it.
        at = moment(dig(about, "occuredTime")) or moment(dig(about, "occurredTime"))
        if at is None or state not in ("unavailable", "degraded"):
            continue
        if why == "planned":
            yield Event(at, "maintenance", "maintenance-started")
        elif why == "unplanned":
            yield Event(at, "maintenance", "unplanned-outage")
        else:
            yield Event(at, "other", f"{state}-by-customer" if why.startswith("user") else state)


def facts_of(resource: Mapping[str, Any]) -> dict[str, Scalar]:
    """What a cache says of itself."""
    properties = resource.get("properties")
    sku = resource.get("sku") if isinstance(resource.get("sku"), dict) else dig(properties, "sku")
    parts = [names.name(dig(sku, key)) for key in ("name", "family")]
    capacity = dig(sku, "capacity")
    size = f"{parts[1]}{capacity}" if parts[1] and isinstance(capacity, int) else ""
    states = [str(dig(properties, key)).lower() for key in ("provisioningState", "resourceState")
              if names.name(dig(properties, key))]  # fmt: skip
    facts: dict[str, Scalar] = {
        "region": names.name(str(resource.get("location")).replace(" ", "").lower()),
        "node_type": "-".join(filter(None, (parts[0], size))), "status": _status(states),
        "engine_version": names.name(dig(properties, "redisVersion")),
        "nodes": len(some(dig(properties, "instances"), 200)) or None,
    }  # fmt: skip
    if any(state in _SCALING for state in states):
        facts["scaling.under_way"] = True
    return facts


def _status(states: list[str]) -> str:
    odd = [one for one in states if one not in _RUNNING]
    if not odd:
        return "available" if states else ""
    return "modifying" if odd[0] in (*_SCALING, *_CHANGING) else odd[0]


_POLICY = ("maxmemory-policy", "evictionPolicy")
_PLAIN = {
    "enableNonSslPort": "non-tls-port", "minimumTlsVersion": "tls-at-least", "clientProtocol": "client-protocol",
    "clusteringPolicy": "clustering-policy", "highAvailability": "high-availability",
    "publicNetworkAccess": "public-network-access", "shardCount": "shards",
}  # fmt: skip


def settings_of(resource: Mapping[str, Any]) -> Iterator[Setting]:
    """The settings of a cache or a database; of Redis' own those that the service names."""
    properties = resource.get("properties")
    redis = dig(properties, "redisConfiguration")
    for name, value in redis.items() if isinstance(redis, dict) else ():
        # Connection strings of storage accounts stand among them.
        if isinstance(value, str) and not any(part in str(name) for part in ("connection-string", "client-id")):
            yield Setting(str(name), value)
    if (policy := names.name(dig(properties, _POLICY[1]))) and isinstance(policy, str):
        yield Setting(_POLICY[0], _as_redis(policy))
    for key, name in _PLAIN.items():
        value = dig(properties, key)
        if isinstance(value, bool):
            yield Setting(name, "yes" if value else "no")
        elif isinstance(value, str | int):
            yield Setting(name, str(value))


def _as_redis(policy: str) -> str:
    """A policy such as AllKeysLRU as Redis writes it."""
    lower = policy.lower()
    kind = next((one for one in ("allkeys", "volatile") if lower.startswith(one)), None)
    return f"{kind}-{lower.removeprefix(kind)}" if kind else lower


def window_of(schedule: Mapping[str, Any]) -> str:
    """When a cache is patched, as far as its owner has said."""
    for one in some(dig(schedule, "properties", "scheduleEntries"), 1):
        hour = one.get("startHourUtc")
        if isinstance(hour, int) and 0 <= hour < 24:
            return names.name(f"{one.get('dayOfWeek')}:{hour:02}:00")
    return ""
