"""Which clients are examined: all of a few, and of many as many as the server lists without making anybody wait."""

import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import NamedTuple

from tools.connection.node import Node
from tools.connection.protocol import ServerError
from tools.connection.shapes import whole_number
from tools.errors import Unanswered
from tools.server.client_list import Client, parse_clients

HOLD, TOTAL = 0.6, 6.5
"""Milliseconds for which one call, and all calls together, may hold a server."""
LINE = 0.003
"""Milliseconds for a client's line the first time, when the server asks the kernel for its addresses."""
VALKEY_WALK, VALKEY_8_WALK = 0.00017, 0.0002
"""Milliseconds per connected client in every call on Valkey, which goes through all of them even for a single id.

If they are in the processor's cache it's a tenth of that; on a busy server they aren't.
"""
WHOLE = 250
"""Up to this many clients are listed in one call."""
BATCH, LEAST = 160, 64
"""Most and fewest ids that one call asks for if they are likely to exist."""
MOST_IDS = 1000
"""Most ids in one call; an unused one costs the server a fiftieth of a microsecond."""
FEW = 1000
"""Up to this many clients are listed in one call if their ids are far apart; it holds the server for about 3 ms."""
DENSE = 4
"""Ids ever issued per connected client up to which asking by id finds them."""
AHEAD = 50
"""Ids beyond the newest known one: clients that connected since."""
LAST_ID = 2**63 - 1
"""The highest that a server can give out."""
LEAST_CALLS, MOST_CALLS = 4, 30
"""Most calls for a sample, however long one takes and however few of the ids exist."""
FAT = 2**20
"""Bytes of one client's buffers, according to INFO, for which more of many clients are examined."""
SEARCHED, VALKEY_SEARCHED = 120, 12
"""Most calls for that."""
FLAGGED = ("blocked_clients", "pubsub_clients", "tracking_clients", "watching_clients")
"""INFO's counters for the flags of CLIENT LIST."""
PRACTICALLY = 0.98
"""Share of the counted clients that counts as all: some leave between the count and the list."""
_GOLDEN = (math.sqrt(5) - 1) / 2


class Listed(NamedTuple):
    """The clients that were examined."""

    clients: list[Client]
    connected: int
    """How many there are."""


class Pace(NamedTuple):
    """How to query many clients by ID without anybody noticing."""

    walk: float
    """Milliseconds of each call besides its lines."""
    size: int
    """Ids in one call."""

    @property
    def lines(self) -> int:
        """How many clients can be listed in total, if all the ids exist."""
        return max(LEAST_CALLS, int(TOTAL / (self.walk + LINE * self.size))) * self.size


def pace(count: int, each: float) -> Pace:
    """The calls for this many clients, each of which costs `each` milliseconds in every call."""
    walk = each * count
    return Pace(walk, int(min(BATCH, max(LEAST, (HOLD - walk) / LINE))))


class _Server(NamedTuple):
    """What INFO says about the clients and the server's abilities."""

    figures: Mapping[str, str]
    valkey: str
    """Its version, empty for another product."""

    def number(self, name: str) -> int | None:
        return whole_number(self.figures.get(name, ""))

    @property
    def filters(self) -> bool:
        """Whether it lists clients by their flags."""
        return (whole_number(self.valkey.partition(".")[0]) or 0) >= 9

    @property
    def walk(self) -> float:
        """Milliseconds per connected client in every call."""
        return 0.0 if not self.valkey else VALKEY_WALK if self.filters else VALKEY_8_WALK


async def listed(node: Node) -> Listed:
    """The clients, or of many a sample by ID, including the largest if INFO indicates one.

    Raises `Unanswered`: malformed for a list without a client, unknown-command for a crowd on a server that doesn't
    list by ID (before 6.2).
    """
    figures = await _info(node, "clients")
    count = whole_number(figures.get("connected_clients", ""))
    if count is None or count <= WHOLE or node.network.pasted:
        return await _whole(node, count or 0)
    server = _Server(figures, (await _info(node, "server")).get("valkey_version", ""))
    if node.client_id is None:
        node.client_id = whole_number(str(await node.one("CLIENT", "ID"))) or 1
    newest = min(node.client_id + AHEAD, LAST_ID)
    if newest > DENSE * count and count <= FEW:
        return await _whole(node)
    asked, paced = _Asked(node), pace(count, server.walk)
    try:
        if server.walk:
            # The first walk costs several times what those right behind it do, so it has nothing else to do.
            await asked.by_id((node.client_id,))
        if newest > DENSE * count:
            await asked.all_of(scattered(newest))
        elif count <= paced.lines:
            await asked.down_from(newest, paced.size)
        else:
            await _sample(asked, server, spread(newest, paced.size), count, paced)
    except _CantList:
        if count <= FEW:
            return await _whole(node)
        raise Unanswered("unknown-command", f"{count} clients, but this server can't list them by ID") from None
    found = list(asked.found.values())
    # If there are few, a missing one has left since they were counted.
    return Listed(found, len(found) if PRACTICALLY * count <= len(found) else count)


async def _info(node: Node, section: str) -> dict[str, str]:
    (text,) = await node.ask(("INFO", section))
    return dict(line.partition(":")[::2] for line in str(text).splitlines())


async def _whole(node: Node, counted: int = 0) -> Listed:
    every = parse_clients(str(await node.one("CLIENT", "LIST")))
    if not every:
        # At least this connection would be in it.
        raise Unanswered("malformed", f"{node.name}: CLIENT LIST shows no client")
    # All of them: INFO's count was of a moment before. A paste may be a part, though.
    return Listed(every, max(len(every), counted if node.network.pasted else 0))


async def _sample(asked: "_Asked", server: _Server, blocks: Iterator[range], count: int, paced: Pace) -> None:
    """Some of many; and more as long as INFO indicates a buffer that none of them has."""
    spent = 0.0
    for number, ids in enumerate(islice(blocks, MOST_CALLS), 1):
        spent += paced.walk + LINE * await asked.by_id(ids)
        if number >= LEAST_CALLS and spent + paced.walk + LINE * paced.size > TOTAL:
            break
    if server.filters and _are_few(server, asked.found.values(), count):
        # All that are blocked, monitor, subscribe or watch, in a single walk.
        await asked.by(("NOT-FLAGS", "N"))
    elif hides_fat(server.figures, asked.found.values()) and 0 < (server.number("pubsub_clients") or 0) <= BATCH:
        # Output mostly piles up for subscribers.
        await asked.by(("TYPE", "pubsub"))
    for ids in islice(blocks, VALKEY_SEARCHED if server.valkey else SEARCHED):
        if not hides_fat(server.figures, asked.found.values()):
            return
        await asked.by_id(ids)


def _are_few(server: _Server, found: Collection[Client], count: int) -> bool:
    """Whether so few clients have a flag that one call lists them all, according to INFO and the sample."""
    counted = sum(server.number(name) or 0 for name in FLAGGED)
    flagged = sum(client.flags != "N" for client in found)
    return counted <= BATCH and flagged * count <= BATCH * len(found)


class _CantList(Exception):
    """The server doesn't list clients by ID."""


class _Asked:
    """What was found by ID so far, call by call so that others are served in between."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.found: dict[int, Client] = {}

    async def by(self, words: Sequence[str | int]) -> int:
        """Query the clients that some arguments select; returns how many there are."""
        (reply,) = await self.node.ask(("CLIENT", "LIST", *words))
        if isinstance(reply, ServerError) and reply.kind is None:
            raise _CantList
        came = parse_clients(str(self.node.value(reply)))
        self.found |= {client.id: client for client in came}
        return len(came)

    async def by_id(self, ids: Sequence[int]) -> int:
        """Query some ids; returns how many of them exist."""
        return await self.by(("ID", *ids))

    async def all_of(self, calls: Iterable[Sequence[int]]) -> None:
        """Query all ids of some calls."""
        for ids in calls:
            await self.by_id(ids)

    async def down_from(self, newest: int, size: int) -> None:
        """Query every id, with twice as many per call if few of them exist."""
        step = size
        while newest > 0:
            came = await self.by_id(range(max(1, newest - step + 1), newest + 1))
            newest -= step
            # Even if all of the next ones exist, that is still 1 ms of lines.
            step = 2 * size if came < size / 4 else size


def spread(newest: int, size: int) -> Iterator[range]:
    """The ids up to the newest in blocks: the newest first, then whatever divides the range best so far.

    Ids increase by one for each accepted connection, so a block covers clients that came together.
    """
    blocks = [range(max(1, end - size + 1), end + 1) for end in range(newest, 0, -size)]
    yield from (blocks[number] for number in (0, *sorted(range(1, len(blocks)), key=lambda at: at * _GOLDEN % 1)))


def scattered(newest: int) -> Iterator[Sequence[int]]:
    """Ids to query if most clients that ever connected have left: the newest, then evenly over the range."""
    recent = range(max(1, newest - MOST_IDS + 1), newest + 1)
    for begin in range(len(recent), 0, -BATCH):
        yield recent[max(0, begin - BATCH) : begin]
    older = recent.start - 1
    count = min(older, 3 * MOST_IDS)
    ids = [1 + number * older // count for number in range(count)]
    for begin in range(0, count, MOST_IDS):
        yield ids[begin : begin + MOST_IDS]


def hides_fat(figures: Mapping[str, str], found: Collection[Client]) -> bool:
    """Whether INFO's largest buffers of the last seconds belong to no examined client."""
    sizes = (
        ("client_recent_max_output_buffer", max((one.omem for one in found), default=0)),
        ("client_recent_max_input_buffer", max((max(one.qbuf, one.argv_mem) for one in found), default=0)),
    )
    return any((whole_number(figures.get(name, "")) or 0) >= FAT > 2 * seen for name, seen in sizes)
