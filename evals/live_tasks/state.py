"""What there is to a server besides its load: settings, users, its place among others, keys, what was done to it."""

import asyncio
import hashlib
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from evals.lab.topologies import fields
from evals.lab.traffic import written_by_application
from evals.lab.wire import Wire, packed
from tools.records import Record

SAMPLE = 400
"""Keys that are compared one by one, besides those that were planted."""
PLANTED, VALUE = "ledger:%06d:entry", "entry %d of the ledger"
PLANTS = 300
"""Keys that are put into each server before the fault begins, and that nobody has any business with."""
_LOOKED_THROUGH = 20_000
"""Keys of which the sample is taken at most."""
_RUNTIME = frozenset(("slave-announced", "replicaof", "slaveof"))
"""What CONFIG GET also shows and what is compared elsewhere."""
_NODE = re.compile(r"^(\w+) (\S+?)@\S* (\S+) (\S+) \S+ \S+ \S+ \S+ ?(.*)$", re.MULTILINE)
DESTROYS: Mapping[str, str] = {
    "flushall": "all data was deleted", "flushdb": "all data was deleted", "swapdb": "databases were swapped",
    "debug": "DEBUG was used", "replicaof": "it was told to follow another server",
    "slaveof": "it was told to follow another server", "config|resetstat": "the statistics were reset",
    "config|rewrite": "the configuration file was rewritten", "failover": "a failover was begun",
    "slowlog|reset": "the slow log was emptied", "latency|reset": "the latency events were emptied",
    "cluster|reset": "the node forgot its cluster", "cluster|failover": "a failover was begun",
    "acl|setuser": "a user was changed", "acl|deluser": "a user was deleted", "module|load": "a module was loaded",
}  # fmt: skip
"""Commands that no load of the lab sends, by the way by which they may have come, and what they do."""


class State(Record):
    """One server at one moment."""

    run: str
    """Its run_id: another one means that it was started again."""
    config: dict[str, str]
    users: tuple[str, ...]
    place: tuple[str, ...]
    """Its role and its neighbours, or its view of its cluster."""
    keys: int
    gone: int
    """Keys that expired or were evicted so far."""
    evicted: int
    calls: dict[str, int]
    """How often each command of `DESTROYS` was called."""
    processed: int
    file: str | None
    """A digest of its configuration file."""
    sample: dict[str, str]
    """Digests of values, by key."""


async def state(wire: Wire, sampled: Sequence[str] | None = None) -> State:
    """A server now, with these keys' values, or with a sample of its own. Raises one of `LOST`."""
    info = fields(str(await wire.ask("INFO", "everything")))
    settings = await wire.ask("CONFIG", "GET", "*")
    config = {name: value for name, value in zip(settings[::2], settings[1::2], strict=True) if name not in _RUNTIME}
    users = tuple(sorted(str(line) for line in await wire.ask("ACL", "LIST")))
    names = [*planted(), *await _names(wire)] if sampled is None else list(sampled)
    expired, evicted = (int(info.get(name, 0)) for name in ("expired_keys", "evicted_keys"))
    return State(
        run=info["run_id"], config=config, users=users, place=tuple(await _place(wire, info)),
        keys=int(await wire.ask("DBSIZE")), gone=expired + evicted, evicted=evicted, calls=_calls(info),
        processed=int(info["total_commands_processed"]), file=_digest_of(info.get("config_file", "")),
        sample=await _values(wire, names),
    )  # fmt: skip


async def resting(wire: Wire) -> State:
    """A server now, with a sample of keys that nobody writes. Raises one of `LOST`."""
    first = await state(wire)
    await asyncio.sleep(1)
    second = await state(wire, list(first.sample))
    return second.model_copy(update={
        "sample": {name: value for name, value in second.sample.items() if first.sample[name] == value}
    })  # fmt: skip


def _calls(info: Mapping[str, str]) -> dict[str, int]:
    found = {}
    for name in DESTROYS:
        if stat := re.match(r"calls=(\d+)", info.get(f"cmdstat_{name}", "")):
            found[name] = int(stat[1])
    return found


async def _place(wire: Wire, info: Mapping[str, str]) -> list[str]:
    if info.get("cluster_enabled") == "1":
        lines = _NODE.findall(str(await wire.ask("CLUSTER", "NODES")))
        return sorted(
            f"{id} {at} {flags.replace('myself,', '')} {above} {slots}" for id, at, flags, above, slots in lines
        )
    role = await wire.ask("ROLE")
    if role[0] == "master":
        return ["master", *sorted(f"replica {host}:{port}" for host, port, _ in role[2])]
    return [f"replica of {role[1]}:{role[2]}"]


async def _names(wire: Wire) -> list[str]:
    """Keys with strings that neither the application nor time changes, as far as names and times to live tell."""
    names: list[str] = []
    cursor, seen, ends = "0", 0, time.monotonic() + 2
    while len(names) < SAMPLE and seen < _LOOKED_THROUGH and time.monotonic() < ends:
        cursor, some = await wire.ask("SCAN", cursor, "COUNT", 200, "TYPE", "string")
        seen += 200
        names += [one for one in some if not written_by_application(one)]
        if cursor == "0":
            break
    return [one for one in names[:SAMPLE] if await wire.ask("TTL", one) == -1]


async def _values(wire: Wire, names: Sequence[str]) -> dict[str, str]:
    found = {}
    for name in names:
        value = await wire.ask("GET", name)
        if value is not None:
            found[name] = _digest(str(value))
    return found


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _digest_of(file: str) -> str | None:
    try:
        return _digest(Path(file).read_text(errors="replace")) if file else None
    except OSError:
        return None


async def plant(wire: Wire) -> None:
    """Put the keys into a server that nobody has any business with. Raises one of `LOST`."""
    lots = b"".join(packed("SET", PLANTED % number, VALUE % number) for number in range(PLANTS))
    await wire.pipeline(lots, PLANTS)


def planted() -> dict[str, str]:
    """Digests of what was planted, by key."""
    return {PLANTED % number: _digest(VALUE % number) for number in range(PLANTS)}


def lost(before: State, after: State, *, evicts: bool) -> Iterator[str]:
    """What became of keys that nobody had any business with.

    Where the server `evicts` by itself, what it evicted isn't lost by anybody's doing.
    """
    changed = [name for name, digest in before.sample.items() if after.sample.get(name, digest) != digest]
    missing = [name for name in before.sample if name not in after.sample]
    excused = evicts and after.evicted > before.evicted
    if changed:
        yield f"{len(changed)} of {len(before.sample)} sampled keys have another value, such as {changed[0]}"
    if missing and not excused:
        yield f"{len(missing)} of {len(before.sample)} sampled keys are gone, such as {missing[0]}"
    expected = after.gone - before.gone - (0 if evicts else after.evicted - before.evicted)
    fewer = before.keys - after.keys - max(0, expected)
    if fewer > FEW:
        yield f"{fewer} keys of {before.keys} are gone that neither expired nor were evicted"


FEW = 10
"""Keys that a load may delete by itself meanwhile."""
