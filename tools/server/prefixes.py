"""What the keys are, by the beginnings of their names: which are most frequent, and roughly how much memory one
takes."""

import re
import string
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

from pydantic import Field

from tools.connection.node import Node
from tools.connection.protocol import Command, Reply
from tools.errors import Unanswered
from tools.patterns import deferred
from tools.records import Values
from tools.server.big_keys import SCAN_COUNT, scanned
from tools.server.keyspace import share
from tools.toolbox import reads

SHOWN = 3
"""Groups and keys that are shown."""
ALIKE = 5
"""Fewest names of a sample with the same beginning for a kind of key rather than coincidence."""
LOOKED_FOR = 2
"""Keys of the requested type that are measured, beyond `calls` if need be."""
WIDE_COUNT = 1000
"""Hash slots that one SCAN for a type looks at: about 2.5 ms."""
_VARIABLE = deferred(r"[0-9]|(?<![a-z])[0-9a-f]{8,}(?![a-z])", re.IGNORECASE)
_PLAIN = string.ascii_letters + string.digits
_PARTS = deferred(r"[:./|{}_-]")
Collection = Literal["list", "hash", "set", "zset", "stream"]


@reads
async def prefixes(
    node: Node,
    calls: Annotated[int, Field(ge=4, le=20)] = 6,
    kind: Annotated[Collection | None, Field(description="Also look for a large key of this type")] = None,
) -> Values:
    """What key names begin with, and what a few of them weigh.

    `p1.prefix` is how most of the `sampled` names of the URL's database begin, `p1.share` their share of the sample,
    `p1.key_bytes` what one of them takes (MEMORY USAGE with its default samples; null where none was weighed),
    `p1.ttl_ms` that one's time to live (-1: none). `k1` is the heaviest of the `weighed` keys: `.key`, `.bytes`, and
    `.type` where it was looked for by type. `complete` says whether the sample is all keys. Values are never read.
    """
    names, scans, complete = await scanned(node, SCAN_COUNT, 1)
    found: list[str] = []
    if kind is not None and not complete:
        found, more, _ = await scanned(node, 1, 1, kind, WIDE_COUNT)
        scans += more
    grouped = groups(names)
    ranked = sorted(grouped, key=lambda prefix: -len(grouped[prefix]))
    common = [prefix for prefix in ranked if len(grouped[prefix]) >= ALIKE]
    timed = [grouped[prefix][0] for prefix in common[:2]]
    # A single key with a distinctive name is a queue, an index or a leaderboard rather than one user's.
    single = sorted((name for prefix in ranked for name in grouped[prefix] if prefix not in common), key=_unlike_a_name)
    looked_for = sorted(found, key=_unlike_a_name)[:LOOKED_FOR]
    room = calls - scans - 2 * len(timed)
    chosen = dict.fromkeys((*timed, *looked_for, *single))
    # What was requested is measured in any case: that's why a type was given.
    weighed = list(chosen)[: len(timed) + max(len(looked_for), room)]
    sizes, ttls = await _looked_at(node, weighed, timed)
    if names and not sizes:
        raise Unanswered("denied", "the user isn't allowed to measure any of the sampled keys", {"sampled": len(names)})
    values: Values = {
        "db": node.target.db, "sampled": len(names), "complete": complete, "weighed": len(sizes),
        "calls": scans + len(weighed) + len(timed),
    }  # fmt: skip
    for number, prefix in enumerate(common[:SHOWN], 1):
        of = next((name for name in grouped[prefix] if name in sizes), None)
        values |= {
            f"p{number}.prefix": node.pseudonyms.plain("key", prefix),
            f"p{number}.share": share(len(grouped[prefix]), len(names)),
            f"p{number}.key_bytes": sizes.get(of) if of else None,
            f"p{number}.ttl_ms": ttls.get(of) if of else None,
        }  # fmt: skip
    for number, name in enumerate(sorted(sizes, key=lambda name: -sizes[name])[:SHOWN], 1):
        values |= {f"k{number}.key": node.pseudonyms.plain("key", name), f"k{number}.bytes": sizes[name]}
        if name in found:
            values[f"k{number}.type"] = kind
    return values


def groups(names: Sequence[str]) -> dict[str, list[str]]:
    """Names by their beginning: up to the first part that varies or is hardly shared; largest groups first."""
    by: defaultdict[str, list[str]] = defaultdict(list)
    for name in names:
        by[_before_what_varies(name)].append(name)
    alone: defaultdict[str, list[str]] = defaultdict(list)
    for prefix, having in by.items():
        first = _PARTS.search(prefix)
        if len(having) < ALIKE and first is not None:
            alone[prefix[: first.end()]] += having
    for prefix, having in alone.items():
        if len(having) >= ALIKE:
            for name in having:
                by.pop(_before_what_varies(name), None)
            by[prefix] = [*by.get(prefix, ()), *having]
    return dict(by)


def _before_what_varies(name: str) -> str:
    """What precedes the first part of a name that contains a number or an id; the whole name without one."""
    varies = _VARIABLE.search(name)
    if varies is None:
        return name
    before = name[: varies.start()]
    return before.rstrip(_PLAIN) or before


def _unlike_a_name(name: str) -> tuple[int, int]:
    """Sorts names without numbers before those of one user or one order."""
    return sum(map(str.isdigit, name)), len(name)


async def _looked_at(
    node: Node, weighed: Sequence[str], timed: Sequence[str]
) -> tuple[Mapping[str, int], Mapping[str, int]]:
    """Bytes of some keys and the times to live of others, each by name, as far as they may be asked."""
    commands: list[Command] = [("MEMORY", "USAGE", name) for name in weighed]
    commands += [("PTTL", name) for name in timed]
    if not commands:
        return {}, {}
    replies = await node.ask(*commands)
    return _numbers(weighed, replies), _numbers(timed, replies[len(weighed) :])


def _numbers(names: Sequence[str], replies: Sequence[Reply]) -> dict[str, int]:
    pairs = zip(names, replies, strict=False)
    return {name: reply for name, reply in pairs if isinstance(reply, int)}
