"""Which cache or cluster of AWS an address names."""

import re
from typing import NamedTuple

from tools.errors import UsageError
from tools.providers.found import Place

_AREAS = {"n": "north", "s": "south", "e": "east", "w": "west", "c": "central"}
_SHORT = re.compile(r"([a-z]{2}?)(g?)((?:n|s)?(?:e|w)|n|s|c)(\d)")
_REGION = re.compile(r"[a-z]{2,4}(?:-[a-z]{2,4})?(?:-[a-z]+)+-\d")
_NAME = re.compile(r"[a-z][a-z0-9-]{0,63}")
_REGION_AND_NAME = re.compile(r"([a-z0-9-]+)/([a-zA-Z][a-zA-Z0-9-]{0,63})")
ROLES = frozenset(("master", "replica", "clustercfg"))
"""The first label of an endpoint with encryption in transit."""
REMEDY = 'give provider = "REGION/NAME" in its settings, such as "eu-west-1/sessions"'


class AwsPlace(NamedTuple):
    """What an address says of the resource behind it."""

    service: str
    region: str
    group: str = ""
    """A replication group, or a cluster of MemoryDB."""
    node: str = ""
    """One node of it, or a cache that is in no group."""
    serverless: str = ""
    host: str = ""
    """The address by which the resource is proven to be the one; empty where a person named it."""

    @property
    def name(self) -> str:
        """What it's called, as far as the address says."""
        return self.serverless or self.group or self.node


def aws_place(place: Place) -> AwsPlace:
    """What is known of the resource. Raises `UsageError` if that isn't enough."""
    if place.named:
        found = _REGION_AND_NAME.fullmatch(place.named)
        if not found or not _REGION.fullmatch(found[1]):
            raise UsageError(f"provider: {place.named!r} is no REGION/NAME; {REMEDY}")
        return AwsPlace(place.service, found[1], group=found[2].lower())
    host = re.sub(r":\d+$", "", place.host).rstrip(".").lower()
    made = _of_memorydb(host) if place.service == "memorydb" else _of_elasticache(host)
    if made is None:
        raise UsageError(f"the address doesn't say which resource of AWS it is; {REMEDY}")
    return made


def _of_memorydb(host: str) -> AwsPlace | None:
    # clustercfg.NAME.HASH.memorydb.REGION.amazonaws.com, and NODE in place of clustercfg
    found = re.fullmatch(
        r"([a-z0-9-]+)\.([a-z0-9-]+)\.[a-z0-9]+\.memorydb\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?", host
    )
    if not found or not _REGION.fullmatch(found[3]):
        return None
    node = "" if found[1] in ROLES else found[1]
    return AwsPlace("memorydb", found[3], group=found[2], node=node, host=host)


def _of_elasticache(host: str) -> AwsPlace | None:
    found = re.fullmatch(r"([a-z0-9.-]+)\.([a-z0-9]+)\.cache\.amazonaws\.com(?:\.cn)?", host)
    region = long_name(found[2]) if found else None
    if found is None or region is None:
        return None
    labels = found[1].split(".")
    made = AwsPlace("elasticache", region, host=host)
    match labels:
        case [name, "serverless"]:
            return made._replace(serverless=name.rpartition("-")[0])
        case [role, name, _] if role in ROLES:
            return made._replace(group=name)
        case [name, _, "clustercfg"]:
            return made._replace(group=name)
        case [name, _, "ng", _]:
            return made._replace(group=name.removesuffix("-ro"))
        case [node, _, number] if number.isdecimal():
            return made._replace(node=node)
        case [node, name, _]:
            return made._replace(group=name, node=node)
    return None


def long_name(short: str) -> str | None:
    """A region by the short form that addresses of ElastiCache have, such as use1; None for what isn't one."""
    found = _SHORT.fullmatch(short)
    if not found:
        return None
    where = "".join(_AREAS[letter] for letter in found[3])
    return f"{found[1]}-{'gov-' if found[2] else ''}{where}-{found[4]}"
