"""Worlds: what there is around a fault besides itself, such as a million keys or twelve replicas. They compose."""

import random
import string
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit, urlunsplit

from pydantic import PrivateAttr

from evals.lab.crowd import crowd, million
from evals.lab.faults.encryption import certificate, openssl
from evals.lab.neighbours import attached, in_cluster, sharded
from evals.lab.servers import LabError, Server, ServerKind, free_port
from evals.lab.topologies import Member
from evals.lab.traffic import application
from evals.lab.wire import LOST, Crew, crew
from tools.clock import SystemClock
from tools.connection.budget import Budget
from tools.connection.node import Node
from tools.connection.target import parse_target
from tools.errors import Unanswered, UsageError
from tools.records import Record
from tools.redact import Pseudonyms
from tools.server.users import NAMES, PASSWORD, UserTier, about, user

Config = Mapping[str, str]
REPLICAS, CLIENTS, OTHERS = 12, 5000, 5
"""Replicas and clients of the worlds that are named after them, and further nodes of the cluster."""


class World(Record):
    """One kind of surroundings."""

    what: str
    """In a few words, for a person who chooses."""
    needs: Callable[[ServerKind], str | None] = lambda kind: None
    """Why a server can't have it, or null."""


def _clusterable(kind: ServerKind) -> str | None:
    return None if kind.at_least(7) else f"{kind.name} can't be told its bus port"


def _encryptable(kind: ServerKind) -> str | None:
    return openssl() or (None if kind.tls else f"{kind.name} was built without TLS")


WORLDS: dict[str, World] = {
    "cluster6": World(what="a cluster of six: one shard with five replicas, or three with one each",
                      needs=_clusterable),
    "replicas12": World(what="twelve replicas of the server"),
    "million-keys": World(what="a million small keys that nobody touches"),
    "clients5000": World(what="5,000 clients that each ask something every few seconds"),
    "tls": World(what="a TLS port beside the plain one; you and one application use it", needs=_encryptable),
    "acl": World(what="you are the user that `rediagnose acl` advises, which may only read"),
}  # fmt: skip


READ_ONLY = frozenset({"acl"})
"""Those in which whoever looks may change nothing."""


def unsuitable(kind: ServerKind, worlds: Sequence[str]) -> str | None:
    """Why a server can't have these surroundings, or null."""
    return next((why for name in worlds if (why := WORLDS[name].needs(kind))), None)


def suitable(kinds: Sequence[ServerKind], worlds: Sequence[str]) -> list[ServerKind]:
    """The servers that can have these surroundings. Raises `UsageError` with the reasons if none can."""
    if not (found := [kind for kind in kinds if unsuitable(kind, worlds) is None]):
        raise UsageError("; ".join(dict.fromkeys(str(unsuitable(kind, worlds)) for kind in kinds)))
    return found


class Around:
    """What was brought for one fault, until the fault is over."""

    def __init__(self, worlds: Sequence[str], rng: random.Random, stack: AsyncExitStack, hands: Crew) -> None:
        self.worlds = frozenset(worlds)
        self.rng = rng
        self.stack = stack
        self.hands = hands
        self.password = "".join(rng.choices(string.ascii_lowercase + string.digits, k=20))
        self.encrypted: dict[int, int] = {}
        """Plain ports and the TLS ports beside them."""
        self.settled: set[int] = set()
        """Ports of the servers that were brought something; one that is started again isn't brought it anew."""
        self.alone: set[int] = set()
        """Ports of the servers that were to belong to nothing else."""
        self.folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="redis-")))
        if "tls" in worlds:
            certificate("redis.internal", self.folder)

    def encrypted_url(self, url: str) -> str:
        """The URL of the TLS port beside a plain one, for a client that knows the authority. Raises `LabError`."""
        parts = urlsplit(url)
        port = self.encrypted.get(parts.port or 0)
        if parts.scheme != "redis" or port is None:
            raise LabError(f"{parts.scheme} at port {parts.port} has no TLS port beside it")
        end = parts.netloc.rpartition(":")[0]
        return urlunsplit(("rediss", f"{end}:{port}", "", f"ssl_ca_certs={self.folder / 'redis.crt'}", ""))


def _sentinel(config: Config) -> bool:
    return any(name.startswith("sentinel ") for name in config)


class Surrounded(ServerKind):
    """A server program whose servers get what the worlds bring."""

    _around: Around = PrivateAttr()
    _tier: UserTier = "reader"
    """Of the user that whoever looks is given where there is one for them."""

    def settings(self, config: Config) -> Config:
        """The settings of a server, with those that the worlds need."""
        if _sentinel(config):
            return config
        if "replicaof" not in config and "cluster-enabled" not in config:
            self._around.alone.add(int(config["port"]))
        return {**config, **dict(self._more(config))}

    def _more(self, config: Config) -> Iterator[tuple[str, str]]:
        around = self._around
        if "tls" in around.worlds:
            port = around.encrypted.setdefault(int(config["port"]), free_port())
            yield "tls-port", str(port)
            yield "tls-auth-clients", "no"
            for name in ("cert", "ca-cert"):
                yield f"tls-{name}-file", str(around.folder / "redis.crt")
            yield "tls-key-file", str(around.folder / "redis.key")
        if "replicas12" in around.worlds and "repl-diskless-sync-delay" not in config:
            yield "repl-diskless-sync-delay", "0"
        if "cluster6" in around.worlds and int(config["port"]) in around.alone:
            yield from in_cluster(free_port()).items()

    async def settle(self, server: Server, config: Config) -> None:
        """Bring to a server what the worlds have for it. Raises `LabError`."""
        around, first = self._around, server.port not in self._around.settled
        if _sentinel(config):
            return
        try:
            if "acl" in around.worlds:
                await _admit(around, server, config, self._tier)
            if first and "replicaof" not in config:
                around.settled.add(server.port)
                await self._furnish(server, config)
        except (*LOST, Unanswered) as error:
            raise LabError(f"its surroundings couldn't be made: {error or type(error).__name__}") from None

    async def _furnish(self, server: Server, config: Config) -> None:
        around, url = self._around, login(server.url, config.get("requirepass", ""))
        worlds = (
            around.worlds if server.port in around.alone else around.worlds - {"cluster6", "replicas12", "million-keys"}
        )
        # A cluster first, which takes no key before somebody owns its slot.
        if "cluster6" in worlds:
            await sharded(self, server, config, OTHERS, around.stack)
        if "million-keys" in worlds:
            await million(url)
        if "replicas12" in worlds:
            await attached(self, server, config, REPLICAS, around.stack)
        if "clients5000" in worlds:
            await crowd(around.hands, url, around.rng, CLIENTS)
        if "tls" in worlds:
            await around.stack.enter_async_context(application(around.encrypted_url(url), around.rng))

    def replicas_of_a_shard(self, wanted: int) -> int:
        """How many replicas each primary of a cluster gets."""
        return max(wanted, 1) if "cluster6" in self._around.worlds else wanted

    def seen(self, url: str) -> str:
        """The URL as the one who looks is given it. Raises `LabError` where that isn't a server's own."""
        around = self._around
        if "acl" in around.worlds:
            url = login(url, around.password, NAMES[self._tier])
        return around.encrypted_url(url) if "tls" in around.worlds else url


def login(url: str, password: str, name: str = "") -> str:
    """The URL with these credentials in place of its own, if any."""
    parts = urlsplit(url)
    end = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{name}:{password}@{end}" if password else end))


async def _admit(around: Around, server: Server, config: Config, tier: UserTier) -> None:
    """Create the user that is advised for this server, as a person would: by what the server says that it knows."""
    password = config.get("requirepass", "")
    node = Node(
        parse_target(login(server.url, password), environ={}), SystemClock(), Budget(), Pseudonyms()
    )  # fmt: skip
    try:
        advised = user(await about(node), tier, 0)
    finally:
        node.close()
    rules = [f">{around.password}" if rule == f">{PASSWORD}" else rule for rule in advised.rules]
    await Member(server, password).ask("ACL", "SETUSER", advised.name, *rules)


Kind = TypeVar("Kind", bound=Surrounded)


@asynccontextmanager
async def surrounded(kind: ServerKind, worlds: Sequence[str], seed: int) -> AsyncIterator[ServerKind]:
    """The kind whose servers have these surroundings, for as long as the block runs; itself where there are none."""
    if not worlds:
        yield kind
        return
    async with brought(Surrounded.model_validate(kind.model_dump()), worlds, seed) as inside:
        yield inside


@asynccontextmanager
async def brought(inside: Kind, worlds: Sequence[str], seed: int) -> AsyncIterator[Kind]:
    """The kind with these surroundings, of which there may be none, for as long as the block runs."""
    async with AsyncExitStack() as stack, crew() as hands:
        # Of its own, so that the fault is the same as without them.
        rng = random.Random(f"{seed} {' '.join(sorted(worlds))}")
        inside._around = Around(worlds, rng, stack, hands)
        yield inside
