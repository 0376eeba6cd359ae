"""Statuses that aren't ok, counters that don't move on a healthy server, and errors that are a large share of calls."""

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache

from agent.checks.cluster import redirected_in_passing
from agent.checks.complaints.complaint import Complaint, complaint
from agent.checks.complaints.known import COUNTERS, STATES
from agent.checks.errors import greetings_refused
from agent.checks.types import Limits
from agent.evidence.view import View
from tools.text import one_line

TOOLS = ("info", "persistence", "replication", "cluster")
"""Tools that carry INFO's fields; each field counts once."""
WELL = frozenset(("ok", "up", "none", "online", ""))
"""Status values that aren't complaints."""
MACHINES = ("ListenDrops", "ListenOverflows")
"""Counters of the whole machine, which say nothing about this server if its own listeners' drops are known."""
LONGEST = 64
"""Most characters of a field and of a status that are shown: a server can choose both."""
FEW = 2
"""Errors over a window that are normal: a client that reloads its script, one wrong key."""
SHARE = 0.005
"""Share of all commands at which errors are no longer normal."""
COMMAND_SHARE = 0.05
"""The same of one command's calls."""


def statuses(view: View, limits: Limits) -> Iterator[Complaint]:
    """Any status that isn't ok, including those of future versions."""
    seen = set[str]()
    for tool in TOOLS:
        for field, value in view.fields(tool).items():
            well = STATES.get(field) or (WELL if field.endswith("_status") else None)
            if well and field not in seen and value is not None and str(value) not in well:
                seen.add(field)
                yield complaint(f"{one_line(field, LONGEST)} is {one_line(str(value), LONGEST)}", (tool, field))


def counters(view: View, limits: Limits) -> Iterator[Complaint]:
    """Counters that don't move on a healthy server but moved over the window."""
    seen = set[str]()
    for tool in (*TOOLS, "sockets", "process", "machine"):
        for field in view.fields(tool):
            name, _, kind = field.rpartition(".")
            if kind != "delta" or name in seen or not _counts_trouble(name):
                continue
            if name in MACHINES and (view.number("sockets", "drops.delta") is not None or is_unix(view)):
                # The same is known for its own listeners, or it has none that these counters cover.
                continue
            if name == "oom_kill" and _is_of_another_group(view):
                continue
            if (count := view.number(tool, field) or 0) > 0:
                seen.add(name)
                yield complaint(f"{name} rose by {count:.0f} over the window", (tool, field))


def _is_of_another_group(view: View) -> bool:
    """Whether the machine's newest OOM kills were in control groups, none of them this server's."""
    own = view.number("process", "cgroup_oom_kills") or 0
    return view.number("kernel_log", "machine_kills_60s") == 0 and own == 0


def is_unix(view: View) -> bool:
    """Whether the server was asked over a Unix socket."""
    return (view.node or "").startswith("unix:")


@lru_cache(maxsize=4096)
def _counts_trouble(name: str) -> bool:
    return any(pattern.fullmatch(name) for pattern in COUNTERS)


EXISTS = "BUSYGROUP"
"""The answer to whoever creates a group that is there already, as consumers do at each start."""


def errors(view: View, limits: Limits) -> Iterator[Complaint]:
    """Errors and failed or refused calls; an occasional one is normal."""
    commands, greeted = view.number("info", "total_commands_processed.delta"), greetings_refused(view)
    moved = redirected_in_passing(view, limits)
    for (tool, field), (error, count) in _counted(view).items():
        if (greeted and error == "ERR") or (moved and error == "MOVED") or error == EXISTS:
            continue
        if count >= FEW and (not commands or count >= SHARE * commands):
            yield complaint(f"{count:.0f} calls over the window failed with {error}", (tool, field))
    for field in view.fields("commandstats"):
        name, _, kind = field.removesuffix(".delta").rpartition(".")
        if greeted and name in ("client", "hello"):
            continue
        if field.endswith(".delta") and kind in ("failed_calls", "rejected_calls"):
            count, calls = view.number("commandstats", field) or 0, view.number("commandstats", f"{name}.calls.delta")
            if kind == "rejected_calls" and count <= moved:
                # Redirected ones count as rejected.
                continue
            if name == "xgroup|create" and count <= (view.number("info", f"errorstat_{EXISTS}.count.delta") or 0):
                continue
            # Rejected calls aren't counted among the calls.
            if count >= FEW and count >= COMMAND_SHARE * ((calls or 0) + count):
                yield complaint(
                    f"{count:.0f} calls of {name} were {kind.removesuffix('_calls')} over the window",
                    ("commandstats", field),
                )


def _counted(view: View) -> Mapping[tuple[str, str], tuple[str, float]]:
    """By place: each kind of error and how many there were over the window, from the first tool that has it."""
    found: dict[str, tuple[tuple[str, str], float]] = {}
    for tool in TOOLS:
        for field in view.errors(tool):
            if match := re.fullmatch(r"errorstat_([\w-]+)\.count\.delta", field):
                found.setdefault(match[1], ((tool, field), view.number(tool, field) or 0))
    return {place: (error, count) for error, (place, count) in found.items()}
