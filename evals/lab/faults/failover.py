"""Faults of deciding who the master is."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial
from random import Random

from evals.lab.fault import NO_FAULT, Family, Incident
from evals.lab.repaired import FAILS_OVER_WITHIN, served, state_of, trusted
from evals.lab.routed import Route, by_sentinels, routed
from evals.lab.servers import ServerKind
from evals.lab.topologies import MASTER, Deployment, Member, sentinels, until
from evals.lab.traffic import application, application_name, fill
from evals.lab.wire import LOST, dial

FAULTS = Family("replication and failover")


def url_of(deployment: Deployment, rng: Random) -> str:
    """By a Sentinel URL, or by one sentinel's own; only those that live."""
    alive = [one.name for one in deployment.sentinels if one.server.running]
    rng.shuffle(alive)
    password = f":{deployment.primary.password}@" if deployment.primary.password else ""
    if rng.random() < 0.3:
        return f"redis://{password}{alive[0]}"
    return f"redis+sentinel://{password}{','.join(alive)}/{MASTER}"


async def _named(deployment: Deployment) -> set[str]:
    asked = [one for one in deployment.sentinels if one.server.running]
    return {":".join(await one.ask("SENTINEL", "GET-MASTER-ADDR-BY-NAME", MASTER)) for one in asked}


async def moved(deployment: Deployment) -> bool:
    names = await _named(deployment)
    return len(names) == 1 and names != {deployment.primary.name}


async def down(deployment: Deployment) -> bool:
    alive = [one for one in deployment.sentinels if one.server.running]
    return all(["s_down" in (await state_of(one))["flags"] for one in alive])


async def no_quorum(one: Member) -> bool:
    try:
        await one.ask("SENTINEL", "CKQUORUM", MASTER)
    except OSError:
        raise
    except LOST as error:
        return "NOQUORUM" in str(error)
    return False


_STUCK = (
    "The Redis master is gone for minutes and no replica takes its place, although we run three sentinels.",
    "Checkout can't write: connection refused by the Redis master. The automatic failover doesn't come.",
    "Redis HA doesn't work: master dead, replicas alive, nothing happens.",
)
_BY_HAND = (r"sentinel set .*quorum 1\b", r"replicaof no one", r"slaveof no one")


@FAULTS.fault("sentinel-noquorum", *_STUCK, also=("process-down",), twin="sentinel-no-good-replica", never=_BY_HAND)
async def sentinel_noquorum(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """Most sentinels are dead or stand still, or more have to agree than there are; then the master dies."""
    how = rng.choice((signal.SIGKILL, signal.SIGSTOP, None))
    async with sentinels(
        kind, quorum=2 if how else 4, replicas=rng.randrange(1, 3), down_after=rng.randrange(800, 1600),
        password=rng.choice(("", "hush")),
    ) as deployment, routed(by_sentinels(deployment), rng):  # fmt: skip
        await fill(deployment.url, rng, rng.randrange(500, 3000))
        if how:
            for one in deployment.sentinels[1:]:
                one.server.signal(how)
        await until(partial(no_quorum, deployment.sentinels[0]), "a sentinel that says NOQUORUM")
        deployment.primary.server.signal(signal.SIGKILL)
        first = Deployment(deployment.members, deployment.sentinels[:1])
        await until(partial(down, first if how else deployment), "the master is seen down")
        yield Incident(url=url_of(first if how else deployment, rng), pid=deployment.primary.server.pid)


_READY = (
    "Would our Redis fail over tonight if the master went away? The drill of last week did nothing.",
    "We moved two of the three sentinels to new machines. Is Redis HA all right?",
)


@FAULTS.fault(
    "sentinel-noquorum-latent", *_READY, cause="sentinel-noquorum", twin="healthy-failover", never=_BY_HAND,
)  # fmt: skip
async def sentinel_noquorum_latent(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """The master is well, and nobody could replace it."""
    async with (
        sentinels(kind, replicas=1, down_after=rng.randrange(800, 1600)) as deployment,
        routed(by_sentinels(deployment), rng),
    ):  # fmt: skip
        for one in deployment.sentinels[1:]:
            one.server.signal(rng.choice((signal.SIGKILL, signal.SIGSTOP)))
        await until(partial(no_quorum, deployment.sentinels[0]), "a sentinel that says NOQUORUM")
        first = Deployment(deployment.members, deployment.sentinels[:1])
        yield Incident(url=url_of(first, rng), pid=deployment.primary.server.pid)


@FAULTS.fault("sentinel-no-good-replica", *_STUCK, also=("process-down",), twin="sentinel-noquorum", never=_BY_HAND)
async def sentinel_no_good_replica(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """Every replica is forbidden to be promoted, and the master dies."""
    count = rng.randrange(1, 3)
    async with sentinels(
        kind, replicas=count, down_after=rng.randrange(800, 1600), password=rng.choice(("", "hush")),
        replica={"replica-priority": "0"}, failover_timeout=3000,
    ) as deployment, routed(by_sentinels(deployment), rng):  # fmt: skip
        await fill(deployment.url, rng, rng.randrange(500, 3000))
        deployment.primary.server.signal(signal.SIGKILL)
        await until(partial(down, deployment), "the master is seen down")
        await asyncio.sleep(rng.uniform(0.5, 4))
        yield Incident(
            url=url_of(deployment, rng), pid=deployment.primary.server.pid,
            fixed=partial(served, by_sentinels(deployment)), gone_within=FAILS_OVER_WITHIN,
        )  # fmt: skip


@FAULTS.fault(
    "sentinel-no-good-replica-dead", *_STUCK[:2], cause="sentinel-no-good-replica", also=("process-down",),
    twin="sentinel-noquorum", never=_BY_HAND,
)  # fmt: skip
async def sentinel_no_good_replica_dead(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """The replicas had died before, unnoticed, and now the master does."""
    async with (
        sentinels(kind, replicas=rng.randrange(1, 3), down_after=rng.randrange(800, 1600)) as deployment,
        routed(by_sentinels(deployment), rng),
    ):  # fmt: skip
        for one in deployment.replicas:
            one.server.signal(signal.SIGKILL)
        await asyncio.sleep(rng.uniform(2, 3))
        deployment.primary.server.signal(signal.SIGKILL)
        await until(partial(down, deployment), "the master is seen down")
        yield Incident(url=url_of(deployment, rng), pid=deployment.primary.server.pid)


_CHANGES = (
    "Redis changed its master today without anybody's doing, and checkout saw errors for some seconds.",
    "There was a Redis failover again. What was wrong with the old master?",
    "Short outages of Redis: connections drop, some seconds later all is well, on another node.",
)
_SHORTER = (r"down-after-milliseconds (\d|\d\d|\d\d\d)\b",)
_SPIN = "local n = 0 for i = 1, ARGV[1] do n = n + i % 7 end return n"
"""A script of so many rounds: what it could read the time from differs between servers."""


async def _rounds(url: str) -> float:
    """How many rounds a millisecond the server does."""
    wire, loop = await dial(url), asyncio.get_running_loop()
    try:
        began = loop.time()
        await wire.ask("EVAL", _SPIN, 0, 2_000_000, timeout=10)
        return 2_000_000 / (1000 * (loop.time() - began))
    finally:
        await wire.close()


async def _heavy(route: Route, rng: Random, rounds: float) -> None:
    """A job that holds whoever is the master up, over and over."""
    name = application_name(rng)
    while True:
        with suppress(*LOST):
            wire = await dial(await route(""), name=name)
            try:
                await wire.ask("EVAL", _SPIN, 0, round(rounds * rng.uniform(0.9, 1.1)), timeout=10)
            finally:
                await wire.close()
        await asyncio.sleep(rng.uniform(2, 3.5))


@FAULTS.fault(
    "auth-failure-sentinels", "Sentinel reports +sdown for our Redis since the passwords were rotated. The shop works.",
    "Since the rotation of the secrets every sentinel calls the primary and its replicas down.",
    cause="auth-failure", twin="sentinel-no-good-replica", never=(*_BY_HAND, r"requirepass", r"replica-priority"),
)  # fmt: skip
async def auth_failure_sentinels(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """The servers and the application have a new password, and the sentinels the old one."""
    async with sentinels(
        kind, replicas=rng.randrange(1, 3), down_after=rng.randrange(800, 1600), password="hush",
    ) as deployment:  # fmt: skip
        data = [Member(one.server, "hush2") for one in deployment.members]
        for what in ("masterauth", "requirepass"):
            for one in deployment.members:
                await one.ask("CONFIG", "SET", what, "hush2")
                if what == "requirepass":
                    await Member(one.server, "hush2").ask("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        changed = Deployment(tuple(data), deployment.sentinels)
        async with application(changed.url, rng):
            await fill(changed.url, rng, rng.randrange(500, 3000))
            await until(lambda: down(changed), "every sentinel calls the master down")
            await asyncio.sleep(rng.uniform(1, 3))
            yield Incident(
                url=url_of(changed, rng), pid=changed.primary.server.pid, own_url=changed.url,
                fixed=partial(trusted, changed),
            )  # fmt: skip


@FAULTS.fault("slowness-failover", *_CHANGES, twin="healthy-failover", never=_SHORTER)
async def slowness_failover(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """A job's long scripts look like deaths to the sentinels; the job follows to each new master."""
    after = rng.randrange(450, 700)
    async with sentinels(kind, replicas=2, down_after=after, failover_timeout=4000) as deployment:
        route = by_sentinels(deployment)
        async with routed(route, rng) as hands:
            await fill(deployment.url, rng, rng.randrange(500, 3000))
            rounds = after * rng.uniform(2.2, 2.8) * await _rounds(deployment.url)
            hands.spawn(_heavy(route, Random(rng.random()), rounds))
            await until(partial(moved, deployment), "another master", 60)
            await asyncio.sleep(rng.uniform(2, 5))
            yield Incident(url=url_of(deployment, rng), pid=deployment.primary.server.pid)


@asynccontextmanager
async def _stood_still(deployment: Deployment, rng: Random) -> AsyncIterator[None]:
    """The master stands still until another one is made, and then goes on."""
    deployment.primary.server.signal(signal.SIGSTOP)
    await until(partial(moved, deployment), "another master", 40)
    await asyncio.sleep(rng.uniform(0.2, 1.5))
    deployment.primary.server.signal(signal.SIGCONT)
    yield


@FAULTS.fault("slowness-failover-pause", *_CHANGES, cause="slowness-failover", twin="healthy-failover", never=_SHORTER)
async def slowness_failover_pause(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """The master's machine stood still for some seconds, as when it's moved; the slow log knows nothing of it."""
    async with (
        sentinels(kind, replicas=2, down_after=rng.randrange(800, 1500)) as deployment,
        routed(by_sentinels(deployment), rng),
    ):  # fmt: skip
        await fill(deployment.url, rng, rng.randrange(500, 3000))
        async with _stood_still(deployment, rng):
            await until(partial(follows, deployment), "the old master is a replica in sync", 40)
            yield Incident(url=url_of(deployment, rng), pid=deployment.primary.server.pid)


async def follows(deployment: Deployment) -> bool:
    infos = [await member.info() for member in deployment.members]
    return sum(info["role"] == "slave" and info["master_link_status"] == "up" for info in infos) == len(infos) - 1


_COME_AND_GO = (
    "Since the Redis failover some carts that were stored are gone again.",
    "One pod sees an order in Redis, another one doesn't, and it stays so.",
    "After the failover counters jump back; old and new values in turns.",
)


@FAULTS.fault(
    "split-brain", *_COME_AND_GO, twin="healthy-failover",
    never=(r"sentinel failover", r"replicaof no one", r"revers\w+ the failover"),
)  # fmt: skip
async def split_brain(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """The old master comes back, can't be made a replica, and a part of the application stayed with it."""
    async with AsyncExitStack() as stack:
        deployment = await stack.enter_async_context(
            sentinels(kind, replicas=2, down_after=rng.randrange(800, 1500), password=rng.choice(("", "hush")))
        )
        await stack.enter_async_context(routed(by_sentinels(deployment), rng))
        await fill(deployment.url, rng, rng.randrange(500, 3000))
        await _harden(deployment.primary, deployment.primary.password)
        await stack.enter_async_context(application(deployment.url, rng, clients=rng.randrange(2, 5)))
        await stack.enter_async_context(_stood_still(deployment, rng))
        await asyncio.sleep(rng.uniform(14, 20))
        yield Incident(url=url_of(deployment, rng), pid=deployment.primary.server.pid)


async def _harden(member: Member, password: str) -> None:
    """Take from everybody what would make this server a replica, as well-meant hardening does."""
    secret = f">{password}" if password else "nopass"
    await member.ask("ACL", "SETUSER", "default", "on", secret, "~*", "&*", "+@all", "-replicaof", "-slaveof")


@FAULTS.fault("healthy-failover", *_CHANGES[:2], *_COME_AND_GO[:2], *_READY[1:], cause=NO_FAULT)
async def healthy_failover(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """Somebody asked for the failover, and it's done: one master, replicas in sync, nothing left to do."""
    async with (
        sentinels(kind, replicas=2, down_after=rng.randrange(1500, 3000)) as deployment,
        routed(by_sentinels(deployment), rng),
    ):  # fmt: skip
        await fill(deployment.url, rng, rng.randrange(500, 3000))
        await deployment.sentinels[0].ask("SENTINEL", "FAILOVER", MASTER)
        await until(partial(moved, deployment), "another master", 30)
        await until(partial(follows, deployment), "the old master is a replica in sync", 40)
        yield Incident(url=url_of(deployment, rng), pid=deployment.primary.server.pid)
