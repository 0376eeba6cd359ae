"""Which clients are looked at: all of a few, and of a crowd as many as the server lists without making anybody wait."""

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
"""Milliseconds that one call may hold a server, and all that are made to learn who there is."""
LINE = 0.003
"""Milliseconds of a client's line the first time, for which the server asks the kernel for its addresses."""
VALKEY_WALK, VALKEY_8_WALK = 0.00017, 0.0002
"""Milliseconds for each client that is connected, at every call, on Valkey: it goes through all of them, be it for a
single id. Where the processor has them at hand it's a tenth of it; a busy server's are elsewhere."""
WHOLE = 250
"""Clients up to which they're listed in one call."""
BATCH, LEAST = 160, 96
"""Most ids that one call asks for of those that are likely to be taken, and fewest."""
MOST_IDS = 1000
"""Ids of one call; one that nobody has costs the server a fiftieth of a microsecond."""
FEW = 1000
"""Clients up to which one call lists them where their ids lie far apart; it holds the server some 3 ms."""
DENSE = 4
"""Ids that were ever given for each client that is connected, up to which asking for ids finds them."""
AHEAD = 50
"""Ids beyond the newest that is known: clients that came since."""
LEAST_CALLS, MOST_CALLS = 4, 30
"""Calls for a sample, however long one takes, and however few of the ids are taken."""
FAT = 2**20
"""Bytes of one client's buffers, by INFO, for which more of a crowd are looked through."""
SEARCHED, VALKEY_SEARCHED = 120, 12
"""Most calls of that."""
FLAGGED = ("blocked_clients", "pubsub_clients", "tracking_clients", "watching_clients")
"""What INFO counts of those that CLIENT LIST flags."""
PRACTICALLY = 0.98
"""Share of the clients that were counted by which all are seen: some leave between the count and the list."""
_GOLDEN = (math.sqrt(5) - 1) / 2


class Listed(NamedTuple):
    """The clients that were looked at."""

    clients: list[Client]
    connected: int
    """How many there are."""


class Pace(NamedTuple):
    """How a crowd is asked for by ID so that nobody notices."""

    walk: float
    """Milliseconds of each call beside its lines."""
    size: int
    """Ids of one call."""

    @property
    def lines(self) -> int:
        """Clients that can be listed in all, where all the ids are taken."""
        return max(LEAST_CALLS, int(TOTAL / (self.walk + LINE * self.size))) * self.size


def pace(count: int, each: float) -> Pace:
    """The calls for so many clients, `each` of which costs so many milliseconds of every call."""
    walk = each * count
    return Pace(walk, int(min(BATCH, max(LEAST, (HOLD - walk) / LINE))))


class _Server(NamedTuple):
    """What INFO says of the clients, and of what the server can do."""

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
        """Milliseconds for each client that is connected, at every call."""
        return 0.0 if not self.valkey else VALKEY_WALK if self.filters else VALKEY_8_WALK


async def listed(node: Node) -> Listed:
    """The clients, or of a crowd a sample by ID, the fattest among it where INFO tells of one.

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
    newest = node.client_id + AHEAD
    if newest > DENSE * count and count <= FEW:
        return await _whole(node)
    asked, paced = _Asked(node), pace(count, server.walk)
    try:
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
    # Who is missing of a few has left since they were counted.
    return Listed(found, len(found) if PRACTICALLY * count <= len(found) else count)


async def _info(node: Node, section: str) -> dict[str, str]:
    (text,) = await node.ask(("INFO", section))
    return dict(line.partition(":")[::2] for line in str(text).splitlines())


async def _whole(node: Node, counted: int = 0) -> Listed:
    every = parse_clients(str(await node.one("CLIENT", "LIST")))
    if not every:
        # This connection at least would be in it.
        raise Unanswered("malformed", f"{node.name}: CLIENT LIST shows no client")
    # All of them: INFO's count was of a moment before. A paste may be a part, though.
    return Listed(every, max(len(every), counted if node.network.pasted else 0))


async def _sample(asked: "_Asked", server: _Server, blocks: Iterator[range], count: int, paced: Pace) -> None:
    """Some of a crowd; and more of it as long as INFO tells of a buffer that none of them has."""
    spent = 0.0
    for number, ids in enumerate(islice(blocks, MOST_CALLS), 1):
        spent += paced.walk + LINE * await asked.by_id(ids)
        if number >= LEAST_CALLS and spent + paced.walk + LINE * paced.size > TOTAL:
            break
    if server.filters and _are_few(server, asked.found.values(), count):
        # All that are blocked, monitor, subscribe or watch, by a single walk.
        await asked.by(("NOT-FLAGS", "N"))
    elif hides_fat(server.figures, asked.found.values()) and 0 < (server.number("pubsub_clients") or 0) <= BATCH:
        # Output mostly piles up for subscribers.
        await asked.by(("TYPE", "pubsub"))
    for ids in islice(blocks, VALKEY_SEARCHED if server.valkey else SEARCHED):
        if not hides_fat(server.figures, asked.found.values()):
            return
        await asked.by_id(ids)


def _are_few(server: _Server, found: Collection[Client], count: int) -> bool:
    """Whether the clients that have a flag are so few that one call lists all of them, by INFO and by the sample."""
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
        """Ask for those that some words choose; how many of them there are."""
        (reply,) = await self.node.ask(("CLIENT", "LIST", *words))
        if isinstance(reply, ServerError) and reply.kind is None:
            raise _CantList
        came = parse_clients(str(self.node.value(reply)))
        self.found |= {client.id: client for client in came}
        return len(came)

    async def by_id(self, ids: Sequence[int]) -> int:
        """Ask for some ids; how many of them are taken."""
        return await self.by(("ID", *ids))

    async def all_of(self, calls: Iterable[Sequence[int]]) -> None:
        """Ask for all of some calls' ids."""
        for ids in calls:
            await self.by_id(ids)

    async def down_from(self, newest: int, size: int) -> None:
        """Ask for every id, twice as many in a call where few of them are taken."""
        step = size
        while newest > 0:
            came = await self.by_id(range(max(1, newest - step + 1), newest + 1))
            newest -= step
            # Should all of the next be taken, that's still 1 ms of lines.
            step = 2 * size if came < size / 4 else size


def spread(newest: int, size: int) -> Iterator[range]:
    """The ids up to the newest in blocks: the newest first, then whatever divides the range best so far.

    Ids count up by one for each connection that was ever let in, so that a block is of those that came together.
    """
    blocks = [range(max(1, end - size + 1), end + 1) for end in range(newest, 0, -size)]
    yield from (blocks[number] for number in (0, *sorted(range(1, len(blocks)), key=lambda at: at * _GOLDEN % 1)))


def scattered(newest: int) -> Iterator[Sequence[int]]:
    """Ids to ask for where most clients that ever came have left: the newest, then evenly over the range."""
    recent = range(max(1, newest - MOST_IDS + 1), newest + 1)
    for begin in range(len(recent), 0, -BATCH):
        yield recent[max(0, begin - BATCH) : begin]
    older = recent.start - 1
    count = min(older, 3 * MOST_IDS)
    ids = [1 + number * older // count for number in range(count)]
    for begin in range(0, count, MOST_IDS):
        yield ids[begin : begin + MOST_IDS]


def hides_fat(figures: Mapping[str, str], found: Collection[Client]) -> bool:
    """Whether INFO's largest buffers of the last seconds are no client's that was looked at."""
    sizes = (
        ("client_recent_max_output_buffer", max((one.omem for one in found), default=0)),
        ("client_recent_max_input_buffer", max((max(one.qbuf, one.argv_mem) for one in found), default=0)),
    )
    return any((whole_number(figures.get(name, "")) or 0) >= FAT > 2 * seen for name, seen in sizes)
