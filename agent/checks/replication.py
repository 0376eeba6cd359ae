"""Replication: whether replicas follow, what prevents it, and whether the primary may accept writes."""

from agent.checks import roles, switchover, sync_values
from agent.checks.access import lacking
from agent.checks.balancer import balancer
from agent.checks.ends import AUTH, primary_of, refused, trouble, waiting, with_other
from agent.checks.replica_own import breaks_again, link_patience
from agent.checks.resyncs import SHOWN, again, resyncs, seen_below
from agent.checks.roles import masterdown, readonly
from agent.checks.switchover import failover_stuck
from agent.checks.syncs import sync_failed
from agent.checks.types import Family, Found, Limits, Placeholder
from agent.checks.words import STALE
from agent.evidence.report_words import mention
from agent.evidence.view import Cited, View

AT_ONCE = 0.5
"""Seconds within which lines of a log tell of one event."""


def link(view: View, limits: Limits) -> Found:
    """The replica's link is down, and neither a refused login nor a sick primary explains it."""
    status = view.text("replication", "master_link_status")
    if view.text("replication", "role") != "slave" or not status:
        return
    cited: tuple[Cited, ...] = (
        ("replication", "master_link_status"), ("replication", "link_state"),
        ("replication", "master_link_down_since_seconds"), ("replication", "master_last_io_seconds_ago"),
        ("log", "primary_lost.newest_age"), ("log", "primary_timeout.newest_age"),
    )  # fmt: skip
    quiet = view.number("replication", "master_last_io_seconds_ago")
    period = view.number("replication", "repl-ping-replica-period") or 10
    up = status == "up"
    if up and (quiet is None or quiet < max(limits["replica_silent_seconds"], 2 * period + 1)):
        if quiet is not None:
            broken = list(breaks_again(view, limits))
            yield from broken
            if not broken:
                because = f"The link is up, and its last byte arrived {quiet:.0f} s ago."
                yield view.not_("replica-link-down", because, *cited[:4])
        return
    primary = primary_of(view)
    if not up and (error := refused(view, limits) or _refused_above(primary)):
        why = f"The primary refuses this replica's login or its commands ({error}): masteruser or masterauth is wrong."
        cause = view.cause(
            "masterauth-mismatch", 0.96, why, ("log", "replication_auth.newest_age"),
            ("log", "replication_aborted.error"), ("log", "replication_refused.error"), *cited[:2],
        )  # fmt: skip
        yield with_other(cause, primary, *(("replication", f"errorstat_{word}.count.delta") for word in AUTH))
    if sick := trouble(primary):
        why = f"The link to the primary is down because the primary {sick[0]}."
        yield with_other(view.cause("replica-link-down", 0.4, why, *cited), primary, *sick[1])
    elif primary and again(primary, limits):
        why = "The link is down between two of a series of syncs; the primary shows the reason."
        yield view.cause("replica-link-down", 0.35, why, *cited)
    elif up:
        why = f"The link counts as up, but nothing has come over it for {quiet:.0f} s, not even pings."
        yield with_other(view.cause("replica-link-down", 0.85, why, *cited), primary, ("connect", "stage"))
    elif view.number("replication", "master_sync_in_progress") == 1:
        why = "The replica is receiving a full copy; until that is done its link counts as down."
        yield view.cause("replica-link-down", 0.45, why, ("replication", "master_sync_in_progress"), *cited)
    else:
        down = view.number("replication", "master_link_down_since_seconds") or 0
        since = f" for {down:.0f} s" if down > 0 else ""
        why = f"The link to the primary is down{since}: this replica keeps answering with old data."
        if primary is not None and primary.unavailable("connect") == "dns":
            host = view.text("replication", "master_host")
            why += f" Its primary's name, {host}, doesn't resolve from here: fix the name or its DNS record first."
        yield with_other(view.cause("replica-link-down", 0.95, why, *cited), primary, ("connect", "unavailable"))


def _refused_above(primary: View | None) -> str | None:
    if primary is None or primary.number("replication", "connected_slaves") != 0:
        return None
    counts = {word: primary.number("replication", f"errorstat_{word}.count.delta") or 0 for word in AUTH}
    # Replicas retry once a second; a refused one sends a replica's commands.
    asked = any((primary.number("commandstats", f"{name}.rejected_calls.delta") or 0) > 0 for name in ("psync", "ping"))
    worst = max(counts, key=lambda word: counts[word])
    return worst if asked and counts[worst] > 0 else None


def turned_away(view: View, limits: Limits) -> Found:
    """A primary that refuses a replica: the errors it counts are that replica's."""
    if view.text("replication", "role") != "master":
        return
    cited: tuple[Cited, ...] = tuple(("replication", f"errorstat_{word}.count.delta") for word in AUTH)
    others = view.peers_with("replication")
    below = [peer for peer in others if peer.text("replication", "master_link_status") == "down"]
    for peer in below:
        if refused(peer, limits):
            why = f"The replica at {peer.node} is refused each time it tries to connect: its masterauth is wrong."
            cause = view.cause("masterauth-mismatch", 0.95, why, *cited)
            # The replica's setting has to be fixed.
            yield with_other(
                cause.model_copy(update={"where": peer.node}), peer, ("log", "replication_auth.newest_age")
            )
            return
    psync, conf = (view.number("commandstats", f"{name}.rejected_calls.delta") or 0 for name in ("psync", "replconf"))
    errors = [word for word in AUTH if view.number("replication", f"errorstat_{word}.count.delta")]
    if psync > 0 or (conf > 0 and errors):
        lacks, entries = lacking(view) if "NOPERM" in errors else ((), ())
        if psync > 0:
            why = f"A replica was refused {psync:.0f} times over the window before it could sync"
            why += ": it has no permission." if lacks else ": it isn't logged in."
        else:
            # It syncs, reports its offset, is refused, and takes the refusal in its stream for a broken link.
            why = (
                f"A replica's REPLCONF was refused {conf:.0f} times over the window: it "
                "can log in, but isn't allowed to report how"
            )
            why += " far it has got, so its link keeps breaking and nobody knows how far behind it is."
        why += f" According to ACL LOG, {', '.join(lacks)}." if lacks else ""
        yield view.cause(
            "masterauth-mismatch", 0.94, why, ("commandstats", "psync.rejected_calls.delta"),
            ("commandstats", "replconf.rejected_calls.delta"), *cited, ("replication", "connected_slaves"), *entries,
        )  # fmt: skip


def lost(view: View, limits: Limits) -> Found:
    """The primary had a replica within the hour but has none now: it keeps the backlog for it."""
    connected = view.number("replication", "connected_slaves")
    if view.text("replication", "role") != "master" or connected is None:
        return
    if connected > 0:
        yield from _one_of_several(view, limits, connected)
        return
    # If the replica is known, its own readings show more.
    if view.number("replication", "repl_backlog_active") != 1 or any(
        peer.text("replication", "role") == "slave" or peer.in_topology.get("role") == "replica" for peer in view.peers
    ):
        return
    words = mention(STALE, view.symptom) is not None
    promoted = (view.number("replication", "second_repl_offset") or 0) > 0
    why = "This primary keeps a backlog for a replica that it had within the last hour, but has no replica now."
    if promoted:
        why = "This primary was a replica until it was promoted, and has no replica: its old primary doesn't follow it."
    cited: tuple[Cited, ...] = (
        ("replication", "connected_slaves"), ("replication", "repl_backlog_active"), ("log", "replica_lost.newest_age"),
        ("log", "replica_timeout.newest_age"),
    )  # fmt: skip
    if held := next(waiting(view), None):
        who, command, at = held
        why += f" {who} in {command.upper()} for it: each of their writes takes as long as that time-out."
        cited = (*cited, ("clients", f"{at}.cmd"), ("replication", "replicas_online"))
    yield view.cause("replica-link-down", 0.75 if words or held else 0.45, why, *cited)


def _one_of_several(view: View, limits: Limits, connected: float) -> Found:
    """A replica was lost and none has synced since. Somebody may have taken it away, so only a report says more."""
    gone = view.number("log", "replica_lost.newest_age")
    held = next(waiting(view), None)
    # Whoever waits for it began to wait after it was lost.
    since = view.number("clients", f"{held[2]}.idle_median") or 0 if held else 0
    recent = since + limits["replication_event_seconds"]
    if gone is None or gone > recent or not (held or mention(STALE, view.symptom)):
        return
    back = (view.number("log", f"{event}.newest_age") for event in ("sync", "full_resync", "partial_resync"))
    # A sync over a connection of its own ends with that connection's loss, and with the sync's last lines.
    if any(age is not None and age < gone + AT_ONCE for age in back):
        return
    why = (
        f"The primary lost a replica {gone:.0f} s ago, and none has synced since; {connected:.0f} others are connected."
    )
    cited: tuple[Cited, ...] = (
        ("log", "replica_lost.newest_age"), ("log", "sync.newest_age"), ("replication", "connected_slaves"),
    )  # fmt: skip
    if held:
        who, command, at = held
        why += f" {who} in {command.upper()} until as many replicas have their writes as they ask for."
        cited = (*cited, ("clients", f"{at}.cmd"), ("clients", f"{at}.idle_median"))
    yield view.cause("replica-link-down", 0.75 if held else 0.6, why, *cited)


def lag(view: View, limits: Limits) -> Found:
    """A replica acknowledges less than is written, or nothing at all."""
    if not view.number("replication", "connected_slaves"):
        return
    rate = view.number("replication", "master_repl_offset.rate") or 0
    for number in range(1, SHOWN + 1):
        at = f"replica{number}"
        behind, acknowledged = (view.number("replication", f"{at}.{field}") for field in ("lag_bytes", "lag"))
        if behind is None:
            continue
        quiet = acknowledged or 0
        cited: tuple[Cited, ...] = tuple(
            ("replication", field) for field in
            (f"{at}.lag_bytes", f"{at}.lag_bytes.delta", f"{at}.lag", f"{at}.address", "master_repl_offset.rate")
        )  # fmt: skip
        far = behind >= limits["replica_lag_bytes"] and behind >= limits["replica_lag_seconds"] * rate
        if not far and quiet < limits["replica_silent_seconds"]:
            if acknowledged is not None:
                yield view.not_("replica-lag", "Every replica acknowledges writes within moments.", *cited[:3])
            return
        name = view.text("replication", f"{at}.address")
        peer = view.peer(name)
        since = f", and hasn't acknowledged anything for {quiet:.0f} s" if quiet > 1 else ""
        why = f"The replica at {name} is {behind / 2**20:.1f} MiB behind{since}"
        sick = trouble(peer)
        why += f", because it {sick[0]}." if sick else f"; {rate / 1024:.0f} KiB a second is being written."
        cause = view.cause("replica-lag", 0.4 if sick else 0.93, why, *cited)
        # The replica or the path to it has to be fixed.
        cause = cause.model_copy(update={"where": peer.node if peer else view.node})
        yield with_other(cause, peer, ("replication", "slave_repl_offset"), *(sick[1] if sick else ()))
        return


def noreplicas(view: View, limits: Limits) -> Found:
    """Writes are refused because good replicas are missing."""
    missing = view.number("replication", "good_replicas_missing") or 0
    errors = view.number("replication", "errorstat_NOREPLICAS.count.delta") or 0
    cited: tuple[Cited, ...] = (
        ("replication", "errorstat_NOREPLICAS.count.delta"), ("replication", "good_replicas_missing"),
        ("replication", "min-replicas-to-write"), ("replication", "min_slaves_good_slaves"),
        ("replication", "min-replicas-max-lag"), ("replication", "lag_max"), ("replication", "connected_slaves"),
    )  # fmt: skip
    if missing > 0 or errors > 0:
        needed = view.number("replication", "min-replicas-to-write")
        of = f"min-replicas-to-write is {needed:.0f}, and" if needed else "Of the replicas that a write needs"
        why = f"{of} {missing:.0f} healthy replicas are missing; {errors:.0f} writes were refused over the window."
        sick = any(trouble(peer) for peer in view.peers)
        yield view.cause("noreplicas", (0.92 if sick else 0.96) if errors else 0.85, why, *cited)
    elif view.number("replication", "errorstat_NOREPLICAS.count") and view.number(*cited[1]) == 0:
        because = "Writes were refused since startup; now no healthy replica is missing."
        yield view.not_("noreplicas", because, cited[1], cited[3])


FAMILY = Family(
    checks=(
        link, turned_away, lost, lag, noreplicas, resyncs, seen_below, sync_failed, failover_stuck, readonly,
        masterdown, balancer,
    ),
    needs={
        "replica-link-down": ("replication",), "masterauth-mismatch": ("log",), "replica-lag": ("replication",),
        "noreplicas": ("replication",), "replica-output-loop": ("replication",), "backlog-too-small": ("replication",),
        "sync-failed": ("replication", "log"), "failover-stuck": ("replication",),
        "balancer-over-replicas": (), "replica-write-or-stale": (), "stale-endpoint": (), "unexpected-replica": (),
    },
    consequences={
        "masterauth-mismatch": {"auth-failure": 0.3, "replica-link-down": 0.3, "connection-churn": 0.4},
        "noreplicas": {"replica-link-down": 0.5, "connection-churn": 0.3, "retry-storm": 0.5},
        "replica-output-loop": {
            "replica-link-down": 0.4, "slow-consumer-output": 0.3, "replica-lag": 0.4, "fork-stall": 0.5,
            "bandwidth-cap": 0.4, "nonkey-memory": 0.5,
        },
        "backlog-too-small": {"replica-link-down": 0.4, "replica-lag": 0.4, "fork-stall": 0.5, "bandwidth-cap": 0.4},
        "sync-failed": {
            "replica-link-down": 0.3, "backlog-too-small": 0.3, "replica-output-loop": 0.3, "replica-lag": 0.4,
            "fork-stall": 0.4, "bandwidth-cap": 0.4, "bgsave-disk-full": 0.5, "process-down": 0.8,
            "start-failed": 0.5,
        },
        "balancer-over-replicas": {
            "replica-write-or-stale": 0.4, "stale-endpoint": 0.4, "unexpected-replica": 0.3, "split-brain": 0.5,
        },
        # The failover holds the writers back; nobody paused them, and UNPAUSE releases nothing.
        "failover-stuck": {"client-paused": 0.3, "replica-lag": 0.4, "connection-leak": 0.6, "path-latency": 0.3},
        "replica-write-or-stale": {"connection-churn": 0.3, "retry-storm": 0.5},
        "stale-endpoint": {"replica-write-or-stale": 0.4, "connection-churn": 0.3, "retry-storm": 0.5},
        "unexpected-replica": {
            "replica-write-or-stale": 0.4, "replica-link-down": 0.4, "config-drift": 0.4, "connection-churn": 0.3,
            "retry-storm": 0.5,
        },
    },
    placeholders=(
        *roles.PLACEHOLDERS, *sync_values.PLACEHOLDERS, *switchover.PLACEHOLDERS,
        Placeholder(name="link_patience", example="60", values=link_patience),
    ),
)  # fmt: skip
