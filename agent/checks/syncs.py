"""Full syncs that never succeed: what keeps a replica from taking its primary's data, seen from either end."""

from collections.abc import Iterator
from typing import Literal, NamedTuple

from agent.checks.ends import primary_of, refused, trouble, with_other
from agent.checks.resyncs import FULL, again, cut_off
from agent.checks.types import Found, Limits
from agent.evidence.view import Cited, View

Reason = Literal["dump-version", "replica-disk", "replica-memory", "timeout", "unknown"]
MIB = 2**20
ATTEMPTS = 3
"""Copies begun since the link went down, none of them completed: one is usual, a second may be a coincidence."""
SHORT_PERIOD = 30.0
"""Seconds of repl-timeout below the built-in 60, which a large copy doesn't always keep."""
VALKEY_AS_REDIS = (7, 2)
"""The oldest version that reads Valkey's dumps, and the newest version of Redis' dumps that Valkey reads."""


class Failure(NamedTuple):
    """Why a replica's whole copies fail."""

    reason: Reason
    probability: float
    why: str
    below: tuple[Cited, ...]
    """What the replica's own readings show about it."""
    above: tuple[Cited, ...] = FULL
    """What the primary's show."""
    at_primary: bool = False
    """Whether the primary's setting ends them."""


def _age(view: View | None, event: str) -> float:
    """Seconds since a log event; infinite if there is none."""
    age = view.number("log", f"{event}.newest_age") if view else None
    return float("inf") if age is None else age


def release_of(view: View | None) -> tuple[str, tuple[int, int]] | None:
    """The product and its major and minor version, according to INFO."""
    for product in ("valkey", "redis"):
        parts = view.text("info", f"{product}_version").split(".") if view else []
        if len(parts) > 1 and parts[0].isdecimal() and parts[1].isdecimal():
            return product, (int(parts[0]), int(parts[1]))
    return None


def named_release(view: View | None) -> str:
    """The server's program and version for a person, such as "redis 6.2.5"."""
    known = release_of(view)
    return f"{known[0]} {view.text('info', f'{known[0]}_version')}" if known and view else "an unknown version"


def older(replica: View, primary: View | None) -> bool:
    """Whether the replica is known to be too old to read the primary's dumps."""
    below, above = release_of(replica), release_of(primary)
    if below is None or above is None:
        return False
    if below[0] == above[0]:
        return below[1] < above[1]
    # Valkey began as Redis 7.2, and the two went separate ways.
    reads = VALKEY_AS_REDIS if below[0] == "valkey" else below[1]
    return reads < (VALKEY_AS_REDIS if above[0] == "valkey" else above[1])


def failure(replica: View, primary: View | None, limits: Limits) -> Failure | None:
    """Why a replica's full syncs fail; None if none do or their failure has another name."""
    lately = limits["replication_event_seconds"]
    if replica.text("replication", "master_link_status") != "down" or refused(replica, limits):
        return None
    going_on = (primary is not None and again(primary, limits)) or _age(replica, "sync_load_failed") <= lately
    version = (
        ("info", "redis_version"), ("info", "valkey_version"), ("log", "load_failed.format"),
        ("log", "load_failed.newest_age"), ("log", "sync_load_failed.newest_age"),
    )  # fmt: skip
    unread = min(_age(replica, "load_failed"), _age(replica, "rdb_short_read"))
    is_older = older(replica, primary)
    if unread <= lately and (is_older or replica.number("log", "load_failed.format")):
        return Failure(reason="dump-version", probability=0.97, why=_version_words(replica, primary), below=version,
                       above=(*version[:2], *FULL))  # fmt: skip
    disk: tuple[Cited, ...] = (
        ("log", "sync_write_failed.newest_age"), ("log", "sync_write_failed.error"), ("log", "no_space.newest_age"),
        ("disk", "dir_free_bytes"), ("disk", "dir_used_share"), ("disk", "dir_read_only"),
    )  # fmt: skip
    if min(_age(replica, "sync_write_failed"), _age(replica, "no_space")) <= lately:
        return Failure(reason="replica-disk", probability=0.97, why=_disk_words(replica, primary), below=disk,
                       above=(("memory", "used_memory"), *FULL))  # fmt: skip
    if _age(replica, "oom_allocating") <= lately and going_on:
        why = "The replica can't get enough memory for its primary's data, so it gives up every full copy."
        return Failure(reason="replica-memory", probability=0.95, why=why, below=MEMORY)
    if (timed_out := _timed_out(replica, primary, limits)) is not None:
        return timed_out
    if primary is not None and (cut_off(primary, limits) or trouble(primary)):
        return None
    attempts = replica.number("info", "master_current_sync_attempts")
    if attempts and attempts >= ATTEMPTS and (going_on or _begun(replica, primary, attempts)):
        return _again_and_again(replica, primary, attempts)
    if not going_on or primary is None:
        return None
    if is_older and (primary.number("replication", "sync_full.delta") or 0) > 1:
        why = _version_words(replica, primary)
        return Failure(reason="dump-version", probability=0.88, why=why, below=version, above=(*version[:2], *FULL))
    free, needed = replica.number("disk", "dir_free_bytes"), primary.number("memory", "used_memory")
    if free is not None and needed is not None and free < needed / 4 and _often(primary):
        why = _disk_words(replica, primary)
        return Failure(reason="replica-disk", probability=0.85, why=why, below=disk,
                       above=(("memory", "used_memory"), *FULL))  # fmt: skip
    if _age(replica, "sync_load_failed") <= lately:
        why = "The replica gives up every full copy of its primary's data; its own log says why."
        return Failure(reason="unknown", probability=0.75, why=why, below=(
            ("log", "sync_load_failed.count"), ("log", "sync_load_failed.newest_age")))  # fmt: skip
    return None


def _begun(replica: View, primary: View | None, attempts: float) -> bool:
    """Whether a replica's attempts get as far as a copy: attempts that can't reach the primary are counted too."""
    if replica.text("replication", "link_state") == "sync" or replica.number("info", "master_sync_in_progress"):
        return True
    down = replica.number("replication", "master_link_down_since_seconds")
    if down is not None and _age(replica, "full_resync") < down:
        return True
    return primary is not None and (primary.number("info", "sync_full") or 0) >= attempts


def _again_and_again(replica: View, primary: View | None, attempts: float) -> Failure:
    """What a replica's own count of attempts says (Redis 8.2 and later), if no log says why they end."""
    period = primary.number("replication", "repl-timeout") if primary else None
    why = f"The replica has started {attempts:.0f} copies since its link went down, but kept none of them"
    short = period is not None and period < SHORT_PERIOD
    why += f"; its primary gives up after {period:.0f} s without an answer (repl-timeout)." if short else "."
    below: tuple[Cited, ...] = (
        ("info", "master_current_sync_attempts"), ("log", "full_resync.count"), ("log", "full_resync.newest_age"),
        ("info", "master_sync_read_bytes.delta"),
    )  # fmt: skip
    return Failure(
        reason="timeout" if short else "unknown", probability=0.85, why=why, below=below,
        above=(("replication", "repl-timeout"), ("memory", "used_memory"), *FULL), at_primary=short,
    )  # fmt: skip


MEMORY: tuple[Cited, ...] = (
    ("log", "oom_allocating.count"), ("log", "oom_allocating.newest_age"), ("log", "oom_allocating.bytes"),
    ("log", "oom_allocating.refused"), ("log", "full_resync.count"), ("log", "end"),
)  # fmt: skip


def _often(primary: View) -> bool:
    """Whether more whole copies began over the window than there are replicas that could have asked once."""
    begun, listed = (primary.number("replication", name) or 0 for name in ("sync_full.delta", "connected_slaves"))
    return begun >= 2 and begun > listed


def _version_words(replica: View, primary: View | None) -> str:
    form = replica.number("log", "load_failed.format")
    of = f" (dump format {form:.0f})" if form else ""
    return (
        f"This replica runs {named_release(replica)} and can't read what its primary ({named_release(primary)}) "
        f"sends{of}: each full copy is dropped and requested again."
    )


def _disk_words(replica: View, primary: View | None) -> str:
    error, free = replica.text("log", "sync_write_failed.error"), replica.number("disk", "dir_free_bytes")
    what = error if error and error != "No space left on device" else "the disk is full"
    needed = primary.number("memory", "used_memory") if primary else None
    why = f"The replica can't write its primary's copy into its data folder: {what}"
    why += f"; {free / MIB:.1f} MiB is free there" if free is not None else ""
    why += f", and the primary has {needed / MIB:.0f} MiB of data." if needed is not None else "."
    return f"{why} Each copy is dropped and requested again."


def _timed_out(replica: View, primary: View | None, limits: Limits) -> Failure | None:
    # Each attempt lasts as long as the shorter of the two timeouts, and the next one may have begun.
    periods = [view.number("replication", "repl-timeout") or 60 for view in (replica, primary) if view]
    lately = max(periods, default=60) + limits["replication_event_seconds"]
    ages = [_age(view, "sync_timeout") for view in (replica, primary)]
    if min(ages) > lately:
        return None
    counts = [view.number("log", "sync_timeout.count") or 0 for view in (replica, primary) if view]
    times, period = max(counts, default=0), min(periods, default=60)
    cited: tuple[Cited, ...] = (
        ("log", "sync_timeout.count"), ("log", "sync_timeout.newest_age"), ("replication", "repl-timeout"),
        ("replication", "master_sync_read_bytes"), ("replication", "master_sync_read_bytes.delta"),
        ("replication", "master_sync_last_io_seconds_ago"),
    )  # fmt: skip
    # It counts the silence, not how long the copy takes.
    why = "Every full copy stalls on the way: when nothing has moved for as long as repl-timeout "
    why += f"({period:.0f} s) it is given up, {times:.0f} times according to the log."
    arrived = replica.number("replication", "master_sync_read_bytes")
    if arrived and replica.number("replication", "master_sync_read_bytes.delta") == 0:
        why += f" The current one has received {arrived / MIB:.1f} MiB, and not one more byte over the window."
    return Failure(
        reason="timeout", probability=0.95 if times > 1 else 0.85, why=why, below=cited,
        above=(*cited[:3], ("memory", "used_memory"), *FULL), at_primary=ages[0] > ages[1],
    )  # fmt: skip


def _failures(view: View, limits: Limits) -> Iterator[tuple[View, Failure]]:
    """The replicas of a primary whose full syncs fail, each with its reason."""
    for peer in view.peers_with("replication"):
        above = primary_of(peer) if peer.text("replication", "role") == "slave" else None
        if above is not None and above.node == view.node and (failed := failure(peer, view, limits)):
            yield peer, failed


def sync_failed(view: View, limits: Limits) -> Found:
    """A replica whose full syncs all fail: at the replica, at its primary, and at a replica that died from it."""
    if view.text("replication", "role") == "slave":
        primary = primary_of(view)
        if failed := failure(view, primary, limits):
            cause = view.cause("sync-failed", failed.probability, failed.why, *failed.below)
            if failed.at_primary and primary:
                cause = cause.model_copy(update={"where": primary.node})
            yield with_other(cause, primary, *failed.above)
    elif view.text("replication", "role") == "master":
        found = False
        for peer, failed in _failures(view, limits):
            found = True
            cause = view.cause("sync-failed", failed.probability - 0.01, failed.why, *failed.above)
            # The replica or the path to it has to be fixed.
            where = view.node if failed.at_primary else peer.node
            yield with_other(cause.model_copy(update={"where": where}), peer, *failed.below)
        if not found:
            yield from _above_alone(view, limits)
    elif view.unavailable("connect") == "refused" and _age(view, "oom_allocating") < float("inf"):
        yield from _died(view)


def _above_alone(view: View, limits: Limits) -> Found:
    """What a primary shows about a replica that can't be examined."""
    if cut_off(view, limits) or any(refused(peer, limits) for peer in view.peers_with("replication")):
        return
    if (view.number("commandstats", "psync.rejected_calls.delta") or 0) > 0:
        return
    timed_out = _timed_out(view, None, limits)
    short = view.number("replication", "backlog_seconds")
    # A replica that was away for longer than the backlog covers is sent one copy, and takes it.
    backlog = _age(view, "no_backlog") <= limits["replication_event_seconds"] or (
        (view.number("replication", "sync_partial_err.delta") or 0) > 0
        and short is not None and short < limits["backlog_seconds"]
    )  # fmt: skip
    if timed_out and not backlog:
        cited = *timed_out.above, ("replication", "replica1.address")
        yield view.cause("sync-failed", timed_out.probability - 0.05, timed_out.why, *cited)
    elif _often(view) and not backlog:
        begun, window = view.number("replication", "sync_full.delta") or 0, view.number("replication", "window_seconds")
        name = view.text("replication", "replica1.address")
        why = f"{begun:.0f} full copies were started within {window or 2:.0f} s, and none of them was kept"
        why += f" ({name})" if name else ""
        why += ": the replica drops what it is sent. Neither an output limit nor the backlog explains it; its log will."
        yield view.cause("sync-failed", 0.88, why, *FULL, ("replication", "connected_slaves"),
                         ("replication", "replica1.address"), ("replication", "replica1.state"),
                         ("log", "replica_lost.count"), ("replication", "sync_partial_err"))  # fmt: skip


def _died(view: View) -> Found:
    """A replica that ended while loading its primary's copy: its last log lines are about memory."""
    last, ended = _age(view, "full_resync"), view.number("log", "log_age")
    if last == float("inf") or ended is None or _age(view, "oom_allocating") > ended + 5:
        return
    why = (
        "This replica ran out of memory while loading its primary's copy, and exited: it will exit the same way again."
    )
    yield view.cause("sync-failed", 0.975, why, *MEMORY, ("connect", "unavailable"), ("log", "full_resync.newest_age"))
