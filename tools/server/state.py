"""Everything that a server says about its state, asked once for a recording, of which anything may be asked later."""

import re
from collections.abc import Awaitable, Iterator

from tools.connection.allowed import TABLE
from tools.connection.node import Node
from tools.connection.protocol import Command, Reply
from tools.errors import ToolError, Unanswered
from tools.records import Scalar
from tools.server.client_sample import listed
from tools.server.info import Sample, sample
from tools.server.sentinel import parse_masters
from tools.server.slowlog import MOST
from tools.server.streams import streams

PLAIN: tuple[Command, ...] = (
    ("CONFIG", "GET", "*"), ("SLOWLOG", "GET", MOST), ("COMMANDLOG", "GET", MOST, "slow"),
    ("COMMANDLOG", "GET", MOST, "large-request"), ("COMMANDLOG", "GET", MOST, "large-reply"),
    ("COMMANDLOG", "LEN", "slow"), ("COMMANDLOG", "LEN", "large-request"), ("COMMANDLOG", "LEN", "large-reply"),
    ("LATENCY", "DOCTOR"), ("LATENCY", "HISTOGRAM"), ("MEMORY", "DOCTOR"), ("ACL", "WHOAMI"), ("ACL", "LOG", MOST),
    ("ROLE",), ("DBSIZE",), ("LASTSAVE",), ("TIME",), ("MODULE", "LIST"), ("FUNCTION", "STATS"), ("PUBSUB", "NUMPAT"),
)  # fmt: skip
"""What every data node is asked, besides INFO and what goes with it."""
OF_CLUSTER: tuple[Command, ...] = (
    ("CLUSTER", "INFO"), ("CLUSTER", "NODES"), ("CLUSTER", "SLOTS"), ("CLUSTER", "SHARDS"),
)  # fmt: skip
OF_SENTINEL: tuple[Command, ...] = (("INFO",), ("ROLE",), ("ACL", "WHOAMI"), ("ACL", "LOG", MOST))
MASTERS, EVENTS = 16, 24
"""Most masters of a sentinel and events of the latency monitor that are queried individually."""
STREAM_CALLS = 30
COSTS = 110
"""Most commands of one look: those above, the clients by ID, the events' histories, and the streams."""
_GOES_ON = ("denied", "unknown-command", "malformed")
"""Failures of one command only; after any other failure the rest would fail too, each after its own wait."""


async def state(node: Node) -> None:
    """Ask a data node for all of it, one command at a time, so that others are served in between.

    A refusal is an answer. Raises `Unanswered` if the server as a whole gives none.
    """
    first = await _part(sample(node))
    facts = first.flat(frozenset({"server", "commandstats"})) if isinstance(first, Sample) else {}
    for command in PLAIN:
        if _knows(facts, command):
            await node.ask(command)
    await _part(listed(node))
    for name in _events(first):
        await node.ask(("LATENCY", "HISTORY", name))
    if "cluster" in (facts.get("redis_mode"), facts.get("server_mode")):
        for command in OF_CLUSTER:
            if _knows(facts, command):
                await node.ask(command)
    if any(field.startswith("cmdstat_xreadgroup.") for field in facts):
        await _part(streams(node, calls=STREAM_CALLS, window=0.0))


async def sentinel_state(node: Node) -> None:
    """Ask a sentinel for all of it. Raises `Unanswered` if it gives no answer."""
    (masters,) = await node.ask(("SENTINEL", "MASTERS"))
    for command in OF_SENTINEL:
        await node.ask(command)
    for one in parse_masters(masters if isinstance(masters, list) else [])[:MASTERS]:
        for word in ("CKQUORUM", "REPLICAS", "SENTINELS", "MASTER", "GET-MASTER-ADDR-BY-NAME"):
            await node.ask(("SENTINEL", word, one.name))
    await _part(listed(node))


async def _part(asking: Awaitable[object]) -> object:
    """What may be refused while the rest isn't. Raises `Unanswered` if nothing more would be answered."""
    try:
        return await asking
    except Unanswered as error:
        if error.kind not in _GOES_ON:
            raise
    except ToolError:
        # The refusal itself is the answer.
        pass
    return None


def _events(first: object) -> Iterator[str]:
    """The events that the latency monitor knows of."""
    latest: Reply = first.replies["latency"] if isinstance(first, Sample) else None
    for row in latest[:EVENTS] if isinstance(latest, list) else ():
        if isinstance(row, list) and row:
            yield str(row[0])


def _knows(facts: dict[str, Scalar], command: Command) -> bool:
    """Whether a server of this version can have a command: if the version is unknown, only what all versions have is
    asked."""
    words = [str(word).lower() for word in command]
    since = TABLE["|".join(words[:2]) if "|".join(words[:2]) in TABLE else words[0]].since
    if since is None:
        return True
    product = "valkey" if "valkey_version" in facts else "redis"
    version = str(facts.get(f"{product}_version", ""))
    return product in since and _numbers(version) >= _numbers(since[product])


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"[0-9]{1,9}", version[:64])[:2])
