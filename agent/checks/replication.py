"""Replication: whether replicas follow, what keeps them from it, and whether the primary may take writes."""

import re

from agent.answer.diagnosis import Cause
from agent.checks.resyncs import SHOWN, again, resyncs, seen_below
from agent.checks.roles import masterdown, readonly
from agent.checks.types import Family, Found, Limits
from agent.evidence.view import Cited, View
from tools.connection.target import address

STALE_WORDS = re.compile(
    r"\b(replica\w*|slaves?|connected_slaves|stale|old data|outdated|behind|in step|in sync|syncs?|resyncs?)\b",
    re.IGNORECASE,
)
"""Words with which people report that a replica doesn't follow."""
AUTH = ("NOAUTH", "WRONGPASS", "NOPERM")


def primary_of(view: View) -> View | None:
    """The view of the node that this replica follows, or None where it isn't known."""
    host, port = view.text("replication", "master_host"), view.number("replication", "master_port")
    named = address(host, int(port)) if host and port else ""
    primaries = [peer for peer in view.peers if peer.text("replication", "role") == "master"]
    found = [peer for peer in view.peers if peer.node == named] or (primaries if len(primaries) == 1 else [])
    return found[0] if found else None


def trouble(peer: View | None) -> tuple[str, tuple[Cited, ...]] | None:
    """What's wrong with a node itself, such that who talks to it suffers; None where nothing is known to be."""
    if peer is None:
        return None
    if peer.get("process", "stopped") is True or peer.get("process", "cgroup_frozen") is True:
        return "is stopped", (("process", "state"), ("process", "cgroup_frozen"))
    kind = peer.unavailable("connect")
    words = {
        "refused": "isn't running", "loading": "is loading its dataset", "busy": "is busy with a script",
        "maxclients": "turns clients away", "protected": "is in protected mode",
    }  # fmt: skip
    silent = peer.unavailable("silence") == "timeout" or (
        kind == "timeout" and peer.get("connect", "stage") not in ("dns", "tcp", "tls", None)
    )
    if kind in words:
        return words[kind], (("connect", "unavailable"),)
    # A listener that isn't the server is a proxy: its silence is the way's, not the primary's.
    if silent and peer.get("process", "locality") != "foreign-listener":
        return "doesn't answer", (("connect", "unavailable"), ("silence", "unavailable"))
    return None


def refused(view: View, limits: Limits) -> str | None:
    """The error with which its primary refuses this replica's login, by the replica's own log."""
    recent = limits["replication_event_seconds"]
    for event in ("replication_aborted", "replication_refused"):
        age, error = view.number("log", f"{event}.newest_age"), view.text("log", f"{event}.error")
        if age is not None and age <= recent and error in AUTH:
            return error
    age = view.number("log", "replication_auth.newest_age")
    return "WRONGPASS" if age is not None and age <= recent else None


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
            because = f"The link is up, and its last byte came {quiet:.0f} s ago."
            yield view.not_("replica-link-down", because, *cited[:4])
        return
    primary = primary_of(view)
    if not up and (error := refused(view, limits) or _refused_above(primary)):
        why = f"The primary refuses this replica's login or its commands ({error}): masteruser or masterauth is wrong."
        cause = view.cause(
            "masterauth-mismatch", 0.96, why, ("log", "replication_auth.newest_age"),
            ("log", "replication_aborted.error"), ("log", "replication_refused.error"), *cited[:2],
        )  # fmt: skip
        yield _with(cause, primary, *(("replication", f"errorstat_{word}.count.delta") for word in AUTH))
    if sick := trouble(primary):
        why = f"The link to the primary is down because the primary {sick[0]}."
        yield _with(view.cause("replica-link-down", 0.4, why, *cited), primary, *sick[1])
    elif primary and again(primary, limits):
        why = "The link is down between two syncs of a row that the primary shows the reason for."
        yield view.cause("replica-link-down", 0.35, why, *cited)
    elif up:
        why = f"The link counts as up, and nothing came over it for {quiet:.0f} s, pings included."
        yield _with(view.cause("replica-link-down", 0.85, why, *cited), primary, ("connect", "stage"))
    elif view.number("replication", "master_sync_in_progress") == 1:
        why = "The replica is receiving a whole copy; until then its link counts as down."
        yield view.cause("replica-link-down", 0.45, why, ("replication", "master_sync_in_progress"), *cited)
    else:
        down = view.number("replication", "master_link_down_since_seconds") or 0
        since = f" for {down:.0f} s" if down > 0 else ""
        why = f"The link to the primary is down{since}: this replica keeps answering with old data."
        yield _with(view.cause("replica-link-down", 0.95, why, *cited), primary, ("connect", "unavailable"))


def _refused_above(primary: View | None) -> str | None:
    if primary is None or primary.number("replication", "connected_slaves") != 0:
        return None
    counts = {word: primary.number("replication", f"errorstat_{word}.count.delta") or 0 for word in AUTH}
    # Replicas try once a second; who isn't let in asks for a replica's things.
    asked = any((primary.number("commandstats", f"{name}.rejected_calls.delta") or 0) > 0 for name in ("psync", "ping"))
    worst = max(counts, key=lambda word: counts[word])
    return worst if asked and counts[worst] > 0 else None


def _with(cause: Cause, other: View | None, *cited: Cited) -> Cause:
    """A cause with evidence of another node beside its own."""
    more = other.cite(*cited) if other else ()
    return cause.model_copy(update={"evidence": (*cause.evidence, *more)})


def turned_away(view: View, limits: Limits) -> Found:
    """A primary that refuses a replica: the errors that it counts are that replica's."""
    if view.text("replication", "role") != "master":
        return
    cited: tuple[Cited, ...] = tuple(("replication", f"errorstat_{word}.count.delta") for word in AUTH)
    below = [peer for peer in view.peers if peer.text("replication", "master_link_status") == "down"]
    for peer in below:
        if refused(peer, limits):
            why = f"The replica at {peer.node} is refused each time it tries to follow: its masterauth is wrong."
            cause = view.cause("masterauth-mismatch", 0.95, why, *cited)
            # It's the replica's setting that has to be fixed.
            yield _with(cause.model_copy(update={"where": peer.node}), peer, ("log", "replication_auth.newest_age"))
            return
    psync = view.number("commandstats", "psync.rejected_calls.delta") or 0
    if psync > 0:
        why = f"A replica was refused {psync:.0f} times over the window before it could sync: it isn't authenticated."
        yield view.cause(
            "masterauth-mismatch", 0.94, why, ("commandstats", "psync.rejected_calls.delta"),
            ("commandstats", "replconf.rejected_calls.delta"), *cited, ("replication", "connected_slaves"),
        )  # fmt: skip


def lost(view: View, limits: Limits) -> Found:
    """The primary had a replica within the hour and has none: it keeps the backlog for it."""
    none = view.number("replication", "connected_slaves") == 0
    if view.text("replication", "role") != "master" or not none:
        return
    # Where the replica is known, its own readings tell more.
    if view.number("replication", "repl_backlog_active") != 1 or any(
        peer.text("replication", "role") == "slave" or peer.in_topology.get("role") == "replica" for peer in view.peers
    ):
        return
    words = STALE_WORDS.search(view.symptom) is not None
    why = "This primary keeps a backlog for a replica that it had within the last hour, and has none."
    cited: tuple[Cited, ...] = (
        ("replication", "connected_slaves"), ("replication", "repl_backlog_active"), ("log", "replica_lost.newest_age"),
        ("log", "replica_timeout.newest_age"),
    )  # fmt: skip
    yield view.cause("replica-link-down", 0.75 if words else 0.45, why, *cited)


def lag(view: View, limits: Limits) -> Found:
    """A replica acknowledges less than what is written, or nothing at all."""
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
                yield view.not_("replica-lag", "Every replica acknowledges what was written a moment ago.", *cited[:3])
            return
        name = view.text("replication", f"{at}.address")
        peer = next((peer for peer in view.peers if peer.node == name), None)
        since = f", and hasn't acknowledged anything for {quiet:.0f} s" if quiet > 1 else ""
        why = f"The replica at {name} is {behind / 2**20:.1f} MiB behind{since}"
        sick = trouble(peer)
        why += f", because it {sick[0]}." if sick else f"; {rate / 1024:.0f} KiB a second are written."
        cause = view.cause("replica-lag", 0.4 if sick else 0.93, why, *cited)
        # The replica, or the way to it, has to be fixed.
        cause = cause.model_copy(update={"where": peer.node if peer else view.node})
        yield _with(cause, peer, ("replication", "slave_repl_offset"), *(sick[1] if sick else ()))
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
        why = f"{of} {missing:.0f} good replicas are missing; {errors:.0f} writes were refused over the window."
        sick = any(trouble(peer) for peer in view.peers)
        yield view.cause("noreplicas", (0.92 if sick else 0.96) if errors else 0.85, why, *cited)
    elif view.number("replication", "errorstat_NOREPLICAS.count") and view.number(*cited[1]) == 0:
        because = "Writes were refused since the start; now no good replica is missing."
        yield view.not_("noreplicas", because, cited[1], cited[3])


FAMILY = Family(
    checks=(link, turned_away, lost, lag, noreplicas, resyncs, seen_below, readonly, masterdown),
    needs={
        "replica-link-down": ("replication",), "masterauth-mismatch": ("log",), "replica-lag": ("replication",),
        "noreplicas": ("replication",), "replica-output-loop": ("replication",), "backlog-too-small": ("replication",),
        "replica-write-or-stale": (), "stale-endpoint": (), "unexpected-replica": (),
    },
    consequences={
        "masterauth-mismatch": {"auth-failure": 0.3, "replica-link-down": 0.3, "connection-churn": 0.4},
        "noreplicas": {"replica-link-down": 0.5, "connection-churn": 0.3, "retry-storm": 0.5},
        "replica-output-loop": {
            "replica-link-down": 0.4, "slow-consumer-output": 0.3, "replica-lag": 0.4, "fork-stall": 0.5,
            "bandwidth-cap": 0.4, "nonkey-memory": 0.5,
        },
        "backlog-too-small": {"replica-link-down": 0.4, "replica-lag": 0.4, "fork-stall": 0.5, "bandwidth-cap": 0.4},
        "replica-write-or-stale": {"connection-churn": 0.3, "retry-storm": 0.5},
        "stale-endpoint": {"replica-write-or-stale": 0.4, "connection-churn": 0.3, "retry-storm": 0.5},
        "unexpected-replica": {
            "replica-write-or-stale": 0.4, "replica-link-down": 0.4, "config-drift": 0.4, "connection-churn": 0.3,
            "retry-storm": 0.5,
        },
    },
)  # fmt: skip
