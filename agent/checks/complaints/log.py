"""What the log says about this run of the server, and how earlier runs ended."""

from collections.abc import Iterator

from agent.checks.complaints.complaint import HOUR, Complaint, complaint
from agent.checks.complaints.known import EVENTS
from agent.checks.elections import peer_at
from agent.checks.failover_reasons import STARTING
from agent.checks.known_versions import CRASH, notes
from agent.checks.types import Limits
from agent.evidence.view import View

DOWN = ("sdown", "odown")
"""A sentinel's events that say so about a member."""
BEFORE_START = 30.0
"""Most seconds between the kernel killing a server and the next start."""


MINUTES = 600.0
"""Most seconds of age for machine trouble to be current."""


def events(view: View, limits: Limits) -> Iterator[Complaint]:
    """Critical events of this run that nothing has resolved since."""
    life = view.number("log", "started_age")
    for field in view.fields("log"):
        name, _, kind = field.rpartition(".")
        age = view.number("log", field)
        if kind != "newest_age" or age is None or (event := EVENTS.get(name)) is None:
            continue
        if (
            age > event.seconds
            or (life is not None and age > life)
            or any(view.get(tool, well) == value for tool, well, value in event.over)
            or (name in DOWN and _replaced(view, name))
        ):
            continue
        times = f"{count:.0f} times, the newest" if (count := view.number("log", f"{name}.count") or 1) > 1 else "once,"
        yield complaint(
            f"the log says that {event.what}, {times} {age:.0f} s ago", ("log", f"{name}.count"), ("log", field)
        )


def _replaced(view: View, name: str) -> bool:
    """Whether the primary that a sentinel considered down was then replaced and has been restarted since."""
    called, moved = (view.moment("log", field) for field in (f"{name}.newest_age", "switch.age"))
    old = peer_at(view, view.text("log", "switch.old"))
    started = old.moment("info", "uptime_in_seconds") if old else None
    if called is None or moved is None or started is None or view.get("sentinel", "m1.s_down"):
        return False
    # A server that ran through it wasn't dead.
    return called <= moved and started >= called - STARTING


MACHINES = {
    "io_error": "a disk failed to read or write", "filesystem_error": "a file system is damaged or read-only",
    "hung_task": "a task waited minutes for a disk",
    "conntrack_full": "packets are dropped because the conntrack table is full",
    "link_down": "a network interface lost its link", "cpu_stuck": "a CPU was stuck",
    "hardware_error": "the hardware reports an error",
    "neighbour_table_full": "the ARP table is full",
}  # fmt: skip
"""What the kernel says about a server's machine, in words."""


def _machine(view: View) -> Iterator[Complaint]:
    """Machine trouble of the last minutes, according to its kernel."""
    ports = {view.text("info", "tcp_port"), str(view.node).rpartition(":")[2]}
    for name, said in MACHINES.items():
        age, what = view.number("kernel_log", f"{name}.newest_age"), view.text("kernel_log", f"{name}.what")
        if age is not None and age < MINUTES:
            at = f" ({what})" if what else ""
            yield complaint(
                f"{said}{at} according to the kernel, {age:.0f} s ago", ("kernel_log", f"{name}.newest_age")
            )
    age = view.number("kernel_log", "syn_flood.newest_age")
    if age is not None and age < MINUTES and view.text("kernel_log", "syn_flood.what") in ports:
        yield complaint(
            f"its connection queue overflowed according to the kernel, {age:.0f} s ago",
            ("kernel_log", "syn_flood.newest_age"),
        )


def lives(view: View, limits: Limits) -> Iterator[Complaint]:
    """A run that ended in a crash or was killed by the kernel, and one that began without its data."""
    age = view.number("log", "started_age")
    # A failed start is over with the next one.
    bad = (CRASH,) if view.get("log", "previous_served") is False else (CRASH, "failed")
    if (end := view.text("log", "previous_end")) in bad and age is not None and age < HOUR:
        known = " ".join(notes(view, CRASH)) if end == CRASH else ""
        yield complaint(
            f"its previous run ended in {end}, {age:.0f} s ago{f' ({known})' if known else ''}",
            ("log", "previous_end"),
        )  # fmt: skip
    # Where somebody stopped copying is no end.
    ends = ("crash", "failed") if view.text("log", "destination") == "pasted" else ("crash", "failed", "stops")
    if (end := view.text("log", "end")) in ends:
        yield complaint(f"the log ends without a shutdown ({end})", ("log", "end"))
    killed = view.number("kernel_log", "oom_kill.newest_age")
    if killed is not None and killed < HOUR:
        before = view.number("log", "previous_pid")
        its_own = before is not None and view.number("kernel_log", "oom_kill.pid") == before
        # The two clocks differ a little, so it may seem to have died after the start.
        beside = age is not None and abs(killed - age) <= BEFORE_START and view.number("process", "cgroup_oom_kills")
        if its_own or beside:
            yield complaint(
                f"the kernel killed it because memory ran out {killed:.0f} s ago", ("kernel_log", "oom_kill.newest_age")
            )
    yield from _machine(view)
    up = view.number("info", "uptime_in_seconds")
    unread = (view.number("disk", "rdb_bytes") or 0) > 0 and view.get("persistence", "rdb_saved_since_start") is False
    if up is not None and up < HOUR and unread and view.number("persistence", "aof_base_size") == 0:
        yield complaint(
            "it started with an empty append-only file, next to a dump that it didn't read", ("disk", "rdb_bytes")
        )
