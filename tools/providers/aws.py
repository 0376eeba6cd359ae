"""Amazon ElastiCache and MemoryDB by AWS' own interfaces, read with the usual chain of credentials."""

import asyncio
from typing import TYPE_CHECKING

from tools.connection.managed import services
from tools.errors import Unanswered
from tools.providers.aws_place import AwsPlace, aws_place
from tools.providers.found import Found, Place, Refused, Window
from tools.tasks import in_thread

if TYPE_CHECKING:
    from tools.providers.aws_calls import Calls
    from tools.providers.aws_parts import Job, Piece, Resource

INSTALL = "pip install 'rediagnose[aws]'"
LEAST = 0.2
"""Seconds of a look that are left for putting together what was found."""


class Aws:
    """A cache of ElastiCache, or a cluster of MemoryDB."""

    def __init__(self, place: Place) -> None:
        """Raises `UsageError` if it isn't known which one."""
        self.place: AwsPlace = aws_place(place)
        self._profile = place.profile
        self._calls: Calls | None = None

    @property
    def what(self) -> str:
        """What is asked about, for a person."""
        return f"{services()[self.place.service].name} {self.place.name} in {self.place.region}"

    async def prepare(self) -> None:
        """Load what asks, and find credentials. Raises `Unanswered`."""
        if self._calls is None:
            self._calls = await in_thread(self._connected)

    def _connected(self) -> "Calls":
        try:
            # It belongs to an extra, and takes half a second to load.
            from tools.providers.aws_calls import Calls
        except ImportError:
            raise Unanswered("not-recorded", f"what asks AWS isn't installed; {INSTALL}") from None
        return Calls(self.place.region, self._profile)

    async def look(self, window: Window, seconds: float) -> Found:
        """One look. Raises `Unanswered` if there is no such resource."""
        await self.prepare()
        ends = asyncio.get_running_loop().time() + max(LEAST, seconds - LEAST)
        try:
            async with asyncio.timeout_at(ends):
                resource = await in_thread(lambda: self._find(window))
        except TimeoutError:
            raise Unanswered("timeout", f"AWS said nothing about {self.what} within {seconds:g} s") from None
        pieces = await asyncio.gather(*(_done(job, ends) for job in resource.jobs))
        facts = dict(resource.facts)
        for piece in pieces:
            facts |= {field: value for field, value in piece.facts.items() if value not in (None, "")}
        return Found(
            "aws", self.place.service, resource.name, facts,
            figures=tuple(one for piece in pieces for one in piece.figures),
            events=tuple(one for piece in pieces for one in piece.events),
            settings=tuple(one for piece in pieces for one in piece.settings),
            logged=tuple(one for piece in pieces for one in piece.logged),
            refused=tuple(dict.fromkeys(one for piece in pieces for one in piece.refused)),
        )  # fmt: skip

    def _find(self, window: Window) -> "Resource":
        from tools.providers import aws_elasticache, aws_memorydb

        assert self._calls is not None
        find = aws_memorydb.find if self.place.service == "memorydb" else aws_elasticache.find
        return find(self._calls, self.place, window)


async def _done(job: "Job", ends: float) -> "Piece":
    """What a part brings, or that it was refused."""
    from tools.providers.aws_parts import Piece

    try:
        async with asyncio.timeout_at(ends):
            return await in_thread(job.read)
    except TimeoutError:
        return Piece(refused=(Refused(job.part, "timeout"),))
    except Unanswered as error:
        return Piece(refused=(Refused(job.part, error.kind, job.permission if error.kind == "denied" else ""),))
