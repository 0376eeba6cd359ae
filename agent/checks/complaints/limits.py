"""What is full or nearly so and can't make room, and what the machine says about the process."""

from collections.abc import Iterator

from agent.checks.certificates import is_late, known_ends
from agent.checks.complaints.complaint import MIB, Complaint, complaint
from agent.checks.container import limit_of
from agent.checks.filling import duration, until_full
from agent.checks.kubernetes import POD
from agent.checks.types import Limits
from agent.evidence.view import Cited, View

NEARLY = 0.9
"""Share of a limit that refuses whatever exceeds it."""
NEARLY_OUT_OF_MEMORY = 0.95
"""Share of maxmemory, if nothing may be evicted."""
OVER = 1.1
"""Share of maxmemory: eviction doesn't keep up, or there is none."""
HALF, SOON = 0.5, 1800.0
"""Share of maxmemory in use, and seconds until it's reached: then somebody has to act today."""
WEEK = 7 * 86_400.0
"""Seconds before a certificate expires in which somebody has to renew it."""
OF_CGROUP = 0.75
"""Share of the memory limit of the process' group, including what a save copies."""
PAIRS: tuple[tuple[Cited, Cited, str], ...] = (
    (("info", "connected_clients"), ("info", "maxclients"), "clients"),
    (("process", "num_fds"), ("process", "nofile_soft"), "open files"),
    (("process", "cgroup_pids_current"), ("process", "cgroup_pids_max"), "processes of its group"),
)


def limits(view: View, thresholds: Limits) -> Iterator[Complaint]:
    """Memory, clients, files and processes compared with their limits."""
    share, policy = view.number("memory", "maxmemory_used_share"), view.text("memory", "maxmemory_policy")
    # A replica doesn't evict by itself: it is as full as its primary lets it be.
    if share is not None and view.text("info", "role") != "slave":
        stuck = policy == "noeviction" or (policy.startswith("volatile") and not view.number("keyspace", "expires"))
        if share >= OVER or (stuck and share >= NEARLY_OUT_OF_MEMORY):
            yield complaint(
                f"used_memory is {share:.0%} of maxmemory under {policy or 'an unknown policy'}",
                ("memory", "maxmemory_used_share"), ("memory", "maxmemory_policy"),
            )  # fmt: skip
    left = until_full(view)
    if left is not None and left <= SOON and (share or 0) >= HALF:
        yield complaint(
            f"maxmemory will be reached in {duration(left)} if memory keeps growing as it did over the window",
            ("memory", "used_memory.delta"), ("memory", "maxmemory_used_share"), figures=("kept_keys_per_second",),
        )  # fmt: skip
    for has, most, what in PAIRS:
        used, limit = view.number(*has), view.number(*most)
        if used and limit and used >= NEARLY * limit:
            yield complaint(f"{used:.0f} of {limit:.0f} {what} are in use", has, most)
    if view.unavailable("connect") == "maxclients":
        yield complaint("it turns rediagnose away: too many clients", ("connect", "unavailable"))
    yield from _memory_limit(view)
    yield from _container_limit(view)
    for seconds, whose, cited in known_ends(view):
        if seconds <= WEEK and is_late(view, seconds, cited):
            yield complaint(
                f"{whose} expires in {duration(seconds)}" if seconds > 0 else f"{whose} has expired", *cited
            )


def _memory_limit(view: View) -> Iterator[Complaint]:
    has, most = view.number("process", "rss_bytes"), view.number("process", "cgroup_memory_limit")
    saves = any(view.number("persistence", f"{what}_in_progress") for what in ("rdb_bgsave", "aof_rewrite"))
    copied = max(view.number("persistence", name) or 0 for name in ("current_cow_peak", "rdb_last_cow_size"))
    if has and most and (needs := has + (copied if saves else 0)) >= OF_CGROUP * most:
        during = " including what the save copies" if saves and copied else ""
        yield complaint(
            f"the process has {needs / most:.0%} of its memory limit{during}",
            ("process", "rss_bytes"), ("process", "cgroup_memory_limit"),
        )  # fmt: skip


def _container_limit(view: View) -> Iterator[Complaint]:
    """The container's limit where only Kubernetes knows it."""
    has, found = view.number("memory", "used_memory_rss"), limit_of(view)
    if not has or found is None or found[1][0] != POD or has < NEARLY * found[0]:
        return
    most = view.number("memory", "maxmemory")
    above = "" if most and most < found[0] else ", and maxmemory isn't below that"
    yield complaint(
        f"the server has {has / found[0]:.0%} of its container's memory limit{above}", ("memory", "used_memory_rss"),
        found[1], ("memory", "maxmemory"),
    )  # fmt: skip


def machine(view: View, thresholds: Limits) -> Iterator[Complaint]:
    """A process that is stopped, waits for a disk, or is swapped out."""
    if (state := view.text("process", "state")) in ("T", "t", "D"):
        yield complaint(f"the process is in state {state}", ("process", "state"))
    swapped, faults = view.number("process", "swap_bytes"), view.number("process", "major_faults.delta")
    if swapped and swapped >= MIB and faults and faults >= 10:
        yield complaint(
            f"{swapped / MIB:.0f} MiB is in swap, and pages were fetched {faults:.0f} times over the window",
            ("process", "swap_bytes"), ("process", "major_faults.delta"),
        )  # fmt: skip
