"""Which instance of Memorystore is asked about, and how each kind of it is written."""

import re
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from tools.errors import UsageError
from tools.providers.found import Place
from tools.providers.google_reads import CLUSTER, REDIS, VALKEY, Rights
from tools.providers.rest import dig, some

_ID = r"(?:[a-z0-9.-]+:)?[a-z0-9][a-z0-9-]{4,28}[a-z0-9]"
_NAMED = re.compile(rf"projects/({_ID})/locations/([a-z0-9-]{{2,40}})/(instances|clusters)/([a-z][a-z0-9-]{{0,63}})")
REMEDY = 'give provider = "projects/PROJECT/locations/REGION/instances/NAME" in its settings'


class Product(NamedTuple):
    """One kind of Memorystore."""

    interface: Literal["redis", "memorystore"]
    collection: Literal["instances", "clusters"]
    rights: Rights
    prefix: str
    """How its figures begin."""
    label: str
    """The label of its figures that has its name."""
    region: str
    """The one that has its region."""


PRODUCTS: Mapping[str, Product] = {
    "memorystore": Product("redis", "instances", REDIS, "redis.googleapis.com/", "instance_id", "region"),
    "memorystore-cluster": Product(
        "redis", "clusters", CLUSTER, "redis.googleapis.com/cluster/", "cluster_id", "location"
    ),
    "memorystore-valkey": Product(
        "memorystore", "instances", VALKEY, "memorystore.googleapis.com/instance/", "instance_id", "location"
    ),
}


class GooglePlace(NamedTuple):
    """What is known of the resource before anything is asked."""

    service: str
    host: str
    project: str = ""
    location: str = ""
    name: str = ""
    """Empty where it's looked for by its address."""

    @property
    def product(self) -> Product:
        """The kind of Memorystore."""
        return PRODUCTS[self.service]


def google_place(place: Place) -> GooglePlace:
    """What is known of the resource. Raises `UsageError` if its settings name something else."""
    made = GooglePlace(place.service, re.sub(r":\d+$", "", place.host).strip("[]").rstrip(".").lower())
    if place.named is None:
        return made
    found = _NAMED.fullmatch(place.named)
    wanted = PRODUCTS[place.service].collection
    if not found or found[3] != wanted:
        shown = REMEDY.replace("instances", wanted)
        raise UsageError(f"provider: {place.named!r} is no name of {place.service}'s; {shown}")
    return made._replace(project=found[1], location=found[2], name=found[4])


def is_full_name(name: str, product: Product) -> bool:
    """Whether a name of an answer is one of this kind's."""
    return re.fullmatch(rf"projects/{_ID}/locations/[a-z0-9-]+/{product.collection}/[a-z0-9-]+", name) is not None


def addresses(resource: Mapping[str, Any]) -> frozenset[str]:
    """The addresses at which a resource of any kind is reached."""
    ends: list[Any] = [resource.get("host"), resource.get("readEndpoint")]
    for one in some(resource.get("discoveryEndpoints")):
        ends.append(one.get("address"))
    for one in some(resource.get("pscConnections")):
        ends.append(one.get("address"))
    for each in some(resource.get("endpoints")) + some(resource.get("clusterEndpoints")):
        for one in some(each.get("connections")):
            for way in ("pscAutoConnection", "pscConnection"):
                ends += [dig(one, way, key) for key in ("ipAddress", "address")]
    return frozenset(one.lower() for one in ends if isinstance(one, str) and one)
