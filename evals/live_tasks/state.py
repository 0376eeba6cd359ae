"""What there is to a server besides its load: settings, users, its place among others, keys, what was done to it."""

import asyncio
import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from evals.lab.topologies import fields
from evals.lab.wire import Wire
from evals.live_tasks.keys import Keys, names, planted, values
from evals.live_tasks.places import Place, place, sentinel_settings
from tools.records import Record

_RUNTIME = frozenset(("slave-announced", "replicaof", "slaveof"))
"""What CONFIG GET also shows and what is compared elsewhere."""
DESTROYS: Mapping[str, str] = {
    "flushall": "all data was deleted", "flushdb": "all data was deleted", "swapdb": "databases were swapped",
    "debug": "DEBUG was used", "replicaof": "it was told to follow another server",
    "slaveof": "it was told to follow another server", "config|resetstat": "the statistics were reset",
    "config|rewrite": "the configuration file was rewritten", "failover": "a failover was begun",
    "slowlog|reset": "the slow log was emptied", "latency|reset": "the latency events were emptied",
    "cluster|reset": "the node forgot its cluster", "cluster|failover": "a failover was begun",
    "cluster|flushslots": "the node gave its slots up", "cluster|forget": "a node was forgotten",
    "cluster|bumpepoch": "the node's configuration epoch was raised",
    "acl|setuser": "a user was changed", "acl|deluser": "a user was deleted", "module|load": "a module was loaded",
}  # fmt: skip
"""Commands that no load of the lab sends, by the way by which they may have come, and what they do."""


class State(Record):
    """One server at one moment."""

    run: str
    """Its run_id: another one means that it was started again."""
    config: dict[str, str]
    users: tuple[str, ...]
    place: Place
    keys: Keys
    clients: dict[str, str]
    """What each connection is doing, by its id: `monitor`, `idle` or `busy`."""
    calls: dict[str, int]
    """How often each command of `DESTROYS` was called."""
    kills: int
    """How often CLIENT KILL was called, where the server counts that by itself."""
    processed: int
    file: str | None
    """A digest of its configuration file; null of a sentinel, which writes down there what it sees."""


IDLE = 5
"""Seconds without a command after which a connection isn't in use."""


async def state(wire: Wire, sampled: Sequence[str] | None = None) -> State:
    """A server now, with these keys' values, or with a sample of its own. Raises one of `LOST`."""
    info = fields(str(await wire.ask("INFO", "all")))
    where = await place(wire, info)
    users = tuple(sorted(str(line) for line in await wire.ask("ACL", "LIST")))
    sentinel = where.role == "sentinel"
    return State(
        run=info["run_id"], config=await sentinel_settings(wire) if sentinel else await _config(wire), users=users,
        place=where, keys=_NONE if sentinel else await _keys(wire, info, where, sampled),
        clients=dict(_client(line) for line in str(await wire.ask("CLIENT", "LIST")).splitlines()),
        calls=_calls(info, DESTROYS), kills=_calls(info, ("client|kill",)).get("client|kill", 0),
        processed=int(info["total_commands_processed"]),
        file=None if sentinel else _digest_of(info.get("config_file", "")),
    )  # fmt: skip


_NONE = Keys(count=0, gone=0, evicted=0, sample={})


async def _config(wire: Wire) -> dict[str, str]:
    settings = await wire.ask("CONFIG", "GET", "*")
    return {name: value for name, value in zip(settings[::2], settings[1::2], strict=True) if name not in _RUNTIME}


async def _keys(wire: Wire, info: Mapping[str, str], where: Place, sampled: Sequence[str] | None) -> Keys:
    # A replica of a cluster has no slots of its own, and sends everybody who asks for a key on.
    own = await names(wire) if sampled is None and where.mine != frozenset() else []
    found, unread = await values(wire, [*planted(), *own] if sampled is None else list(sampled), where.mine)
    expired, evicted = (int(info.get(name, 0)) for name in ("expired_keys", "evicted_keys"))
    return Keys(
        count=int(await wire.ask("DBSIZE")), gone=expired + evicted, evicted=evicted, sample=found, unread=unread
    )  # fmt: skip


def _client(line: str) -> tuple[str, str]:
    about = dict(part.partition("=")[::2] for part in line.split(" "))
    if "O" in about["flags"]:
        return about["id"], "monitor"
    return about["id"], "idle" if int(about["idle"]) >= IDLE and about["flags"] == "N" else "busy"


async def resting(wire: Wire) -> State:
    """A server now, with a sample of keys that nobody writes. Raises one of `LOST`."""
    first = await state(wire)
    await asyncio.sleep(1)
    second = await state(wire, [*first.keys.sample, *first.keys.unread])
    left = {name: value for name, value in second.keys.sample.items() if first.keys.sample.get(name) == value}
    return second.model_copy(update={"keys": second.keys.model_copy(update={"sample": left})})


def _calls(info: Mapping[str, str], of: Sequence[str] | Mapping[str, str]) -> dict[str, int]:
    found = {}
    for name in of:
        if stat := re.match(r"calls=(\d+)", info.get(f"cmdstat_{name}", "")):
            found[name] = int(stat[1])
    return found


def _digest_of(file: str) -> str | None:
    try:
        return hashlib.sha256(Path(file).read_bytes()).hexdigest()[:16] if file else None
    except OSError:
        return None
