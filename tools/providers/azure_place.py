"""Which cache of Azure an address or a resource's id names."""

import re
from typing import NamedTuple

from tools.errors import UsageError
from tools.providers.found import Place

KINDS = {"azure": "redis", "azure-managed": "redisEnterprise"}
"""The type of each service's resources in Microsoft.Cache."""
_CLOUDS = {"chinacloudapi.cn": "management.chinacloudapi.cn", "usgovcloudapi.net": "management.usgovcloudapi.net"}
PUBLIC = "management.azure.com"
ID = re.compile(
    r"/subscriptions/([0-9a-f-]{36})/resourceGroups/([\w.()-]{1,90})/providers/Microsoft\.Cache/"
    r"(redis|redisEnterprise)/([a-z0-9-]{1,63})",
    re.IGNORECASE,
)
REMEDY = (
    'give provider = "/subscriptions/.../resourceGroups/.../providers/Microsoft.Cache/redis/NAME" in its settings, '
    "as `az redis show --query id` prints it"
)


class AzurePlace(NamedTuple):
    """What is known of the resource before anything is asked."""

    service: str
    name: str
    manager: str
    """The host of the cloud's Resource Manager."""
    id: str = ""
    """Empty where it's looked for by its name."""
    host: str = ""
    """The address by which the resource is proven to be the one; empty where a person named it."""

    @property
    def kind(self) -> str:
        """The type of the resource."""
        return KINDS[self.service]


def azure_place(place: Place) -> AzurePlace:
    """What is known of the resource. Raises `UsageError` if that isn't enough."""
    host = re.sub(r":\d+$", "", place.host).rstrip(".").lower()
    manager = next((there for end, there in _CLOUDS.items() if host.endswith(f".{end}")), PUBLIC)
    if place.named:
        found = ID.fullmatch(place.named)
        if not found or found[3].lower() != KINDS[place.service].lower():
            raise UsageError(f"provider: {place.named!r} isn't the id of a cache of {place.service}; {REMEDY}")
        return AzurePlace(place.service, found[4], manager, id=place.named)
    first, _, rest = host.partition(".")
    if not re.fullmatch(r"[a-z0-9-]{1,63}", first) or not re.search(r"\.?redis(?:enterprise)?\b", rest):
        raise UsageError(f"the address doesn't say which cache of Azure it is; {REMEDY}")
    return AzurePlace(place.service, first, manager, host=host)
