"""Faults of what the process holds beside its data: fragmentation, what a peak left."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from random import Random

from evals.lab.fault import Family, Incident
from evals.lab.servers import ServerKind, running
from evals.lab.traffic import application, application_name, fill
from evals.lab.wire import Wire, packed

FAULTS = Family("memory")
_LARGE = (
    "The Redis process takes far more memory on its host than Redis says it uses.",
    "RSS of redis-server is several times used_memory; will the host run out of memory?",
)
_RESIDENT = (
    "env",
    "MALLOC_CONF=dirty_decay_ms:-1,muzzy_decay_ms:-1",
    "JE_MALLOC_CONF=dirty_decay_ms:-1,muzzy_decay_ms:-1",
)
"""An allocator that gives nothing back by itself, as under a load that keeps its arena busy."""


async def _drop(wire: Wire, prefix: str, numbers: Iterable[int]) -> None:
    """Delete keys, few at a time, so that nobody waits for it."""
    names = [f"{prefix}{number:07d}" for number in numbers]
    for begin in range(0, len(names), 1000):
        batches = range(begin, min(begin + 1000, len(names)), 50)
        await wire.pipeline(b"".join(packed("DEL", *names[at : at + 50]) for at in batches), len(batches))


@FAULTS.fault(
    "allocator-fragmentation", *_LARGE, kinds=lambda kind: kind.name.startswith("redis"), twin="rss-after-peak",
    never=(r"FLUSH(ALL|DB)", r"\brestart (it|the server|redis)"),
)  # fmt: skip
async def allocator_fragmentation(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """Of many values of one size a few were left, on every page one."""
    async with running(kind) as server, application(server.url, rng) as hands:
        size, keep = rng.choice((200, 300, 420)), rng.randrange(5, 12)
        count = round(rng.uniform(180, 230) * (1 << 20) / (size + 90))
        await fill(server.url, rng, count, size=size, prefix="basket:")
        await _drop(await hands.dial(server.url, name=application_name(rng)), "basket:",
                    (n for n in range(count) if n % keep))  # fmt: skip
        await asyncio.sleep(1)
        yield Incident(url=server.url, pid=server.pid)


@FAULTS.fault("rss-after-peak", *_LARGE, twin="allocator-fragmentation", never=(r"activedefrag", r"FLUSH(ALL|DB)"))
async def rss_after_peak(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """What an import wrote is deleted again, and the allocator keeps its pages."""
    async with running(kind, prefix=_RESIDENT) as server, application(server.url, rng) as hands:
        size = rng.randrange(300, 3000)
        count, wire = round(rng.uniform(180, 260) * (1 << 20) / (size + 90)), await hands.dial(server.url)
        await fill(server.url, rng, count, size=size, prefix="import:")
        await asyncio.sleep(1)
        await _drop(wire, "import:", range(rng.randrange(1000), count))
        await asyncio.sleep(1)
        yield Incident(url=server.url, pid=server.pid)
