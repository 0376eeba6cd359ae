"""What INFO alone suggests if the client list can't be read: hints with a weight of their own, never a diagnosis."""

from agent.checks.held_up import in_threads
from agent.checks.slow_commands import NOT_WORK
from agent.checks.types import Family, Found, Limits
from agent.evidence.view import View

HINT = 0.45
"""Below 50 %: INFO doesn't say whose connections or buffers they are."""
HOUR, SLOW_MS = 3600.0, 100.0
LEAST_GROWTH, LEAST_CLIENTS = 3, 8
STAYED = 0.9
"""Share of the connections opened over the window that remain: nobody closes any."""
MANY_CALLS = 10
"""Calls from which an average means something."""
BLOCKING = ("blpop", "brpop", "blmove", "brpoplpush", "blmpop", "bzpopmin", "bzpopmax", "xread", "xreadgroup", "wait")


def growing_clients(view: View, limits: Limits) -> Found:
    """Every connection opened over the window remained."""
    if not view.unavailable("clients"):
        return
    grown, came = (
        view.number("info", "connected_clients.delta"),
        view.number("info", "total_connections_received.delta"),
    )
    clients, seconds = view.number("info", "connected_clients"), view.number("info", "window_seconds")
    if grown is None or came is None or clients is None or seconds is None:
        return
    if grown >= LEAST_GROWTH and grown >= STAYED * came and clients >= LEAST_CLIENTS:
        why = f"connected_clients grew by {grown:.0f} to {clients:.0f} over {seconds:.0f} s, and none was closed; "
        why += "only CLIENT LIST shows whose connections they are."
        cited = ("info", "connected_clients.delta"), ("info", "total_connections_received.delta")
        yield view.cause("connection-leak", HINT, why, *cited, ("info", "connected_clients"))


def full_buffers(view: View, limits: Limits) -> Found:
    """One client's buffer was large within the last seconds, and the clients still hold as much."""
    held = view.number("info", "mem_clients_normal")
    if not view.unavailable("clients") or held is None:
        return
    for id, field, limit, what in (
        ("slow-consumer-output", "client_recent_max_output_buffer", "output_buffer_bytes", "of output was waiting for"),
        ("query-buffer-hog", "client_recent_max_input_buffer", "query_buffer_bytes", "of input was held from"),
    ):
        size = view.number("info", field)
        if size is not None and size >= limits[limit] and held >= 0.5 * size:
            why = f"{size / 2**20:.1f} MiB {what} one client within the last seconds, and the buffers of all clients "
            why += f"hold {held / 2**20:.1f} MiB; only CLIENT LIST shows which client it is."
            yield view.cause(id, HINT, why, ("info", field), ("info", "mem_clients_normal"))


def held_back(view: View, limits: Limits) -> Found:
    """Clients are blocked although no blocking command was called, or the server itself says that it holds them."""
    if not view.unavailable("clients"):
        return
    blocked, action = view.number("info", "blocked_clients"), view.text("info", "paused_actions")
    if not blocked or not view.number("commandstats", "commands"):
        return
    names = {field.partition(".")[0] for field in view.fields("commandstats")}
    if action not in ("", "none"):
        why = f"The server is holding back {blocked:.0f} clients (paused_actions is {action})."
        yield view.cause("client-paused", HINT, why, ("info", "paused_actions"), ("info", "blocked_clients"))
    elif not names & {*BLOCKING}:
        why = f"{blocked:.0f} clients are blocked, but none of the commands in the statistics is a blocking one."
        yield view.cause("client-paused", HINT, why, ("info", "blocked_clients"), ("commandstats", "commands"))


def evicting(view: View, limits: Limits) -> Found:
    """Keys were evicted and looked up in vain, in a paste of one moment."""
    up, sampled = view.number("info", "uptime_in_seconds"), view.number("keyspace", "keyspace_hits.delta")
    if (up is not None and sampled is not None) or view.unavailable("process") != "not-pasted":
        return
    evicted, hits, misses = (view.number("info", name) for name in ("evicted_keys", "keyspace_hits", "keyspace_misses"))
    if not evicted or hits is None or misses is None or hits + misses < limits["eviction_lookups"]:
        return
    missed = misses / (hits + misses)
    if 1 - missed <= limits["eviction_hit_ratio"] and evicted >= misses / 10:
        why = f"{evicted:,.0f} keys were evicted since the start, and {missed:.0%} of the lookups missed; "
        why += "how much of that is of now, only a second INFO tells."
        cited = ("info", "evicted_keys"), ("info", "keyspace_misses"), ("info", "keyspace_hits")
        yield view.cause("eviction-churn", HINT, why, *cited)


def spikes(view: View, limits: Limits) -> Found:
    """The latency monitor's events where nothing else tells how long forks and commands took."""
    if view.last("latency_events") is None or view.unavailable("latency_events"):
        return
    if view.number("latency_events", "events") is None:
        yield from _told_by_doctor(view)
    fork, age = view.number("latency_events", "fork.last_ms"), view.number("latency_events", "fork.age")
    known = view.number("info", "latest_fork_usec") is not None
    if fork is not None and age is not None and not known and fork * 1000 >= limits["fork_usec"] and age <= HOUR:
        why = f"The latency monitor recorded a fork of {fork:.0f} ms {age:.0f} s before; nobody is served meanwhile."
        yield view.cause("fork-stall", HINT, why, ("latency_events", "fork.last_ms"), ("latency_events", "fork.age"))
    took, age = view.number("latency_events", "command.last_ms"), view.number("latency_events", "command.age")
    unread = view.unavailable("slowlog") == "not-pasted"
    if took is not None and age is not None and unread and took >= SLOW_MS and age <= HOUR:
        why = f"The latency monitor recorded a command of {took:.0f} ms {age:.0f} s before; SLOWLOG shows which it was."
        cited = ("latency_events", "command.last_ms"), ("latency_events", "command.age")
        yield view.cause("slow-on-command", HINT, why, *cited)


EVENTS = {
    "fork": "fork-stall", "command": "slow-on-command", "aof-fsync-always": "fsync-always-slow",
    "aof-write-pending-fsync": "fsync-everysec-slow", "expire-cycle": "mass-expiry",
}  # fmt: skip
"""The cause for an event that takes long."""


def _told_by_doctor(view: View) -> Found:
    """The event on which most time was spent by what LATENCY DOCTOR says, which names no moment."""
    spent = {
        name: (view.number("latency_events", f"{name}.mean_ms") or 0)
        * (view.number("latency_events", f"{name}.spikes") or 0)
        for name in EVENTS
        if (view.number("latency_events", f"{name}.max_ms") or 0) >= SLOW_MS
    }
    if spent:
        name = max(spent, key=spent.__getitem__)
        longest = view.number("latency_events", f"{name}.max_ms") or 0
        why = f"LATENCY DOCTOR says that most of the delays were of the event {name}, {longest:,.0f} ms at most; "
        why += "LATENCY LATEST says when the last one was."
        cited = (("latency_events", f"{name}.{field}") for field in ("max_ms", "mean_ms", "spikes"))
        yield view.cause(EVENTS[name], HINT, why, *cited)


def costly_calls(view: View, limits: Limits) -> Found:
    """The command that cost most since the start, where a call of it is slow and nothing of a window is known."""
    if view.unavailable("slowlog") != "not-pasted" or view.number("commandstats", "window_seconds"):
        return
    best: tuple[float, str, float, float] | None = None
    for field in view.fields("commandstats"):
        if (name := field.removesuffix(".usec_per_call")) == field or name in BLOCKING:
            continue
        each, calls = view.number("commandstats", field) or 0, view.number("commandstats", f"{name}.calls") or 0
        if each < limits["slow_command_usec"] or calls < MANY_CALLS or not _is_work(view, name):
            continue
        best = max(best or (0.0, "", 0.0, 0.0), (each * calls, name, each, calls))
    if best is None:
        return
    _, name, each, calls = best
    why = f"{name.upper()} took {each / 1000:,.0f} ms a call on average over the {calls:,.0f} calls since the "
    why += "statistics began, and nothing else runs meanwhile; SLOWLOG shows on which keys, and whether it still does."
    cited = (("commandstats", f"{name}.{kind}") for kind in ("usec_per_call", "calls", "usec"))
    yield view.cause("slow-on-command", HINT, why, *cited)


def _is_work(view: View, name: str) -> bool:
    return name.partition("|")[0].upper() not in NOT_WORK and not in_threads(view, name)


FAMILY = Family(checks=(growing_clients, full_buffers, held_back, evicting, spikes, costly_calls), needs={})
