"""CLIENT LIST, grouped; a sample if there are many."""

import statistics
from collections import Counter
from collections.abc import Callable, Iterable
from itertools import groupby
from typing import Annotated

from pydantic import Field

from tools.connection.node import CLIENT_NAME, Node
from tools.records import Values
from tools.server.client_list import BLOCKING, Client
from tools.server.client_sample import listed
from tools.server.command_classes import known_classes
from tools.server.second_look import Later, is_held, lasting, looked_again, stalled
from tools.toolbox import reads

LAST_COMMANDS = 6
"""The most last commands shown of an owner's clients, by frequency."""
DATABASES = 8
"""Most databases whose clients are counted, those with most clients first."""
READS = frozenset(
    ("get", "mget", "exists", "getex", "getrange", "strlen", "hget", "hmget", "hgetall", "hexists", "lrange", "lindex",
     "llen", "smembers", "sismember", "zrange", "zrangebyscore", "zscore", "xrange", "xread", "ttl", "type", "scan")
)  # fmt: skip
"""Commands that show that a client looks something up."""
MONITORS = 8
"""Most monitors whose ids are listed, the oldest."""


@reads
async def clients(
    node: Node,
    groups: Annotated[int, Field(ge=1, le=20)] = 6,
) -> Values:
    """Who is connected, by owner (`o1`) and by command and flags (`g1`); buffers.

    An owner's `cmds` are its clients' last commands. `db0.clients` have database 0 selected, and `db0.readers` of those
    last looked something up, with the name and address of one. Each with count, idle and age in seconds, and buffers in
    bytes; `unused` have done nothing since connecting. `listed` of `connected` clients were seen (`share_seen`); above
    about 1,700 it's a sample by ID. `paused` counts clients blocked in a command that doesn't block, the longest of
    them for `paused_idle_max` seconds; `threaded` those in a read-only module command, which continues in a thread of
    its own. `waiting` clients are blocked as they mean to be, mostly in `waiting_cmd`; the one that came first did so
    `waiting_age_max` seconds ago. `sub_max` is the most subscriptions of one client. `stalled` are those
    whose output doesn't move; `monitor.ids` are the oldest of `monitors`; `omem_max`, `qbuf_max` and `argv_mem_max`
    name the largest buffers and their client, if the same client held them in each of two or three looks within a
    second: a reply in flight doesn't count. `own_address` is this program's address as the server sees it.
    """
    every, connected = await listed(node)
    seen = [client for client in every if client.id != node.client_id and client.name != CLIENT_NAME]
    # This program's own entries aren't the application's.
    connected -= len(every) - len(seen)
    later = await looked_again(node, seen)
    paused, threaded = await _held_up(node, seen, later)
    values: Values = {
        "connected": connected, "listed": len(seen),
        "share_seen": round(min(1.0, len(seen) / connected), 3) if connected > 0 else 1.0,
        "blocked": sum("b" in client.flags for client in seen), "paused": len(paused),
        "monitors": sum("O" in client.flags for client in seen),
        "subscribers": sum("P" in client.flags for client in seen),
        "replicas": sum("S" in client.flags for client in seen),
        "unused": sum(client.unused for client in seen),
        "omem_sum": sum(client.omem for client in seen), "qbuf_sum": sum(client.qbuf for client in seen),
    }  # fmt: skip
    if own := next((client.host for client in every if client.id == node.client_id), None):
        values["own_address"] = node.pseudonyms.plain("address", own)
    if monitors := sorted(client.id for client in seen if "O" in client.flags):
        values |= {"monitor.id": monitors[0], "monitor.ids": " ".join(str(id) for id in monitors[:MONITORS])}
    if paused:
        values["paused_cmd"] = node.pseudonyms.plain("command", paused[0].cmd.replace("|", ":"))
        values["paused_idle_max"] = max(client.idle for client in paused)
    if threaded:
        values |= {
            "threaded": len(threaded),
            "threaded_cmd": node.pseudonyms.plain("command", threaded[0].cmd.replace("|", ":")),
        }
    if waiting := [client for client in seen if "b" in client.flags and client.cmd in BLOCKING]:
        values |= {
            "waiting": len(waiting), "waiting_age_max": max(client.age for client in waiting),
            "waiting_cmd": Counter(client.cmd for client in waiting).most_common(1)[0][0],
        }  # fmt: skip
    if (most := max(seen, key=lambda client: client.subscriptions, default=None)) and most.subscriptions:
        values |= {
            "sub_max": most.subscriptions, "sub_max.id": most.id,
            "sub_max.name": node.pseudonyms.plain("client", most.name),
            "sub_max.address": node.pseudonyms.plain("address", most.host),
        }  # fmt: skip
    values |= stalled(node, seen, later)
    _largest(node, values, [lasting(client, later) for client in seen])
    values |= _databases(node, seen)
    owners = _grouped(seen, lambda client: (client.name, client.host))
    shown = _grouped(seen, lambda client: (client.name, client.host, client.cmd, client.flags))
    for letter, found in (("o", owners), ("g", shown)):
        values[f"{letter}_groups"] = len(found)
        for number, members in enumerate(found[:groups], 1):
            _describe(node, values, f"{letter}{number}", members, commands=letter == "g")
    return values


async def _held_up(node: Node, seen: list[Client], later: Later) -> tuple[list[Client], list[Client]]:
    """Clients that stay blocked in a command that doesn't block, and those whose module works for them in a thread.

    A pause that holds a read-only command back would also have held back CLIENT LIST.
    """
    blocked = [client for client in seen if "b" in client.flags]
    classes = await known_classes(node, {client.cmd.lower() for client in blocked})
    paused, threaded = [], []
    for client in blocked:
        one = classes.get(client.cmd.lower())
        if one and one.module and not one.writes and not one.may_replicate:
            threaded.append(client)
        elif not (one and one.blocks) and is_held(client, later):
            paused.append(client)
    return paused, threaded


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
        # A primary's link (M) passes on what others sent there.
        last = Counter(client.cmd for client in members if "M" not in client.flags).most_common(LAST_COMMANDS)
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
