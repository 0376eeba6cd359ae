"""An agent that knows what to do on several nodes, and finds them as clients do: python several.py URL ACTION..."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from evals.lab.topologies import MASTER, SLOTS
from evals.lab.wire import LOST, Argument, dial
from tools.server.cluster import ClusterNode, parse_nodes


class Node:
    """One of them, asked over a connection for each command, until the server lets it in."""

    def __init__(self, host: str, port: int, password: str = "") -> None:
        self.port = port
        self._url = f"redis://{f':{password}@' if password else ''}{host}:{port}"

    async def ask(self, *command: Argument) -> Any:
        """One command's reply; a full server refuses the connection, and is asked again."""
        for _ in range(400):
            try:
                wire = await dial(self._url, timeout=10)
            except LOST:
                await asyncio.sleep(0.05)
                continue
            try:
                return await wire.ask(*command, timeout=10)
            except LOST as error:
                if "max number of clients" not in str(error) and not isinstance(error, EOFError | OSError):
                    raise
                await asyncio.sleep(0.05)
            finally:
                await wire.close()
        raise SystemExit("not let in")

    async def setting(self, name: str) -> int:
        """A setting that is a number."""
        return int((await self.ask("CONFIG", "GET", name))[1])

    async def nodes(self) -> tuple[ClusterNode, ...]:
        """Its cluster, as it sees it."""
        return parse_nodes(str(await self.ask("CLUSTER", "NODES")))


class Way:
    """What the URL says: where to ask first, and the password."""

    def __init__(self, url: str) -> None:
        login, _, places = urlsplit(url).netloc.rpartition("@")
        self.password = login.partition(":")[2]
        self.host, _, port = places.split(",")[0].rpartition(":")
        self.port = int(port)

    @property
    def first(self) -> Node:
        """A node of a cluster."""
        return Node(self.host, self.port, self.password)

    async def primaries(self) -> list[Node]:
        """Those of the cluster."""
        return [Node(one.host, one.port, self.password) for one in await self.first.nodes() if one.primary]

    async def sentinels(self) -> list[Node]:
        """All of them, who have no password."""
        asked = Node(self.host, self.port)
        others = map(_pairs, await asked.ask("SENTINEL", "SENTINELS", MASTER))
        return [asked, *(Node(one["ip"], int(one["port"])) for one in others)]

    async def replicas(self) -> list[Node]:
        """Those that a sentinel knows."""
        found = map(_pairs, await Node(self.host, self.port).ask("SENTINEL", "REPLICAS", MASTER))
        return [Node(one["ip"], int(one["port"]), self.password) for one in found]


def _pairs(reply: list[str]) -> dict[str, str]:
    return dict(zip(reply[::2], reply[1::2], strict=True))


async def _raise(name: str, way: Way) -> None:
    """On the node that has the least of it, as much as the others have."""
    nodes = await way.primaries()
    have = [await one.setting(name) for one in nodes]
    await nodes[have.index(min(have))].ask("CONFIG", "SET", name, max(have))


async def _raise_all(name: str, way: Way) -> None:
    for one in await way.primaries():
        await one.ask("CONFIG", "SET", name, 300_000_000)


async def _assign(way: Way) -> None:
    """Give the slots that nobody has to the node that was named."""
    ranges = [ends for one in await way.first.nodes() for ends in one.ranges]
    owned = {slot for first, last in ranges for slot in range(first, last + 1)}
    await way.first.ask("CLUSTER", "ADDSLOTS", *sorted({*range(SLOTS)} - owned))


async def _finish(way: Way) -> None:
    """Move what is left in each open slot, and say whose it is."""
    known = await way.first.nodes()
    nodes = {one.id: Node(one.host, one.port, way.password) for one in known}
    for source in nodes.values():
        own = next(one for one in await source.nodes() if one.myself)
        for slot, target in own.migrating.items():
            while names := await source.ask("CLUSTER", "GETKEYSINSLOT", slot, 100):
                for name in names:
                    await source.ask("MIGRATE", way.host, nodes[target].port, name, 0, 2000)
            for one in (nodes[target], source):
                await one.ask("CLUSTER", "SETSLOT", slot, "NODE", target)


async def _on_all(which: Callable[[Way], Awaitable[list[Node]]], command: str, way: Way) -> None:
    for one in await which(way):
        await one.ask(*command.replace("PASSWORD", way.password).split())


ACTIONS: dict[str, Callable[[Way], Awaitable[None]]] = {
    "more-memory": partial(_raise, "maxmemory"),
    "more-memory-everywhere": partial(_raise_all, "maxmemory"),
    "more-clients": partial(_raise, "maxclients"),
    "shorter-timeouts": partial(_on_all, Way.primaries, "CONFIG SET timeout 1"),
    "assign": _assign,
    "serve-a-part": partial(_on_all, Way.primaries, "CONFIG SET cluster-require-full-coverage no"),
    "reset-the-cluster": partial(_on_all, Way.primaries, "CLUSTER RESET SOFT"),
    "finish-the-migration": _finish,
    "flush": partial(_on_all, Way.primaries, "FLUSHALL"),
    "allow-promotion": partial(_on_all, Way.replicas, "CONFIG SET replica-priority 100"),
    "promote-all": partial(_on_all, Way.replicas, "REPLICAOF NO ONE"),
    "append": partial(_on_all, Way.replicas, "CONFIG SET appendonly yes"),
    "quorum-of-two": partial(_on_all, Way.sentinels, f"SENTINEL SET {MASTER} quorum 2"),
    "quorum-of-one": partial(_on_all, Way.sentinels, f"SENTINEL SET {MASTER} quorum 1"),
    "new-password": partial(_on_all, Way.sentinels, f"SENTINEL SET {MASTER} auth-pass PASSWORD"),
    "forget-the-master": partial(_on_all, Way.sentinels, f"SENTINEL REMOVE {MASTER}"),
}


async def main(url: str, *actions: str) -> None:
    """Do one after the other."""
    for action in actions:
        await ACTIONS[action](Way(url))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
