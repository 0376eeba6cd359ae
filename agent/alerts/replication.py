"""Alerts about masters and replicas."""

from collections.abc import Sequence

from agent.alerts.answered import RECENT, Answered, event_age, mode, since_start, started_lately, uptime, window
from agent.alerts.rules import Alert
from agent.evidence.view import Cited, View
from agent.report.quantities import number_text, seconds_text

_ROLE: Cited = ("info", "role")
_LINK: tuple[Cited, ...] = (("info", "master_link_status"), ("info", "master_link_down_since_seconds"))
_SYNCS: tuple[Cited, ...] = (
    ("info", "connected_slaves"), ("info", "sync_full.delta"), ("info", "sync_partial_ok.delta"),
    ("info", "sync_full"), ("info", "sync_partial_ok"), ("log", "replica_lost.count"),
    ("log", "replica_lost.newest_age"),
)  # fmt: skip
LISTED = 4
"""Nodes that are named."""
DAY = 86_400.0
"""Seconds after which a link that was lost is no longer missed: the replica may have been taken away."""


def _servers(views: Sequence[View]) -> list[View]:
    return [view for view in views if not view.is_sentinel]


def _with_role(views: Sequence[View], role: str) -> list[View]:
    return [view for view in _servers(views) if view.text("info", "role") == role]


def _unanswered(views: Sequence[View]) -> list[View]:
    return [view for view in _servers(views) if not view.text("info", "role")]


def _names(views: Sequence[View]) -> str:
    more = f" and {len(views) - LISTED} more" if len(views) > LISTED else ""
    return ", ".join(str(view.node) for view in views[:LISTED]) + more


def _changed(view: View) -> float | None:
    """Seconds since this node became a master by a change of roles, or since it started, if that is recent."""
    ages = [view.number("log", "switch.age"), event_age(view, "role_changed"), uptime(view)]
    recent = [age for age in ages if age is not None and age < RECENT]
    return min(recent, default=None)


def no_master(views: Sequence[View], alert: Alert) -> Answered:
    """Whether no node is a master."""
    masters, silent = _with_role(views, "master"), _unanswered(views)
    seen = len(_servers(views))
    if not masters:
        if not seen or len(silent) == seen:
            lost = silent[0] if silent else None
            told = "yes, as far as can be seen: no node answered"
            return Answered("now", told, lost, (("connect", "unavailable"), ("connect", "stage")))
        replica = _with_role(views, "slave")[0]
        gone = f"; {_names(silent)} didn't answer" if silent else ""
        told = f"yes, none of {seen} nodes is a master{gone}"
        return Answered("now", told, replica, (_ROLE, ("info", "master_host"), ("info", "master_port"), *_LINK))
    first = masters[0]
    evidence: tuple[Cited, ...] = (
        _ROLE, ("info", "uptime_in_seconds"), ("log", "switch.age"), ("log", "role_changed.newest_age"),
    )  # fmt: skip
    if (ago := _changed(first)) is not None:
        told = f"not any more, {first.node} is a master and has been for {seconds_text(ago)}"
        return Answered("over", told, first, evidence)
    up = uptime(first)
    since = f" and has been up for {seconds_text(up)}" if up is not None else ""
    return Answered("no", f"no, {first.node} is a master{since}", first, evidence)


def masters(views: Sequence[View], alert: Alert) -> Answered:
    """Whether more than one node is a master; in a cluster that's by design."""
    found, silent, seen = _with_role(views, "master"), _unanswered(views), len(_servers(views))
    if found and mode(found[0]) == "cluster":
        told = "no, this is a cluster, in which several masters are by design: the rule isn't made for one"
        return Answered("no", told, found[0], (_ROLE, ("info", "redis_mode"), ("info", "server_mode")))
    if len(found) > 1:
        return Answered("now", f"yes, {len(found)} nodes are masters: {_names(found)}", found[0], (_ROLE,))
    if not found:
        if len(silent) == seen:
            return Answered("unknown", "can't tell, because no server could be read")
        return Answered("no", "no, none of the nodes that answered is a master", _servers(views)[0], (_ROLE,))
    first = found[0]
    missing = f"; {_names(silent)} didn't answer" if silent else ""
    if (ago := _changed(first)) is not None:
        since = f", and has been for {seconds_text(ago)}"
        told = f"not any more, only {first.node} of {seen} nodes is a master{since}{missing}"
        return Answered("over", told, first, (_ROLE, ("log", "switch.age"), ("info", "uptime_in_seconds")))
    alone = "it is the only node of its deployment" if seen == 1 else f"only {first.node} of {seen} nodes is a master"
    told = f"no, {alone}; the rule counts every master that the exporter sees{missing}"
    return Answered("no", told, first, (_ROLE, ("info", "connected_slaves")))


def _lost(views: Sequence[View]) -> list[View]:
    """The replicas without a working link, and those that are known but don't answer."""
    down = [view for view in _with_role(views, "slave") if view.text("info", "master_link_status") == "down"]
    return down + [view for view in _unanswered(views) if view.in_topology.get("role") in ("replica", "slave")]


def _primary(views: Sequence[View]) -> View | None:
    found = _with_role(views, "master")
    return max(found, key=lambda view: view.number("info", "connected_slaves") or 0, default=None)


def replicas(views: Sequence[View], alert: Alert) -> Answered:
    """Whether a replica that there should be isn't connected to its master."""
    return _replicas(views, "replica isn't connected", "replicas aren't connected")


def replication(views: Sequence[View], alert: Alert) -> Answered:
    """Whether the master lost a replica."""
    return _replicas(views, "replica lost its master", "replicas lost their master")


def _replicas(views: Sequence[View], one: str, several: str) -> Answered:
    lost, primary = _lost(views), _primary(views)
    if lost:
        what = f"1 {one}" if len(lost) == 1 else f"{len(lost)} {several}"
        since = lost[0].number("info", "master_link_down_since_seconds")
        ago = f", for {seconds_text(since)}" if since is not None and since >= 0 else ""
        return Answered("now", f"yes, {what}: {_names(lost)}{ago}", lost[0], (*_LINK, ("connect", "unavailable")))
    if primary is None:
        follower = next(iter(_with_role(views, "slave")), None)
        if follower is None:
            return Answered("unknown", "can't tell, because no master and no replica could be read")
        told = f"no, the link of {follower.node} to its master is up; the master itself wasn't read"
        return Answered("no", told, follower, _LINK)
    count = primary.number("info", "connected_slaves") or 0
    connected = f"{number_text(count)} {'replica is' if count == 1 else 'replicas are'} connected to {primary.node}"
    gone, began = event_age(primary, "replica_lost"), sum(_began(primary))
    back = [age for event in ("full_resync", "partial_resync") if (age := event_age(primary, event)) is not None]
    if (gone is not None and gone < DAY and not _is_back(primary, gone, back, count)) or (not count and began):
        told = f"yes, {connected}, and replicas connected {_times(began)} {since_start(primary)}"
        if gone is not None:
            told = f"yes, a replica was lost {seconds_text(gone)} ago and hasn't come back; {connected}"
        return Answered("now", told, primary, _SYNCS)
    ages = [event_age(view, event) for view in _servers(views) for event in ("replica_lost", "primary_lost")]
    recent = min((age for age in ages if age is not None and age < RECENT), default=None)
    young = next((view for view in _with_role(views, "slave") if started_lately(view)), None)
    if recent is not None:
        told = f"not any more, {connected}; a link was lost {seconds_text(recent)} ago and came back"
        return Answered("over", told, primary, _SYNCS)
    if young is not None:
        told = f"not any more, {connected}; {young.node} started {seconds_text(uptime(young) or 0)} ago"
        return Answered("over", told, young, (("info", "uptime_in_seconds"), *_LINK))
    if not count:
        told = f"no replica is connected to {primary.node}, and none is known that should be"
        return Answered("unknown", f"can't tell: {told}", primary, _SYNCS)
    again = primary.number("info", "sync_partial_ok") or 0
    more = f"; replicas reconnected {_times(again)} {since_start(primary)}" if again else ""
    return Answered("over" if again else "no", f"{'not now' if again else 'no'}, {connected}{more}", primary, _SYNCS)


def _is_back(primary: View, gone: float, back: Sequence[float], count: float) -> bool:
    """Whether a link began anew after the last one was lost, by the log's ages."""
    if any(age < gone for age in back):
        return True
    # In one moment: each replica was copied to once, besides those that asked to resume and couldn't.
    copied = (primary.number("info", "sync_full") or 0) - (primary.number("info", "sync_partial_err") or 0)
    return gone in back and copied <= count


def _began(primary: View) -> tuple[float, float]:
    """How often replicas were copied to, and resumed, since the master's start."""
    return primary.number("info", "sync_full") or 0, primary.number("info", "sync_partial_ok") or 0


def _times(count: float) -> str:
    return "once" if count == 1 else f"{number_text(count)} times"


def flapping(views: Sequence[View], alert: Alert) -> Answered:
    """Whether replicas come and go."""
    primary = _primary(views)
    if primary is None:
        return Answered("unknown", "can't tell, because no master could be read")
    count = primary.number("info", "connected_slaves") or 0
    now = sum(primary.number("info", f"{kind}.delta") or 0 for kind in ("sync_full", "sync_partial_ok"))
    ever = sum(_began(primary))
    if now or _lost(views):
        lost = f"; {_names(_lost(views))} isn't connected" if _lost(views) else ""
        told = f"yes, replicas reconnected {_times(now)} {window(primary)}{lost}"
        return Answered("now", told, primary, _SYNCS)
    replicas = "replica is" if count == 1 else "replicas are"
    connected = f"{number_text(count)} {replicas} connected, and none reconnected {window(primary)}"
    # Each replica connects once; what is beyond that came back.
    if ever > count:
        told = f"not now: {connected}; replicas connected {_times(ever)} {since_start(primary)}"
        return Answered("over", told, primary, _SYNCS)
    return Answered("no", f"no: {connected}; replicas connected {_times(ever)} {since_start(primary)}", primary, _SYNCS)
