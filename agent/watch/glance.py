"""One look at one node: at most ten commands, each of them short, on a connection that's closed again."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from agent.watch.sample import figures_of, groups_of, settings_of, slow_entries, stalls
from tools.connection.node import CLIENT_NAME, Node
from tools.connection.protocol import Command, Reply, ServerError
from tools.connection.shapes import whole_number
from tools.errors import Unanswered
from tools.past.stored import Round
from tools.records import Values
from tools.server.client_list import Client, parse_clients
from tools.server.info import parse_info

MOST_COMMANDS = 10
"""Commands of one look at a node, those of logging in among them."""
ROWS, ALL_ROWS = 32, 128
"""Entries of SLOWLOG that are read, and that are read if all of those are new."""
PATIENCE = 2.0
WHOLE, MANY, TOO_MANY = 250, 2_500, 10_000
"""Up to this many clients are listed in one call; up to the second two blocks of ids are, then one, and beyond the
third none: Valkey goes through all clients in every call."""
MOST_MASTERS = 24
"""Masters of one sentinel that are looked at."""
BLOCK = 96
"""Ids in a block: half a millisecond at most."""


class Glance(NamedTuple):
    """What a look brought, and what the node says about its deployment."""

    kept: Round
    info: Values
    known: "Known"
    nodes: str | None = None
    """CLUSTER NODES; null for no cluster."""
    watches: tuple[tuple[str, int], ...] | None = None
    """Of a sentinel: the addresses of its masters; null for a server."""


class Known(NamedTuple):
    """What an earlier look at a node brought."""

    newest_slow: int = -1
    """The number of SLOWLOG's newest entry."""
    spikes: frozenset[tuple[str, int]] = frozenset()
    """LATENCY's latest spikes: the event and the time."""


async def glance(node: Node, known: Known) -> Glance:
    """One look at a node. Raises `Unanswered`."""
    at = node.clock.now().timestamp()
    sections = parse_info(str(await node.one("INFO", "everything", timeout=PATIENCE)), node.pseudonyms)
    info = {name: value for fields in sections.values() for name, value in fields.items()}
    run = str(info.get("run_id") or "")
    mode = info.get("server_mode") or info.get("redis_mode")
    if mode == "sentinel" or not info:
        # INFO of a sentinel of 6.2 doesn't know the word.
        masters = tuple(_masters(await node.one("SENTINEL", "MASTERS")))
        return Glance(Round(node=node.name, run_id=run, at=at, figures={"redis_up": 1.0}), info, known, watches=masters)
    if "uptime_in_seconds" not in info or "used_memory" not in info:
        raise Unanswered("malformed", f"{node.name}: INFO has neither an uptime nor a size")
    latest, rows, config = await node.ask(("LATENCY", "LATEST"), ("SLOWLOG", "GET", ROWS), ("CONFIG", "GET", "*"))
    nodes = None
    if mode == "cluster":
        (reply,) = await node.ask(("CLUSTER", "NODES"))
        nodes = None if isinstance(reply, ServerError) else str(reply)
    clients, connected = await _clients(node, info)
    histories, entries = await _more(node, latest, rows, known)
    figures = figures_of(info, at, entries) | groups_of(clients, connected, node.pseudonyms)
    kept = Round(
        node=node.name, run_id=run, at=at, figures=figures, settings=settings_of(config, node.pseudonyms),
        happened=(*slow_entries(entries, node.pseudonyms, run), *stalls(latest, histories)),
    )  # fmt: skip
    return Glance(kept, info, Known(_newest(entries), _spikes(latest)), nodes)


def _masters(rows: Reply) -> Iterator[tuple[str, int]]:
    for row in rows[:MOST_MASTERS] if isinstance(rows, list) else ():
        words = [str(word) for word in row] if isinstance(row, list) else []
        fields = dict(zip(words[::2], words[1::2], strict=False))
        if (port := whole_number(fields.get("port", ""))) and fields.get("ip"):
            yield fields["ip"], port


def left(node: Node) -> int:
    """How many more commands this look may send to a node."""
    return MOST_COMMANDS - node.own.calls.total() - node.own.refused.total()


async def _clients(node: Node, info: Values) -> tuple[list[Client] | None, int]:
    """The clients, or of many the newest and some others by id; none where that would hold up the server."""
    count = info.get("connected_clients")
    if not isinstance(count, int) or count > TOO_MANY:
        return None, 0
    calls: list[Command] = [("CLIENT", "LIST")]
    if count > WHOLE:
        newest = node.client_id or 1
        blocks = [range(max(1, newest - BLOCK + 1), newest + 1), range(max(1, newest // 2), newest // 2 + BLOCK)]
        calls = [("CLIENT", "LIST", "ID", *block) for block in blocks[: 2 if count <= MANY else 1]]
    found: dict[int, Client] = {}
    for call in calls[: left(node)]:
        # Call by call, so that others are served in between.
        (reply,) = await node.ask(call)
        if not isinstance(reply, ServerError):
            found |= {one.id: one for one in parse_clients(str(reply))}
    if not found:
        return None, 0
    others = [one for one in found.values() if one.id != node.client_id and one.name != CLIENT_NAME]
    return others, max(0, count - (len(found) - len(others)))


async def _more(node: Node, latest: Reply, rows: Reply, known: Known) -> tuple[dict[str, Reply], Sequence[Any]]:
    """The history of events with new spikes, and more of SLOWLOG if everything read is new; what is affordable."""
    entries: Sequence[Any] = rows if isinstance(rows, list) else ()
    asked: list[Command] = []
    if len(entries) == ROWS and min(map(_number, entries)) > known.newest_slow:
        asked.append(("SLOWLOG", "GET", ALL_ROWS))
    fresh = sorted(_spikes(latest) - known.spikes, key=lambda one: -one[1])
    asked += [("LATENCY", "HISTORY", event) for event, _ in fresh]
    histories: dict[str, Reply] = {}
    for command in asked[: max(0, left(node))]:
        (reply,) = await node.ask(command)
        if command[0] == "LATENCY":
            histories[str(command[2])] = reply
        elif isinstance(reply, list):
            entries = reply
    return histories, entries


def _number(row: Any) -> int:
    return row[0] if isinstance(row, list) and row and isinstance(row[0], int) else -1


def _newest(entries: Sequence[Any]) -> int:
    return max(map(_number, entries), default=-1)


def _spikes(latest: Reply) -> frozenset[tuple[str, int]]:
    return frozenset((str(row[0]), int(row[1])) for row in latest) if isinstance(latest, list) else frozenset()
