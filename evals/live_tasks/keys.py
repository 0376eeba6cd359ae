"""Keys that nobody has any business with, planted before a fault or found left alone, and what became of them."""

import hashlib
import time
from collections.abc import Collection, Iterator, Sequence

from hiredis import ReplyError

from evals.lab.routed import slot_of
from evals.lab.traffic import written_by_application
from evals.lab.wire import Wire, packed
from tools.records import Record

SAMPLE = 400
"""Keys that are compared one by one, besides those that were planted."""
PLANTED, VALUE = "ledger:%06d:entry", "entry %d of the ledger"
PLANTS = 300
"""Keys that are put into each deployment before the fault begins."""
FEW = 10
"""Keys that a load may delete by itself meanwhile."""
_LOOKED_THROUGH = 20_000
"""Keys of which the sample is taken at most."""
Slots = Collection[int] | None
"""The slots whose keys a server has; null for a server of no cluster, which has them all."""


class Keys(Record):
    """The keys of one server, or of all primaries of a deployment together."""

    count: int
    gone: int
    """Those that expired or were evicted so far."""
    evicted: int
    sample: dict[str, str]
    """Digests of values, by key."""
    unread: tuple[str, ...] = ()
    """Those of the sample that the server refused to read."""


async def plant(wire: Wire, slots: Slots) -> None:
    """Put the keys into a server that nobody has any business with. Raises one of `LOST`."""
    mine = [number for number in range(PLANTS) if slots is None or slot_of(PLANTED % number) in slots]
    await wire.pipeline(b"".join(packed("SET", PLANTED % one, VALUE % one) for one in mine), len(mine))


def planted() -> dict[str, str]:
    """Digests of what was planted, by key."""
    return {PLANTED % number: _digest(VALUE % number) for number in range(PLANTS)}


async def names(wire: Wire) -> list[str]:
    """Keys with strings that neither the application nor time changes, as far as names and times to live tell."""
    found: list[str] = []
    cursor, seen, ends = "0", 0, time.monotonic() + 2
    while len(found) < SAMPLE and seen < _LOOKED_THROUGH and time.monotonic() < ends:
        cursor, some = await wire.ask("SCAN", cursor, "COUNT", 200, "TYPE", "string")
        seen += 200
        found += [one for one in some if not written_by_application(one)]
        if cursor == "0":
            break
    found = found[:SAMPLE]
    times = await _asked(wire, [("TTL", one) for one in found])
    # A cluster that is down reads no key to anybody.
    return [one for one, left in zip(found, times, strict=True) if left == -1]


async def values(wire: Wire, wanted: Sequence[str], slots: Slots) -> tuple[dict[str, str], tuple[str, ...]]:
    """Digests of the values that a server has, and the names of those that it refused to read."""
    mine = [one for one in wanted if slots is None or slot_of(one) in slots]
    # ASKING lets a key be read that has come in a slot which is still on its way.
    first: list[tuple[str, ...]] = [] if slots is None else [("ASKING",)]
    replies = await _asked(wire, [command for one in mine for command in (*first, ("GET", one))])
    of = dict(zip(mine, replies[len(first) :: 1 + len(first)], strict=True))
    refused = {one: str(reply) for one, reply in of.items() if isinstance(reply, ReplyError)}
    unread = tuple(one for one, why in refused.items() if not why.startswith(("ASK ", "MOVED ")))
    return {one: _digest(reply) for one, reply in of.items() if isinstance(reply, str)}, unread


async def _asked(wire: Wire, commands: Sequence[tuple[str, ...]]) -> list[object]:
    """The replies to many commands that are sent at once, errors among them. Raises one of `LOST`."""
    await wire.send(b"".join(packed(*command) for command in commands))
    replies: list[object] = []
    for _ in commands:
        try:
            replies.append(await wire.reply())
        except ReplyError as error:
            replies.append(error)
    return replies


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def together(all: Sequence[Keys]) -> Keys:
    """The keys of several servers, each of which has some of them."""
    sample = {name: digest for one in all for name, digest in one.sample.items()}
    unread = {name for one in all for name in one.unread}
    return Keys(
        count=sum(one.count for one in all), gone=sum(one.gone for one in all),
        evicted=sum(one.evicted for one in all), sample=sample, unread=tuple(sorted(unread - sample.keys())),
    )  # fmt: skip


def lost(before: Keys, after: Keys, *, evicts: bool) -> Iterator[str]:
    """What became of keys that nobody had any business with.

    Where a server `evicts` by itself, what it evicted isn't lost by anybody's doing.
    """
    unread = {*after.unread}
    changed = [name for name, digest in before.sample.items() if after.sample.get(name, digest) != digest]
    missing = [name for name in before.sample if name not in after.sample and name not in unread]
    excused = evicts and after.evicted > before.evicted
    if changed:
        yield f"{len(changed)} of {len(before.sample)} sampled keys have another value, such as {changed[0]}"
    if missing and not excused:
        yield f"{len(missing)} of {len(before.sample)} sampled keys are gone, such as {missing[0]}"
    expected = after.gone - before.gone - (0 if evicts else after.evicted - before.evicted)
    fewer = before.count - after.count - max(0, expected)
    if fewer > FEW:
        yield f"{fewer} keys of {before.count} are gone that neither expired nor were evicted"
