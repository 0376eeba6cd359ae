"""Faults of reaching a server on another machine: it's in a network namespace of its own."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from random import Random

from evals.lab.fault import Family, Incident
from evals.lab.netns import available, firewall, namespace
from evals.lab.servers import ServerKind, running
from evals.lab.traffic import application, fill, works

FAULTS = Family("connectivity")


@asynccontextmanager
async def _walled(kind: ServerKind, rng: Random, *target: str) -> AsyncIterator[Incident]:
    async with namespace() as far, running(kind, host=far.inside, prefix=far.prefix, protected_mode="no") as server:
        await fill(server.url, rng, rng.randrange(500, 3000))
        async with application(server.url, rng, clients=rng.randrange(3, 7)):
            far.run("iptables", "-A", "INPUT", "-p", "tcp", "--dport", str(server.port), "-j", *target)
            yield Incident(url=server.url, pid=server.pid, fixed=partial(works, server.url))


@FAULTS.fault(
    "firewall-drop",
    "Connecting to Redis times out from all application hosts since the network change.",
    "redis.exceptions.TimeoutError: Timeout connecting to server. On the Redis host itself redis-cli works.",
    "Checkout can't connect to Redis: connect timeout, not refused.",
    needs=firewall,
)
async def firewall_drop(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """The port's packets are dropped on the server's side."""
    async with _walled(kind, rng, "DROP") as incident:
        yield incident


@FAULTS.fault(
    "firewall-reject",
    "No route to host, for Redis only; ssh to that host works.",
    "Checkout can't connect to Redis: [Errno 113] No route to host. On the host itself redis-cli works.",
    cause="firewall-drop",
    needs=firewall,
)
async def firewall_reject(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """The port's packets are answered with "administratively prohibited"."""
    async with _walled(kind, rng, "REJECT", "--reject-with", "icmp-admin-prohibited") as incident:
        yield incident


@FAULTS.fault(
    "firewall-reject-refused",
    "Connection refused by Redis from all application hosts; on the Redis host itself redis-cli works.",
    "Since the hardening every connect to Redis fails with 'Connection refused'.",
    cause="firewall-drop",
    needs=firewall,
    twin="process-down",
)
async def firewall_reject_refused(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """The port's packets are answered as a firewall does by default: the port can't be reached."""
    async with _walled(kind, rng, "REJECT") as incident:
        yield incident


@FAULTS.fault(
    "protected-mode-denied",
    "The new Redis can't be used from the application hosts: DENIED.",
    "Redis closes every connection from the pods right away. On its own host redis-cli works.",
    "redis.exceptions.ResponseError: DENIED Redis is running in ... mode",
    needs=available,
)
async def protected_mode_denied(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """Bound to all addresses without a password: only its own host is let in."""
    async with (
        namespace() as far,
        # 6.2 is protected only as long as the file names no address at all.
        running(kind, host=far.inside, prefix=far.prefix, bind="", protected_mode="yes") as server,
        application(server.url, rng, clients=rng.randrange(3, 7)),
    ):
        yield Incident(url=server.url, pid=server.pid, fixed=partial(works, server.url))
