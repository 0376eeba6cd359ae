"""Deployments of several servers on loopback: replication, Sentinel, cluster; each in good order to begin with."""

import asyncio
import contextlib
import random
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from evals.lab.servers import LabError, Server, ServerKind, start
from evals.lab.wire import LOST, Argument, dial

MASTER = "mymaster"
"""The name under which the sentinels know the primary."""
SLOTS = 16384
BUS = 10_000
"""How far a node's cluster bus lies above its port."""
FORMS_WITHIN = 20.0
"""Seconds that a deployment may take to be in order."""


@dataclass(frozen=True)
class Member:
    """One server of a deployment, and how to be let in."""

    server: Server
    password: str = ""

    @property
    def url(self) -> str:
        """redis://[:password@]host:port."""
        server = self.server
        return f"redis://:{self.password}@{server.host}:{server.port}" if self.password else server.url

    @property
    def name(self) -> str:
        """host:port."""
        return f"{self.server.host}:{self.server.port}"

    async def ask(self, *command: Argument, timeout: float = 2.0) -> Any:
        """One command's reply over a connection of its own. Raises one of `LOST`."""
        wire = await dial(self.url, timeout=timeout)
        try:
            return await wire.ask(*command, timeout=timeout)
        finally:
            await wire.close()

    async def info(self, section: str = "replication") -> dict[str, str]:
        """One section of INFO by field. Raises one of `LOST`."""
        return fields(str(await self.ask("INFO", section)))


@dataclass(frozen=True)
class Deployment:
    """What runs together: the data nodes, and the sentinels where there are any."""

    members: tuple[Member, ...]
    """The data nodes; the primary is the first, in a cluster the primaries come before the replicas."""
    sentinels: tuple[Member, ...] = ()

    @property
    def primary(self) -> Member:
        """The node that was the primary at the start."""
        return self.members[0]

    @property
    def replicas(self) -> tuple[Member, ...]:
        """The other data nodes."""
        return self.members[1:]

    @property
    def servers(self) -> tuple[Server, ...]:
        """Every process, the sentinels last."""
        return tuple(member.server for member in (*self.members, *self.sentinels))

    @property
    def url(self) -> str:
        """The primary's, credentials included."""
        return self.primary.url


def fields(text: str) -> dict[str, str]:
    """Lines of `name:value` by name."""
    return dict(line.split(":", 1) for line in text.splitlines() if ":" in line)


async def until(holds: Callable[[], Awaitable[bool]], what: str, seconds: float = FORMS_WITHIN) -> None:
    """Wait until something holds; a server that can't be asked yet is waited for. Raises `LabError` naming `what`."""
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        with contextlib.suppress(*LOST):
            if await holds():
                return
        await asyncio.sleep(0.05)
    raise LabError(f"not within {seconds:g} s: {what}")


class _Servers:
    """Servers that are ended all at once."""

    def __init__(self, kind: ServerKind, password: str) -> None:
        self.kind = kind
        self.password = password
        self._started: list[Server] = []

    async def add(self, config: Mapping[str, str], **how: Any) -> Member:
        """One more. Its password is the deployment's unless `config` says another."""
        secret = {"requirepass": self.password, "masterauth": self.password} if self.password else {}
        whole = {**secret, **config}
        server = await start(self.kind, config=whole, **how)
        self._started.append(server)
        return Member(server, whole.get("requirepass", ""))

    async def stop(self) -> None:
        await asyncio.gather(*(server.stop() for server in self._started))


@asynccontextmanager
async def _servers(kind: ServerKind, password: str) -> AsyncIterator[_Servers]:
    servers = _Servers(kind, password)
    try:
        yield servers
    finally:
        await servers.stop()


def _dashed(settings: Mapping[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in settings.items()}


@asynccontextmanager
async def replicated(
    kind: ServerKind,
    replicas: int = 2,
    *,
    password: str = "",
    replica: Mapping[str, str] | None = None,
    cascading: bool = False,
    in_sync: bool = True,
    **config: str,
) -> AsyncIterator[Deployment]:
    """A primary and its replicas, in sync.

    `config` is everybody's, `replica` the replicas' alone, both with _ for -. `cascading` chains each replica to the
    one before it; `in_sync` false doesn't wait for the links, for those that are meant to fail.
    """
    async with _servers(kind, password) as servers:
        common = {"repl-diskless-sync-delay": "0", "repl-ping-replica-period": "1", **_dashed(config)}
        members = [await servers.add(common)]
        for _ in range(replicas):
            above = members[-1 if cascading else 0].server
            of = {"replicaof": f"{above.host} {above.port}"}
            members.append(await servers.add({**common, **of, **_dashed(replica or {})}))
        deployment = Deployment(tuple(members))
        if in_sync:
            await until(lambda: in_step(deployment), "every replica's link up")
            await kind.formed()
        yield deployment


async def in_step(deployment: Deployment) -> bool:
    """Whether every replica has its link up and is online at the node above it. Raises one of `LOST`."""
    online = 0
    for member in deployment.members:
        info = await member.info()
        online += sum(name.startswith("slave") and "state=online" in value for name, value in info.items())
        if member is not deployment.primary and info.get("master_link_status") != "up":
            return False
    return online == len(deployment.replicas)


@asynccontextmanager
async def sentinels(
    kind: ServerKind,
    quorum: int = 2,
    *,
    count: int = 3,
    replicas: int = 2,
    password: str = "",
    down_after: int = 1000,
    failover_timeout: int = 5000,
    replica: Mapping[str, str] | None = None,
) -> AsyncIterator[Deployment]:
    """A primary, its replicas and `count` sentinels that all know each other.

    `down_after` and `failover_timeout` are in milliseconds. The sentinels themselves have no password.
    """
    async with (
        replicated(kind, replicas, password=password, replica=replica) as data,
        _servers(kind, "") as servers,
    ):
        primary = data.primary.server
        monitor = {
            f"sentinel monitor {MASTER}": f"{primary.host} {primary.port} {quorum}",
            f"sentinel down-after-milliseconds {MASTER}": str(down_after),
            f"sentinel failover-timeout {MASTER}": str(failover_timeout),
            **({f"sentinel auth-pass {MASTER}": password} if password else {}),
            "save": "",
        }
        found = [await servers.add(monitor, args=("--sentinel",)) for _ in range(count)]
        deployment = Deployment(data.members, tuple(found))
        await until(lambda: _all_known(deployment), "every sentinel knows the others and the replicas")
        await kind.formed()
        yield deployment


async def _all_known(deployment: Deployment) -> bool:
    for one in deployment.sentinels:
        reply = await one.ask("SENTINEL", "MASTER", MASTER)
        seen = dict(zip(reply[::2], reply[1::2], strict=True))
        others = (int(seen["num-slaves"]), int(seen["num-other-sentinels"]))
        if others != (len(deployment.replicas), len(deployment.sentinels) - 1) or seen["flags"] != "master":
            return False
        for what in ("REPLICAS", "SENTINELS"):
            for peer in await one.ask("SENTINEL", what, MASTER):
                peer_fields = dict(zip(peer[::2], peer[1::2], strict=True))
                if "disconnected" in peer_fields["flags"] or peer_fields.get("master-link-status", "ok") != "ok":
                    return False
    return True


def _bus_port(host: str = "127.0.0.1") -> int:
    """A free port whose bus port is free too; both below the range that outgoing connections take."""
    for _ in range(200):
        port = random.randrange(11_000, 22_000)
        with contextlib.ExitStack() as stack:
            try:
                for one in (port, port + BUS):
                    stack.enter_context(socket.create_server((host, one)))
            except OSError:
                continue
            return port
    raise LabError("no free port with a free bus port")


@asynccontextmanager
async def clustered(
    kind: ServerKind, nodes: int = 3, replicas: int = 0, *, password: str = "", node_timeout: int = 2000, **config: str
) -> AsyncIterator[Deployment]:
    """A cluster of `nodes` primaries that share all slots evenly, each with `replicas` replicas; times in ms."""
    common = {
        "cluster-enabled": "yes", "cluster-config-file": "nodes.conf", "cluster-node-timeout": str(node_timeout),
        "repl-diskless-sync-delay": "0", **_dashed(config),
    }  # fmt: skip
    replicas = kind.replicas_of_a_shard(replicas)
    async with _servers(kind, password) as servers:
        members = [await _with_bus(servers, common) for _ in range(nodes * (1 + replicas))]
        deployment = Deployment(tuple(members))
        for number, member in enumerate(members, 1):
            await member.ask("CLUSTER", "SET-CONFIG-EPOCH", number)
            if number <= nodes:
                await member.ask("CLUSTER", "ADDSLOTS", *range(SLOTS * (number - 1) // nodes, SLOTS * number // nodes))
        for member in members[1:]:
            await member.ask("CLUSTER", "MEET", members[0].server.host, members[0].server.port)
        await until(lambda: _acquainted(deployment), "every node knows the others")
        for number, member in enumerate(members[nodes:]):
            above = await members[number % nodes].ask("CLUSTER", "MYID")
            await member.ask("CLUSTER", "REPLICATE", above)
        await until(lambda: _formed(deployment, members[nodes:]), "cluster_state:ok on every node")
        await kind.formed()
        yield deployment


async def _with_bus(servers: _Servers, config: Mapping[str, str]) -> Member:
    for _ in range(5):
        try:
            return await servers.add(config, port=_bus_port())
        except LabError as error:
            # Somebody else took a free port in between.
            if "in use" not in str(error):
                raise
    raise LabError(f"{servers.kind.name}: no free port in five attempts")


async def _acquainted(deployment: Deployment) -> bool:
    for member in deployment.members:
        lines = str(await member.ask("CLUSTER", "NODES")).splitlines()
        if len(lines) != len(deployment.members) or any("handshake" in line or "noaddr" in line for line in lines):
            return False
    return True


async def _formed(deployment: Deployment, replicas: list[Member]) -> bool:
    for member in deployment.members:
        info = fields(str(await member.ask("CLUSTER", "INFO")))
        if info["cluster_state"] != "ok" or info["cluster_slots_ok"] != str(SLOTS):
            return False
        nodes = str(await member.ask("CLUSTER", "NODES"))
        if sum(" slave " in line or ",slave " in line for line in nodes.splitlines()) != len(replicas):
            return False
    return all([(await one.info()).get("master_link_status") == "up" for one in replicas])
