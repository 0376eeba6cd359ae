"""Memorystore by Google Cloud's own interfaces, read with Application Default Credentials."""

import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from tools.connection.managed import services
from tools.errors import Unanswered
from tools.providers import google_events, google_figures
from tools.providers.found import Event, Found, Place, Window
from tools.providers.google_figures import METRICS, Metric
from tools.providers.google_place import GooglePlace, addresses, google_place, is_full_name
from tools.providers.google_reads import PATHS, SERIES
from tools.providers.pieces import Job, Piece, done, end_of, found, once, together
from tools.providers.rest import Listed, Rest, checked_base
from tools.tasks import in_thread

INSTALL = "pip install 'rediagnose[google]'"
SAME = 300.0
"""Seconds between a failover and what else of it is seen: figures are of a minute, and come late."""
_OVERRIDES = "CLOUDSDK_API_ENDPOINT_OVERRIDES_"
"""How gcloud's own variables for other base addresses begin."""
_RIGHTS = "`rediagnose acl --google` prints a role"


class Bases(NamedTuple):
    """Where the interfaces are."""

    redis: str = "https://redis.googleapis.com"
    memorystore: str = "https://memorystore.googleapis.com"
    monitoring: str = "https://monitoring.googleapis.com"


def bases(environ: Mapping[str, str] = os.environ) -> Bases:
    """Where they are as gcloud would have it. Raises `UsageError`."""
    given = {
        name: (f"{_OVERRIDES}{name.upper()}", environ.get(f"{_OVERRIDES}{name.upper()}")) for name in Bases._fields
    }
    return Bases(**{name: checked_base(url, source) for name, (source, url) in given.items() if url})


class Google:
    """An instance of Memorystore, or a cluster of it."""

    def __init__(self, place: Place, there: Bases | None = None) -> None:
        """Raises `UsageError` if its settings name something else."""
        self.place: GooglePlace = google_place(place)
        self._bases = there or bases()
        self._token: Callable[[], str] | None = None
        self._project = self.place.project

    @property
    def what(self) -> str:
        """What is asked about, for a person."""
        name = services()[self.place.service].name
        return f"{name} {self.place.name} in {self.place.location}" if self.place.name else f"{name} {self.place.host}"

    async def prepare(self) -> None:
        """Load what asks, and find credentials. Raises `Unanswered`."""
        if self._token is None:
            self._token, project = await in_thread(_connected)
            self._project = self._project or project

    async def look(self, window: Window, seconds: float) -> Found:
        """One look. Raises `Unanswered` if there is no such resource."""
        await self.prepare()
        assert self._token is not None
        ends, silent = end_of(seconds), f"Google Cloud said nothing about {self.what} within {seconds:g} s"
        async with Rest("Google Cloud", once(self._token), PATHS, _RIGHTS) as rest:
            full, resource = await found(self._found(rest), ends, silent)
            _, project, _, location, _, name = full.split("/")
            facts = google_events.facts_of(resource, location)
            first = Piece(
                facts, events=tuple(google_events.state_of(resource, window)),
                settings=tuple(google_events.settings_of(resource)),
            )  # fmt: skip
            pieces = await done(self._jobs(rest, full, project, location, name, window), ends)
            return together("google", self.place.service, name, [first, *_without_doubles(pieces)])

    async def _found(self, rest: Rest) -> tuple[str, Mapping[str, Any]]:
        """The full name of the resource, and the resource."""
        place, product = self.place, self.place.product
        base = getattr(self._bases, product.interface)
        if place.name:
            full = f"projects/{place.project}/locations/{place.location}/{product.collection}/{place.name}"
            return full, await rest.get(base, f"/v1/{full}", self.what)
        if not self._project:
            why = "these credentials have no project, so that nobody can look for the address; set GOOGLE_CLOUD_PROJECT"
            raise Unanswered("not-recorded", why)
        everywhere = f"/v1/projects/{self._project}/locations/-/{product.collection}"
        listed = Listed(product.collection, "nextPageToken", "pageToken")
        for one in await rest.items(base, everywhere, listed, self.what, pageSize="500"):
            if place.host in addresses(one) and is_full_name(full := str(one.get("name")), product):
                return full, one
        why = f"nothing that these credentials see in project {self._project} has the address {place.host}"
        raise Unanswered("not-recorded", why)

    def _jobs(self, rest: Rest, full: str, project: str, location: str, name: str, window: Window) -> list[Job]:
        product = self.place.product
        # The label is the full name of some kinds, and the last part of others.
        whom = (
            f'resource.labels.{product.label}=one_of("{name}","{full}") AND '
            f'resource.labels.{product.region}="{location}"'
        )
        series = partial(self._series, rest, project)
        operations = partial(self._operations, rest, f"/v1/projects/{project}/locations/{location}/operations", full)
        asked = google_figures.uptimes_asked(product.prefix, self.place.service, whom, window)
        return [
            Job("events", product.rights.operations, operations),
            Job("figures", SERIES, partial(_of_nodes, series, asked, window)),
            *(
                Job("figures", SERIES, partial(
                    _of_metric, series, one, google_figures.asked(product.prefix, one, whom, window)))
                for one in METRICS[self.place.service]
            ),
        ]  # fmt: skip

    async def _series(self, rest: Rest, project: str, query: Mapping[str, str]) -> list[Mapping[str, Any]]:
        path, listed = f"/v3/projects/{project}/timeSeries", Listed("timeSeries", "nextPageToken", "pageToken")
        return await rest.items(self._bases.monitoring, path, listed, "its figures", **query)

    async def _operations(self, rest: Rest, path: str, full: str) -> Piece:
        base = getattr(self._bases, self.place.product.interface)
        listed = Listed("operations", "nextPageToken", "pageToken")
        found = await rest.items(base, path, listed, "its operations", pageSize="500")
        return Piece(events=tuple(google_events.events_of(found, full)))


Series = Callable[[Mapping[str, str]], Awaitable[list[Mapping[str, Any]]]]


async def _of_metric(series: Series, metric: Metric, query: Mapping[str, str]) -> Piece:
    found = await series(query)
    figure = google_figures.figure(metric, found)
    return Piece(figures=(figure,) if figure else (), events=tuple(google_figures.resized(metric, found)))


async def _of_nodes(series: Series, query: Mapping[str, str], window: Window) -> Piece:
    return Piece(events=tuple(google_figures.happened(await series(query), window)))


def _without_doubles(pieces: list[Piece]) -> list[Piece]:
    """The parts, operations first, where a failover is one event: it's also a change of roles, and a node's restart."""
    operations, nodes, *rest = pieces
    called = [one.at for one in operations.events if one.kind == "failover"]
    roles = [one for one in nodes.events if one.kind == "failover" and not _near(one, called)]
    failovers = [*called, *(one.at for one in nodes.events if one.kind == "failover")]
    starts = [one for one in nodes.events if one.kind != "failover" and not _near(one, failovers)]
    return [operations, nodes._replace(events=(*roles, *starts)), *rest]


def _near(one: Event, moments: Sequence[float]) -> bool:
    return any(abs(one.at - at) < SAME for at in moments)


def _connected() -> tuple[Callable[[], str], str]:
    try:
        # It belongs to an extra.
        from tools.providers.google_token import default_credentials
    except ImportError:
        raise Unanswered("not-recorded", f"what asks Google Cloud isn't installed; {INSTALL}") from None
    token, project = default_credentials()
    token()
    return token, project
