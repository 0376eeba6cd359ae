"""Faults of whole copies: a replica that can't take over what its primary sends, however often it tries."""

import asyncio
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator
from functools import partial
from random import Random

import psutil

from evals.lab.fault import NO_FAULT, Family, Incident
from evals.lab.faults.replication import PROMOTED, ballast
from evals.lab.machine import own_disk, place
from evals.lab.pairs import COMMON, Pair, browse, linked, member, pair
from evals.lab.proxy import Route, proxy
from evals.lab.servers import LabError, ServerKind, installed, start
from evals.lab.topologies import Member, replicated, until
from evals.lab.traffic import application, fill
from evals.lab.way import Way, way
from evals.lab.wire import dial

FAULTS = Family("replication and failover")
NEVER_UP = (
    "The new Redis replica never comes up, it has been at it since this morning.",
    "We added a read replica to Redis and its link stays down; the primary's CPU is busy since then.",
    "master_link_status of the second node is down, and Redis on the first one forks all the time.",
)
LIMITS = (r"client-output-buffer-limit", r"repl-backlog-size", PROMOTED)
"""What a plan for it must not raise, and that it must not promote."""


def older_than(kind: ServerKind) -> list[ServerKind]:
    """The programs here whose dumps are of an earlier format than those of this one, and that can't read them."""
    redis = {"redis-6.2": 62, "redis-7.0": 70, "valkey-8.1": 72, "valkey-9.1": 72, "redis-8.2": 82}
    own = redis.get(kind.name, 0)
    return [one for one in installed() if redis.get(one.name, 100) < own]


def has_older(kind: ServerKind) -> bool:
    """Whether one is here."""
    return bool(older_than(kind))


async def tries(above: Member, times: int = 3) -> bool:
    """Whether so many whole copies were begun. Raises one of `LOST`."""
    return int((await above.info("stats"))["sync_full"]) >= times


@FAULTS.fault(
    "sync-failed-version", *NEVER_UP,
    "We rolled the replicas of Redis back to the previous version; since then they hold no data.",
    cause="sync-failed", kinds=has_older, twin="replica-output-loop", never=LIMITS,
)  # fmt: skip
async def sync_failed_version(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """The replica is older than its primary and can't read its dump."""
    async with member(kind, repl_diskless_sync=rng.choice(("yes", "no"))) as above:
        await fill(above.url, rng, rng.randrange(500, 3000))
        own = {"replicaof": f"127.0.0.1 {above.server.port}"}
        async with member(rng.choice(older_than(kind)), **own) as below, application(above.url, rng) as hands:
            hands.spawn(browse(below.url, Random(rng.random())))
            await until(partial(tries, above), "whole copies that fail")
            await asyncio.sleep(rng.uniform(1, 3))
            yield Pair(above, below, Way(above.server)).either(rng, above)


@FAULTS.fault(
    "sync-failed-disk", *NEVER_UP, cause="sync-failed", needs=own_disk, twin="replica-output-loop", never=LIMITS,
)  # fmt: skip
async def sync_failed_disk(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """The replica's disk is smaller than the copy, which it writes there before it loads it."""
    megabytes = rng.randrange(12, 25)
    with place(rng.uniform(0.2, 0.6) * megabytes) as here:
        async with member(kind) as above:
            await ballast(above.url, rng, megabytes)
            settings = COMMON | {
                "dir": str(here.data), "logfile": str(here.log), "replicaof": f"127.0.0.1 {above.server.port}",
            }  # fmt: skip
            server = await start(kind, config=settings, prefix=here.prefix)
            try:
                async with application(above.url, rng) as hands:
                    hands.spawn(browse(server.url, Random(rng.random())))
                    await until(partial(tries, above), "whole copies that fail")
                    await asyncio.sleep(rng.uniform(1, 3))
                    yield Pair(above, Member(server), Way(above.server)).either(rng, above)
            finally:
                await server.stop()


@FAULTS.fault(
    "sync-failed-timeout", *NEVER_UP, cause="sync-failed", twin="replica-output-loop",
    never=(*LIMITS[:2], PROMOTED),
)  # fmt: skip
async def sync_failed_timeout(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """The way carries the beginning of each copy and then nothing more, until a time-out ends the attempt."""
    period = str(rng.randrange(3, 6))
    # With the built-in minute at the primary it's the replica that gives up.
    own = {"repl_timeout": period} if rng.random() < 0.7 else {}
    async with member(kind, **own) as above, way(above.server, receive_buffer=2**16) as path:
        await ballast(above.url, rng, rng.randrange(15, 25))
        path.most = rng.randrange(2**18, 2**21)
        async with (
            member(kind, repl_timeout=period, replicaof=f"127.0.0.1 {path.port}") as below,
            application(above.url, rng) as hands,
        ):
            hands.spawn(browse(below.url, Random(rng.random())))
            await until(partial(tries, above), "whole copies that time out", 60)
            yield Pair(above, below, path).either(rng, above)


@FAULTS.fault(
    "sync-failed-memory", "A Redis replica died overnight and doesn't come back.",
    "The second Redis node is gone. It had been added yesterday on a smaller machine.",
    cause="sync-failed", also=("process-down",), needs=lambda: None if shutil.which("prlimit") else "needs prlimit",
    kinds=lambda kind: kind.name != "redis-7.0", twin="replica-died", never=LIMITS,
)  # fmt: skip
async def sync_failed_memory(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """The replica may have less memory than its primary's data needs, and ends while it loads them."""
    async with member(kind) as above:
        await _large(above, rng)
        async with member(kind) as below:
            allowed = psutil.Process(below.server.pid).memory_info().vms + rng.randrange(24, 32) * 2**20
            subprocess.run(["prlimit", "--pid", str(below.server.pid), f"--as={allowed}"], check=True)
            await below.ask("REPLICAOF", "127.0.0.1", above.server.port)
            await _ended(below)
            yield Incident(
                url=below.url, pid=below.server.pid, own_url=above.url, server_log=below.server.log,
            )  # fmt: skip


@FAULTS.fault(
    "replica-died", "A Redis replica died overnight and doesn't come back.",
    "The second Redis node is gone. It had been added yesterday on a smaller machine.",
    cause="process-down", twin="sync-failed-memory",
)  # fmt: skip
async def replica_died(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """The replica took its copy and was ended by somebody, long after."""
    async with member(kind) as above:
        await fill(above.url, rng, rng.randrange(500, 3000))
        async with member(kind, replicaof=f"127.0.0.1 {above.server.port}") as below:
            await until(partial(linked, below), "the replica's link up")
            below.server.signal(signal.SIGKILL)
            await _ended(below)
            yield Incident(
                url=below.url, pid=below.server.pid, own_url=above.url, server_log=below.server.log,
            )  # fmt: skip


WRITES_HANG = (
    "Since the planned switchover of Redis all writes hang; reads are fine.",
    "We wanted to move the Redis primary to the other node for maintenance, and now checkout can't write.",
    "SET never comes back, GET does. Operations did something with the Redis pair a few minutes ago.",
)


@FAULTS.fault(
    "failover-stuck", *WRITES_HANG, also=("process-frozen",), twin="client-paused",
    never=("UNPAUSE", PROMOTED, r"^fence", r"FAILOVER .*FORCE"),
)  # fmt: skip
async def failover_stuck(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """A FAILOVER without TIMEOUT, and the replica that it waits for stands still."""
    async with pair(kind, rng) as both:
        both.below.server.signal(signal.SIGSTOP)
        await fill(both.above.url, rng, 20)
        # It waits only for what was written and isn't acknowledged.
        await asyncio.sleep(rng.uniform(0.5, 1.5))
        await both.above.ask("FAILOVER", *rng.choice(((), ("TO", "127.0.0.1", both.below.server.port))))
        await asyncio.sleep(rng.uniform(3, 8))
        yield both.incident(both.above, both.above)


@FAULTS.fault(
    "failover-stuck-link", *WRITES_HANG, cause="failover-stuck", twin="client-paused",
    never=("UNPAUSE", PROMOTED, r"^fence", r"FAILOVER .*FORCE"),
)  # fmt: skip
async def failover_stuck_link(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """A FAILOVER without TIMEOUT, and nothing gets to the replica any more."""
    async with pair(kind, rng) as both:
        both.between.silent = True
        await fill(both.above.url, rng, 20)
        await asyncio.sleep(rng.uniform(0.5, 1.5))
        await both.above.ask("FAILOVER")
        await asyncio.sleep(rng.uniform(3, 8))
        yield both.incident(both.above, both.above)


@FAULTS.fault("healthy-switchover", *WRITES_HANG, cause=NO_FAULT, twin="failover-stuck")
async def healthy_switchover(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """The switchover is done or was given up a while ago: one primary takes writes, and the other node follows."""
    async with replicated(kind, 1) as nodes:
        await fill(nodes.url, rng, rng.randrange(500, 3000))
        above, below = nodes.members
        if rng.random() < 0.5:
            await above.ask("FAILOVER")

            async def follows() -> bool:
                return (await above.info()).get("master_link_status") == "up"

            await until(follows, "the old primary follows the new one", 30)
        else:
            below.server.signal(signal.SIGSTOP)
            await fill(above.url, rng, 20)
            await above.ask("FAILOVER")
            await asyncio.sleep(1)
            await above.ask("FAILOVER", "ABORT")
            below.server.signal(signal.SIGCONT)
        async with application(await _writable(nodes.members), rng):
            await asyncio.sleep(rng.uniform(5, 9))
            yield Incident(url=rng.choice(nodes.members).url, pid=above.server.pid, own_url=above.url)


async def _writable(members: tuple[Member, ...]) -> str:
    urls = [one.url for one in members if (await one.info())["role"] == "master"]
    return urls[0]


NOW_AND_THEN = (
    "Some writes to Redis fail with READONLY, others work; a retry helps.",
    "Every other pod gets READONLY You can't write against a read only replica, the rest is fine. "
    "Same address everywhere.",
    "Since Redis has a replica the carts are saved only sometimes.",
)


@FAULTS.fault(
    "balancer-over-replicas", *NOW_AND_THEN, twin="replica-write-or-stale",
    never=("replica-read-only", PROMOTED, r"slave-read-only"),
)  # fmt: skip
async def balancer_over_replicas(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """A balancer that gives each new connection to the next server, the primary or a replica."""
    async with replicated(kind, rng.randrange(1, 3)) as nodes:
        await fill(nodes.url, rng, rng.randrange(500, 3000))
        urls = [one.url for one in nodes.members]
        rng.shuffle(urls)
        async with proxy(urls[0], Route(), *urls[1:]) as url, application(url, rng, clients=rng.randrange(4, 9)):
            await asyncio.sleep(rng.uniform(5, 8))
            yield Incident(url=url, pid=nodes.primary.server.pid, own_url=nodes.replicas[0].url)


@FAULTS.fault("healthy-balancer", *NOW_AND_THEN, cause=NO_FAULT, twin="balancer-over-replicas")
async def healthy_balancer(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """The balancer has been told to take the primary only; the errors are of the time before."""
    async with replicated(kind, rng.randrange(1, 3)) as nodes:
        await fill(nodes.url, rng, rng.randrange(500, 3000))
        async with application(nodes.replicas[0].url, rng):
            await asyncio.sleep(1)
        async with proxy(nodes.url, Route()) as url, application(url, rng):
            await asyncio.sleep(rng.uniform(5, 8))
            yield Incident(url=url, pid=nodes.primary.server.pid, own_url=nodes.url)


async def _large(above: Member, rng: Random) -> None:
    wire = await dial(above.url)
    try:
        for number in range(2):
            await wire.ask("SET", f"model:{number}", rng.randbytes(24 * 2**20), timeout=30)
    finally:
        await wire.close()


async def _ended(below: Member) -> None:
    for _ in range(300):
        if not below.server.running:
            return
        await asyncio.sleep(0.1)
    raise LabError("the replica didn't end")


@FAULTS.fault("healthy-new-replica", *NEVER_UP[:2], cause=NO_FAULT, twin="sync-failed-disk")
async def healthy_new_replica(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """Replicas were added within these seconds, one after another: each took one copy and follows."""
    async with member(kind) as above, application(above.url, rng):
        await fill(above.url, rng, rng.randrange(500, 3000))
        own = {"replicaof": f"127.0.0.1 {above.server.port}"}
        async with member(kind, **own) as first, member(kind, **own) as second:
            for below in (first, second):
                await until(partial(linked, below), "the replica's link up")
            await asyncio.sleep(rng.uniform(0, 3))
            yield Incident(url=rng.choice((above, first, second)).url, pid=above.server.pid, own_url=above.url)
