"""The server's machine, if it's this one: who listens at the target's address."""

import asyncio
import socket
from collections.abc import Callable
from typing import Annotated, Protocol, TypeVar

from pydantic import Field

from tools.clock import Clock
from tools.connection.managed import of_host, of_info, services
from tools.connection.target import Target
from tools.errors import Unanswered
from tools.host.listener import Place, find_listener, is_running, plain_address
from tools.host.moments import THIS_MACHINE, Moment, Moments
from tools.host.proc import Files
from tools.host.process_files import User
from tools.records import Scalar, Values
from tools.redact import Pseudonyms

Window = Annotated[float, Field(ge=0.1, le=10)]
DEADLINE = 10.0
"""Seconds for one look at the machine; even tens of thousands of sockets take less."""
FRESH = 3.0
"""Seconds for which a listener isn't looked up again while its process lives: going through all sockets of a machine
costs more than everything else that is read from it."""
SLACK = 1 / 8
"""Share of a window: how old a look at the machine may be at its beginning and end."""
OLD = 3600.0
"""Seconds after which facts count as old."""
T = TypeVar("T")


class Facts(Protocol):
    """What somebody else collected on the server's machine (`tools.host.facts`)."""

    first: Files
    last: Files
    taken: float
    """When the last was taken, in seconds since the epoch, by that machine's clock."""
    seconds: float
    """Between the two."""
    config: str | None
    log: str | None
    """The configuration file and the log that were found there."""

    def place(self, target: Target, reported: int | None) -> Place:
        """Where the listener is. Raises `Unanswered` if the facts are about another server than INFO."""


class Host:
    """The machine as seen by a program running on it, or by the facts taken there.

    What a tool needs from a machine is requested here, so that a recorded or remote host can replace it.
    """

    def __init__(
        self, target: Target, clock: Clock, *, facts: Facts | None = None, pseudonyms: Pseudonyms | None = None,
        moments: Moments = THIS_MACHINE, answers: Callable[[], bool] = lambda: False,
    ) -> None:  # fmt: skip
        """`moments` are those of the machine, which all its servers share; `answers` says whether the server does."""
        self.target = target
        self.clock = clock
        self.facts = facts
        self.pseudonyms = pseudonyms or Pseudonyms()
        self.moments = moments
        self.files = facts.last if facts else Files()
        self.config_file: str | None = None
        """INFO's config_file; null if nobody asked, empty for a server without one."""
        self.logfile: str | None = None
        """CONFIG GET logfile; null if nobody asked, empty for a server that logs to its standard output."""
        self.log_path: str | None = None
        """Where the log was found, so that it can be read again when the server is gone; or where a person says it
        is."""
        self.log_user: User | None = None
        """The user of the process whose log that was; null if a person named it."""
        self.reported: int | None = None
        """The pid that INFO reports; null for a silent server."""
        self.known: int | None = None
        """The reported pid, once it was seen to hold the listening socket."""
        self._answers = answers
        self._runs = services().get(target.service or "") or of_host(target.host)
        self._looking = asyncio.Lock()
        self._seen: tuple[float, int | None, Place] | None = None

    def confirm(self, pid: int | None, system: Scalar = None) -> None:
        """Set what INFO reports as process_id: from now on only that process is the server. `system` is its `os`."""
        self.reported = pid
        self._runs = self._runs or of_info(system)

    async def sample_twice(self, look: Callable[[Files], T], window: float) -> tuple[T, T, float]:
        """Two looks at the machine's files and the seconds between them: this many, or those of the facts."""
        if self.facts:
            return look(self.facts.first), look(self.facts.last), self.facts.seconds
        first, began = await offload(look, self.files), self.clock.monotonic()
        await self.clock.sleep(window)
        return first, await offload(look, self.files), self.clock.monotonic() - began

    async def machine_twice(self, look: Callable[[Files], T], window: float) -> tuple[T, T, float]:
        """The same for what all servers of a machine share: a look that another one has just taken will do."""
        if self.facts:
            return await self.sample_twice(look, window)
        first = await self._moment(look, window * SLACK)
        await self.clock.sleep(window)
        last = await self._moment(look, window * SLACK)
        return first.seen, last.seen, last.at - first.at

    async def _moment(self, look: Callable[[Files], T], age: float) -> Moment[T]:
        if moment := self.moments.known(look, age):
            return moment
        return await offload(self.moments.take, look, self.files, age)

    def provenance(self, place: Place) -> Values:
        """How the machine is seen: `locality`, and the age of facts in seconds (null if the clocks disagree)."""
        if self.facts is None:
            return {"locality": place.locality}
        age = self.clock.now().timestamp() - self.facts.taken
        known = age > -60
        return {
            "locality": place.locality, "facts_age": round(max(age, 0), 1) if known else None,
            "facts_old": age > OLD if known else None,
        }  # fmt: skip

    async def place(self) -> Place:
        """Where the listener is. Raises `Unanswered` ("dns") for a name that doesn't resolve."""
        if self.facts:
            return self.facts.place(self.target, self.reported)
        if self._runs:
            return await self._of_service(self._runs.name)
        async with self._looking:
            now = self.clock.monotonic()
            if (
                self._seen
                and self._seen[1] == self.reported
                and now - self._seen[0] < FRESH
                and is_running(self._seen[2])
            ):
                return self._seen[2]
            addresses = await self._addresses()
            place = await offload(
                find_listener, self.target, addresses, self.reported, self.known, self._answers()
            )  # fmt: skip
            if place.locality == "local" and place.pid == self.reported:
                self.known = place.pid
            self._seen = now, self.reported, place
            return place

    async def _of_service(self, name: str) -> Place:
        """The place of a server that somebody else runs: what listens here leads there, whatever it looks like."""
        detail, target = f"{name} runs the server, so this machine isn't its own", self.target
        if not (target.path is not None or target.is_loopback):
            return Place(locality="other-machine", detail=detail)
        found = await offload(find_listener, target, await self._addresses(), None, None)
        listens = found.locality != "no-listener"
        detail += f": {target.node} is the end of a tunnel, a proxy or a port-forward"
        detail += "" if listens else ", and nothing listens there now"
        return Place(locality="other-machine", detail=detail, tunnel_listens=listens)

    async def local_place(self) -> Place:
        """The place, if readings of this machine are about the server. Raises `Unanswered` ("not-local")."""
        place = await self.place()
        if place.locality not in ("local", "no-listener", "host-facts"):
            values: Values = {"locality": place.locality}
            if place.tunnel_listens is not None:
                values["tunnel_listens"] = place.tunnel_listens
            if place.name is not None:
                values["listener"] = place.name
            raise Unanswered("not-local", place.detail, values)
        return place

    async def _addresses(self) -> list[str]:
        if self.target.host is None:
            return []
        loop = asyncio.get_running_loop()
        try:
            found = await asyncio.wait_for(
                loop.getaddrinfo(self.target.host, self.target.port, type=socket.SOCK_STREAM), DEADLINE
            )
        except (OSError, UnicodeError, TimeoutError) as error:
            raise Unanswered("dns", f"{self.target.host} doesn't resolve: {error or 'no answer'}") from None
        return list(dict.fromkeys(plain_address(str(address[0])) for *_, address in found))


async def offload(look: Callable[..., T], *args: object) -> T:
    """A blocking look at the machine, in a thread. Raises `Unanswered` ("timeout") if the kernel doesn't answer."""
    try:
        return await asyncio.wait_for(asyncio.to_thread(look, *args), DEADLINE)
    except TimeoutError:
        raise Unanswered("timeout", f"this machine's process tables didn't answer within {DEADLINE:.0f} s") from None
