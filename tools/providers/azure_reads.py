"""What Azure Resource Manager is asked: GET of these paths and nothing else, and the role that allows them."""

import json
from typing import NamedTuple

_GROUP = r"/subscriptions/[0-9a-f-]{36}"
_ID = _GROUP + r"/resourceGroups/[\w.()-]{1,90}/providers/Microsoft\.Cache/(?:redis|redisEnterprise)/[a-z0-9-]{1,63}"


class Read(NamedTuple):
    """One read: the paths that it may have, the permission it takes, and why."""

    path: str
    version: str
    permissions: tuple[str, ...]
    why: str


READS = {
    "subscriptions": Read(
        r"/subscriptions", "2022-12-01", ("Microsoft.Resources/subscriptions/read",), "where the cache is",
    ),
    "find": Read(
        _GROUP + "/resources", "2021-04-01", ("Microsoft.Resources/subscriptions/resources/read",), "the same",
    ),
    "redis": Read(_ID, "2024-11-01", ("Microsoft.Cache/redis/read",), "Azure Cache for Redis: its state and settings"),
    "managed": Read(
        _ID, "2025-07-01", ("Microsoft.Cache/redisEnterprise/read",), "Azure Managed Redis: its state",
    ),
    "database": Read(
        _ID + "/databases/default", "2025-07-01", ("Microsoft.Cache/redisEnterprise/databases/read",), "its settings",
    ),
    "schedule": Read(
        _ID + "/patchSchedules/default", "2024-11-01", ("Microsoft.Cache/redis/patchSchedules/read",),
        "when it is patched",
    ),
    "figures": Read(
        _ID + r"/providers/Microsoft\.Insights/metrics", "2024-02-01", ("Microsoft.Insights/metrics/read",),
        "the figures of Azure Monitor",
    ),
    "activity": Read(
        _GROUP + r"/providers/Microsoft\.Insights/eventtypes/management/values", "2015-04-01",
        ("Microsoft.Insights/eventtypes/values/read",), "what was done to it",
    ),
    "health": Read(
        _ID + r"/providers/Microsoft\.ResourceHealth/availabilityStatuses", "2020-05-01",
        ("Microsoft.ResourceHealth/availabilityStatuses/read",), "maintenance and outages",
    ),
}  # fmt: skip
"""By what is read. Access keys are another permission, which isn't asked for."""
PATHS = tuple(one.path for one in READS.values())


def role() -> str:
    """The role that allows the reads, as JSON for `az role definition create`."""
    actions = [permission for one in READS.values() for permission in one.permissions]
    return json.dumps(
        {
            "Name": "rediagnose reader", "IsCustom": True,
            "Description": "Reads the state, the figures and the events of managed Redis; no keys, no data.",
            "Actions": actions, "NotActions": [], "AssignableScopes": ["/subscriptions/SUBSCRIPTION"],
        },
        indent=2,
    )  # fmt: skip
