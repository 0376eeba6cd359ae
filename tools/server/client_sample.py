"""Which clients are looked at: all of a few, and of a crowd as many as the server lists without making anybody wait."""

import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from tools.connection.node import Node
from tools.connection.protocol import ServerError
from tools.connection.shapes import whole_number
from tools.errors import Unanswered
from tools.server.client_list import Client, parse_clients

WHOLE = 300
"""Clients up to which they're listed in one call: a line takes the server about 3 µs, and 1 ms isn't noticed."""
BATCH = 250
"""Ids that one call asks for where there are more."""
SAMPLED = 2500
"""Clients of a crowd that are looked at, up to which all are: 10 ms of the server's time, and they tell who comes."""
CALLS = 20
"""Most calls for that."""
VALKEY_CALLS, VALKEY_BATCH, VALKEY_SEARCHED = 8, 64, 12
"""The same on Valkey, which goes through all its clients at each call: 0.4 ms for 10,000 of them (9.1), 2 ms (8.1)."""
MOST_IDS = 1000
"""Ids of one call; one that nobody has costs the server a twentieth of a microsecond."""
FEW = 1000
"""Clients up to which one call lists them where their ids lie far apart; it holds the server some 3 ms."""
DENSE = 4
"""Ids that were ever given for each client that is connected, up to which asking for ids finds them."""
AHEAD = 250
"""Ids beyond the newest that is known: clients that came since."""
FAT = 2**20
"""Bytes of one client's buffers, by INFO, for which more of a crowd are looked through."""
SEARCHED = 80
"""Most calls of that."""
PRACTICALLY = 0.98
"""Share of the clients that were counted by which all are seen: some leave between the count and the list."""
_GOLDEN = (math.sqrt(5) - 1) / 2


class Listed(NamedTuple):
    """The clients that were looked at."""

    clients: list[Client]
    connected: int
    """How many there are."""


async def listed(node: Node) -> Listed:
    """The clients, or of a crowd a sample by ID, the fattest among it where INFO tells of one.

    Raises `Unanswered`: malformed for a list without a client, unknown-command for a crowd on a server that doesn't
    list by ID (before 6.2).
    """
    figures = await _info(node, "clients")
    count = whole_number(figures.get("connected_clients", ""))
    if count is None or count <= WHOLE:
        return await _whole(node)
    if node.client_id is None:
        node.client_id = whole_number(str(await node.one("CLIENT", "ID"))) or 1
    newest = node.client_id + AHEAD
    if newest > DENSE * count and count <= FEW:
        return await _whole(node)
    asked = _Asked(node)
    try:
        if newest > DENSE * count:
            await asked.all_of(scattered(newest))
        elif count <= SAMPLED:
            await asked.down_from(newest)
        else:
            await _sample(asked, figures, newest, count)
    except _CantList:
        if count <= FEW:
            return await _whole(node)
        raise Unanswered("unknown-command", f"{count} clients, and this server can't list them by ID") from None
    found = list(asked.found.values())
    # Who is missing of a few has left since they were counted.
    return Listed(found, len(found) if PRACTICALLY * count <= len(found) else count)


async def _info(node: Node, section: str) -> dict[str, str]:
    (text,) = await node.ask(("INFO", section))
    return dict(line.partition(":")[::2] for line in str(text).splitlines())


async def _whole(node: Node) -> Listed:
    every = parse_clients(str(await node.one("CLIENT", "LIST")))
    if not every:
        # This connection at least would be in it.
        raise Unanswered("malformed", f"{node.name}: CLIENT LIST without a client")
    # All of them: INFO's count was of a moment before.
    return Listed(every, len(every))


async def _sample(asked: "_Asked", figures: Mapping[str, str], newest: int, count: int) -> None:
    """Some of a crowd; and more of it as long as INFO tells of a buffer that none of them has."""
    valkey = "valkey_version" in await _info(asked.node, "server")
    size = VALKEY_BATCH * (1 if count > 2 * SAMPLED else 2) if valkey else BATCH
    calls = VALKEY_CALLS if valkey else CALLS
    most = calls + (VALKEY_SEARCHED if valkey else SEARCHED)
    for number, ids in enumerate(spread(newest, size)):
        enough = number >= calls or len(asked.found) >= SAMPLED
        if enough and not (number < most and hides_fat(figures, asked.found.values())):
            return
        await asked.by(ids)


class _CantList(Exception):
    """The server doesn't list clients by ID."""


class _Asked:
    """What was found by ID so far, call by call so that others are served in between."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.found: dict[int, Client] = {}

    async def by(self, ids: Sequence[int]) -> int:
        """Ask for some; how many of them there are."""
        (reply,) = await self.node.ask(("CLIENT", "LIST", "ID", *ids))
        if isinstance(reply, ServerError) and reply.kind is None:
            raise _CantList
        came = parse_clients(str(self.node.value(reply)))
        self.found |= {client.id: client for client in came}
        return len(came)

    async def all_of(self, calls: Iterable[Sequence[int]]) -> None:
        """Ask for all of some calls' ids."""
        for ids in calls:
            await self.by(ids)

    async def down_from(self, newest: int) -> None:
        """Ask for every id, in larger steps where fewer of them are taken."""
        size = BATCH
        while newest > 0:
            came = await self.by(range(max(1, newest - size + 1), newest + 1))
            newest -= size
            size = min(MOST_IDS, 2 * size) if came < BATCH / 4 else size if came <= BATCH else BATCH


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
