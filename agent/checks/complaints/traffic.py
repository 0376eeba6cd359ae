"""Buffers, pauses and connections that a well-behaved application doesn't have."""

import re
from collections.abc import Iterator

from agent.checks.backlog import unseen
from agent.checks.client_errors import has_counters, pool_reported, starved_reported
from agent.checks.clientside import POOL_WORDS, STARVED_WORDS
from agent.checks.complaints.complaint import MIB, Complaint, complaint
from agent.checks.ends import waiting
from agent.checks.in_flight import flows_in, flows_out
from agent.checks.pauses import writes_go_on
from agent.checks.senders import cited as sender_fields
from agent.checks.senders import killed, sender
from agent.checks.types import Limits
from agent.evidence.report_words import mention
from agent.evidence.view import View

MUCH = 16 * MIB
"""Bytes in one client's buffer; less is a lot if the server holds little else."""
OF_USED = 0.2
NEW_PER_SECOND, COMMANDS_EACH = 20.0, 5.0
"""New connections per second, and commands per connection: those of a pool send thousands."""
UNUSED = 50
TRANSACTIONS, GIVEN_UP = 20, 0.5
"""Fewest EXECs over the window to be judged, and the writes per EXEC below which most ran nothing."""
MESSAGES = 5
UNHEARD = re.compile(
    r"\b(?:messages?|events?|notifications?|updates?|subscri\w+|consumers?|pub/?sub|channels?)\b", re.IGNORECASE
)
"""Words of people who miss published messages: elsewhere a message without a receiver is by design."""
BROADCAST = 100
"""Messages a second in a cluster from which their copies to all nodes are worth naming."""
TRAFFIC = re.compile(r"\bnetwork|\bbandwidth|\btraffic|\bpub/?sub\b|\bcluster bus\b|\bpublish", re.IGNORECASE)
"""Words of people who see what PUBLISH costs a cluster: elsewhere it is by design."""
KEY_EVENTS = re.compile(
    r"__key(?:space|event)\S{0,64}|notify-keyspace-events|\bkey-?space[- ](?:notification|event)s?\b|"
    r"\b(?:key[- ])?(?:expir\w+|eviction|delet\w+) (?:event|notification|callback|listener|handler|message|hook)s?\b",
    re.IGNORECASE,
)
"""Keyspace notifications, which a server doesn't send unless configured to."""


def clients(view: View, limits: Limits) -> Iterator[Complaint]:
    """What the client list shows, and what a client says about itself."""
    used = view.number("info", "used_memory") or 0
    for field, what in (("omem_max", "output"), ("qbuf_max", "input"), ("argv_mem_max", "arguments")):
        size = view.number("clients", field) or 0
        if (flows_out if field == "omem_max" else flows_in)(view, field, size):
            continue
        if size >= MUCH or (used and size >= MIB and size >= OF_USED * used):
            yield complaint(f"{size / MIB:.0f} MiB of {what} is waiting in one client's buffer", ("clients", field))
    if (count := view.number("clients", "paused")) and not writes_go_on(view):
        yield complaint(f"{count:.0f} clients are held back in commands that shouldn't block", ("clients", "paused"))
    yield from _waiting_for_replicas(view)
    yield from _in_vain(view)
    yield from _unsent(view)
    yield from _unseen_streams(view)
    yield from _broadcast(view)
    if count := killed(view):
        by = sender(view, "client|kill")
        who = by or "whoever sends it"
        yield complaint(
            f"CLIENT KILL was called {count:.0f} times over the window{f', by {by}' if by else ''}: it ends the "
            "connections that it names",
            ("commandstats", "client|kill.calls.delta"), *sender_fields(view, "client|kill"),
            remedy=f"Stop {who}, or have it close single connections (CLIENT KILL ID) instead of all of a type or a "
            "user; to close idle connections is what the setting timeout is for.",
        )  # fmt: skip
    if count := view.number("clients", "monitors"):
        yield complaint(f"{count:.0f} clients run MONITOR", ("clients", "monitors"))
    new, done = (view.number("info", f"total_{what}.rate") for what in ("connections_received", "commands_processed"))
    if new is not None and done is not None and new >= NEW_PER_SECOND and done <= COMMANDS_EACH * new:
        yield complaint(
            f"{new:.0f} new connections a second were opened for {done:.0f} commands",
            ("info", "total_connections_received.rate"),
            figures=("connections_per_second",),
        )
    unused, count = view.number("clients", "o1.unused"), view.number("clients", "o1.count")
    if unused and count and unused >= UNUSED and unused >= 0.5 * count:
        yield complaint(
            f"{unused:.0f} connections of one owner were never used", ("clients", "o1.unused"), figures=("o1_clients",)
        )
    if view.get("idle_probe", "closed_by_peer") is True:
        yield complaint("an idle connection of rediagnose was closed", ("idle_probe", "closed_by_peer"))
    if (after := view.text("idle_probe", "ping_after")) in ("timeout", "reset"):
        yield complaint(f"an idle connection of rediagnose was lost ({after})", ("idle_probe", "ping_after"))
    yield from _of_clients(view)


def _of_clients(view: View) -> Iterator[Complaint]:
    """What reporting clients say of themselves, beside a server that was looked at."""
    if view.unavailable("info") == "not-pasted":
        return
    pool, starved = pool_reported(view), starved_reported(view)
    if pool or mention(POOL_WORDS, view.symptom):
        what = "the reporting client says that it has no connection left in its pool"
        yield complaint(what, ("symptom", "text"), *(pool.cited if pool else ()))
    if starved or (mention(STARVED_WORDS, view.symptom) and not has_counters(view)):
        what = "the reporting client says that it is busy itself"
        yield complaint(what, ("symptom", "text"), *(starved.cited if starved else ()))


def _in_vain(view: View) -> Iterator[Complaint]:
    """Work that fails silently: aborted transactions, messages that nobody receives."""
    done = view.number("commandstats", "exec.calls.delta") or 0
    watched = view.number("commandstats", "watch.calls.delta") or 0
    ran = view.number("commandstats", "writes.calls.delta")
    # Queued commands are only counted if they ran.
    if ran is not None and done >= TRANSACTIONS and watched >= 0.9 * done and ran <= GIVEN_UP * done:
        who = sender(view, "exec") or sender(view, "watch")
        yield complaint(
            f"of {done:.0f} transactions after WATCH{f' ({who})' if who else ''}, at most {ran:.0f} executed anything:"
            " other clients change the watched keys in the meantime",
            ("commandstats", "exec.calls.delta"), ("commandstats", "writes.calls.delta"),
            remedy=f"In {who or 'the application'} replace WATCH, MULTI and EXEC with one script or one command such as"
            " INCRBY; until then let fewer clients change the same key at a time, and retry after a random pause.",
        )  # fmt: skip
    sent = view.number("commandstats", "publish.calls.delta") or 0
    heard = [view.number("info", name) for name in ("pubsub_channels", "pubsub_patterns")]
    if sent >= MESSAGES and heard == [0, 0] and mention(UNHEARD, view.symptom):
        who = sender(view, "publish")
        yield complaint(
            f"{sent:.0f} messages were published over the window{f' by {who}' if who else ''}, and nobody subscribes to"
            " anything on this node",
            ("commandstats", "publish.calls.delta"), ("info", "pubsub_channels"),
            remedy="Restart the subscribers, or have them subscribe again: a subscription ends with its connection, and"
            " not every library renews it. Then compare the server and the channel names on both sides.",
        )  # fmt: skip


def _broadcast(view: View) -> Iterator[Complaint]:
    """PUBLISH in a cluster, which sends each message to all nodes, where a report is about that traffic."""
    sent, window = view.number("commandstats", "publish.calls.delta") or 0, view.number("info", "window_seconds") or 2
    nodes = view.number("cluster", "nodes") or 0
    if sent < BROADCAST * window or nodes < 2 or not mention(TRAFFIC, view.symptom):
        return
    who = sender(view, "publish")
    yield complaint(
        f"{sent / window:.0f} messages a second are published here{f' by {who}' if who else ''}, and in a cluster "
        f"PUBLISH passes each on to all {nodes:.0f} nodes",
        ("commandstats", "publish.calls.delta"), ("cluster", "nodes"), ("info", "total_net_output_bytes.rate"),
        remedy=f"Have {who or 'the application'} use SPUBLISH and SSUBSCRIBE (from 7.0 on), which stay within a shard, "
        "or give Pub/Sub a server of its own that isn't part of a cluster.",
    )  # fmt: skip


def _unsent(view: View) -> Iterator[Complaint]:
    """Keyspace notifications that a report misses and this server isn't configured to send."""
    enabled = view.get("config_get", "notify-keyspace-events")
    said = mention(KEY_EVENTS, view.symptom)
    if not isinstance(enabled, str) or not said:
        return
    if not enabled or not set(enabled) & set("KE"):
        lacks = "it sends none"
    elif "expir" in said[0].lower() and not set(enabled) & set("Ax"):
        lacks = "that leaves out expired keys"
    else:
        return
    yield complaint(
        f'notify-keyspace-events is "{enabled}": {lacks}',
        ("config_get", "notify-keyspace-events"),
        remedy="Set notify-keyspace-events on this server and in the configuration file of each node that may become"
        " the primary: Ex sends __keyevent@0__:expired, KEA everything. CONFIG SET takes effect at once, and what was"
        " only set that way is lost at a restart or a failover.",
    )


def _unseen_streams(view: View) -> Iterator[Complaint]:
    """Streams that may be behind and that a bounded search didn't find."""
    if not (found := unseen(view)):
        return
    who = sender(view, "xadd")
    yield complaint(
        f"{found.added:.0f} entries a second are added to streams{f' by {who}' if who else ''}, {found.done:.0f} "
        "commands a second read or acknowledge any, and the streams weren't found among so many keys",
        *found.cited,
        remedy=f"Ask the owner of {who or 'the application'} for the stream's name, and see in XINFO GROUPS what waits"
        " in it: a lag or pending entries that grow mean that its consumers are too slow or too few.",
    )


def _waiting_for_replicas(view: View) -> Iterator[Complaint]:
    """WAIT or WAITAOF that no replica can answer, or hasn't for long."""
    online = view.number("replication", "replicas_online")
    for who, command, at in waiting(view):
        seconds = view.number("clients", f"{at}.idle_median") or 0
        has = "no replica is connected" if online == 0 else f"have done so for {seconds:.0f} s"
        until = (
            "replicas have their writes" if command == "wait" else "their writes are on as many disks as they ask for"
        )
        first = (
            "bring a replica back"
            if command == "wait"
            else "switch appendonly on at the replicas (else they never confirm)"
        )
        yield complaint(
            f"{who} in {command.upper()} until {until}, and {has}: {first}, or have the application ask for fewer and"
            " use a short time-out", ("clients", f"{at}.cmd"),
            ("replication", "replicas_online") if online == 0 else ("clients", f"{at}.idle_median"),
            remedy=f"{first[0].upper()}{first[1:]}, or have the application ask for fewer, with a time-out that isn't "
            "0; those that wait now go on then, or when their connections are closed.",
        )  # fmt: skip
