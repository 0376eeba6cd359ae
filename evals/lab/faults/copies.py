"""Faults of copies: sentinels with one identity, replicas with data of their own."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from random import Random

from evals.lab.fault import NO_FAULT, Family, Incident
from evals.lab.servers import Server, ServerKind, start
from evals.lab.topologies import MASTER, replicated
from evals.lab.traffic import application, fill

FAULTS = Family("replication and failover")


@FAULTS.fault(
    "sentinel-noquorum-one-id",
    "The Redis master was down for ten minutes and our three sentinels did nothing; all come from one image.",
    "No failover although three sentinels run: each behaves as if it were alone.",
    cause="sentinel-noquorum", also=("process-down",), twin="sentinel-no-good-replica",
    never=(r"quorum\s+1\b", r"REPLICAOF\s+NO\s+ONE"),
)  # fmt: skip
async def one_id(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """Three sentinels whose file was cloned after the first start, id included: none takes another for a second one."""
    mine = "".join(rng.choices("0123456789abcdef", k=40))
    async with replicated(kind, 2) as data, AsyncExitStack() as stack:
        primary = data.primary.server
        config = {
            "sentinel myid": mine, f"sentinel monitor {MASTER}": f"{primary.host} {primary.port} 2",
            f"sentinel down-after-milliseconds {MASTER}": "1000", f"sentinel failover-timeout {MASTER}": "5000",
            "save": "",
        }  # fmt: skip
        sentinels: list[Server] = []
        for _ in range(3):
            sentinels.append(await start(kind, config=config, args=("--sentinel",)))
            stack.push_async_callback(sentinels[-1].stop)
        await asyncio.sleep(3)
        primary.signal(signal.SIGKILL)
        await asyncio.sleep(rng.uniform(3, 5))
        one = rng.choice(sentinels)
        yield Incident(url=f"redis+sentinel://{one.host}:{one.port}/{MASTER}", pid=one.pid, own_url=one.url)


_MORE = (
    "The replica has far more keys than its primary. Why?",
    "What the session service stored is missing on the primary; the replica has it.",
)


@FAULTS.fault(
    "replica-takes-writes", *_MORE,
    cause="replica-write-or-stale", twin="healthy-writable-replica",
)  # fmt: skip
async def takes_writes(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """A replica that somebody made writable, and a service that has its address."""
    async with replicated(kind, 1, replica={"replica_read_only": "no"}) as data:
        replica = data.replicas[0]
        await fill(data.primary.url, rng, rng.randrange(1000, 3000), prefix="page:")
        await fill(replica.url, rng, rng.randrange(10_000, 20_000), size=300, prefix="session:")
        async with application(data.primary.url, rng), application(replica.url, rng):
            await asyncio.sleep(1)
            yield Incident(url=replica.url, pid=replica.server.pid)


@FAULTS.fault("healthy-writable-replica", *_MORE, cause=NO_FAULT, twin="replica-takes-writes")
async def only_copies(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """A replica that would take writes, and gets none but its primary's."""
    async with replicated(kind, 1, replica={"replica_read_only": "no"}) as data:
        await fill(data.primary.url, rng, rng.randrange(1000, 3000), prefix="page:")
        async with application(data.primary.url, rng):
            await asyncio.sleep(1)
            yield Incident(url=data.replicas[0].url, pid=data.replicas[0].server.pid)
