"""Lists that serve as queues: how long they are, and whether they grow."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Annotated

from pydantic import Field

from tools.connection.node import Node
from tools.connection.protocol import ServerError
from tools.errors import Unanswered
from tools.patterns import deferred
from tools.records import Values
from tools.server.big_keys import scanned
from tools.toolbox import reads

SHOWN = 3
"""Most lists that are shown, longest first; they are asked twice."""
SCAN_COUNT = 1000
"""Hash slots that one SCAN looks at: up to about a millisecond."""
MORE_LISTS = 10
"""Lists that are asked besides, after a further search."""
SHORT = 5
"""Lists that are asked in order of their names, before one of each kind."""
_BEFORE_A_NUMBER = deferred(r"[^0-9]{0,256}")
_QUEUE = deferred(
    r"queue|job|task|work|mail|event|order|todo|pending|backlog|celery|resque|sidekiq|bull", re.IGNORECASE
)


@reads
async def lists(
    node: Node,
    calls: Annotated[int, Field(ge=6, le=100)] = 12,
    further: Annotated[int, Field(ge=0, le=30, description="SCANs more while no name looks like a queue's")] = 0,
    window: Annotated[float, Field(ge=0, le=10)] = 0.8,
) -> Values:
    """Lists by a bounded SCAN, the longest first, and how they grow.

    `l1.key`, `l1.length` in elements, `l1.length.delta` over the window. `lists` were found, `looked_at` asked; typical
    names of queues come first. `complete` says whether the search saw all keys and asked every list. Elements are never
    read.
    """
    began = node.clock.monotonic()
    first = max(2, calls // 6)
    names, scans, complete = await scanned(
        node, 10 * (calls + further), first, "list", SCAN_COUNT, further, _distinctive
    )
    most = calls - min(scans, first) - SHOWN + (MORE_LISTS if scans > first else 0)
    asked = _varied(sorted(names, key=_unlike_a_queue), SHORT)[:most]
    lengths = await _lengths(node, asked)
    if asked and not lengths:
        raise Unanswered(
            "denied", "the user isn't allowed to read the length of any of the lists", {"lists": len(names)}
        )
    longest = sorted(lengths, key=lambda name: -lengths[name])[:SHOWN]
    later: dict[str, int] = {}
    if window and longest:
        await node.clock.sleep(max(0.0, window - (node.clock.monotonic() - began)))
        later = await _lengths(node, longest)
    values: Values = {
        "lists": len(names), "looked_at": len(lengths), "complete": complete and len(lengths) == len(names),
        "window_seconds": round(node.clock.monotonic() - began, 3) if later else 0,
        "calls": scans + len(asked) + len(later),
    }  # fmt: skip
    for number, name in enumerate(longest, 1):
        values[f"l{number}.key"] = node.pseudonyms.plain("key", name)
        values[f"l{number}.length"] = later.get(name, lengths[name])
        if name in later:
            values[f"l{number}.length.delta"] = later[name] - lengths[name]
    return values


def _varied(names: Sequence[str], first: int) -> list[str]:
    """The first names as they are, and after them one of each kind before a second: all of one kind are alike."""
    kinds: Counter[str] = Counter()
    rest: list[tuple[int, str]] = []
    for name in names[first:]:
        kind = _BEFORE_A_NUMBER.match(name)
        kinds[kind[0] if kind else name] += 1
        rest.append((kinds[kind[0] if kind else name], name))
    return [*names[:first], *(name for _, name in sorted(rest, key=lambda one: one[0]))]


def _distinctive(names: Iterable[str]) -> bool:
    """Whether one of them isn't one user's or one object's list."""
    return any(not any(map(str.isdigit, name)) for name in names)


def _unlike_a_queue(name: str) -> tuple[bool, bool, int, int]:
    """Sorts distinctive names before those of one user's list, and within both those of queues first."""
    digits = sum(map(str.isdigit, name))
    return digits > 0, _QUEUE.search(name) is None, digits, len(name)


async def _lengths(node: Node, names: Sequence[str]) -> dict[str, int]:
    if not names:
        return {}
    replies = await node.ask(*(("LLEN", name) for name in names))
    return {
        name: reply
        for name, reply in zip(names, replies, strict=True)
        if not isinstance(reply, ServerError) and isinstance(reply, int)
    }
