"""Repeated full syncs: the replica is cut off during one, or the backlog doesn't reach back far enough."""

from agent.checks.ends import with_other
from agent.checks.types import Found, Limits
from agent.evidence.view import Cited, View

FULL: tuple[Cited, ...] = (
    ("replication", "sync_full.delta"), ("replication", "sync_partial_err.delta"), ("replication", "total_forks.delta"),
    ("replication", "sync_full"), ("log", "full_resync.count"), ("log", "full_resync.newest_age"),
)  # fmt: skip
FULL_BELOW: tuple[Cited, ...] = (
    ("log", "sync_buffer_full.newest_age"), ("log", "sync_buffer_full.count"),
    ("replication", "replicas_repl_buffer_peak"), ("replication", "output.limit_hard"),
)  # fmt: skip
"""What a replica shows whose own buffer was full."""
SHOWN = 8
"""How many replicas the reading lists individually."""


def _recent(view: View, event: str, limits: Limits) -> bool:
    age = view.number("log", f"{event}.newest_age")
    return age is not None and age <= limits["replication_event_seconds"]


def _copying(view: View) -> bool:
    """Whether a replica is being sent a full copy right now."""
    states = (view.text("replication", f"replica{number}.state") for number in range(1, SHOWN + 1))
    return any(state not in ("", "online") for state in states) or any(
        peer.number("replication", "master_sync_in_progress") == 1 for peer in view.peers_with("replication")
    )


def again(view: View, limits: Limits) -> bool:
    """Whether this primary sends full copies again and again: over the window, or according to its log or a
    replica's."""
    if (view.number("replication", "sync_full.delta") or 0) > 0:
        return True
    copying = _copying(view)
    replicas = [peer for peer in view.peers_with("replication") if peer.text("replication", "role") == "slave"]
    for one in (view, *replicas):
        count = sum(one.number("log", f"{event}.count") or 0 for event in ("full_resync", "no_backlog"))
        new = any(_recent(one, event, limits) for event in ("full_resync", "no_backlog"))
        # Every replica gets a first copy, and a second may be from a single break.
        below = max(1, view.number("replication", "replicas_online") or 0) if one is view else 1
        if count > 2 * below and (new or copying):
            return True
    return False


def cut_off(view: View, limits: Limits) -> float:
    """How likely it is that replicas are cut off because of the output waiting for them."""
    closed = (view.number("info", "client_output_buffer_limit_disconnections.delta") or 0) > 0
    if closed or _recent(view, "output_limit", limits):
        return 0.95
    bounds = [view.number("replication", f"output.limit_{kind}") for kind in ("hard", "soft")]
    limit = min((bound for bound in bounds if bound), default=0)
    rate = view.number("replication", "master_repl_offset.rate") or 0
    if not limit:
        return 0
    if (view.number("replication", "output.omem_max") or 0) >= limit:
        return 0.9
    holds = limit / rate if rate > 0 else float("inf")
    # Every replica gets a first copy; a limit that only holds seconds of writes won't survive a second one either.
    if holds >= limits["output_limit_seconds"] or (view.number("replication", "sync_full") or 0) < 3:
        return 0
    return 0.85 if holds < limits["output_limit_seconds"] / 2 else 0.6


def _full_below(view: View, limits: Limits) -> View | None:
    """The replica whose own buffer for writes during a copy was recently full: it has one if two channels are used."""
    below = (peer for peer in view.peers if peer.text("replication", "role") == "slave")
    return next((peer for peer in below if _recent(peer, "sync_buffer_full", limits)), None)


def resyncs(view: View, limits: Limits) -> Found:
    """Distinguish the two reasons for full copies."""
    if view.text("replication", "role") != "master":
        return
    ongoing, likely = again(view, limits), cut_off(view, limits)
    failed = view.number("replication", "sync_partial_err.delta") or 0
    if ongoing and likely:
        why = "Replicas are sent full copies again and again: the writes in the meantime exceed their output limit"
        why += ", so they are cut off and start again."
        below = _full_below(view, limits)
        if below is not None:
            why += f" The buffer of {below.node}, which stores such writes first (two channels), is full as well."
        cause = view.cause(
            "replica-output-loop", likely, why, *FULL,
            ("replication", "sync_partial_err"), ("log", "output_limit.count"), ("log", "output_limit.newest_age"),
            ("replication", "output.limit_hard"), ("replication", "output.limit_soft"),
            ("replication", "output.omem_max"), ("replication", "master_repl_offset.rate"),
            ("info", "client_output_buffer_limit_disconnections.delta"),
        )  # fmt: skip
        yield with_other(cause, below, *FULL_BELOW) if below is not None else cause
        if likely > 0.6:
            # A replica that was cut off and asks for the rest is refused too; that's a consequence.
            yield view.not_("backlog-too-small", "The output limit cuts the replica off.", *FULL[:2])
            return
    yield from _backlog(view, limits, ongoing, failed)


def seen_below(view: View, limits: Limits) -> Found:
    """What a replica's own log says about full copies if its primary can't be asked."""
    others = view.peers_with("replication")
    if view.text("replication", "role") != "slave" or any(peer.text("replication", "role") for peer in others):
        return
    count = view.number("log", "full_resync.count") or 0
    if count < 3 or not _recent(view, "full_resync", limits):
        return
    cut, during = (view.number("log", f"{event}.count") or 0 for event in ("primary_lost", "primary_unreachable"))
    cited: tuple[Cited, ...] = (
        ("log", "full_resync.count"), ("log", "full_resync.newest_age"), ("log", "primary_lost.count"),
        ("log", "primary_unreachable.count"), ("log", "psync_refused.count"),
    )  # fmt: skip
    if cut >= count - 1:
        why = (
            f"The replica was sent {count:.0f} full copies, each after its link "
            "broke: the backlog didn't reach back far enough."
        )
        yield view.cause("backlog-too-small", 0.7, why, *cited)
    elif during >= 2:
        why = (
            f"The replica was sent {count:.0f} full copies and lost the link during "
            "them: was it cut off by an output limit?"
        )
        yield view.cause("replica-output-loop", 0.6, why, *cited)


def _backlog(view: View, limits: Limits, ongoing: bool, failed: float) -> Found:
    cited: tuple[Cited, ...] = (
        *FULL[:2], ("log", "no_backlog.count"), ("log", "no_backlog.newest_age"), ("replication", "repl-backlog-size"),
        ("replication", "backlog_seconds"), ("replication", "master_repl_offset.rate"),
        ("replication", "sync_partial_err"), ("replication", "sync_full"),
    )  # fmt: skip
    bridges = view.number("replication", "backlog_seconds")
    short = bridges is not None and bridges < limits["backlog_seconds"]
    refused = view.number("replication", "sync_partial_err") or 0
    size = (view.number("replication", "repl-backlog-size") or 0) / 2**20
    why = f"A backlog of {size:.2f} MiB"
    why += f" covers {bridges:.1f} s of writes" if bridges is not None else " doesn't cover what was missed"
    if failed > 0:
        explained = short or _recent(view, "no_backlog", limits)
        of = f"{failed:.0f} partial syncs were refused over the window, and each became a full copy"
        yield view.cause("backlog-too-small", 0.95 if explained else 0.6, f"{why}: {of}.", *cited)
        if view.number("replication", "output.omem_max") is not None:
            because = "No replica exceeded its output limit."
            yield view.not_("replica-output-loop", because, ("replication", "output.omem_max"), FULL[1])
    elif ongoing and refused >= 2 and (short or _recent(view, "no_backlog", limits)):
        why += f", and partial syncs are refused ({refused:.0f} since startup, none within this window)."
        yield view.cause("backlog-too-small", 0.85, why, *cited)
    elif refused:
        yield view.cause("backlog-too-small", 0.25, "Partial syncs were refused since startup, but none now.", *cited)
