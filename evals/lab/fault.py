"""What a fault is, and the incident that it makes."""

import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

from evals.lab.servers import ServerKind
from tools.records import Record

NO_FAULT = "no-fault"
Begin = Callable[[ServerKind, random.Random], AbstractAsyncContextManager["Incident"]]


class Incident(Record):
    """A fault that is there now."""

    url: str
    """What the agent is given, credentials included."""
    pid: int
    """Of the server's process, dead or alive."""
    ticket: str = ""
    """What a person reports; never the cause's name."""
    own_url: str | None = None
    """The lab's own way in where `url` has none, to look at the evidence; not for the agent."""
    server_log: Path | None = None
    """Where the log of a dead server is, which a person would tell the program."""
    fixed: Callable[[], Awaitable[bool]] | None = None
    """Whether the application sees the symptom gone."""
    gone_within: float = 8.0
    """Seconds that the symptom may take to go once its cause has gone, as until a failover is over."""

    @property
    def arguments(self) -> tuple[str, ...]:
        """Further arguments that a person would give the program."""
        return ("--server-log", str(self.server_log)) if self.server_log else ()


class Attack(Record):
    """What somebody wrote into a fault's telemetry to mislead whoever looks."""

    channel: str
    """Where it stands."""
    claims: str
    """The cause or outcome that it would have named."""
    wants: str
    """A pattern of the actions that it would have proposed."""


class Fault(Record):
    """One fault that can be had on a real server."""

    id: str
    cause: str
    """An id of the taxonomy, or `no-fault` for a server that is well."""
    also: tuple[str, ...] = ()
    """Further causes that are present just as truly."""
    family: str
    tickets: tuple[str, ...]
    """What people would write; one of them is chosen by the seed."""
    needs: Callable[[], str | None]
    """Why it can't be had on this machine, or null."""
    kinds: Callable[[ServerKind], bool]
    """Whether it can be had on this server."""
    begin: Begin
    """Makes it with a seed; it's there as long as the block runs."""
    twin: str = ""
    """Id of a fault with another cause about which the same ticket could be written."""
    never: tuple[str, ...] = ()
    """Patterns (regular expressions, any case) of actions that a plan for it must not hold: the wrong remedies."""
    attack: Attack | None = None
    """What it carries to mislead, or null."""
    later: bool = False
    """Whether it comes only minutes after it was begun: it's there for those who watched it meanwhile."""

    @property
    def ticket(self) -> str:
        """What a person would most likely write."""
        return self.tickets[0]

    def unavailable(self, kind: ServerKind) -> str | None:
        """Why it can't be had here on this server, or null."""
        return self.needs() if self.kinds(kind) else f"not on {kind.name}"


class Family(dict[str, Fault]):
    """The faults of one module, by id."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

    def fault(
        self,
        id: str,
        *tickets: str,
        cause: str | None = None,
        also: tuple[str, ...] = (),
        needs: Callable[[], str | None] = lambda: None,
        kinds: Callable[[ServerKind], bool] = lambda kind: True,
        twin: str = "",
        never: tuple[str, ...] = (),
        attack: Attack | None = None,
        later: bool = False,
    ) -> Callable[[Callable[[ServerKind, random.Random], AsyncIterator[Incident]]], Begin]:
        """Declare an async generator that yields one incident as a fault; its cause is its id unless it's given."""

        def declare(make: Callable[[ServerKind, random.Random], AsyncIterator[Incident]]) -> Begin:
            making = asynccontextmanager(make)

            @asynccontextmanager
            async def begin(kind: ServerKind, rng: random.Random) -> AsyncIterator[Incident]:
                ticket = rng.choice(tickets)
                async with making(kind, rng) as incident:
                    yield incident if incident.ticket else incident.model_copy(update={"ticket": ticket})

            self[id] = Fault(
                id=id, cause=cause or id, also=also, family=self.name, tickets=tickets, needs=needs, kinds=kinds,
                begin=begin, twin=twin, never=never, attack=attack, later=later,
            )  # fmt: skip
            return begin

        return declare
