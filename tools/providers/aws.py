"""Amazon ElastiCache and MemoryDB by AWS' own interfaces, read with the usual chain of credentials."""

from typing import TYPE_CHECKING

from tools.connection.managed import services
from tools.errors import Unanswered
from tools.providers.aws_place import AwsPlace, aws_place
from tools.providers.found import Found, Place, Window
from tools.providers.pieces import Piece, done, end_of, found, together
from tools.tasks import in_thread

if TYPE_CHECKING:
    from tools.providers.aws_calls import Calls
    from tools.providers.aws_parts import Resource

INSTALL = "pip install 'rediagnose[aws]'"


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
        ends, silent = end_of(seconds), f"AWS said nothing about {self.what} within {seconds:g} s"
        resource = await found(in_thread(lambda: self._find(window)), ends, silent)
        pieces = await done(resource.jobs, ends)
        return together("aws", self.place.service, resource.name, [Piece(resource.facts), *pieces])

    def _find(self, window: Window) -> "Resource":
        from tools.providers import aws_elasticache, aws_memorydb

        assert self._calls is not None
        find = aws_memorydb.find if self.place.service == "memorydb" else aws_elasticache.find
        return find(self._calls, self.place, window)
