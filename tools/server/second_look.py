"""A second and a third look at the same clients: only what persists isn't momentary."""

import contextlib

from tools.connection.node import Node
from tools.errors import Unanswered
from tools.records import Values
from tools.server.client_list import Client, parse_clients

STALLED_FOR = 0.3
"""Seconds between two looks at the clients whose buffers hold something, or that are held back."""
STILL_FOR = 0.6
"""Seconds until a third look, if the second showed no movement: on a busy machine a reader may not have run yet."""
FULL_BUFFER = 2**17
"""Least bytes of input for which a client is examined again; pipelines fill tens of kilobytes."""
SOON = 10.0
"""Seconds within which a client that reads its output has all of it: a large reply in flight."""
SUSPECTS = 8
"""Clients that are looked at again for each reason."""

Later = dict[int, Client | None]
"""By id: a client as it was at the last look; None if it had gone."""


async def looked_again(node: Node, seen: list[Client]) -> Later:
    """The clients that hold something or are held back, a moment later: a single moment says nothing."""
    waiting = sorted(filter(_waits, seen), key=lambda one: -one.omem)[:SUSPECTS]
    # What is large in this look may be on its way in.
    filled = [one for one in seen if max(one.qbuf, one.argv_mem) >= FULL_BUFFER]
    filled = sorted(filled, key=lambda one: -max(one.qbuf, one.argv_mem))[:SUSPECTS]
    held = [one for one in seen if one.held_up][:SUSPECTS]
    groups = [[one.id for one in group] for group in (waiting, [*filled, *held]) if group]
    first = {one.id: one for one in seen}
    later: Later = {}
    for pause in (STALLED_FOR, STILL_FOR):
        if not groups:
            break
        await node.clock.sleep(pause)
        left = []
        for ids in groups:
            # If it can't be asked again, what was seen has to do.
            with contextlib.suppress(Unanswered):
                found = {one.id: one for one in parse_clients(str(await node.one("CLIENT", "LIST", "ID", *ids)))}
                later |= {id: found.get(id) for id in ids}
                left.append([id for id in ids if _is_still(first[id], later[id])])
        groups = [ids for ids in left if ids]
    return later


def _waits(client: Client) -> bool:
    """Whether output waits for it: Valkey 9 doesn't count large replies in omem."""
    waits = _has_output(client) and ("w" in client.events or client.omem >= FULL_BUFFER)
    return waits and "S" not in client.flags and "M" not in client.flags


def _has_output(client: Client) -> bool:
    """Whether output remains for it: what Valkey 9 sends directly from the value isn't in its reply list."""
    return bool(client.oll) or client.omem >= FULL_BUFFER


def _is_still(before: Client, after: Client | None) -> bool:
    """Whether nothing moved between two looks at a client."""
    if after is None:
        return False
    if before.held_up:
        return after.held_up
    return (
        bool(_has_output(after) and _unmoved(before, after))
        if _waits(before)
        else _filled(before, after) >= FULL_BUFFER
    )


def _filled(before: Client, after: Client) -> int:
    """The input that a client held in both looks; 0 if it completed a command in between, or holds less."""
    if before.commands is not None and after.commands is not None and after.commands > before.commands:
        return 0
    held, holds = (max(one.qbuf, one.argv_mem) for one in (before, after))
    return held if holds >= held else 0


def is_held(client: Client, later: Later) -> bool:
    """Whether it wasn't released by the last look: it's held back in the same command, or has given up."""
    after = later.get(client.id, client)
    # A client that has gone meanwhile gave up, as clients with a timeout do.
    return after is None or (after.held_up and after.cmd == client.cmd and after.idle >= client.idle)


def lasting(client: Client, later: Later) -> Client:
    """A client with what it held in every look."""
    if client.id not in later:
        return client
    after = later[client.id]
    if after is None:
        return client._replace(omem=0, qbuf=0, argv_mem=0)
    least = {field: min(getattr(client, field), getattr(after, field)) for field in ("omem", "qbuf", "argv_mem")}
    if _takes(client, after):
        least |= {"omem": 0}
    if not _filled(client, after):
        least |= {"qbuf": 0, "argv_mem": 0}
    return client._replace(**least, idle=after.idle)


def _takes(before: Client, after: Client) -> bool:
    """Whether a client is reading its output and will soon have all of it: then a large reply is in flight.

    One reply is one block, which counts whole until its last byte is sent; so where the server tells what was sent,
    that says it.
    """
    shrank = before.omem - after.omem
    taken = shrank if before.sent is None or after.sent is None else after.sent - before.sent
    # At least this time passed between the looks.
    return taken > 0 and shrank >= 0 and after.omem / taken * STALLED_FOR < SOON


def stalled(node: Node, seen: list[Client], later: Later) -> Values:
    """The clients whose output waits and doesn't move."""
    before = {one.id: one for one in seen if one.id in later and _waits(one)}
    still = [
        one for id, one in later.items() if one and _has_output(one) and id in before and _unmoved(before[id], one)
    ]
    if not still:
        return {"stalled": 0}
    first = still[0]
    return {
        "stalled": len(still), "stalled.id": first.id, "stalled.flags": first.flags, "stalled.omem": first.omem,
        "stalled.idle": first.idle,
        "stalled.cmd": node.pseudonyms.plain("command", first.cmd.replace("|", ":")),
        "stalled.address": node.pseudonyms.plain("address", first.host),
    }  # fmt: skip


def _unmoved(before: Client, after: Client) -> bool:
    if before.sent is not None and after.sent is not None:
        return after.sent == before.sent
    return after.omem >= before.omem >= 2**16
