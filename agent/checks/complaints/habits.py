"""What applications do that no setting forbids: transactions left open, large replies, endless questions."""

import re
from collections.abc import Iterator

from agent.checks.busy import reply_bytes
from agent.checks.complaints.complaint import MIB, Complaint, complaint
from agent.checks.senders import may_kill, sender
from agent.checks.types import Limits
from agent.evidence.report_words import mention
from agent.evidence.view import View

FULL = re.compile(
    r"\bnetwork|\bbandwidth|\btraffic|\bnic\b|\begress|\bbytes out\b|\bthroughput|\b[gm]bit|\b[gm]b/s", re.IGNORECASE
)
"""Words of people who see a full network: elsewhere large replies are by design."""
LATE = re.compile(
    r"\b(?:late|later|delay\w*|minutes?|eventually|slow\w*|behind|not immediate\w*|lag\w*)\b", re.IGNORECASE
)
EXPIRED = re.compile(
    r"\bexpir\w+ (?:event|notification|callback|listener|message)s?\b|__keyevent\S{0,64}", re.IGNORECASE
)
"""Words of people who wait for the event of a key that has expired."""
MANY_EXPIRING = 20_000
"""Keys with a time to live from which on it takes the server noticeably long to come past each."""
ASKED, ASKED_SHARE = 50.0, 0.5
"""Questions a second about the cluster's nodes, and their share of a node's commands, that no client needs."""
MAPS = ("cluster|nodes", "cluster|slots", "cluster|shards")


def habits(view: View, limits: Limits) -> Iterator[Complaint]:
    """All of them."""
    yield from _left_in_multi(view)
    yield from _large_replies(view)
    yield from _late_events(view)
    yield from _asks_for_nodes(view)
    yield from _closes_all(view)


def _left_in_multi(view: View) -> Iterator[Complaint]:
    """Connections that send on inside a transaction although none was begun: what they ask is queued, not answered."""
    begun, ended = (view.number("commandstats", f"{name}.calls.delta") for name in ("multi", "exec"))
    window = view.number("commandstats", "window_seconds") or 0
    # Who never ran one isn't inside one.
    if begun != 0 or ended or not window:
        return
    for number, row in view.rows("clients", "g").items():
        count, idle = row.get("count"), row.get("idle_median")
        if "x" not in str(row.get("flags") or "") or not isinstance(count, int) or not isinstance(idle, (int, float)):
            continue
        if idle > window:
            continue
        who = row.get("name") or f"the application at {row.get('address')}"
        yield complaint(
            f"{count} connections of {who} are inside a MULTI that was begun earlier, and send on: each command is "
            "answered QUEUED instead of a value, and nothing they write is executed",
            ("clients", f"g{number}.flags"), ("clients", f"g{number}.count"), ("commandstats", "multi.calls.delta"),
            remedy=f"Restart the processes of {who}, which closes these connections. Then have it send DISCARD (or "
            "RESET) when a request fails between MULTI and EXEC, before its pool or persistent connection is used "
            "again.",
        )  # fmt: skip


def _large_replies(view: View) -> Iterator[Complaint]:
    """Replies that fill a network, where a report is about that."""
    each, sent = reply_bytes(view), view.number("info", "total_net_output_bytes.rate") or 0
    top = view.text("commandstats", "top")
    if not each or not top or not mention(FULL, view.symptom):
        return
    # Of several who read with it nothing says whose replies are large.
    alone = sum(row.get("cmd") == top for row in view.rows("clients", "g").values()) == 1
    who = sender(view, top) if alone else ""
    yield complaint(
        f"{sent / MIB:.0f} MiB a second leave the server, {each / MIB:.1f} MiB for each command on average; most of "
        f"the time goes into {top.upper()}{f' by {who}' if who else ''}",
        ("info", "total_net_output_bytes.rate"), ("commandstats", "top"),
        remedy=f"Have {who or 'the application'} keep the large value in its own memory for some seconds, or read only "
        "the part it needs (a hash with HGET, GETRANGE); redis-cli --memkeys -i 0.1 finds the value. Compressing it "
        "helps at once.",
    )  # fmt: skip


def _late_events(view: View) -> Iterator[Complaint]:
    """Events of expired keys that a report calls late, on a server that has many keys to come past."""
    keys = sum(
        value for field, value in view.fields("keyspace").items()
        if field.startswith("db") and field.endswith(".expires") and isinstance(value, (int, float))
    )  # fmt: skip
    enabled = view.text("config_get", "notify-keyspace-events")
    if not set(enabled) & set("Ax") or keys < MANY_EXPIRING:
        return
    if mention(EXPIRED, view.symptom) and mention(LATE, view.symptom):
        yield complaint(
            f"{keys:,.0f} keys have a time to live, and an expired event is sent when the server comes past a key or "
            "somebody asks for it, not when its time is over",
            ("config_get", "notify-keyspace-events"),
            ("keyspace", "db0.expires"),
            remedy="Don't take the expired event for a timer: keep the deadlines in a sorted set, and fetch those that "
            "are due every second (ZRANGEBYSCORE). Until then a job that reads these keys lets them expire in time, "
            "and a database of their own makes the server come past them sooner.",
        )


def _asks_for_nodes(view: View) -> Iterator[Complaint]:
    """Clients that ask one node for the cluster's nodes far more often than these change."""
    window = view.number("commandstats", "window_seconds") or 2
    counts = {name: view.number("commandstats", f"{name}.calls.delta") or 0 for name in MAPS}
    done = view.number("info", "total_commands_processed.delta") or 0
    asked = sum(counts.values())
    if asked < ASKED * window or asked < ASKED_SHARE * done:
        return
    most = max(counts, key=lambda name: counts[name])
    who = next((by for name in MAPS if (by := sender(view, name))), "")
    yield complaint(
        f"{asked / window:.0f} times a second {who or 'a client'} asks this node for the cluster's nodes "
        f"({most.upper().replace('|', ' ')}), {asked / max(asked, done):.0%} of its commands",
        ("commandstats", f"{most}.calls.delta"), ("info", "total_commands_processed.delta"),
        remedy=f"Have {who or 'these clients'} refresh the topology every minute and after MOVED only, from a random "
        "node instead of the first one; most cluster clients have a setting for each.",
    )  # fmt: skip


def _closes_all(view: View) -> Iterator[Complaint]:
    """Somebody whose last command is CLIENT, while everybody else has just come, where CLIENT KILL isn't counted."""
    closed = view.get("idle_probe", "closed_by_peer") is True or view.text("idle_probe", "ping_after") == "reset"
    if not closed or not (at := may_kill(view)):
        return
    who = view.text("clients", f"{at}.name") or f"the application at {view.text('clients', f'{at}.address')}"
    yield complaint(
        f"{who} sends CLIENT commands, and all other connections are a few seconds old: it may close them with "
        "CLIENT KILL",
        ("clients", f"{at}.cmds"), ("commandstats", "client.calls.delta"), ("idle_probe", "closed_by_peer"),
        remedy=f"Look into what {who} runs, and stop it; to close idle connections is what the setting timeout is for.",
    )  # fmt: skip
