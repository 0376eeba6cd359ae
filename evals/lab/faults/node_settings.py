"""Faults by a setting of one node that its figures don't name: a replica's, a sentinel's file, what is announced."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from random import Random

from hiredis import ReplyError

from evals.lab.fault import NO_FAULT, Family, Incident
from evals.lab.servers import ServerKind, running, start
from evals.lab.topologies import MASTER, Member, clustered, replicated, until
from evals.lab.traffic import application, application_name, fill, key_prefix
from evals.lab.wire import LOST, crew, dial

FAULTS = Family("settings of one node")


@FAULTS.fault(
    "replica-impatient", "The replica loses its link to the master every few seconds at night, without traffic.",
    "Replication lag alerts come and go on the replica, mostly while nothing is written.", cause="replica-link-down",
    twin="healthy-quiet-replica", never=(r"replicaof no one", r"\brestart\b.*primary"),
)  # fmt: skip
async def replica_impatient(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """A replica that waits for less time than its primary takes between two pings."""
    waits = rng.randrange(2, 4)
    async with replicated(kind, 0, repl_ping_replica_period="20", repl_timeout="60") as above:
        server = above.primary.server
        await fill(above.url, rng, rng.randrange(200, 2000))
        async with running(
            kind, replicaof=f"{server.host} {server.port}", repl_timeout=str(waits), repl_diskless_sync_delay="0"
        ) as replica:
            await asyncio.sleep(4 * waits + 6)
            yield Incident(url=replica.url, pid=replica.pid)


@FAULTS.fault("healthy-quiet-replica", "Is our replica all right? Nothing has been written for hours.",
              "Replication lag alerts come and go on the replica, mostly while nothing is written.", cause=NO_FAULT,
              twin="replica-impatient")  # fmt: skip
async def healthy_quiet_replica(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """A replica of a primary that nobody writes to, with usual settings."""
    async with replicated(kind, 1) as deployment:
        await fill(deployment.url, rng, rng.randrange(200, 2000))
        await asyncio.sleep(3)
        replica = deployment.replicas[0]
        yield Incident(url=replica.url, pid=replica.server.pid)


MISSED = (
    "Reads from the replica miss keys that the master has.",
    "Some lookups on the read replica return nothing although the key is on the primary.",
)


@FAULTS.fault("replica-evicts", *MISSED, cause="eviction-churn", twin="healthy-full-replica",
              never=(r"noeviction", r"\bflush(all|db)\b"))  # fmt: skip
async def replica_evicts(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """A replica that minds a limit of its own evicted what its primary still has, and is in step."""
    async with _with_a_limit(kind, rng, minds="no") as incident:
        yield incident


@FAULTS.fault("healthy-full-replica", "The replica is above its maxmemory. Are keys missing there?", MISSED[0],
              cause=NO_FAULT, twin="replica-evicts")  # fmt: skip
async def healthy_full_replica(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """A replica that is over its limit and evicts nothing, as is usual."""
    async with _with_a_limit(kind, rng, minds="yes") as incident:
        yield incident


@asynccontextmanager
async def _with_a_limit(kind: ServerKind, rng: Random, minds: str) -> AsyncIterator[Incident]:
    """A replica with half the memory that its data takes, and whether it ignores that limit."""
    size, count = rng.randrange(200, 400), rng.randrange(60_000, 90_000)
    limit = f"{max(24, count * (size + 100) // 2 >> 20)}mb"
    mine = {"maxmemory": limit, "maxmemory_policy": "allkeys-lru", "replica_ignore_maxmemory": minds}
    async with (
        replicated(kind, 1, replica=mine) as deployment,
        application(deployment.url, rng),
    ):
        await fill(deployment.url, rng, count, size=size)
        await until(lambda: _caught_up(deployment.replicas[0], deployment.primary), "the replica has caught up")
        await asyncio.sleep(1)
        yield Incident(url=deployment.url, pid=deployment.primary.server.pid)


async def _caught_up(replica: Member, primary: Member) -> bool:
    here, there = [int((await one.info())["master_repl_offset"]) for one in (replica, primary)]
    return there - here < 1 << 16


UNKEPT = (
    "After every restart of the sentinels they name the old master again.",
    "The sentinels forget the last failover whenever their containers are recreated.",
)


@FAULTS.fault("sentinels-unkept", *UNKEPT, cause="config-drift", twin="healthy-failover",
              never=(r"sentinel (reset|remove)", r"chmod 777"))  # fmt: skip
async def sentinels_unkept(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """Each sentinel's file was mounted into its container by itself, so it can't be replaced."""
    async with replicated(kind, 2) as deployment, AsyncExitStack() as stack:
        primary = deployment.primary.server
        monitor = {
            f"sentinel monitor {MASTER}": f"{primary.host} {primary.port} 2",
            f"sentinel down-after-milliseconds {MASTER}": "1000", "save": "",
        }  # fmt: skip
        itself = ["unshare", "--mount", "sh", "-c", 'mount --bind "$2" "$2" && exec "$@"', "sh"]
        found = []
        for _ in range(3):
            found.append(await start(kind, config=monitor, args=("--sentinel",), prefix=itself))
            stack.push_async_callback(found[-1].stop)
        await asyncio.sleep(rng.uniform(3, 5))
        at = ",".join(f"{one.host}:{one.port}" for one in found)
        async with application(deployment.url, rng):
            yield Incident(url=f"redis+sentinel://{at}/{MASTER}", pid=found[0].pid, own_url=found[0].url)


REDIRECTED = (
    "Since the upgrade the client can't follow redirects: getaddrinfo failed for host '?'.",
    "Our cluster client fails with 'could not resolve ?' for most keys, PING works on every node.",
)


@FAULTS.fault("endpoints-nameless", *REDIRECTED, cause="announced-address-unreachable", twin="healthy-endpoint-names",
              kinds=lambda kind: kind.at_least(7), never=(r"reshard", r"\brestart\b.*node"))  # fmt: skip
async def endpoints_nameless(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """A cluster that prefers host names, and has none."""
    async with _named(kind, rng, "") as incident:
        yield incident


@FAULTS.fault("healthy-endpoint-names", "We switched the cluster to host names yesterday. Does it look right?",
              cause=NO_FAULT, twin="endpoints-nameless", kinds=lambda kind: kind.at_least(7))  # fmt: skip
async def healthy_endpoint_names(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """The same with a name for every node, and a client that follows them."""
    async with _named(kind, rng, "localhost") as incident:
        yield incident


@asynccontextmanager
async def _named(kind: ServerKind, rng: Random, host: str) -> AsyncIterator[Incident]:
    preferred = "hostname"
    async with (
        clustered(
            kind, nodes=3, cluster_preferred_endpoint_type=preferred, cluster_announce_hostname=host or '""'
        ) as deployment,
        crew() as hands,
    ):  # fmt: skip
        if not host:
            hands.spawn(_lost_client(deployment.url, Random(rng.random())))
        await asyncio.sleep(2)
        yield Incident(url=deployment.url, pid=deployment.primary.server.pid)


async def _lost_client(url: str, rng: Random) -> None:
    """A cluster client that can't go where it is sent, and asks the one node that it knows again."""
    with suppress(*LOST):
        wire = await dial(url, name=application_name(rng))
        try:
            while True:
                with suppress(ReplyError):
                    await wire.ask("GET", f"cart:{rng.randrange(2000)}")
                await asyncio.sleep(rng.uniform(0.01, 0.05))
        finally:
            await wire.close()


@FAULTS.fault(
    "argument-too-long", "Storing large reports fails with broken pipe or connection reset, small ones work.",
    "Uploads of larger files into Redis fail: ERR Protocol error: invalid bulk length.", cause="query-buffer-hog",
    twin="healthy-large-values", never=(r"maxmemory [0-9]", r"client kill type"),
)  # fmt: skip
async def argument_too_long(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """Values longer than proto-max-bulk-len, which somebody lowered in the file."""
    size = rng.randrange(1_200_000, 3_000_000)
    async with running(kind, proto_max_bulk_len="1mb") as server, application(server.url, rng), crew() as hands:
        hands.spawn(_uploads(server.url, size, Random(rng.random())))
        await asyncio.sleep(2)
        yield Incident(url=server.url, pid=server.pid)


async def _uploads(url: str, size: int, rng: Random) -> None:
    name, prefix = application_name(rng), key_prefix(rng)
    while True:
        with suppress(*LOST):
            wire = await dial(url, name=name)
            try:
                await wire.ask("SET", f"{prefix}:{rng.randrange(100)}", "x" * size)
            finally:
                await wire.close()
        await asyncio.sleep(rng.uniform(0.2, 0.5))


@FAULTS.fault(
    "shutting-down", "The Redis pod is Terminating for minutes and the writes of all services hang, reads work.",
    "Writes hang since the node drain began, GET is fine.", cause="client-paused", also=("process-frozen",),
    twin="client-paused", kinds=lambda kind: kind.at_least(7), never=(r"client unpause", r"shutdown nosave"),
)  # fmt: skip
async def shutting_down(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """A primary that was told to end waits for a replica that doesn't answer any more."""
    async with (
        replicated(kind, 1, shutdown_timeout=str(rng.randrange(300, 900)), save="900 1") as deployment,
        application(deployment.url, rng),
    ):
        await asyncio.sleep(1)
        deployment.replicas[0].server.signal(signal.SIGSTOP)
        await asyncio.sleep(1.5)
        deployment.primary.server.signal(signal.SIGTERM)
        await asyncio.sleep(2)
        yield Incident(url=deployment.url, pid=deployment.primary.server.pid)
