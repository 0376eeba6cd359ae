"""Servers that a server which was started alone gets beside it: replicas, or the other nodes of a cluster."""

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack

from evals.lab.servers import Server, ServerKind, free_port, start
from evals.lab.topologies import SLOTS, Deployment, Member, fields, in_step, until

Config = Mapping[str, str]
_AT_A_TIME = 4
"""Servers that are started at once."""


def _secrets(config: Config) -> dict[str, str]:
    password = config.get("requirepass", "")
    return {"requirepass": password, "masterauth": password} if password else {}


async def _started(kind: ServerKind, config: Config, count: int, stack: AsyncExitStack) -> list[Member]:
    members: list[Member] = []
    while len(members) < count:
        some = range(min(_AT_A_TIME, count - len(members)))
        for server in await asyncio.gather(*(start(kind, config=_own(config)) for _ in some)):
            stack.push_async_callback(server.stop)
            members.append(Member(server, config.get("requirepass", "")))
    return members


def _own(config: Config) -> dict[str, str]:
    """The settings of one of them, with a bus port of its own where it has one."""
    return {**config, **({"cluster-port": str(free_port())} if "cluster-port" in config else {})}


async def attached(kind: ServerKind, server: Server, config: Config, count: int, stack: AsyncExitStack) -> None:
    """Replicas of a server, in step with it. Raises `LabError` or one of `LOST`."""
    theirs = {**_secrets(config), "replicaof": f"{server.host} {server.port}"}
    primary = Member(server, config.get("requirepass", ""))
    replicas = await _started(kind, theirs, count, stack)
    await until(lambda: in_step(Deployment((primary, *replicas))), "every replica's link up", 60)
    await kind.formed()


def in_cluster(bus: int) -> dict[str, str]:
    """The settings of a server that is going to be a node of a cluster."""
    return {
        "cluster-enabled": "yes", "cluster-config-file": "nodes.conf", "cluster-node-timeout": "2000",
        "cluster-port": str(bus), "repl-diskless-sync-delay": "0",
    }  # fmt: skip


async def sharded(kind: ServerKind, server: Server, config: Config, count: int, stack: AsyncExitStack) -> None:
    """Make a server the only primary of a cluster, with so many replicas. Raises `LabError` or one of `LOST`."""
    primary = Member(server, config.get("requirepass", ""))
    await primary.ask("CLUSTER", "ADDSLOTSRANGE", 0, SLOTS - 1)
    replicas = await _started(kind, {**_secrets(config), **in_cluster(0)}, count, stack)
    bus = config["cluster-port"]
    for one in replicas:
        await one.ask("CLUSTER", "MEET", server.host, server.port, bus)
    everybody = (primary, *replicas)

    async def acquainted() -> bool:
        counts = [len(str(await one.ask("CLUSTER", "NODES")).splitlines()) for one in everybody]
        return all(count == len(everybody) for count in counts)

    async def formed() -> bool:
        states = [fields(str(await one.ask("CLUSTER", "INFO")))["cluster_state"] for one in everybody]
        return set(states) == {"ok"} and await in_step(Deployment(everybody))

    await until(acquainted, "every node knows the others")
    shard = await primary.ask("CLUSTER", "MYID")
    for one in replicas:
        await one.ask("CLUSTER", "REPLICATE", shard)
    await until(formed, "cluster_state:ok on every node", 30)
    await kind.formed()
