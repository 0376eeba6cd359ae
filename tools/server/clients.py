"""CLIENT LIST, grouped; a crowded server is sampled by ID."""

import statistics
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from typing import Annotated

from pydantic import Field

from tools.connection.node import CLIENT_NAME, Node
from tools.connection.protocol import ServerError
from tools.connection.shapes import whole_number
from tools.errors import Unanswered
from tools.records import Record, Values
from tools.toolbox import reads

CROWDED = 1000
"""Clients above which CLIENT LIST is only asked by ID: it holds the server about 5 ms for each thousand."""
MOST_LISTED = 20_000
"""Lines of one reply that are read, and words of one line: no server that is asked so says more."""
MOST_WORDS = 128
OLDER_BATCHES = 3
"""Calls for clients that aren't among the newest; a sample of thousands is enough to see who they are."""
STALLED_FOR = 0.3
"""Seconds between two looks at the clients whose output waits."""
LAST_COMMANDS = 6
"""Last commands of an owner's clients that are shown, the most frequent."""
DATABASES = 8
"""Databases whose clients are counted, those with most first."""
READS = frozenset(
    ("get", "mget", "exists", "getex", "getrange", "strlen", "hget", "hmget", "hgetall", "hexists", "lrange", "lindex",
     "llen", "smembers", "sismember", "zrange", "zrangebyscore", "zscore", "xrange", "xread", "ttl", "type", "scan")
)  # fmt: skip
"""Commands by which a client is known to look something up."""
MONITORS = 8
"""Monitors whose ids are listed, the oldest."""
BLOCKING = frozenset(
    ("blpop", "brpop", "brpoplpush", "blmove", "blmpop", "bzpopmin", "bzpopmax", "bzmpop", "xread", "xreadgroup",
     "wait", "waitaof")
)  # fmt: skip
"""Commands that may block their client by design."""


class Client(Record):
    """One line of CLIENT LIST; sizes in bytes, times in seconds."""

    id: int
    host: str
    name: str
    cmd: str
    """Last command, lower case; "NULL" for none so far."""
    flags: str
    age: int
    idle: int
    qbuf: int
    argv_mem: int
    omem: int
    """Output list and reply buffer."""
    oll: int
    tot_mem: int
    events: str
    """r, w or both: w while output waits for the socket."""
    db: int = 0
    """The database that it selected."""
    sent: int | None
    """Bytes that it took from its socket so far, where the server tells (Valkey 9)."""

    @property
    def unused(self) -> bool:
        """Whether it did nothing since the second in which it connected."""
        return self.age - self.idle <= 1 and "b" not in self.flags and not self.subscriber

    @property
    def subscriber(self) -> bool:
        """Whether it's a subscriber, a monitor or a replica: idle by nature."""
        return any(flag in self.flags for flag in "POSM")

    @property
    def held_up(self) -> bool:
        """Whether it's blocked in a command that doesn't block: a pause."""
        return "b" in self.flags and self.cmd.split("|")[0] not in BLOCKING


@reads
async def clients(
    node: Node,
    groups: Annotated[int, Field(ge=1, le=20)] = 6,
) -> Values:
    """Who is connected: by owner (`o1`) and by owner, command and flags (`g1`), most first; buffers.

    An owner's `cmds` are its clients' last commands. `db0.clients` of them selected database 0 and `db0.readers` of
    those looked something up last, with the name and address of one. Each with count, idle and age in seconds, and
    buffers in bytes; `unused` did nothing since connecting. `listed` of `connected` clients were seen
    (`share_seen`); above 1,000 they're sampled by ID. `paused` counts clients blocked in a command that doesn't
    block, `stalled` those whose output doesn't move; `monitor.ids` are the oldest of `monitors`; `omem_max`,
    `qbuf_max` and `argv_mem_max` name the largest buffers and their client.
    """
    every, connected = await listed(node)
    seen = [client for client in every if client.id != node.client_id and client.name != CLIENT_NAME]
    # This program's own entry isn't one of the application's.
    connected -= 1
    values: Values = {
        "connected": connected, "listed": len(seen),
        "share_seen": round(min(1.0, len(seen) / connected), 3) if connected > 0 else 1.0,
        "blocked": sum("b" in client.flags for client in seen), "paused": sum(client.held_up for client in seen),
        "monitors": sum("O" in client.flags for client in seen),
        "subscribers": sum("P" in client.flags for client in seen),
        "replicas": sum("S" in client.flags for client in seen),
        "unused": sum(client.unused for client in seen),
        "omem_sum": sum(client.omem for client in seen), "qbuf_sum": sum(client.qbuf for client in seen),
    }  # fmt: skip
    if monitors := sorted(client.id for client in seen if "O" in client.flags):
        values |= {"monitor.id": monitors[0], "monitor.ids": " ".join(str(id) for id in monitors[:MONITORS])}
    if paused := next((client for client in seen if client.held_up), None):
        values["paused_cmd"] = paused.cmd
    values |= await _stalled(node, seen)
    _largest(node, values, seen)
    values |= _databases(node, seen)
    owners = _grouped(seen, lambda client: (client.name, client.host))
    shown = _grouped(seen, lambda client: (client.name, client.host, client.cmd, client.flags))
    for letter, found in (("o", owners), ("g", shown)):
        values[f"{letter}_groups"] = len(found)
        for number, members in enumerate(found[:groups], 1):
            _describe(node, values, f"{letter}{number}", members, commands=letter == "g")
    return values


async def _stalled(node: Node, seen: list[Client]) -> Values:
    """The clients whose output waits and doesn't move: Valkey 9 doesn't count large replies in omem."""
    waiting = [one for one in seen if "w" in one.events and one.oll and "S" not in one.flags and "M" not in one.flags]
    if not waiting:
        return {"stalled": 0}
    before = {one.id: one for one in sorted(waiting, key=lambda one: -one.omem)[:8]}
    await node.clock.sleep(STALLED_FOR)
    again = parse_clients(str(await node.one("CLIENT", "LIST", "ID", *before)))
    still = [one for one in again if one.oll and one.id in before and _unmoved(before[one.id], one)]
    if not still:
        return {"stalled": 0}
    first = still[0]
    return {
        "stalled": len(still), "stalled.id": first.id, "stalled.flags": first.flags, "stalled.omem": first.omem,
        "stalled.cmd": node.pseudonyms.plain("command", first.cmd.replace("|", ":")),
        "stalled.address": node.pseudonyms.plain("address", first.host),
    }  # fmt: skip


def _databases(node: Node, seen: list[Client]) -> Values:
    """Who selected which database: a client whose last command is a look-up reads there."""
    values: Values = {}
    counted = Counter(client.db for client in seen if not client.subscriber)
    for db, count in counted.most_common(DATABASES):
        there = [client for client in seen if client.db == db and not client.subscriber]
        reading = [client for client in there if client.cmd in READS]
        first = (reading or there)[0]
        values |= {
            f"db{db}.clients": count, f"db{db}.readers": len(reading),
            f"db{db}.name": node.pseudonyms.plain("client", first.name),
            f"db{db}.address": node.pseudonyms.plain("address", first.host),
        }  # fmt: skip
    return values


def _unmoved(before: Client, after: Client) -> bool:
    if before.sent is not None and after.sent is not None:
        return after.sent == before.sent
    return after.omem >= before.omem >= 2**16


async def listed(node: Node) -> tuple[list[Client], int]:
    """The clients, of a crowd a sample by ID; with how many there are. Raises `Unanswered` as `clients` does."""
    (text,) = await node.ask(("INFO", "clients"))
    lines = (line for line in str(text).split() if line.startswith("connected_clients:"))
    count = whole_number(next(lines, "").partition(":")[2])
    if count is None or count <= CROWDED:
        every = parse_clients(str(await node.one("CLIENT", "LIST")))
        if not every:
            # This connection at least would be in it.
            raise Unanswered("malformed", f"{node.name}: CLIENT LIST without a client")
        return every, max(count or 0, len(every))
    if node.client_id is None:
        node.client_id = await node.one("CLIENT", "ID")
    found: dict[int, Client] = {}
    for batch in batches(node.client_id):
        # One by one, so that others are served in between.
        (reply,) = await node.ask(("CLIENT", "LIST", "ID", *batch))
        if isinstance(reply, ServerError) and reply.kind is None:
            raise Unanswered("unknown-command", f"{count} clients, and this server can't list them by ID")
        found |= {client.id: client for client in parse_clients(str(node.value(reply)))}
    return list(found.values()), count


def batches(newest: int) -> Iterator[Sequence[int]]:
    """IDs to ask for where there are too many clients: the newest, then evenly over the range, at most 1,000 each.

    IDs count up by one for each connection that was ever let in, so a client's ID tells its age.
    """
    recent = range(max(1, newest - CROWDED + 1), newest + 1)
    yield recent
    older = recent.start - 1
    if older > 0:
        # Spread over several calls, each of them short, until the range is covered or three more were made.
        count = min(older, OLDER_BATCHES * CROWDED)
        ids = [1 + number * older // count for number in range(count)]
        for begin in range(0, count, CROWDED):
            yield ids[begin : begin + CROWDED]


def parse_clients(text: str) -> list[Client]:
    """The lines of CLIENT LIST; fields that this version doesn't have are 0."""
    lines = (fields(line) for line in text.split("\n", MOST_LISTED)[:MOST_LISTED])
    return [_client(one) for one in lines if whole_number(one.get("id", "")) and "addr" in one]


def fields(line: str) -> dict[str, str]:
    """The fields of a line of CLIENT LIST."""
    return dict(part.partition("=")[::2] for part in line.split(" ", MOST_WORDS)[:MOST_WORDS])


def _client(fields: dict[str, str]) -> Client:
    def number(name: str) -> int:
        return whole_number(fields.get(name, "")) or 0

    address = fields.get("addr", "")
    # A Unix socket's address is its path followed by :0.
    return Client(
        id=number("id"), host=address.rpartition(":")[0] or address, name=fields.get("name", ""),
        cmd=fields.get("cmd", "NULL"), flags=fields.get("flags", ""), age=number("age"), idle=number("idle"),
        qbuf=number("qbuf"), argv_mem=number("argv-mem"), omem=number("omem"), oll=number("oll"),
        tot_mem=number("tot-mem"), db=number("db"), events=fields.get("events", ""),
        sent=number("tot-net-out") if "tot-net-out" in fields else None,
    )  # fmt: skip


def _grouped(seen: Iterable[Client], key: Callable[[Client], tuple[str, ...]]) -> list[list[Client]]:
    groups = [list(members) for _, members in groupby(sorted(seen, key=key), key=key)]
    return sorted(groups, key=len, reverse=True)


def _describe(node: Node, values: Values, at: str, members: list[Client], *, commands: bool) -> None:
    first = members[0]
    idle, age = [client.idle for client in members], [client.age for client in members]
    values[f"{at}.count"] = len(members)
    values[f"{at}.name"] = node.pseudonyms.plain("client", first.name)
    values[f"{at}.address"] = node.pseudonyms.plain("address", first.host)
    if commands:
        values[f"{at}.cmd"] = node.pseudonyms.plain("command", first.cmd.replace("|", ":"))
        values[f"{at}.flags"] = first.flags
    else:
        last = Counter(client.cmd for client in members).most_common(LAST_COMMANDS)
        values[f"{at}.cmds"] = " ".join(node.pseudonyms.plain("command", cmd.replace("|", ":")) for cmd, _ in last)
        values[f"{at}.unused"] = sum(client.unused for client in members)
        values[f"{at}.age_max"] = max(age)
        values[f"{at}.age_min"] = min(age)
    values[f"{at}.idle_median"] = statistics.median_low(idle)
    values[f"{at}.idle_max"] = max(idle)
    for field in ("qbuf", "omem"):
        if total := sum(getattr(client, field) for client in members):
            values[f"{at}.{field}_sum"] = total


def _largest(node: Node, values: Values, seen: list[Client]) -> None:
    for field in ("omem", "qbuf", "argv_mem"):
        top = max(seen, key=lambda client: int(getattr(client, field)), default=None)
        size = int(getattr(top, field)) if top else 0
        values[f"{field}_max"] = size
        if top and size:
            values[f"{field}_max.id"] = top.id
            values[f"{field}_max.cmd"] = node.pseudonyms.plain("command", top.cmd.replace("|", ":"))
            values[f"{field}_max.flags"] = top.flags
            values[f"{field}_max.name"] = node.pseudonyms.plain("client", top.name)
            values[f"{field}_max.address"] = node.pseudonyms.plain("address", top.host)
            values[f"{field}_max.idle"] = top.idle
