"""Clients whose calls come to nothing on a server that is well: locks that somebody holds, waits that are cut short."""

import re

from agent.checks.senders import cited as sender_cited
from agent.checks.senders import killed, sender
from agent.checks.types import Family, Found, Limits
from agent.checks.words import DISCONNECTED, SLOW, TIMED_OUT
from agent.evidence.report_words import mention
from agent.evidence.view import View
from tools.patterns import deferred

ATTEMPTS = 40
"""Fewest attempts over the window to be judged."""
OF_WRITES, REFUSED = 0.8, 0.8
"""The share of the writing calls from which on those that are left can't blur it, and of attempts that set nothing."""
SAME_WINDOW = 0.5
"""Seconds by which the windows of two readings may differ and still be one: a second look has a longer one."""
LOCKED = deferred(
    r"\b(?:un)?lock(?:s|ed|ing)?\b|\bmutex\b|\bdead-?lock\w*|\bhang(?:s|ing)?\b|\bhung\b|\bstuck\b|\bblocked\b|"
    r"\bwait(?:s|ing)?\b|\bnever (?:runs?|executes?|starts?|finish\w*)\b|\b(?:at|one) a time\b|\bserial\w*\b",
    re.IGNORECASE,
)
"""Words of people who wait for a lock."""
YOUNG, LEAST_WAITING = 60.0, 2
"""Seconds since a client connected that waits for work, and such clients, from which on the wait may be cut short."""
COME_BACK = 0.4
"""New connections for each of those that a wait cut short would bring."""
SERVED = 0.5
"""Waits that ended as they should for each new connection, from which on clients come back because they were served."""


def held_locks(view: View, limits: Limits) -> Found:
    """Nearly all SETs of the window set nothing: only NX and XX allow that, as clients use that ask for a lock."""
    tried = sum(view.number("commandstats", f"{name}.calls.delta") or 0 for name in ("set", "setnx"))
    writes, changed = (
        view.number("commandstats", "writes.calls.delta"),
        view.number("persistence", "rdb_changes_since_last_save.delta"),
    )
    if tried < ATTEMPTS or writes is None or changed is None or changed < 0 or tried < OF_WRITES * writes:
        return
    seconds = [view.number(tool, "window_seconds") for tool in ("commandstats", "persistence")]
    if None in seconds or abs((seconds[0] or 0) - (seconds[1] or 0)) > SAME_WINDOW:
        return
    if view.text("replication", "role") == "slave" or tried - changed < REFUSED * tried:
        return
    if not any(mention(words, view.symptom) for words in (LOCKED, SLOW, TIMED_OUT)):
        return
    command = max(("set", "setnx"), key=lambda name: view.number("commandstats", f"{name}.calls.delta") or 0)
    who = sender(view, command)
    why = (
        f"{tried:.0f} SETs came over the window{f', by {who}' if who else ''}, and at most {changed:.0f} of them set"
        " anything: they ask, with NX, for a lock that somebody else holds. Find its holder by the value of the key"
        " (GET) and how long it stays (PTTL; -1 is for ever): whoever holds it works slowly or died without"
        " releasing it. Set locks with SET NX PX in one command, and wait longer between attempts."
    )
    yield view.cause(
        "outside-redis", 0.75 if mention(LOCKED, view.symptom) else 0.6, why,
        ("commandstats", f"{command}.calls.delta"), ("persistence", "rdb_changes_since_last_save.delta"),
        ("commandstats", "writes.calls.delta"), *sender_cited(view, command), ("symptom", "text"),
    )  # fmt: skip


def waits_given_up(view: View, limits: Limits) -> Found:
    """All clients that wait for work have just connected, and others keep connecting: somebody cuts their waits."""
    waiting, age = view.number("clients", "waiting") or 0, view.number("clients", "waiting_age_max")
    new, up = view.number("info", "total_connections_received.rate"), view.number("info", "uptime_in_seconds")
    seconds = view.number("info", "window_seconds") or 2.0
    if waiting < LEAST_WAITING or age is None or new is None or up is None or age > YOUNG or up < 2 * (age + 1):
        return
    came, command = new * seconds, view.text("clients", "waiting_cmd").upper()
    said = any(mention(words, view.symptom) for words in (DISCONNECTED, TIMED_OUT))
    if came < 1 or new < COME_BACK * waiting / (age + 1):
        return
    if killed(view) or view.number("info", "evicted_clients.delta"):
        return
    served = _served(view, command.lower())
    if not said if served is None else served > SERVED * came:
        return
    why = (
        f"All {waiting:.0f} clients that wait in {command} connected in the last {age + 1:.0f} s, and {new:.1f}"
        " new ones connect a second: their waits are cut short, and they come back. Redis ends none of them (`timeout`"
        f" spares clients that wait): the client's own read time-out, or a proxy's idle time-out, is shorter than what"
        f" {command} waits for. Make it longer, or let {command} wait for less."
    )
    likely = (0.65 if served is None else 0.8) if said else 0.4
    yield view.cause(
        "outside-redis", likely, why, ("clients", "waiting"), ("clients", "waiting_age_max"),
        ("info", "total_connections_received.rate"), ("clients", "waiting_cmd"), ("info", "connected_clients"),
    )  # fmt: skip


def _served(view: View, command: str) -> float | None:
    """How many waits of the window ended as they should, with work or after their own time-out; None if unknown.

    From 7.2 a wait that its client gives up isn't counted as a call (7.0.15 counts it).
    """
    version = re.match(r"(\d{1,4})\.(\d{1,4})", view.text("info", "redis_version"))
    if version is None or (int(version[1]), int(version[2])) < (7, 2):
        return None
    return view.number("commandstats", f"{command}.calls.delta") or 0


FAMILY = Family(checks=(held_locks, waits_given_up), needs={})
