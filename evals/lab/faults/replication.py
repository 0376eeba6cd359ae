"""Faults between a primary and its replicas, and of who is which."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import suppress
from functools import partial
from random import Random

from evals.lab.fault import NO_FAULT, Family, Incident
from evals.lab.pairs import Pair, browse, linked, member, pair, write
from evals.lab.servers import ServerKind, running
from evals.lab.topologies import Member, sentinels, until
from evals.lab.traffic import application, fill
from evals.lab.way import Way
from evals.lab.wire import LOST, crew, dial

FAULTS = Family("replication and failover")
STALE = (
    "Reads from the Redis replica return old data.",
    "Customers see the cart as it was before their last change; the pages read from the replica.",
    "Monitoring says that a read replica is not in step with its primary.",
)
RESYNCS = (
    "The replica syncs from scratch again and again; the primary's network is full of it.",
    "Redis forks every few seconds and the replica never stays connected for long.",
)
READONLY = (
    "Writes to Redis fail with READONLY You can't write against a read only replica.",
    "checkout can't save carts: Redis says READONLY.",
)
REFUSED = (
    "All writes fail with NOREPLICAS Not enough good replicas to write.",
    "Orders can't be saved, Redis answers NOREPLICAS. Reads are fine.",
)
PROMOTED = r"REPLICAOF\s+NO\s+ONE"


@FAULTS.fault("replica-link-down", *STALE, twin="replica-lag", never=(PROMOTED,))
async def replica_link_down(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """Both servers are well and nothing gets from one to the other: closed, or carried nowhere."""
    async with pair(kind, rng, replica={"repl_timeout": str(rng.randrange(3, 7))}) as both:
        both.between.closed = rng.random() < 0.5
        both.between.silent = not both.between.closed
        if both.between.closed:
            both.between.cut()
        await until(partial(linked, both.below, "down"), "the replica's link down")
        await asyncio.sleep(rng.uniform(1, 4))
        yield both.incident(both.below, both.below)


@FAULTS.fault(
    "replica-link-down-lost", "connected_slaves of the primary fell from 1 to 0; the replica's reads are old.",
    "The read replica isn't attached any more, its data stands still.", cause="replica-link-down",
    never=(PROMOTED,),
)  # fmt: skip
async def replica_link_down_lost(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """The same as the primary sees it: it had a replica and has none."""
    async with pair(kind, rng) as both:
        both.between.closed = True
        both.between.cut()
        await until(partial(linked, both.below, "down"), "the replica's link down")
        await asyncio.sleep(rng.uniform(1, 4))
        yield both.incident(both.above, both.above)


@FAULTS.fault("replica-lag", *STALE, twin="replica-frozen", never=(PROMOTED,))
async def replica_lag(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """More is written than the way to the replica carries."""
    async with pair(kind, rng) as both, crew() as hands:
        written = rng.uniform(0.7, 1.6) * 2**20
        both.between.rate = written * rng.uniform(0.1, 0.35)
        hands.spawn(write(both.above.url, Random(rng.random()), written))
        await asyncio.sleep(rng.uniform(5, 9))
        yield both.either(rng, both.above)


@FAULTS.fault(
    "replica-frozen", *STALE, cause="process-frozen", twin="replica-link-down", never=(PROMOTED, "fence it", "promote")
)
async def replica_frozen(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """The replica's process is stopped: what the primary sees of it is the consequence."""
    async with pair(kind, rng) as both, crew() as hands:
        hands.spawn(write(both.above.url, Random(rng.random()), rng.uniform(0.2, 1.0) * 2**20))
        both.below.server.signal(signal.SIGSTOP)
        await asyncio.sleep(rng.uniform(5, 12))
        yield both.either(rng, both.above)


@FAULTS.fault("primary-gone", *STALE, cause="process-down", twin="masterauth-mismatch")
async def primary_gone(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """The replica is well and follows a primary that is no more."""
    async with member(kind) as above, member(kind, replicaof=f"127.0.0.1 {above.server.port}") as below:
        await until(partial(linked, below), "the replica's link up")
        await fill(above.url, rng, rng.randrange(500, 3000))
        async with crew() as hands:
            hands.spawn(browse(below.url, Random(rng.random())))
            await above.server.stop()
            await asyncio.sleep(rng.uniform(2, 5))
            yield Incident(url=below.url, pid=above.server.pid, own_url=below.url)


@FAULTS.fault(
    "masterauth-mismatch", *STALE, "The new replica never gets any data; its log repeats itself every second.",
    twin="replica-link-down", never=(PROMOTED, "requirepass", "CONFIG SET masterauth"),
)  # fmt: skip
async def masterauth_mismatch(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """The primary has a password and the replica has another one for it, none, or a user who may not replicate."""
    password, how = f"s3cret{rng.randrange(10**6)}", rng.choice(("wrong", "none", "user"))
    replica = {"wrong": {"masterauth": "0ld" + password}, "none": {}, "user": {"masterauth": "x", "masteruser": "link"}}
    async with member(kind, password) as above:
        await above.ask("ACL", "SETUSER", "link", "on", ">x", "+ping", "+replconf", "+auth")
        own = {"replicaof": f"127.0.0.1 {above.server.port}", **replica[how]}
        async with member(kind, password, **own) as below, application(above.url, rng) as hands:
            await fill(above.url, rng, rng.randrange(500, 3000))
            hands.spawn(browse(below.url, Random(rng.random())))
            await asyncio.sleep(rng.uniform(3, 6))
            # The primary doesn't list who was never let in: from there it looks like any other client's failure.
            yield Incident(url=below.url, pid=below.server.pid, own_url=above.url)


@FAULTS.fault(
    "masterauth-mismatch-acknowledging", *STALE, "NOPERM errors climb on our Redis since the ACL was tidied up.",
    cause="masterauth-mismatch", twin="auth-failure", never=(PROMOTED, "requirepass", r"\+@all"),
)  # fmt: skip
async def masterauth_mismatch_acknowledging(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """The replicas' user may sync and no longer say how far it is: its link comes up and breaks, again and again."""
    password = f"s3cret{rng.randrange(10**6)}"
    async with member(kind, password) as above:
        await above.ask("ACL", "SETUSER", "link", "on", ">x", "+ping", "+replconf", "+psync")
        own = {"replicaof": f"127.0.0.1 {above.server.port}", "masteruser": "link", "masterauth": "x"}
        async with member(kind, password, **own) as below, application(above.url, rng) as hands:
            await until(partial(linked, below), "the replica's link up")
            await fill(above.url, rng, rng.randrange(500, 3000))
            hands.spawn(browse(below.url, Random(rng.random())))
            await above.ask("ACL", "SETUSER", "link", "-replconf")
            await asyncio.sleep(rng.uniform(3, 6))
            yield Incident(url=rng.choice((above.url, below.url)), pid=below.server.pid, own_url=above.url)


async def _cuts(between: Way, rng: Random) -> None:
    while True:
        await asyncio.sleep(rng.uniform(0.6, 1.2))
        between.closed = True
        between.cut()
        await asyncio.sleep(rng.uniform(0.2, 0.5))
        between.closed = False


async def _follows(both: Pair, seconds: float = 6) -> bool:
    """Whether no whole sync is made for a while, and the link is up at its end or soon after."""
    before = await both.above.info("stats")
    await asyncio.sleep(seconds)
    after = await both.above.info("stats")
    with suppress(*LOST):
        for _ in range(100):
            if await linked(both.below):
                return before["sync_full"] == after["sync_full"]
            await asyncio.sleep(0.1)
    return False


@FAULTS.fault("backlog-too-small", *RESYNCS, twin="replica-output-loop", never=("repl-timeout", PROMOTED))
async def backlog_too_small(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """A link that breaks now and then, and a backlog that holds less than what is written meanwhile."""
    async with pair(kind, rng, repl_backlog_size="16kb") as both, crew() as hands:
        hands.spawn(write(both.above.url, Random(rng.random()), rng.uniform(150, 500) * 1024))
        hands.spawn(_cuts(both.between, Random(rng.random())))
        await asyncio.sleep(rng.uniform(4, 7))
        yield both.either(rng, both.above).model_copy(update={"fixed": partial(_follows, both)})


@FAULTS.fault("replica-output-loop", *RESYNCS, twin="backlog-too-small", never=("restart", "repl-timeout", PROMOTED))
async def replica_output_loop(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """While a whole sync is on its way more is written than the replica's output may hold: cut off, and anew."""
    limit = f"replica {rng.choice(('1mb 1mb 60', '2mb 1mb 1', '1mb 512kb 1'))}"
    backlog = f"{rng.choice((256, 512, 1024))}kb"
    # Redis 8.0 lets the replica buffer what is written during a copy: there it's had where that is switched off.
    one_channel = {"repl_rdb_channel": "no"} if kind.name.startswith("redis") and kind.at_least(8) else {}
    above = {"client_output_buffer_limit": limit, "repl_backlog_size": backlog, **one_channel}
    async with pair(kind, rng, keys=0, replica=one_channel, **above) as both, crew() as hands:
        await ballast(both.above.url, rng, rng.randrange(12, 25))
        hands.spawn(write(both.above.url, Random(rng.random()), rng.uniform(1.5, 2.5) * 2**20))
        both.between.rate = rng.uniform(2.5, 4) * 2**20
        both.between.closed = True
        both.between.cut()
        # Longer than the backlog reaches back.
        await asyncio.sleep(2)
        both.between.closed = False
        await asyncio.sleep(rng.uniform(6, 10))
        yield both.either(rng, both.above).model_copy(update={"fixed": partial(_follows, both, 20)})


async def ballast(url: str, rng: Random, megabytes: int) -> None:
    wire = await dial(url)
    try:
        for number in range(megabytes * 4):
            # What doesn't compress, or a snapshot would be on its way too shortly.
            await wire.ask("SET", f"image:{number}", rng.randbytes(256 * 1024))
    finally:
        await wire.close()


@FAULTS.fault("noreplicas", *REFUSED, twin="noreplicas-frozen", never=(r"min-replicas-to-write\s+0", "min-slaves"))
async def noreplicas(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """A replica is gone, and the primary was told not to take writes without it."""
    needed = rng.randrange(1, 3)
    async with pair(kind, rng) as both:
        await both.above.ask("CONFIG", "SET", "min-replicas-to-write", str(needed))
        if needed == 1 or rng.random() < 0.5:
            await both.below.server.stop()
        await asyncio.sleep(rng.uniform(1, 4))
        yield both.incident(both.above, both.above)


@FAULTS.fault(
    "noreplicas-frozen", *REFUSED, cause="process-frozen", also=("noreplicas",), twin="noreplicas",
    never=(r"min-replicas-to-write\s+0",),
)  # fmt: skip
async def noreplicas_frozen(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """The replica that the writes need is there and stopped."""
    lag = rng.randrange(2, 5)
    async with pair(kind, rng, min_replicas_to_write="1", min_replicas_max_lag=str(lag)) as both:
        both.below.server.signal(signal.SIGSTOP)
        await asyncio.sleep(lag + rng.uniform(2, 5))
        yield both.incident(both.above, both.above)


@FAULTS.fault("replica-write-or-stale", *READONLY, twin="stale-endpoint", never=("replica-read-only", PROMOTED))
async def replica_write(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """An application is given the replica's address, and writes."""
    async with pair(kind, rng) as both, application(both.below.url, rng):
        await asyncio.sleep(rng.uniform(1, 3))
        yield both.either(rng, both.below)


@FAULTS.fault(
    "replica-masterdown", "Reads fail with MASTERDOWN Link with MASTER is down and replica-serve-stale-data is no.",
    "The pages that read from the Redis replica show an error instead of the cart.",
    cause="replica-write-or-stale", also=("replica-link-down",), never=("replica-read-only", PROMOTED),
)  # fmt: skip
async def replica_masterdown(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """A replica that may not answer while its link is down."""
    async with pair(kind, rng, replica={"replica_serve_stale_data": "no"}) as both:
        both.between.closed = True
        both.between.cut()
        await asyncio.sleep(rng.uniform(2, 5))
        yield both.incident(both.below, both.below)


@FAULTS.fault("stale-endpoint", *READONLY, twin="replica-write-or-stale", never=("replica-read-only", PROMOTED))
async def stale_endpoint(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """After a failover the application still has the address of the old primary."""
    async with sentinels(kind, replicas=rng.randrange(1, 3)) as nodes, application(nodes.url, rng):
        await fill(nodes.url, rng, rng.randrange(500, 3000))
        await nodes.sentinels[0].ask("SENTINEL", "FAILOVER", "mymaster")
        old = nodes.primary

        async def demoted() -> bool:
            return (await old.info()).get("master_link_status") == "up"

        await until(demoted, "the old primary follows the new one", 40)
        await asyncio.sleep(rng.uniform(2, 5))
        watched = f"redis+sentinel://{nodes.sentinels[1].name}/mymaster"
        yield Incident(url=rng.choice((old.url, watched)), pid=old.server.pid, own_url=old.url)


@FAULTS.fault(
    "unexpected-replica", *READONLY, "Our only Redis suddenly refuses writes with READONLY, and keys are missing.",
    twin="replica-write-or-stale", never=("replica-read-only",),
)  # fmt: skip
async def unexpected_replica(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """Somebody made a server that stands alone a replica of theirs."""
    async with running(kind) as server, running(kind) as foreign, application(server.url, rng):
        await fill(server.url, rng, rng.randrange(500, 3000))
        await fill(foreign.url, rng, rng.randrange(1, 20))
        await asyncio.sleep(rng.uniform(12, 15))
        await Member(server).ask("REPLICAOF", "127.0.0.1", foreign.port)
        if rng.random() < 0.3:
            await foreign.stop()
        await asyncio.sleep(rng.uniform(6, 9))
        yield Incident(url=server.url, pid=server.pid, own_url=server.url)


@FAULTS.fault("healthy-replicas", *STALE, *RESYNCS[:1], *READONLY[1:], cause=NO_FAULT)
async def healthy_replicas(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """All in step; a broken link, a whole sync and refused writes are long over."""
    async with pair(kind, rng, repl_backlog_size="16kb") as both, crew() as hands:
        async with application(both.below.url, rng):
            await asyncio.sleep(1)
        both.between.closed = True
        both.between.cut()
        await fill(both.above.url, rng, 3000)
        both.between.closed = False
        hands.spawn(write(both.above.url, Random(rng.random()), rng.uniform(0.1, 0.6) * 2**20))
        await until(partial(linked, both.below), "the replica's link up")
        await asyncio.sleep(20)
        yield both.either(rng, both.above)
