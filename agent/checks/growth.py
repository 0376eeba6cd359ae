"""What grows because nobody removes it: a queue, the client-side caching table, a group's consumers."""

import re
from collections.abc import Iterable

from agent.answer.diagnosis import Cause
from agent.checks.filling import until_full_words
from agent.checks.types import Family, Found, Limits, Placeholder
from agent.checks.words import MEMORY
from agent.evidence.report_words import mention
from agent.evidence.view import Cited, View

PUSHES = ("lpush", "rpush", "lpushx", "rpushx")
POPS = ("lpop", "rpop", "blpop", "brpop", "lmpop", "blmpop", "lmove", "blmove", "rpoplpush", "brpoplpush")
BOUNDS = ("ltrim", "lrem", "del", "unlink")
"""Commands that keep lists short without taking their elements one by one."""
ITEM_BYTES = 100
"""Bytes of one client's interest in one key, in the client-side caching table."""
_MIB = 1 << 20


def called(view: View, names: Iterable[str]) -> float | None:
    """Calls of some commands per second over the window; None if they weren't read."""
    seconds = view.number("commandstats", "window_seconds")
    if not seconds:
        return None
    return sum(view.number("commandstats", f"{name}.calls.delta") or 0 for name in names) / seconds


def queue_backlog(view: View, limits: Limits) -> Found:
    """A list that is filled faster than it's emptied."""
    pushed, popped = called(view, PUSHES), called(view, POPS)
    if pushed is None or popped is None:
        return
    fast, many = limits["queue_elements_per_second"], limits["queue_elements"]
    seconds = view.number("lists", "window_seconds")
    for number in (1, 2, 3):
        length, more = view.number("lists", f"l{number}.length"), view.number("lists", f"l{number}.length.delta")
        if length is not None and more is not None and seconds and length >= many and more / seconds >= fast:
            yield _grows(view, limits, f"l{number}", length, more / seconds, pushed, popped)
            return
    complete, longest = view.get("lists", "complete") is True, view.number("lists", "l1.length")
    if complete and longest is not None and longest < many:
        because = f"All lists were checked, and the longest has {longest:.0f} elements."
        yield view.not_("queue-backlog", because, ("lists", "l1.length"), ("lists", "complete"))
    elif not complete and pushed >= fast and popped <= limits["queue_popped_share"] * pushed:
        yield from _unseen(view, pushed, popped)


def _grows(
    view: View, limits: Limits, at: str, length: float, rate: float, pushed: float, popped: float
) -> Cause:  # fmt: skip
    why = f"The list {view.text('lists', f'{at}.key')} has {length:.0f} elements and grows by {rate:.0f} a second: "
    why += f"{pushed:.0f} pushes a second{_who(view, PUSHES)}, {popped:.0f} pops{_who(view, POPS)}"
    # If workers finish the batch soon, it's a working queue.
    wait = length / popped if popped else None
    late = wait is None or wait >= limits["queue_wait_seconds"]
    why += "." if wait is None else f"; an element pushed now waits {wait / 60:.0f} min." if late else "."
    blocked = ""
    if waiting := _wait_elsewhere(view):
        blocked = _blocked_group(view)
        why += f" {waiting}: they wait for a different list, since this one has elements."
    outrun = popped <= limits["queue_popped_share"] * pushed
    return view.cause(
        "queue-backlog",
        0.94 if late and outrun else 0.75 if late else 0.4,
        why + until_full_words(view),
        *cited_of(at),
        *(("clients", f"{blocked}.{field}") for field in ("cmd", "flags", "count") if blocked),
    )


def _blocked_group(view: View) -> str:
    """Clients that wait in a popping command, such as `g2`: not for a list with elements, or they would be served."""
    for number in range(1, 21):
        at = f"g{number}"
        if view.text("clients", f"{at}.cmd") in POPS and "b" in view.text("clients", f"{at}.flags"):
            return at
    return ""


def _wait_elsewhere(view: View) -> str:
    """Who waits for lists other than one with elements; empty if nobody is seen."""
    at = _blocked_group(view)
    # A pause also blocks those that would be served.
    if not at or view.number("clients", "paused"):
        return ""
    count, name = view.number("clients", f"{at}.count") or 0, view.text("clients", f"{at}.name")
    who = f"{count:.0f} client{'' if count == 1 else 's'}{' of ' + name if name else ''}"
    return f"{who} {'waits' if count == 1 else 'wait'} in {view.text('clients', f'{at}.cmd').upper()}"


def _unseen(view: View, pushed: float, popped: float) -> Found:
    """Pushes far above the pops, if the list wasn't among those examined."""
    bounded, keys = called(view, BOUNDS) or 0, view.number("keyspace", "keys.delta")
    grown = view.number("memory", "used_memory.delta") or 0
    window = view.number("commandstats", "window_seconds") or 1
    expired = view.number("info", "expired_keys.delta") or 0
    if keys is None or bounded > 0.05 * pushed or grown <= 0:
        return
    alone = keys <= 0.05 * pushed * window
    # Other keys come, too: too few for each to be a list of its own, unless lists expire whole.
    if not alone and (keys > 0.5 * (pushed - popped) * window or expired > 0.05 * pushed * window):
        return
    why = (
        f"{pushed:.0f} pushes a second{_who(view, PUSHES)} compare with "
        f"{popped:.0f} pops{_who(view, POPS)}; memory grows"
    )
    why += " but the number of keys doesn't" if alone else f", and only {keys / window:.0f} keys a second are added"
    why += ": a list is filling up. It isn't among the lists that were checked."
    added: tuple[Cited, ...] = (("keyspace", "keys.delta"),)
    yield view.cause("queue-backlog", 0.7 if alone else 0.6, why + until_full_words(view), *cited_of("l1")[3:], *added)


def _who(view: View, commands: Iterable[str]) -> str:
    """Whose clients send these commands, as far as the client list shows."""
    for number in range(1, 21):
        at = f"g{number}"
        if view.text("clients", f"{at}.cmd") in commands:
            name = view.text("clients", f"{at}.name") or view.text("clients", f"{at}.address")
            count = view.text("clients", f"{at}.count")
            return f" by {name} ({count} connection{'' if count == '1' else 's'})" if name else ""
    return ""


def cited_of(at: str) -> tuple[Cited, ...]:
    """What shows how a list grows, from the row of this name."""
    stats = [("commandstats", f"{name}.calls.delta") for name in (*PUSHES[:2], "lpop", "rpop", "blpop", "brpop")]
    return (
        ("lists", f"{at}.key"), ("lists", f"{at}.length"), ("lists", f"{at}.length.delta"), *stats,
        ("memory", "used_memory.delta"), ("memory", "maxmemory_used_share"),
    )  # fmt: skip


def tracking_table(view: View, limits: Limits) -> Found:
    """The server remembers which keys each client has read, and that is a lot, or grows while the keys don't."""
    items, keys = view.number("info", "tracking_total_items"), view.number("info", "tracking_total_keys")
    if not items or keys is None:
        return
    more, used = view.number("info", "tracking_total_items.delta") or 0, view.number("info", "used_memory") or 0
    added = view.number("keyspace", "keys.delta") or 0
    clients = view.number("info", "tracking_clients")
    held = items * ITEM_BYTES
    asked = mention(MEMORY, view.symptom) is not None
    cited: tuple[Cited, ...] = (
        ("info", "tracking_total_items"), ("info", "tracking_total_items.delta"), ("info", "tracking_total_keys"),
        ("info", "tracking_clients"), ("info", "used_memory"), ("keyspace", "keys.delta"),
        ("memory", "used_memory.delta"),
    )  # fmt: skip
    why = f"Client-side caching makes the server track {items:.0f} entries for {keys:.0f} keys"
    why += f" for {clients:.0f} clients" if clients is not None else ""
    why += f", roughly {held / _MIB:.0f} MiB of the {used / _MIB:.0f} MiB in use" if used else ""
    much = bool(used) and held >= limits["tracking_share"] * used and items >= limits["tracking_items"]
    grows = more >= limits["tracking_items_per_window"] and added <= 0.1 * more
    if much and grows:
        why += (f"; {more:.0f} were added over the window, while the number of keys didn't grow.") + until_full_words(
            view
        )
        yield view.cause("tracking-table-growth", 0.94 if asked else 0.8, why, *cited)
    elif much:
        yield view.cause(
            "tracking-table-growth", 0.7 if asked else 0.4, f"{why}; none were added over the window.", *cited
        )
    elif asked:
        because = f"Client-side caching's table has {items:.0f} entries, about {held / _MIB:.1f} MiB."
        yield view.not_("tracking-table-growth", because, cited[0], cited[4])


def consumer_leak(view: View, limits: Limits) -> Found:
    """A group with far more consumers than there are clients, and nothing waiting for them."""
    connected = view.number("info", "connected_clients")
    if connected is None:
        return
    for field, value in view.fields("streams").items():
        match = re.fullmatch(r"((s\d+)\.g\d+)\.consumers", field)
        consumers = float(value) if match and isinstance(value, int) else 0.0
        if match is None or consumers < limits["leaked_consumers"]:
            continue
        # A consumer is a name, and each that works is a client.
        if consumers < limits["consumers_per_client"] * connected:
            continue
        at, stream = match[1], match[2]
        pending, more = view.number("streams", f"{at}.pending") or 0, view.number("streams", f"{at}.consumers.delta")
        group = f"{view.text('streams', f'{stream}.key')}, group {view.text('streams', f'{at}.group')}"
        why = f"{group} has {consumers:.0f} consumers while only {connected:.0f} clients are connected, and"
        why += f" {pending:.0f} entries are pending: nearly all the consumers are names that nobody uses any more"
        why += f"; {more:.0f} were added over the window." if more and more > 0 else "."
        likely = 0.93 if pending < consumers else 0.6
        yield view.cause(
            "stream-consumer-leak", likely, why, ("streams", field), ("streams", f"{at}.consumers.delta"),
            ("streams", f"{at}.pending"), ("streams", f"{stream}.length"), ("streams", f"{stream}.key"),
            ("streams", f"{at}.group"), ("info", "connected_clients"),
        )  # fmt: skip
        return


def _some(text: str) -> tuple[str, ...]:
    return (text,) if text else ()


def _queue(view: View) -> tuple[str, ...]:
    """The list that grows, or how to find it if it wasn't seen."""
    return (view.text("lists", "l1.key") or "the longest list (redis-cli --bigkeys -i 0.1 finds it)",)


def _producer(view: View) -> tuple[str, ...]:
    return (_who(view, PUSHES).removeprefix(" by ") or "(whose last command in CLIENT LIST is lpush or rpush)",)


def _consumer(view: View) -> tuple[str, ...]:
    if _wait_elsewhere(view):
        return (
            "the clients in a blocking pop are waiting for other lists; check which list names they were started with",
        )
    return (_who(view, POPS).removeprefix(" by ") or "no client that pops from it is connected now",)


def _group(view: View) -> tuple[str, ...]:
    """The stream and the group with the most consumers."""
    counted = [
        (value, match[1], match[2])
        for field, value in view.fields("streams").items()
        if isinstance(value, int) and (match := re.fullmatch(r"((s\d+)\.g\d+)\.consumers", field))
    ]
    if not counted:
        return ()
    _, at, stream = max(counted)
    return view.text("streams", f"{stream}.key"), view.text("streams", f"{at}.group")


def _named_group(view: View) -> tuple[str, ...]:
    return (" ".join(_group(view)) or "for the stream and the group with the most consumers (XINFO GROUPS)",)


def _waiting_at(view: View) -> str:
    """The worst group of the stream with most entries waiting, such as s1.g1; empty where there is none."""
    waiting = [
        ((view.number("streams", f"{at}.lag") or 0) + (view.number("streams", f"{at}.pending") or 0), at)
        for at in (f"s{number}.g1" for number in range(1, 6)) if view.get("streams", f"{at}.group") is not None
    ]  # fmt: skip
    return max(waiting)[1] if waiting else ""


def _at_waiting(view: View, field: str) -> str:
    at = _waiting_at(view)
    return view.text("streams", f"{at[:2] if field == 'key' else at}.{field}") if at else ""


def _waiting_group(view: View) -> tuple[str, ...]:
    """The stream whose worst group has most entries waiting, and that group."""
    if not (at := _waiting_at(view)):
        return ("the one with the most lag and pending entries in XINFO GROUPS",)
    return (f"{view.text('streams', at[:2] + '.key')}, group {view.text('streams', f'{at}.group')}",)


FAMILY = Family(
    checks=(queue_backlog, tracking_table, consumer_leak),
    needs={"queue-backlog": ("commandstats",), "tracking-table-growth": ("info",), "stream-consumer-leak": ()},
    consequences={
        "queue-backlog": {"oom-noeviction": 0.7, "ttl-leak": 0.5},
        "tracking-table-growth": {"oom-noeviction": 0.7, "nonkey-memory": 0.6, "eviction-churn": 0.6},
        "stream-consumer-leak": {"oom-noeviction": 0.7, "stream-backlog": 0.6},
    },
    placeholders=(
        Placeholder(name="queue", example="jobs:mail", values=_queue),
        Placeholder(name="producer", example="order-intake (4 connections)", values=_producer),
        Placeholder(name="consumer", example="mailer (2 connections)", values=_consumer),
        Placeholder(name="waiting_group", example="orders:stream, group workers", values=_waiting_group),
        Placeholder(name="stream_group", example="orders:stream workers", values=_named_group),
        Placeholder(name="stream_key", example="orders:stream", values=lambda view: _group(view)[:1]),
        Placeholder(name="stream_group_name", example="workers", values=lambda view: _group(view)[1:]),
        Placeholder(name="waiting_stream", example="orders:stream", values=lambda view: _some(
            _at_waiting(view, "key"))),
        Placeholder(name="waiting_group_name", example="workers", values=lambda view: _some(
            _at_waiting(view, "group"))),
        Placeholder(name="queue_key", example="jobs:mail", values=lambda view: _some(view.text("lists", "l1.key"))),
    ),
)  # fmt: skip
