"""Faults of the network between the application and a server in a namespace of its own: packets lost, a narrow link."""

import asyncio
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import cache
from random import Random

from evals.lab.fault import Family, Incident
from evals.lab.netns import Namespace, available, namespace
from evals.lab.servers import Server, ServerKind, running
from evals.lab.traffic import application, application_name, fill
from evals.lab.wire import LOST, crew, dial

FAULTS = Family("network and host")
_LOSSY = "iptables -A INPUT -p tcp -m statistic --mode random --probability 0.1 -j DROP"
_NARROW = "ip link add va type veth peer name vb && tc qdisc add dev va root tbf rate 2mbit burst 16kb latency 50ms"


@cache
def _tried(script: str) -> str | None:
    done = subprocess.run(["unshare", "--net", "sh", "-c", script], capture_output=True, text=True, check=False)
    return f"not in a network namespace here: {done.stderr.strip()}" if done.returncode else None


def lossy() -> str | None:
    """Why packets can't be dropped at random in a namespace here, or null."""
    return available("iptables") or _tried(_LOSSY)


def narrow() -> str | None:
    """Why no link can be made narrow here, or null."""
    return available("tc") or _tried(_NARROW)


@asynccontextmanager
async def _far(kind: ServerKind, rng: Random) -> AsyncIterator[tuple[Namespace, Server]]:
    """A server at the end of a cable that is still good."""
    async with namespace() as far, running(kind, host=far.inside, prefix=far.prefix, protected_mode="no") as server:
        await fill(server.url, rng, rng.randrange(500, 3000))
        yield far, server


@FAULTS.fault(
    "packet-loss",
    "Single Redis calls take a fifth of a second or twice that, the others none. Since the switch was replaced.",
    "p50 of Redis is as always, p99 went to 200 ms and more, from all pods of one rack.",
    "Short stalls all the time: a request waits now and then, its neighbours don't.",
    needs=lossy,
    twin="slow-on-command",
    never=(r"CONFIG SET timeout", r"slowlog-log-slower-than"),
)
async def packet_loss(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """Some of the packets are lost, in both directions."""
    share = rng.uniform(0.05, 0.09)
    async with _far(kind, rng) as (far, server), application(server.url, rng, rate=rng.uniform(30, 60)):
        for chain in ("INPUT", "OUTPUT"):
            far.run(
                "iptables", "-A", chain, "-p", "tcp", "-m", "statistic", "--mode", "random", "--probability",
                f"{share:.3f}", "-j", "DROP",
            )  # fmt: skip
        await asyncio.sleep(0.5)
        yield Incident(url=server.url, pid=server.pid)


async def _fetch(url: str, rng: Random, name: str, keys: int, pause: float) -> None:
    """Read big values one after the other, each as soon as the last one came."""
    while True:
        with suppress(*LOST):
            wire = await dial(url, name=name)
            try:
                while True:
                    await wire.ask("GET", f"page:{rng.randrange(keys)}:rendered", timeout=20)
                    await asyncio.sleep(rng.uniform(0, 2) * pause)
            finally:
                await wire.close()
        await asyncio.sleep(0.5)


@FAULTS.fault(
    "bandwidth-cap",
    "Large values come slowly from Redis, small ones are fast. Nothing shows on the Redis dashboards.",
    "The rendered pages that we keep in Redis take seconds to load since there are more visitors.",
    "Redis throughput hits a ceiling in megabytes long before the CPU is busy.",
    needs=narrow,
    twin="slow-on-command-sort",
    never=(r"maxmemory", r"io-threads"),
)
async def bandwidth_cap(kind: ServerKind, rng: Random) -> AsyncIterator[Incident]:
    """More bytes are asked for than the link out of the server carries."""
    rate, size, readers = rng.choice((2, 3, 4, 6)), rng.randrange(50_000, 200_000), rng.randrange(3, 7)
    async with (
        namespace() as far,
        running(kind, host=far.inside, prefix=far.prefix, protected_mode="no") as server,
        crew() as hands,
    ):
        await fill(server.url, rng, rng.randrange(500, 3000))
        wire = await hands.dial(server.url)
        for number in range(20):
            await wire.ask("SET", f"page:{number}:rendered", "x" * round(size * rng.uniform(0.7, 1.3)))
        device = far.run("sh", "-c", "ls /sys/class/net | grep -v lo").split()[0]
        far.run(
            "tc", "qdisc", "add", "dev", device, "root", "tbf", "rate", f"{rate}mbit", "burst", "16kb", "latency",
            f"{rng.randrange(20, 60)}ms",
        )  # fmt: skip
        async with application(server.url, rng, rate=rng.uniform(10, 30)):
            name = application_name(rng)
            for _ in range(readers):
                hands.spawn(_fetch(server.url, Random(rng.random()), name, 20, rng.uniform(0.05, 0.15)))
            await asyncio.sleep(2)
            yield Incident(url=server.url, pid=server.pid)
