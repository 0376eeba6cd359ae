"""Faults of addresses: a server that listens elsewhere, and a deployment that tells its clients a wrong place."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random

import psutil

from evals.lab.fault import NO_FAULT, Family, Incident
from evals.lab.routed import by_slots, routed
from evals.lab.servers import ServerKind, free_port, running
from evals.lab.topologies import clustered, fields, replicated, until
from evals.lab.traffic import application, fill

FAULTS = Family("addresses and clients")
_REFUSED = (
    "checkout gets 'Connection refused' on every Redis call since it moved; redis-cli on the server itself works.",
    "ECONNREFUSED from the new app version, the old one beside it works fine with the same Redis.",
    "redis.exceptions.ConnectionError: Error 111 connecting. Connection refused. Redis is running, ps shows it.",
)
_NEVER = (r"protected-mode no", r"\bstart the service\b", r"\brestart the service\b", r"bind 0\.0\.0\.0$")
_ANNOUNCED = (
    "The first command works, then it's MOVED and the client runs into Connection refused. Only some keys.",
    "Cluster client logs connection refused for one node since the move to containers; redis-cli there works.",
    "About a third of the requests to Redis fail since the migration, the others are fast.",
)


def own_address() -> str | None:
    """An IPv4 address of this machine beyond loopback."""
    found = (one.address for of_one in psutil.net_if_addrs().values() for one in of_one if one.family == socket.AF_INET)
    return next((address for address in found if not address.startswith("127.")), None)


def _needs() -> str | None:
    if own_address() is None:
        return "needs an address beyond loopback"
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return None
    except OSError:
        return "needs IPv6 on loopback"


@FAULTS.fault("bound-elsewhere", *_REFUSED, needs=_needs, twin="process-down", never=_NEVER)
async def bound_elsewhere(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """Asked at an address at which it doesn't listen: ::1, or this machine's own."""
    async with running(kind) as server, application(server.url, rng):
        await fill(server.url, rng, rng.randrange(500, 3000))
        asked = rng.choice(("[::1]", own_address()))
        yield Incident(url=f"redis://{asked}:{server.port}", pid=server.pid, own_url=server.url)


@asynccontextmanager
async def _quoted(kind: ServerKind, rng: Random, bind: str) -> AsyncIterator[Incident]:
    async with running(kind, bind=bind) as server, application(server.url, rng):
        await fill(server.url, rng, rng.randrange(500, 3000))
        at = rng.choice((f"::1:{server.port}", f"[::1]:{server.port}", f"{own_address()}:{server.port}"))
        ticket = rng.choice(
            (
                f"Error: connect ECONNREFUSED {at} since the upgrade to Node 18. redis-cli works.",
                f"orders can't connect to Redis, connection refused ({at}); everything else works.",
            )
        )
        yield Incident(url=server.url, pid=server.pid, ticket=ticket)


@FAULTS.fault(
    "bound-elsewhere-quoted", "Error: connect ECONNREFUSED ::1:6379 since the upgrade to Node 18.",
    cause="bound-elsewhere", needs=_needs, twin="healthy-bound", never=_NEVER,
)  # fmt: skip
async def bound_elsewhere_quoted(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """The URL's address is served; the one that the report names isn't."""
    async with _quoted(kind, rng, "127.0.0.1") as incident:
        yield incident


@FAULTS.fault(
    "bound-elsewhere-local",
    "Connection refused from the other container, redis-cli on the Redis box itself works.",
    "Our app server gets ECONNREFUSED from another machine, locally everything is fine.",
    cause="bound-elsewhere", needs=_needs, twin="healthy-bound", never=_NEVER,
)  # fmt: skip
async def bound_elsewhere_local(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """It listens on loopback alone, and somebody else wants to reach it."""
    async with running(kind) as server, application(server.url, rng):
        await fill(server.url, rng, rng.randrange(500, 3000))
        yield Incident(url=server.url, pid=server.pid)


@FAULTS.fault("healthy-bound", *_REFUSED, cause=NO_FAULT, needs=_needs, twin="bound-elsewhere-quoted", never=_NEVER)
async def healthy_bound(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """It listens wherever it's asked: who is refused asks elsewhere."""
    async with _quoted(kind, rng, f"127.0.0.1 ::1 {own_address()}") as incident:
        yield incident


@FAULTS.fault(
    "announced-address-unreachable", *_ANNOUNCED, twin="cluster-slots-down", never=(r"\b(re)?start (it|the|that)\b",)
)
async def announced_address_unreachable(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """A node of a cluster announces a port at which nothing listens; its bus is up."""
    async with clustered(kind, node_timeout=5000) as deployment:
        asked, wrong = rng.sample(deployment.members, 2)
        async with routed(by_slots(deployment), rng):
            port = free_port()
            await wrong.ask("CONFIG", "SET", "cluster-announce-port", port)

            async def is_told() -> bool:
                nodes = str(await asked.ask("CLUSTER", "NODES"))
                state = fields(str(await asked.ask("CLUSTER", "INFO")))["cluster_state"]
                return f":{port}@" in nodes and state == "ok"

            await until(is_told, "the other nodes name the announced port")
            yield Incident(url=asked.url, pid=wrong.server.pid)


@FAULTS.fault(
    "announced-address-unreachable-replica",
    "Reads from the replica fail with Connection refused since the move to containers; writes work.",
    "The client discovers the replica and can't connect to it, connection refused. Replication itself is fine.",
    cause="announced-address-unreachable",
    twin="healthy-replicas",
    never=(r"\b(re)?start (it|the|that)\b",),
)
async def announced_address_unreachable_replica(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """A replica announces a port at which nothing listens; its link is up."""
    port = str(free_port())
    async with (
        replicated(kind, replicas=1, replica={"replica_announce_port": port}) as deployment,
        application(deployment.url, rng),
    ):
        yield Incident(url=deployment.url, pid=deployment.replicas[0].server.pid)
