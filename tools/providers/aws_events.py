"""What the events of ElastiCache and MemoryDB mean, by the words in which they're documented."""

import re
from typing import Any

from tools.patterns import deferred
from tools.providers import names
from tools.providers.found import Event, EventKind

_TABLE: tuple[tuple[str, EventKind, str], ...] = (
    # AmazonElastiCache/latest/dg/ElastiCacheSNS, API_TestFailover, memorydb/latest/devguide/memorydbsns
    (r"Failover (?:from (?:primary|master) node \S+ )?to replica node \S+ completed", "failover", "failover-complete"),
    (r"(?:Test Failover|FailoverShard) API called", "failover", "failover-requested"),
    (r"Starting failover for shard", "failover", "failover-started"),
    (r"Recovering (?:cache )?nodes?\b", "node-replaced", "node-recovering"),
    (r"Finished recovery for (?:cache )?nodes?\b", "node-replaced", "node-recovered"),
    (r"The node with .{0,300}?is scheduled for replacement", "other", "replacement-announced"),
    (r"The replacement .{0,300}?(?:re-?scheduled|cancell?ed)", "other", "replacement-postponed"),
    (r"(?:Cache )?[Nn]ode \S+ restarted", "maintenance", "node-restarted"),
    (r"(?:Cache )?[Nn]ode \S+ shutdown", "maintenance", "node-stopped"),
    (r"Succeeded applying modification to (?:cache )?node type", "scaling", "node-type-changed"),
    (r"Failed applying modification to (?:cache )?node type", "scaling", "node-type-failed"),
    (r"Applying modification to (?:cache )?node type", "scaling", "node-type-changing"),
    (r"(?:Finished modifying|Modified) number of nodes", "scaling", "node-count-changed"),
    (r"Failed to modify number of nodes", "scaling", "node-count-failed"),
    (r"Added (?:cache )?node", "scaling", "node-added"),
    (r"Removed (?:cache )?nodes?", "scaling", "node-removed"),
    (r".{0,300}?\b(?:reshard|slot migration|rebalanc)", "scaling", "resharding"),
    (r"Updated (?:parameter|to use a (?:Cache)?ParameterGroup)", "parameter-change", "parameters-changed"),
    (r"Snapshot succeeded", "backup", "backup-complete"),
    (r"Snapshot failed", "backup", "backup-failed"),
    (r".{0,300}?\b(?:service update|engine version)\b", "patch", "update"),
)
"""How the message of an event begins, what it's about, and what it's called here."""
_TITLES: dict[str, tuple[EventKind, str]] = {
    "FailoverComplete": ("failover", "failover-complete"),
    "CacheNodeReplaceStarted": ("node-replaced", "node-recovering"),
    "CacheNodeReplaceComplete": ("node-replaced", "node-recovered"),
    "CacheNodesRebooted": ("maintenance", "node-restarted"),
    "CacheClusterScalingComplete": ("scaling", "node-type-changed"),
    "CacheClusterScalingFailed": ("scaling", "node-type-failed"),
    "AddCacheNodeComplete": ("scaling", "node-added"),
    "AddCacheNodeFailed": ("scaling", "node-count-failed"),
    "RemoveCacheNodeComplete": ("scaling", "node-removed"),
    "CacheClusterParametersChanged": ("parameter-change", "parameters-changed"),
    "SnapshotComplete": ("backup", "backup-complete"),
    "SnapshotFailed": ("backup", "backup-failed"),
    "NodeReplacementScheduled": ("other", "replacement-announced"),
    "NodeReplacementRescheduled": ("other", "replacement-postponed"),
    "NodeReplacementCanceled": ("other", "replacement-postponed"),
}
"""The same by the titles of the notifications, which stand in front of the name of a cache."""
_TITLE = re.compile(r"(?:ElastiCache|MemoryDB):([A-Za-z]{1,60})\b")
_SAID = tuple((deferred(words, re.IGNORECASE), kind, event) for words, kind, event in _TABLE)
MOST = 2000
"""Characters of a message that are looked at."""


def event_of(given: Any, source: str) -> Event | None:
    """An event as both services describe it; None without a moment. `source` is the key of its source's name."""
    if not isinstance(given, dict) or (at := names.moment(given.get("Date"))) is None:
        return None
    kind, called = meaning(given.get("Message"))
    return Event(at, kind, called, names.name(given.get(source)))


def meaning(message: object) -> tuple[EventKind, str]:
    """What a message is about, and what it's called."""
    text = message[:MOST].strip() if isinstance(message, str) else ""
    if (title := _TITLE.match(text)) and title[1] in _TITLES:
        return _TITLES[title[1]]
    return next(((kind, event) for words, kind, event in _SAID if words.match(text)), ("other", "other"))
