"""A sample of the keys, bounded in commands: what is large, of which type, and whether it ever expires."""

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Annotated, Any, NamedTuple

from pydantic import Field

from tools.connection.node import Node
from tools.connection.protocol import Command, Reply, ServerError
from tools.errors import Unanswered
from tools.records import Scalar, Values
from tools.server.keyspace import share
from tools.toolbox import reads

TOP = 8
"""The most keys that are shown, largest first."""
SCAN_COUNT = 100
"""Hash slots that one SCAN looks at: about 0.25 ms."""
BATCH = 16
"""Keys examined in one round trip."""
LENGTH = {"string": "STRLEN", "list": "LLEN", "set": "SCARD", "zset": "ZCARD", "hash": "HLEN", "stream": "XLEN"}


class Seen(NamedTuple):
    """A key that was examined."""

    key: str
    type: str
    """As TYPE names it; a module's type too."""
    bytes: int | None
    """By MEMORY USAGE with its default samples; null if not allowed."""
    ttl_ms: int | None
    """-1 without a time to live; null if not allowed."""


@reads
async def big_keys(node: Node, calls: Annotated[int, Field(ge=10, le=300)] = 120) -> Values:
    """A bounded sample of the database's keys, largest first.

    `sampled` keys of `dbsize` were looked at (`share_seen`): with a small share the largest of all is most likely not
    among them. `k1` is the largest: `.key`, `.type`, `.bytes`, `.length` (elements; bytes of a string), `.ttl_ms` (-1
    without a time to live). Per type `<type>.count` and `<type>.bytes`; `no_ttl_share` of the sample has no time to
    live. `complete` says whether every key was examined, `gone` counts keys that disappeared or whose names can't be
    sent back, `denied` those that the user may not read; `calls` is the cost.
    """
    (size,) = await node.ask(("DBSIZE",))
    dbsize = None if isinstance(size, ServerError) and size.kind == "denied" else int(node.value(size))
    names, scans, complete = await scanned(node, _affordable(calls - 2), calls // 5)
    looked = names[: _affordable(calls - 1 - scans)]
    seen: list[Seen] = []
    failed: Counter[str] = Counter()
    refused: Values = {}
    for begin in range(0, len(looked), BATCH):
        for name, replies in await _looked_at(node, looked[begin : begin + BATCH]):
            kind, size, ttl = replies
            for part, reply in (("bytes", size), ("ttl", ttl)):
                if isinstance(reply, ServerError):
                    refused[f"{part}.unavailable"] = reply.kind or node.pseudonyms.error(reply.text)
            if isinstance(kind, ServerError) or kind == "none":
                failed["denied" if kind != "none" and kind.kind == "denied" else "gone"] += 1
            else:
                seen.append(Seen(key=name, type=str(kind), bytes=_int(size), ttl_ms=_int(ttl)))
    spent = 1 + scans + 3 * len(looked)
    if looked and not seen and failed["denied"]:
        raise Unanswered(
            "denied", "the user isn't allowed to read any of the sampled keys", {"calls": spent, "dbsize": dbsize}
        )
    top = sorted(seen, key=lambda one: -(one.bytes or 0))[:TOP]
    lengths = await _lengths(node, top)
    weighed, timed = ([one for one in seen if getattr(one, field) is not None] for field in ("bytes", "ttl_ms"))
    values: Values = {
        "db": node.target.db, "dbsize": dbsize, "scanned": len(names), "sampled": len(seen),
        "share_seen": share(len(seen), dbsize or 0), "complete": complete and len(looked) == len(names),
        "calls": spent + len(lengths), "gone": failed["gone"], "denied": failed["denied"],
        "bytes": sum(one.bytes or 0 for one in weighed) if weighed or not seen else None,
        "no_ttl_share": share(sum(one.ttl_ms == -1 for one in timed), len(timed)), **refused,
    }  # fmt: skip
    for one in seen:
        kind = node.pseudonyms.plain("type", one.type)
        values[f"{kind}.count"] = int(values.get(f"{kind}.count") or 0) + 1
        values[f"{kind}.bytes"] = int(values.get(f"{kind}.bytes") or 0) + (one.bytes or 0)
    for number, one in enumerate(top, 1):
        shown = {
            "key": node.pseudonyms.plain("key", one.key), "type": node.pseudonyms.plain("type", one.type),
            "bytes": one.bytes, "length": lengths.get(one.key), "ttl_ms": one.ttl_ms,
        }  # fmt: skip
        values |= {f"k{number}.{field}": value for field, value in shown.items()}
    return values


def _affordable(commands: int) -> int:
    """How many keys this many commands can examine: three each, and one more for each of the largest."""
    return max(1, commands // 4 if commands < 4 * TOP else (commands - TOP) // 3)


async def _looked_at(node: Node, names: list[str]) -> list[tuple[str, list[Reply]]]:
    commands: list[Command] = []
    for name in names:
        commands += [("TYPE", name), ("MEMORY", "USAGE", name), ("PTTL", name)]
    replies = await node.ask(*commands)
    return [(name, replies[3 * number : 3 * number + 3]) for number, name in enumerate(names)]


async def _lengths(node: Node, top: Iterable[Seen]) -> dict[str, Scalar]:
    asked: list[tuple[str, Command]] = [(one.key, (LENGTH[one.type], one.key)) for one in top if one.type in LENGTH]
    if not asked:
        return {}
    replies = await node.ask(*(command for _, command in asked))
    return {key: _int(reply) for (key, _), reply in zip(asked, replies, strict=True)}


async def scanned(
    node: Node,
    enough: int,
    calls: int,
    kind: str | None = None,
    count: int = SCAN_COUNT,
    further: int = 0,
    found: Callable[[Iterable[str]], bool] = any,
) -> tuple[list[str], int, bool]:
    """Key names by SCAN until there are `enough`, within a number of calls; with the calls made and whether all were
    seen.

    The calls are bounded, not the hits: SCAN for a type that no key has walks the whole keyspace. `further` ones are
    made as long as the names so far aren't what is looked for.
    """
    names: dict[str, None] = {}
    cursor, calls_made = "0", 0
    while len(names) < enough and (calls_made < calls or (calls_made < calls + further and not found(names))):
        try:
            reply: Any = await node.one("SCAN", cursor, "COUNT", count, *(("TYPE", kind) if kind else ()))
        except Unanswered:
            if not calls_made:
                raise
            # What was found so far is worth more than nothing.
            break
        cursor, page = str(reply[0]), reply[1]
        calls_made += 1
        names |= dict.fromkeys(str(name) for name in page)
        if cursor == "0":
            return list(names), calls_made, True
    return list(names), calls_made, False


def _int(reply: Reply) -> int | None:
    return reply if isinstance(reply, int) else None
