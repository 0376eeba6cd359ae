"""Alerts about a cluster's slots and state."""

from agent.alerts.answered import RECENT, Answered, event_age, mode, since_start, unread
from agent.alerts.rules import Alert
from agent.evidence.view import Cited, View
from agent.report.quantities import number_text, seconds_text

_EVIDENCE: tuple[Cited, ...] = (
    ("cluster", "cluster_state"), ("cluster", "cluster_slots_fail"), ("cluster", "cluster_slots_pfail"),
    ("cluster", "slots_unassigned"), ("cluster", "down1.address"), ("cluster", "down1.state"),
    ("log", "cluster_state.newest_age"), ("log", "cluster_fail.newest_age"), ("log", "cluster_fail_over.newest_age"),
)  # fmt: skip


def slots_fail(view: View, alert: Alert) -> Answered:
    """Whether slots belong to a node that the cluster agrees is down."""
    return _slots(view, "cluster_slots_fail", "in FAIL state", ("cluster_fail", "cluster_fail_over", "cluster_state"))


def slots_pfail(view: View, alert: Alert) -> Answered:
    """Whether slots belong to a node that this one can't reach."""
    return _slots(view, "cluster_slots_pfail", "in PFAIL state", ("cluster_fail", "cluster_fail_over"))


def _slots(view: View, field: str, state: str, events: tuple[str, ...]) -> Answered:
    if (single := _no_cluster(view)) is not None:
        return single
    count = view.number("cluster", field)
    if count is None:
        return unread(view, "CLUSTER INFO")
    if count:
        address = view.text("cluster", "down1.address")
        of = f" ({address})" if address else ""
        return Answered("now", f"yes, {number_text(count)} slots belong to a node {state}{of}", view, _EVIDENCE)
    other = view.number("cluster", "cluster_slots_fail") or 0
    worse = f"; {number_text(other)} are in FAIL state instead" if other else ""
    return _past(view, f"no slots belong to a node {state}{worse}", events)


def cluster_state(view: View, alert: Alert) -> Answered:
    """Whether the cluster says that it can't serve."""
    if (single := _no_cluster(view)) is not None:
        return single
    state = view.text("cluster", "cluster_state")
    if not state:
        return unread(view, "CLUSTER INFO")
    if state != "ok":
        missing = view.number("cluster", "slots_unserved") or view.number("cluster", "slots_unassigned") or 0
        slots = f"; {number_text(missing)} slots have no working node" if missing else ""
        return Answered("now", f"yes, the cluster's state is {state}{slots}", view, _EVIDENCE)
    return _past(view, "the cluster's state is ok", ("cluster_state",))


def _past(view: View, now: str, events: tuple[str, ...]) -> Answered:
    """What it was before, as far as this run's log says."""
    ages = [age for event in events if (age := event_age(view, event)) is not None]
    if ages and min(ages) < RECENT:
        told = f"not any more, {now}; the log shows a change {seconds_text(min(ages))} ago"
        return Answered("over", told, view, _EVIDENCE)
    if ages:
        return Answered("over", f"not now, {now}; the last change was {seconds_text(min(ages))} ago", view, _EVIDENCE)
    return Answered("no", f"no, {now}, and no change is known {since_start(view)}", view, _EVIDENCE)


def _no_cluster(view: View) -> Answered | None:
    if mode(view) in ("cluster", ""):
        return None
    told = f"no, this server isn't part of a cluster (its mode is {mode(view)})"
    return Answered("no", told, view, (("info", "redis_mode"), ("info", "server_mode")))
