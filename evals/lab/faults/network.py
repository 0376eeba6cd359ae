"""Faults of the network between the application and a server that is well."""

from collections.abc import AsyncIterator
from random import Random

from evals.lab.fault import Family, Incident
from evals.lab.proxy import Route, proxy
from evals.lab.servers import ServerKind, running
from evals.lab.traffic import application, fill

FAULTS = Family("network")


@FAULTS.fault(
    "path-latency",
    "Since the move to the other zone every Redis call takes tens of milliseconds, even PING.",
    "p50 of all Redis commands went from under 1 ms to many times that, evenly for all commands.",
    "The cart page makes 20 Redis calls and has become very slow; the Redis dashboards look fine.",
)
async def path_latency(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """A path that adds the same time to each round trip."""
    delay = rng.randrange(15, 121) / 1000
    async with running(kind) as server, proxy(server.url, Route(delay=delay)) as far, application(far, rng):
        await fill(server.url, rng, rng.randrange(500, 3000))
        yield Incident(url=far, pid=server.pid, own_url=server.url)
