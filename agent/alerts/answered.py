"""How an alert's question is answered, and which node's answer stands for a deployment."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from agent.alerts.rules import Alert
from agent.answer.open_points import AlertState
from agent.evidence.view import Cited, View
from agent.report.quantities import seconds_text

ORDER: Sequence[AlertState] = ("now", "over", "unknown", "no")
"""Which of several nodes' answers counts: the worst."""
RECENT = 3600.0
"""Seconds since a server's start, or since an event, within which it may be what an alert was about."""


class Answered(NamedTuple):
    """The answer of one node, or of a deployment."""

    state: AlertState
    told: str
    """Follows the rule's name and a colon; no full stop."""
    view: View | None = None
    cited: tuple[Cited, ...] = ()


Ask = Callable[[View, Alert], Answered]
AskAll = Callable[[Sequence[View], Alert], Answered]


def of_worst(ask: Ask, *, shared: bool = False) -> AskAll:
    """A question that each server answers for itself; if it's about what they `shared`, one that answers is enough."""

    def asked(views: Sequence[View], alert: Alert) -> Answered:
        servers = [view for view in views if not view.is_sentinel]
        named = [view for view in servers if view.node and view.node in view.symptom]
        found = [ask(view, alert) for view in named or servers]
        if not found:
            return Answered("unknown", "can't tell, because no server was read")
        answered = [one for one in found if one.state != "unknown"] if shared else []
        silent = [one.view.node for one in found if one.view is not None] if answered else []
        silent = [node for node in silent if all(one.view is None or one.view.node != node for one in answered)]
        worst = min(answered or found, key=lambda one: ORDER.index(one.state))
        where = f" at {worst.view.node}" if len(servers) > 1 and worst.view is not None else ""
        if shared or (worst.view is not None and f" {worst.view.node} " in f" {worst.told} "):
            where = ""
        if silent:
            return worst._replace(told=f"{worst.told}{where}; {silent[0]}{more_of(silent)} couldn't be read")
        if len(found) > 1 and worst.state == "no":
            where = f" (so {len(found)} nodes say; this is {worst.view.node})" if worst.view is not None else ""
        return worst._replace(told=f"{worst.told}{where}")

    return asked


def more_of(nodes: Sequence[object]) -> str:
    """How many besides the first."""
    return f" and {len(nodes) - 1} more" if len(nodes) > 1 else ""


def unread(view: View, what: str) -> Answered:
    """Nothing is known about this node."""
    return Answered("unknown", f"can't tell, because {what} of {view.node} couldn't be read", view)


def uptime(view: View) -> float | None:
    """Seconds since the server's start."""
    return view.number("info", "uptime_in_seconds")


def mode(view: View) -> str:
    """How the server runs: standalone, cluster or sentinel; empty if that wasn't read."""
    return view.text("info", "redis_mode") or view.text("info", "server_mode")


def since_start(view: View) -> str:
    """How long the counters have counted."""
    up = uptime(view)
    return f"since the server started {seconds_text(up)} ago" if up is not None else "since the server started"


def window(view: View) -> str:
    """How long was measured."""
    return f"in the last {seconds_text(round(view.number('info', 'window_seconds') or 2, 1))}"


def started_lately(view: View) -> bool:
    """Whether it started so recently that its counters say nothing about the time of an alert."""
    up = uptime(view)
    return up is not None and up < RECENT


def event_age(view: View, event: str) -> float | None:
    """Seconds since the newest line of a kind in this run's log."""
    return view.number("log", f"{event}.newest_age")
