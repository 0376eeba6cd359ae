"""What held the server up, by its own clocks or ours."""

from collections.abc import Iterator

from agent.checks.complaints.complaint import MIB, Complaint, complaint
from agent.checks.held_up import in_threads, noticed
from agent.checks.host import own_delay
from agent.checks.slow_remedies import CHEAP
from agent.checks.types import Limits
from agent.evidence.view import View

SLOW_USEC = 100_000
"""Duration of one command in the slow log: a tenth of a second in which nobody else is served."""
LATELY = 60.0
"""Most seconds of age for an entry to be current."""
SLOW_CALL_USEC = 10_000
BUSY_SHARE = 0.03
"""A command's own share of the window, together with a call this slow: it recurs."""
EVENT_MS = 100.0
"""Duration of a latency event, as latency-monitor-threshold is commonly set."""
FORK_USEC = 50_000
EXPIRE_SHARE = 0.1
"""Share of the window spent in the expiry cycle; active-expire-effort allows at most a quarter."""
FIELDS = 30_000
"""Hash fields that expire per second: at 50,000 in waves, single PINGs took 10 ms."""
FULL_CORE = 0.9
DEFRAG_PERCENT = 40.0
"""Percent of the main thread's time; by default it takes 25 at most."""
STANDING = ("T", "t", "Z", "X")
"""States of a process that doesn't run, as in Linux."""
LATE_MS, LATE_SHARE, LATE_PINGS = 50.0, 0.05, 3
SILENT_MS = 500.0


def held_up(view: View, limits: Limits) -> Iterator[Complaint]:
    """Slow commands, events, forks and expiry; a thread without idle time; late PINGs."""
    # If this program waited as long for a processor of the same machine, so did the server, which its own clocks
    # include.
    waited = own_delay(view, "max")
    yield from _commands(view, waited)
    for field in view.fields("latency_events"):
        name, _, kind = field.rpartition(".")
        if kind == "max_60s_ms" and (ms := view.number("latency_events", field) or 0) >= max(EVENT_MS, waited):
            yield complaint(f"the event {name} took {ms:.0f} ms within a minute", ("latency_events", field))
    fork, forks = view.number("info", "latest_fork_usec"), view.number("info", "total_forks.delta")
    if fork is not None and fork >= FORK_USEC and forks:
        yield complaint(f"a fork took {fork / 1000:.0f} ms within the window", ("info", "latest_fork_usec"))
    window = view.number("info", "window_seconds") or view.number("keyspace", "window_seconds")
    expiry = view.number("keyspace", "expire_cycle_cpu_milliseconds.delta")
    if window and expiry is not None and expiry / 1000 >= EXPIRE_SHARE * window:
        yield complaint(
            f"expiring keys took {expiry:.0f} ms of {window:.0f} s", ("keyspace", "expire_cycle_cpu_milliseconds.delta")
        )
    for field in ("expired_subkeys.delta", "expired_fields.delta"):
        if window and (gone := view.number("info", field) or 0) >= FIELDS * window:
            yield complaint(f"{gone:.0f} hash fields expired over {window:.0f} s", ("info", field))
    child = view.text("process", "child_state")
    if child in STANDING:
        yield complaint(f"a child process of the server is stopped (state {child})", ("process", "child_state"))
    if (run := view.number("process", "main_run_share")) is not None and run >= FULL_CORE:
        yield complaint(
            f"the main thread uses {run:.0%} of a core", ("process", "main_run_share"), figures=("cpu_share",)
        )
    late, share = view.number("latency_sample", "p95_ms") or 0, view.number("latency_sample", "over_10ms_share") or 0
    several = share * (view.number("latency_sample", "answered") or 0) >= LATE_PINGS
    if late >= max(LATE_MS, own_delay(view, "p95")) and share >= LATE_SHARE and several:
        yield complaint(f"{share:.0%} of the PINGs took over 10 ms, p95 {late:.0f} ms", ("latency_sample", "p95_ms"))
    if (longest := view.number("latency_sample", "max_ms") or 0) >= max(SILENT_MS, waited):
        yield complaint(f"a PING took {longest:.0f} ms", ("latency_sample", "max_ms"))


def defragmentation(view: View, limits: Limits) -> Iterator[Complaint]:
    """Active defragmentation that takes so much of the main thread's time that commands wait for it."""
    effort = view.number("memory", "active_defrag_running") or view.number("info", "active_defrag_running") or 0
    # It pauses in between: where it's counted, the window says more than a moment.
    counted = view.number("info", "total_active_defrag_time.rate")
    effort = effort if counted is None else counted / 10
    if effort < DEFRAG_PERCENT:
        return
    most, wasted = view.number("config_get", "active-defrag-cycle-max"), view.number("memory", "allocator_frag_bytes")
    mib = f", for {wasted / MIB:.0f} MiB of fragmented memory" if wasted is not None else ""
    yield complaint(
        f"active defragmentation takes {effort:.0f}% of the main thread's time{mib}, and commands wait for it",
        ("info", "total_active_defrag_time.rate"),
        ("memory" if view.number("memory", "active_defrag_running") is not None else "info", "active_defrag_running"),
        ("config_get", "active-defrag-cycle-max"),
        ("memory", "allocator_frag_bytes"),
        remedy=f"Lower active-defrag-cycle-max ({f'{most:.0f} now, ' if most is not None else ''}25 by default) and "
        "active-defrag-cycle-min (1 by default), or switch activedefrag off for now, at runtime and in the file; "
        "the memory is given back more slowly then.",
    )


def _commands(view: View, waited: float) -> Iterator[Complaint]:
    for field in view.fields("slowlog"):
        name, _, kind = field.rpartition(".")
        if kind != "newest_age" or not name.isupper() or in_threads(view, name.lower()):
            continue
        age, usec = view.number("slowlog", field), view.number("slowlog", f"{name}.max_usec")
        if age is not None and age <= LATELY and usec is not None and usec >= max(SLOW_USEC, waited * 1000):
            yield complaint(f"{name} took {usec / 1000:.0f} ms, {age:.0f} s ago", ("slowlog", f"{name}.max_usec"))
    window = view.number("commandstats", "window_seconds") or 1.0
    for field in view.fields("commandstats"):
        if not field.endswith(".usec_per_call.delta"):
            continue
        name = field.removesuffix(".usec_per_call.delta")
        if in_threads(view, name):
            # Its callers wait, but nobody after them.
            continue
        each, spent = view.number("commandstats", field), view.number("commandstats", f"{name}.usec.delta")
        share = (spent or 0) / 1e6 / window
        if each is not None and name.upper() not in CHEAP and noticed(view, share, each):
            why = f"{name} takes {share:.0%} of the time at {each / 1000:.1f} ms a call, and PINGs wait behind it"
            yield complaint(why, ("commandstats", field), ("latency_sample", "p95_ms"))
        elif each is not None and each >= SLOW_CALL_USEC and (spent or 0) / 1e6 >= BUSY_SHARE * window:
            yield complaint(f"{name} took {each / 1000:.0f} ms a call over the window", ("commandstats", field))
