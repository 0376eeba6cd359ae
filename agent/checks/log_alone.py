"""What a pasted log or kernel log says by itself where nobody pasted the figures that would settle it."""

from collections.abc import Iterator, Mapping

from agent.checks.types import Family, Found, Limits
from agent.evidence.view import Cited, View
from tools.records import Record

RECENT = 3600.0
"""Most seconds before the end of the log: what is older may long be over."""
_PATHS = ("Permission denied", "Operation not permitted", "Read-only file system", "No such file or directory",
          "Not a directory", "Is a directory")  # fmt: skip


class Told(Record):
    """What an event of the log would mean."""

    cause: str
    likely: float
    why: str
    settles: Cited
    """What would decide it, so that the log is only asked where that is missing."""
    figure: str = ""
    """A figure inside the event that has to be one of `among`."""
    among: tuple[str, ...] = ()
    least: int = 1
    """How often it has to be there."""
    over: tuple[str, ...] = ()
    """Events that end it if they are newer."""
    beside: tuple[str, ...] = ()
    """Events of which one has to be there too."""


SAVED, WRITTEN = ("persistence", "rdb_last_bgsave_status"), ("persistence", "aof_last_write_status")
DELAYED, ROLE, STATE = ("persistence", "aof_delayed_fsync"), ("replication", "role"), ("cluster", "cluster_state")
LISTED, SENTINEL, SLOW = ("clients", "connected"), ("sentinel", "masters"), ("slowlog", "entries")
FIGURES = ("info", "evicted_clients")
EVENTS: Mapping[str, tuple[Told, ...]] = {
    "rdb_write_error": (
        Told(cause="save-path-unwritable", likely=0.85, settles=SAVED, figure="errno", among=_PATHS,
             why="The log says that a dump couldn't be opened for writing", over=("bgsave_ok",)),
    ),
    "no_space": (
        Told(cause="bgsave-disk-full", likely=0.85, settles=SAVED, beside=("bgsave_error", "rdb_write_error"),
             why="The log says that a save failed because no space was left on the disk", over=("bgsave_ok",)),
        Told(cause="aof-disk-full", likely=0.85, settles=WRITTEN, beside=("aof_write_error",),
             why="The log says that the append-only file couldn't be written because no space was left on the disk",
             over=("aof_write_ok_again",)),
    ),
    "fork_failed": (
        Told(cause="fork-denied", likely=0.85, settles=SAVED,
             why="The log says that the system didn't let the server create a second process", over=("bgsave_ok",)),
    ),
    "aof_fsync_slow": (
        Told(cause="fsync-everysec-slow", likely=0.7, settles=DELAYED, least=2,
             why="The log says that flushing the append-only file to disk takes too long"),
        Told(cause="fsync-everysec-slow", likely=0.45, settles=DELAYED,
             why="The log says that flushing the append-only file to disk took too long"),
    ),
    "replication_auth": (
        Told(cause="masterauth-mismatch", likely=0.85, settles=ROLE,
             why="The log says that the primary rejects this replica's login"),
    ),
    "replication_aborted": (
        Told(cause="masterauth-mismatch", likely=0.8, settles=ROLE, figure="error",
             among=("NOAUTH", "WRONGPASS", "NOPERM"), why="The log says that the primary rejects this replica's login"),
    ),
    "replication_refused": (
        Told(cause="masterauth-mismatch", likely=0.8, settles=ROLE, figure="error",
             among=("NOAUTH", "WRONGPASS", "NOPERM"), why="The log says that the primary rejects this replica's login"),
    ),
    "primary_unreachable": (
        Told(cause="replica-link-down", likely=0.45, settles=ROLE,
             why="The log says that this replica's primary can't be reached", over=("partial_resync",)),
    ),
    "output_limit": (
        Told(cause="replica-output-loop", likely=0.8, settles=ROLE, figure="flags", among=("S",), least=2,
             why="The log says that a replica's connection was closed because its output buffer passed the limit"),
        Told(cause="replica-output-loop", likely=0.45, settles=ROLE, figure="flags", among=("S",),
             why="The log says that a replica's connection was closed because its output buffer passed the limit"),
        Told(cause="slow-consumer-output", likely=0.7, settles=LISTED, figure="flags", among=("N", "P"),
             why="The log says that a client was closed because its output buffer passed the limit"),
    ),
    "sync_timeout": (
        Told(cause="sync-failed", likely=0.6, settles=ROLE, least=2,
             why="The log says that full syncs don't finish in time"),
    ),
    "no_backlog": (
        Told(cause="backlog-too-small", likely=0.6, settles=ROLE,
             why="The log says that a replica needed a full copy because the backlog didn't reach back far enough"),
    ),
    "failover_aborted": (
        Told(cause="sentinel-no-good-replica", likely=0.8, settles=SENTINEL, figure="abort", among=("no-good-slave",),
             why="The sentinel's log says that a failover was aborted because no replica was fit to be promoted"),
        Told(cause="sentinel-noquorum", likely=0.6, settles=SENTINEL, figure="abort", among=("not-elected",),
             why="The sentinel's log says that a failover was aborted because too few sentinels voted"),
    ),
    "cluster_state": (
        Told(cause="cluster-slots-down", likely=0.7, settles=STATE, figure="state", among=("fail",),
             why="The log says that the cluster's state became fail"),
    ),
    "script_slow": (
        Told(cause="lua-busy", likely=0.7, settles=SLOW, why="The log says that a script ran for too long"),
    ),
    "client_evicted": (
        Told(cause="client-evicted", likely=0.7, settles=FIGURES,
             why="The log says that clients were evicted because of the memory that they used"),
    ),
}  # fmt: skip
"""By event; of several the first that fits."""


def events(view: View, limits: Limits) -> Found:
    """Events of a pasted log."""
    if view.text("log", "destination") != "pasted":
        return
    for event, readings in EVENTS.items():
        if (age := _age(view, event)) is None:
            continue
        if told := next((one for one in readings if _fits(view, event, age, one)), None):
            count = view.number("log", f"{event}.count") or 1
            often = f", {count:.0f} times" if count > 1 else ""
            figure = (("log", f"{event}.{told.figure}"),) if told.figure else ()
            says = f" ({view.text('log', f'{event}.{told.figure}')})" if told.figure in ("errno", "error") else ""
            cited: tuple[Cited, ...] = (*figure, ("log", f"{event}.count"), ("log", f"{event}.newest_age"))
            yield view.cause(told.cause, told.likely, f"{told.why}{says}{often}.", *cited)


def _age(view: View, event: str) -> float | None:
    """Seconds between an event and the end of the log; None if it's too old or of an earlier run."""
    age, life = view.number("log", f"{event}.newest_age"), view.number("log", "started_age")
    if age is None and view.number("log", "log_age") is None and view.number("log", f"{event}.count"):
        # A line that was quoted without its time: it's what somebody asks about.
        return 0.0
    if age is None or (life is not None and age > life):
        return None
    end = view.number("log", "log_age") or 0.0
    return age if age - end <= RECENT else None


def _fits(view: View, event: str, age: float, told: Told) -> bool:
    if view.get(*told.settles) is not None:
        return False
    if told.figure and view.text("log", f"{event}.{told.figure}") not in told.among:
        return False
    if (view.number("log", f"{event}.count") or 1) < told.least:
        return False
    if told.beside and all(_age(view, name) is None for name in told.beside):
        return False
    return not any((ended := _age(view, name)) is not None and ended < age for name in told.over)


def killed(view: View, limits: Limits) -> Found:
    """A kernel's log with the kill of a server, and nothing of the server itself."""
    if view.unavailable("info") != "not-pasted" or not view.number("kernel_log", "oom_kill.count"):
        return
    if view.text("log", "end") in ("shutdown", "failed", "crash"):
        return
    name, pids = view.text("kernel_log", "oom_kill.name"), set(view.text("kernel_log", "oom_kill.pids").split())
    wrote = set(_processes(view))
    if wrote and pids and not wrote & pids:
        return
    why = f"The kernel's log says that it killed {name or 'the server'} because memory ran out"
    rss = view.number("kernel_log", "oom_kill.rss_bytes")
    why += f"; it held {rss / 2**20:,.0f} MiB." if rss else "."
    yield view.cause(
        "oom-killed", 0.85, why, ("kernel_log", "oom_kill.count"), ("kernel_log", "oom_kill.name"),
        ("kernel_log", "oom_kill.pid"), ("kernel_log", "oom_kill.rss_bytes"), ("kernel_log", "oom_kill.in_cgroup"),
        ("kernel_log", "oom_kill.newest_age"),
    )  # fmt: skip


def _processes(view: View) -> Iterator[str]:
    """The processes that wrote the log; in a container the first is 1 to itself and something else to the kernel."""
    for field in ("end_pid", "previous_pid"):
        pid = view.number("log", field)
        if pid is not None and pid > 1:
            yield f"{pid:.0f}"


FAMILY = Family(checks=(events, killed), needs={})
