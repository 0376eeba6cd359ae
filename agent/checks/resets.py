"""Connections that break or wait: closed by the server or on the way, held back, or notable for what they buffer."""

from agent.checks.appendonly import since_start
from agent.checks.crowd import all_seen
from agent.checks.in_flight import flows_in, flows_out
from agent.checks.pauses import paused
from agent.checks.senders import killed, may_kill
from agent.checks.types import Family, Found, Limits
from agent.checks.words import DISCONNECTED
from agent.evidence.report_words import mention
from agent.evidence.view import Cited, View

USUAL_LIMIT = 1 << 30
"""The default of client-query-buffer-limit in bytes."""
DROPPED_SECONDS = 60.0
"""Seconds since the newest log line about a client over its output limit for it to be current."""


def slow_consumer(view: View, limits: Limits) -> Found:
    """One client's output waits in the server's memory."""
    omem, flags = view.number("clients", "omem_max") or 0, view.text("clients", "omem_max.flags")
    closed = view.number("info", "client_output_buffer_limit_disconnections.delta") or 0
    cited: tuple[Cited, ...] = (
        ("clients", "omem_max"), ("clients", "omem_max.flags"), ("clients", "omem_max.cmd"),
        ("clients", "omem_max.id"), ("info", "client_output_buffer_limit_disconnections.delta"),
    )  # fmt: skip
    stalled, stalled_flags = view.number("clients", "stalled") or 0, set(view.text("clients", "stalled.flags"))
    large = omem >= limits["output_buffer_bytes"] and not set(flags) & set("SMO")
    if large and flows_out(view, "omem_max", omem):
        why = f"{omem / 2**20:.1f} MiB of output was on its way to one client, which is reading it."
        moved = ("info", "total_net_output_bytes.rate"), ("clients", "omem_max.idle")
        yield view.cause("slow-consumer-output", 0.3, why, *cited, *moved)
    elif large:
        kind = "subscriber" if "P" in flags else "client"
        why = f"A {kind} isn't reading: {omem / 2**20:.1f} MiB of output is waiting for it in the server's memory."
        if (size := view.number("large_commands", "reply.bytes")) and kind == "client":
            key, command = (view.text("large_commands", f"reply.{field}") for field in ("key", "command"))
            why += f" The largest recent reply: {size / 2**20:.1f} MiB to {command}{f' on {key}' if key else ''}."
            cited = (*cited, ("large_commands", "reply.bytes"), ("large_commands", "reply.command"))
        yield view.cause("slow-consumer-output", 0.94, why, *cited)
    elif stalled and not stalled_flags & set("MO") and not flows_out(
        view, "stalled", view.number("clients", "stalled.omem") or 0
    ):  # fmt: skip
        why = "Output is waiting for a client that reads none of it; this server doesn't count large replies in omem."
        yield view.cause(
            "slow-consumer-output", 0.88, why, ("clients", "stalled"), ("clients", "stalled.flags"),
            ("clients", "stalled.cmd"), ("clients", "stalled.id"),
        )  # fmt: skip
    elif closed > 0:
        why = f"{closed:.0f} clients were disconnected over the window because their output buffer was over the limit."
        # Replicas are cut off by a limit of their own, and begin a full sync.
        copies = view.number("replication", "sync_full.delta") or 0
        yield view.cause("slow-consumer-output", 0.4 if closed <= copies else 0.9, why, *cited)
    elif dropped := _dropped(view):
        reported = mention(DISCONNECTED, view.symptom) is not None
        times = "a client" if dropped == 1 else f"{dropped:.0f} times a client"
        why = f"The log says that {times} was disconnected because its output buffer was over the limit."
        likely = (0.9 if reported else 0.7) if dropped > 1 else 0.6 if reported else 0.35
        yield view.cause("slow-consumer-output", likely, why, *LOGGED, *cited[:1])
    elif (
        not view.unavailable("clients")
        and all(view.get("clients", at) is not None for at in ("omem_max", "stalled"))
        and all_seen(view)
    ):
        yield view.not_("slow-consumer-output", "No client has much output waiting.", ("clients", "omem_max"))


LOGGED: tuple[Cited, ...] = (
    ("log", "output_limit.count"), ("log", "output_limit.newest_age"), ("log", "output_limit.flags"),
)  # fmt: skip


def _dropped(view: View) -> float:
    """How often the log recently says so of a client: before Redis 7.4 no counter does, and it reconnects at once.

    Replicas are cut off by a limit of their own, and begin a full sync.
    """
    flags = view.text("log", "output_limit.flags")
    if "S" in flags or (not flags and view.number("replication", "connected_slaves") != 0):
        return 0
    return _recently(view, "output_limit")


def _recently(view: View, event: str) -> float:
    """How often the log has an event whose newest is of the last minute and of this life of the server."""
    age = since_start(view, event)
    return 0 if age is None or age > DROPPED_SECONDS else view.number("log", f"{event}.count") or 1


def query_buffer(view: View, limits: Limits) -> Found:
    """A command that never ends, held in a query buffer."""
    total = view.number("clients", "qbuf_sum") or 0
    for field in ("qbuf_max", "argv_mem_max"):
        size = view.number("clients", field) or 0
        # Many that each hold part of a megabyte are the same fault as one that holds several.
        together = size >= limits["query_buffer_bytes"] / 8 and total >= 8 * limits["query_buffer_bytes"]
        if size < limits["query_buffer_bytes"] and not together:
            continue
        nothing = view.text("clients", f"{field}.cmd") == "NULL"
        if flows_in(view, field, max(total, size)):
            why = f"{size / 2**20:.1f} MiB of input was being held, from a client that completes its requests."
            cited = ("clients", field), ("clients", f"{field}.cmd"), ("info", "total_net_input_bytes.rate")
            yield view.cause("query-buffer-hog", 0.3, why, *cited)
            return
        why = f"Unfinished commands take up {max(total, size) / 2**20:.1f} MiB of the server's memory"
        yield view.cause(
            "query-buffer-hog", 0.94 if nothing else 0.85, f"{why}, {size / 2**20:.1f} MiB of it for one client.",
            ("clients", field), ("clients", f"{field}.cmd"), ("clients", f"{field}.id"), ("clients", "qbuf_sum"),
        )  # fmt: skip
        return
    yield from _input_refused(view)


def _input_refused(view: View) -> Found:
    """A request that is longer than the server accepts: it ends the connection, and the sender comes back with it."""
    counted = view.number("info", "client_query_buffer_limit_disconnections.delta") or 0
    logged = _recently(view, "query_buffer")
    times, unit = max(counted, logged), "over the window" if counted >= logged else "according to the log"
    limit = view.number("config_get", "client-query-buffer-limit")
    if not times:
        yield from _may_be_refused(view, limit)
        return
    why = f"{times:.0f} times a client was disconnected {unit}, because its request exceeded client-query-buffer-limit"
    reported = mention(DISCONNECTED, view.symptom) is not None
    yield view.cause(
        "query-buffer-hog", (0.93 if reported else 0.8) if times > 1 else 0.6 if reported else 0.35,
        f"{why} ({limit / 2**20:.0f} MiB)." if limit else f"{why}.",
        ("log", "query_buffer.count"), ("log", "query_buffer.newest_age"),
        ("info", "client_query_buffer_limit_disconnections.delta"), ("config_get", "client-query-buffer-limit"),
    )  # fmt: skip


def _may_be_refused(view: View, limit: float | None) -> Found:
    """The limit is lower than usual and fits the report, but neither a counter nor the log can say so here."""
    log, counted = view.last("log"), view.number("info", "client_query_buffer_limit_disconnections")
    unseen = counted is None and (log is None or log.unavailable is not None)
    if unseen and limit and limit < USUAL_LIMIT and mention(DISCONNECTED, view.symptom):
        why = (
            f"client-query-buffer-limit is {limit / 2**20:.0f} MiB here instead of the usual 1 GiB, and a longer "
            "request ends its connection; only the log counts that in this version, and it can't be read."
        )
        yield view.cause(
            "query-buffer-hog", 0.55, why, ("config_get", "client-query-buffer-limit"), ("symptom", "text")
        )


def client_evicted(view: View, limits: Limits) -> Found:
    """The server closes clients to keep their memory under maxmemory-clients."""
    evicted = view.number("info", "evicted_clients.delta") or 0
    bound = view.text("config_get", "maxmemory-clients")
    cited = ("info", "evicted_clients.delta"), ("info", "evicted_clients"), ("config_get", "maxmemory-clients")
    if evicted > 0:
        why = f"{evicted:.0f} clients were evicted over the window to keep them under maxmemory-clients {bound}."
        yield view.cause("client-evicted", 0.95, why, *cited)
    elif (view.number("info", "evicted_clients") or 0) > 0 and bound not in ("", "0", "0%"):
        words = mention(DISCONNECTED, view.symptom) is not None
        why = "Clients were evicted since startup, but none over the window."
        yield view.cause("client-evicted", 0.6 if words else 0.35, why, *cited)


def idle_timeout(view: View, limits: Limits) -> Found:
    """The server itself closes idle clients."""
    period = view.number("config_get", "timeout")
    if period is None and closed_unexplained(view):
        after = view.number("idle_probe", "closed_after_seconds")
        closed_after = f" after {after:.1f} s" if after else ""
        why = f"An idle connection was closed{closed_after}, and the server's timeout can't be read."
        closed = ("idle_probe", "closed_by_peer"), ("idle_probe", "closed_after_seconds"), ("config_get", "unavailable")
        yield view.cause("idle-timeout", 0.6, why, *closed)
    if not period or period <= 0:
        return
    cited = (
        ("config_get", "timeout"), ("idle_probe", "closed_by_peer"), ("idle_probe", "closed_after_seconds"),
        ("symptom", "text"),
    )  # fmt: skip
    after = view.number("idle_probe", "closed_after_seconds")
    words = mention(DISCONNECTED, view.symptom) is not None
    if after is not None and period - 1 <= after <= period + 4:
        why = f"timeout is {period:.0f} s, and an idle connection was closed after {after:.1f} s."
        yield view.cause("idle-timeout", 0.95, why, *cited[:3])
    elif period <= limits["idle_timeout_seconds"]:
        why = f"timeout is {period:.0f} s: a pooled connection that is idle for longer is closed by the server."
        yield view.cause("idle-timeout", 0.8 if words else 0.45, why, *(cited if words else cited[:3]))
    elif words:
        why = f"timeout is {period:.0f} s: a connection that is idle for longer is closed by the server."
        yield view.cause("idle-timeout", 0.6, why, cited[0], cited[3])


def closed_unexplained(view: View) -> bool:
    """Whether an idle connection was closed in order, and nothing says by whom: a path rather drops it silently."""
    closed = view.get("idle_probe", "closed_by_peer") is True and view.get("idle_probe", "still_listed") is not True
    return closed and view.number("config_get", "timeout") is None and not killed(view) and not may_kill(view)


def idle_drop(view: View, limits: Limits) -> Found:
    """An idle connection dies on the way although the server keeps it."""
    probe = view.last("idle_probe")
    if probe is None or probe.unavailable or (view.number("config_get", "timeout") or 0) > 0:
        return
    died = probe.get("closed_by_peer") is True or probe.get("ping_after") in ("timeout", "reset")
    if died and (killed(view) or may_kill(view)):
        # Somebody's command ended it, and no network.
        return
    cited = (
        ("idle_probe", "closed_by_peer"), ("idle_probe", "ping_after"), ("idle_probe", "idle_seconds"),
        ("idle_probe", "still_listed"), ("config_get", "timeout"), ("config_get", "tcp-keepalive"),
    )  # fmt: skip
    if died:
        listed = probe.get("still_listed") is True
        unread = view.number("config_get", "timeout") is None
        who = (
            "the server or something on the network path" if unread and not listed else "something on the network path"
        )
        of_server = "can't be read" if unread else "is 0"
        why = f"A connection died while it was idle, and the server's timeout {of_server}: {who} dropped it"
        why += "; the server still lists its client." if listed else "."
        keepalive = view.number("config_get", "tcp-keepalive")
        if keepalive == 0:
            why += " tcp-keepalive is off, so the server sends nothing while a connection is idle."
        elif keepalive is not None and keepalive >= limits["keepalive_seconds"]:
            why += f" tcp-keepalive is {keepalive:.0f} s, and some time limits on network paths are shorter than that."
        likely = 0.95 if listed else 0.5 if closed_unexplained(view) else 0.85
        yield view.cause("idle-drop-by-network", likely, why, *cited)
    elif probe.get("ping_after") is not None and probe.get("idle_seconds") is not None:
        because = f"A connection that was idle for {probe.get('idle_seconds')} s still answers."
        yield view.not_("idle-drop-by-network", because, ("idle_probe", "ping_after"), ("idle_probe", "idle_seconds"))


FAMILY = Family(
    checks=(slow_consumer, query_buffer, client_evicted, idle_timeout, idle_drop, paused),
    needs={
        "slow-consumer-output": ("clients",), "query-buffer-hog": ("clients",), "client-evicted": ("info",),
        "idle-timeout": ("config_get",), "idle-drop-by-network": ("idle_probe",), "client-paused": ("clients",),
    },
    consequences={
        "client-evicted": {"connection-churn": 0.5, "query-buffer-hog": 0.6, "slow-consumer-output": 0.6},
        "idle-timeout": {"connection-churn": 0.6},
        "client-paused": {"connection-leak": 0.6, "path-latency": 0.3},
    },
)  # fmt: skip
