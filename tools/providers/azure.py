"""Azure Cache for Redis and Azure Managed Redis by Azure Resource Manager, read with the usual chain of credentials."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from tools.clock import iso_time
from tools.connection.managed import services
from tools.errors import Unanswered
from tools.providers import azure_events, azure_figures
from tools.providers.azure_place import ID, AzurePlace, azure_place
from tools.providers.azure_reads import PATHS, READS
from tools.providers.found import Event, Figure, Found, Part, Place, Window
from tools.providers.pieces import Job, Piece, done, end_of, found, once, together
from tools.providers.rest import Listed, Rest, checked_base, dig
from tools.tasks import in_thread

INSTALL = "pip install 'rediagnose[azure]'"
BASE = "REDIAGNOSE_AZURE_ENDPOINT"
"""The variable that names another Resource Manager than the cloud's."""
MOST_SUBSCRIPTIONS = 8
_RIGHTS = "`rediagnose acl --azure` prints a role"
_PAGE = Listed("value", "nextLink")


class Azure:
    """A cache of Azure."""

    def __init__(self, place: Place, base: str | None = None, environ: Mapping[str, str] = os.environ) -> None:
        """Raises `UsageError` if it isn't known which one."""
        self.place: AzurePlace = azure_place(place)
        given = base or environ.get(BASE)
        self._base = checked_base(given, BASE) if given else f"https://{self.place.manager}"
        self._token: Callable[[], str] | None = None

    @property
    def what(self) -> str:
        """What is asked about, for a person."""
        return f"{services()[self.place.service].name} {self.place.name}"

    async def prepare(self) -> None:
        """Load what asks, and find credentials. Raises `Unanswered`."""
        if self._token is None:
            self._token = await in_thread(lambda: _connected(self.place.manager))

    async def look(self, window: Window, seconds: float) -> Found:
        """One look. Raises `Unanswered` if there is no such resource."""
        await self.prepare()
        assert self._token is not None
        ends, silent = end_of(seconds), f"Azure said nothing about {self.what} within {seconds:g} s"
        async with Rest("Azure", once(self._token), PATHS, _RIGHTS) as rest:
            id, resource = await found(self._found(rest), ends, silent)
            first = Piece(azure_events.facts_of(resource), settings=tuple(azure_events.settings_of(resource)))
            pieces = await done(self._jobs(rest, id, window), ends)
            return together("azure", self.place.service, id.rpartition("/")[2], [first, *pieces])

    async def _found(self, rest: Rest) -> tuple[str, Mapping[str, Any]]:
        """The id of the resource, and the resource."""
        kind = "redis" if self.place.service == "azure" else "managed"
        if self.place.id:
            return self.place.id, await self._get(rest, kind, self.place.id)
        for id in await self._named(rest):
            resource = await self._get(rest, kind, id)
            if str(dig(resource, "properties", "hostName")).lower() == self.place.host:
                return id, resource
        raise Unanswered("not-recorded", f"no cache that this identity sees has the address {self.place.host}")

    async def _named(self, rest: Rest) -> list[str]:
        """The ids of the resources that have the name, in whatever subscription."""
        rows = await rest.items(self._base, "/subscriptions", _PAGE, "its subscriptions", **_version("subscriptions"))
        there = [str(one.get("id")) for one in rows[:MOST_SUBSCRIPTIONS]]
        wanted = f"resourceType eq 'Microsoft.Cache/{self.place.kind}' and name eq '{self.place.name}'"
        query = {**_version("find"), "$filter": wanted}
        lists = await asyncio.gather(*(
            rest.items(self._base, f"{id}/resources", _PAGE, self.what, **query)
            for id in there if ID.fullmatch(f"{id}/resourceGroups/g/providers/Microsoft.Cache/redis/n")
        ))  # fmt: skip
        ids = (str(one.get("id")) for found in lists for one in found)
        return [id for id in ids if (match := ID.fullmatch(id)) and match[3].lower() == self.place.kind.lower()][:4]

    async def _get(self, rest: Rest, read: str, id: str, below: str = "", **query: str) -> Mapping[str, Any]:
        return await rest.get(self._base, id + below, self.what, **_version(read), **query)

    def _jobs(self, rest: Rest, id: str, window: Window) -> Sequence[Job]:
        service = self.place.service

        async def figures() -> Piece:
            below = "/providers/Microsoft.Insights/metrics"
            answer = await self._get(rest, "figures", id, below, **azure_figures.asked(service, window))
            return Piece(figures=tuple(azure_figures.figures(service, answer)))

        async def errors() -> Piece:
            below = "/providers/Microsoft.Insights/metrics"
            answer = await self._get(rest, "figures", id, below, **azure_figures.errors_asked(window))
            found = list(azure_figures.errors(answer, window))
            return Piece(
                figures=tuple(one for one in found if isinstance(one, Figure)),
                events=tuple(one for one in found if isinstance(one, Event)),
            )

        async def activity() -> Piece:
            match = ID.fullmatch(id)
            assert match
            path = f"/subscriptions/{match[1]}/providers/Microsoft.Insights/eventtypes/management/values"
            times = (
                f"eventTimestamp ge '{iso_time(window.events_begin)}' and eventTimestamp le '{iso_time(window.ends)}'"
            )
            query = {**_version("activity"), "$filter": f"{times} and resourceUri eq '{id}'"}
            rows = await rest.items(self._base, path, _PAGE, "its activity log", **query)
            return Piece(events=tuple(azure_events.activity_of(rows)))

        async def health() -> Piece:
            path = f"{id}/providers/Microsoft.ResourceHealth/availabilityStatuses"
            rows = await rest.items(self._base, path, _PAGE, "its health", **_version("health"))
            return Piece(events=tuple(azure_events.health_of(rows)))

        async def database() -> Piece:
            found = await self._get(rest, "database", id, "/databases/default")
            return Piece(settings=tuple(azure_events.settings_of(found)))

        async def schedule() -> Piece:
            try:
                found = await self._get(rest, "schedule", id, "/patchSchedules/default")
            except Unanswered as error:
                if error.kind == "not-recorded":
                    # Most owners have set none.
                    return Piece()
                raise
            return Piece({"maintenance_window": azure_events.window_of(found)})

        own = [_job("settings", "database", database)]
        if service == "azure":
            own = [_job("figures", "figures", errors), _job("updates", "schedule", schedule)]
        parts = _job("figures", "figures", figures), _job("events", "activity", activity)
        return [*parts, _job("events", "health", health), *own]


def _job(part: Part, read: str, ask: Callable[[], Awaitable[Piece]]) -> Job:
    return Job(part, READS[read].permissions[0], ask)


def _version(read: str) -> dict[str, str]:
    return {"api-version": READS[read].version}


def _connected(manager: str) -> Callable[[], str]:
    try:
        # It belongs to an extra, and takes a second to load.
        from tools.providers.azure_token import chained
    except ImportError:
        raise Unanswered("not-recorded", f"what asks Azure isn't installed; {INSTALL}") from None
    token = chained(manager)
    token()
    return token
