"""What is known about the most recent change of the primary: when, from whom to whom, who decided it, and why."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from agent.answer.diagnosis import Evidence, PastFailover
from agent.checks.failover_reasons import STARTING, ago, reason
from agent.checks.watched import masters, replicas
from agent.evidence.report_words import mention
from agent.evidence.view import Cited, View, ended_at
from tools.patterns import deferred

WORDS = deferred(
    r"\b(fail(ed|s|ing)?[- ]?over|failovers?|switch(ed)?[- ]?over|promot(ed|ion)|t(ook|aken) over|new (primary|master)|"
    r"(primary|master) (has )?(changed|moved|flipped|flapped|switched|isn'?t the one|is not the one|is another|became)|"
    r"(changed|switched|moved) (its|our|the) (primary|master)|(became|is now) (the |a )?(primary|master|replica))\b",
    re.IGNORECASE,
)
"""What people say who ask about a past change of the primary."""
_YET_TO_COME = deferred(
    r"\b(would|will|could|can|should|does|doesn'?t|do|don'?t|may|must|to|no|automatic|isn'?t)\b[^.?!;]{0,40}\Z",
    re.IGNORECASE,
)
"""What precedes the word if it's about a change that may come, or didn't happen."""
ATTACHING = 20.0
"""Seconds within which the other replicas follow a new primary: sentinels notice a new role every ten."""
TOGETHER = 300.0
"""Seconds within which reports in several logs are the same change."""


class _Told(NamedTuple):
    """A change according to one node's log."""

    node: str
    event: str
    by: str
    at: float
    """In seconds since the epoch, by this machine's clock."""
    old: str
    new: str


def asked(symptom: str) -> bool:
    """Whether a report asks about a past change of the primary."""
    return (found := mention(WORDS, symptom)) is not None and not _YET_TO_COME.search(symptom[: found.start()])


def past_failover(views: Sequence[View]) -> PastFailover | None:
    """The most recent change of the primary, as far as the readings show; None if there is no sign of one and nobody
    asked."""
    symptom = next((view.symptom for view in views if view.symptom), "")
    is_asked = asked(symptom)
    found = [one for view in views if (one := _told(view)) is not None]
    if found:
        return _of_logs(views, found, is_asked)
    return _of_state(views, is_asked) or (_nothing(views) if is_asked and _measured(views) else None)


def _measured(views: Sequence[View]) -> bool:
    return any(view.last("replication") or view.last("sentinel") for view in views)


def _told(view: View) -> _Told | None:
    at = view.moment("log", "switch.age")
    if at is None:
        return None
    event, old, new = (view.text("log", f"switch.{field}") for field in ("event", "old", "new"))
    node = str(view.node)
    return _Told(
        node=node, event=event, by=view.text("log", "switch.by"), at=at,
        old=old or (node if event == "demoted" else ""), new=new or (node if event == "promoted" else ""),
    )  # fmt: skip


def _of_logs(views: Sequence[View], found: list[_Told], is_asked: bool) -> PastFailover:
    newest = max(found, key=lambda one: one.at)
    same = [one for one in found if newest.at - one.at <= TOGETHER]
    # A node that was promoted or repointed knows the moment; the old primary may learn of it much later.
    order = ("switched", "promoted", "demoted")
    told = min(same, key=lambda one: (order.index(one.event), one.by == "sentinel", -one.at))
    same = [one for one in same if abs(one.at - told.at) <= TOGETHER]
    old, new = (next((value for one in (told, *same) if (value := getattr(one, end))), "") for end in ("old", "new"))
    by = _decided(views, same)
    down = _called_dead(views, told.at)
    evidence = [*_view(views, told.node).cite(*_LOGGED)]
    now = _read_at(_view(views, told.node))
    moment = datetime.fromtimestamp(told.at, UTC)
    text = [
        f"The primary changed at {moment:%Y-%m-%d %H:%M:%S} UTC ({ago(max(0.0, now - told.at))} ago){_ends(old, new)}."
    ]
    who, cited, unsure = _who(views, by, same, down, new, old)
    text.append(who)
    evidence += cited
    if by in ("sentinel", "cluster"):
        why, cited, more = reason(views, old, told.at, down is not None)
        text.append(why)
        evidence += cited
        unsure += more
    count = max((view.number("log", "switch.count") or 1) for view in views if view.node in {one.node for one in same})
    if count > 1:
        text.append(f"It is the newest of {count:.0f} changes in one log.")
    return PastFailover(
        at=f"{moment:%Y-%m-%dT%H:%M:%SZ}", old=old or None, new=new or None, by=by,
        told=" ".join(filter(None, text)), evidence=tuple(dict.fromkeys(evidence)), unsure=tuple(unsure),
        asked=is_asked,
    )  # fmt: skip


_LOGGED: tuple[Cited, ...] = tuple(
    ("log", f"switch.{field}") for field in ("event", "by", "age", "old", "new", "client", "down_age", "epoch")
)


def _view(views: Sequence[View], node: str) -> View:
    return next(view for view in views if view.node == node)


def _read_at(view: View, tool: str = "log") -> float:
    reading = view.last(tool)
    return ended_at(reading) if reading else 0.0


def _ends(old: str, new: str) -> str:
    return (f", from {old}" if old else "") + (f" to {new}" if new else "")


def _decided(views: Sequence[View], same: Sequence[_Told]) -> str:
    """Who decided, according to all logs together."""
    kinds = {one.by for one in same}
    order = ("sentinel-manual", "failover-command", "cluster-takeover", "cluster-manual", "cluster", "sentinel")
    by = next((kind for kind in order if kind in kinds), "client")
    # A server may hide its clients' names, including a sentinel's.
    watched = any(view.number("sentinel", f"{at}.config-epoch") for view in views for at in masters(view))
    return "sentinel" if by == "client" and watched else by


def _called_dead(views: Sequence[View], at: float) -> tuple[View, Cited] | None:
    """Who had considered the old primary dead before the change."""
    for view in views:
        for field in ("switch.down_age", "cluster_fail.newest_age", "odown.newest_age"):
            before = view.moment("log", field)
            if before is not None and -STARTING <= at - before <= TOGETHER:
                return view, ("log", field)
    return None


def _who(
    views: Sequence[View], by: str, same: Sequence[_Told], down: tuple[View, Cited] | None, new: str, old: str
) -> tuple[str, list[Evidence], list[str]]:
    evidence = list(down[0].cite(down[1])) if down else []
    asker = (
        "who asked for it: the server doesn't record a name; check the history "
        "of your automation and shells from that time"
    )
    client = next((view for view in views if view.get("log", "switch.client") is not None
                   and view.node in {one.node for one in same}), None)  # fmt: skip
    if by == "sentinel-manual":
        text = (
            "Somebody asked for it (SENTINEL FAILOVER, by a person or a script): "
            "no sentinel had declared a primary dead."
        )
        theirs = [view for view in views if view.text("log", "switch.by") == by]
        return text, [*theirs[0].cite(("log", "switch.by"))], [asker]
    if by == "failover-command":
        return (
            "Somebody asked for it with FAILOVER: a planned switch, and the old primary handed over in sync.",
            [],
            [asker],
        )
    if by == "cluster-manual":
        return (
            (f"Somebody asked for it with CLUSTER FAILOVER on {new or 'a replica'}; the primaries agreed."),
            [],
            [asker],
        )
    if by == "cluster-takeover":
        text = (
            f"Somebody made {new or 'a replica'} take over with CLUSTER FAILOVER "
            "TAKEOVER, without the primaries' votes."
        )
        return text, evidence, [asker]
    if by == "client":
        at = client.text("log", "switch.client") if client else ""
        text = (
            f"A client{f' at {at}' if at else ''} asked for it with REPLICAOF; "
            "neither a sentinel nor the cluster decided it."
        )
        return text, [*client.cite(("log", "switch.client"))] if client else [], [asker]
    if by == "cluster":
        dead = f", after {old or 'the old one'} had been marked as failed" if down else ""
        return f"The cluster's primaries elected {new or 'a replica'}{dead}.", evidence, []
    if down:
        return "Sentinel decided it: it had declared the old primary dead (+odown).", evidence, []
    unread = [str(view.node) for view in views if view.is_sentinel and view.number("log", "switch.age") is None]
    where = f" ({', '.join(unread)})" if unread else ""
    text = "Sentinel carried it out; nothing that was read says that it had declared the old primary dead first."
    lack = "whether it had (+odown) or somebody asked for it (Executing user requested FAILOVER)"
    return text, [], [f"{lack}: the log of the sentinel that led it{where}"]


def _of_state(views: Sequence[View], is_asked: bool) -> PastFailover | None:
    """What servers and sentinels still know without a log."""
    promoted = next((view for view in views if view.text("replication", "role") == "master"
                     and (view.number("replication", "second_repl_offset") or -1) > 0), None)  # fmt: skip
    watching = next(((view, at) for view in views for at in masters(view)
                     if view.number("sentinel", f"{at}.config-epoch")), None)  # fmt: skip
    if promoted is None and watching is None:
        return None
    text, evidence = [], list[Evidence]()
    moment: str | None = None
    new = str(promoted.node) if promoted else ""
    if watching:
        view, at = watching
        new = view.text("sentinel", f"{at}.address")
        others = [view.text("sentinel", f"{one}.address") for one in replicas(view, at)]
        since, epoch = (
            view.number("sentinel", f"{at}.role-reported-time"),
            view.number("sentinel", f"{at}.config-epoch"),
        )
        text.append(f"{new} became the primary in a Sentinel failover (config-epoch {epoch or 0:.0f})")
        least = promoted.number("replication", "output.oldest_age") if promoted else None
        # A replica reconnects when the primary changes, and a sentinel's memory starts afresh when it is started.
        if since and least is not None and abs(since / 1000 - least) <= ATTACHING:
            at_ = datetime.fromtimestamp(_read_at(view, "sentinel") - since / 1000, UTC)
            moment = f"{at_:%Y-%m-%dT%H:%M:%SZ}"
            text.append(f" at about {at_:%Y-%m-%d %H:%M:%S} UTC ({ago(since / 1000)} ago).")
        else:
            text.append(f" {ago(since / 1000)} ago, or before the sentinel was started." if since else ".")
        if len(others) == 1:
            text.append(f" The one before was most likely {others[0]}.")
        fields = ("config-epoch", "role-reported-time", "address")
        evidence += view.cite(*(("sentinel", f"{at}.{field}") for field in fields))
    elif promoted:
        up, least = promoted.number("info", "uptime_in_seconds"), promoted.number("replication", "output.oldest_age")
        text.append(f"{new} was a replica and was promoted (second_repl_offset is set)")
        text.append(f", at most {ago(up)} ago, when it was started" if up else "")
        text.append(f", and at least {ago(least)} ago, since a replica has been attached that long." if least else ".")
    if promoted:
        evidence += promoted.cite(("replication", "second_repl_offset"), ("info", "uptime_in_seconds"),
                                  ("replication", "output.oldest_age"))  # fmt: skip
    lack = "who decided it and why:" if moment else "when exactly, who decided it and why:"
    lack += " the logs of the sentinels, of the old primary and of the new one"
    return PastFailover(
        at=moment, old=None, new=new, by="sentinel" if watching else "unknown", told="".join(text),
        evidence=tuple(evidence), unsure=(f"{lack}, which couldn't be read from here",), asked=is_asked,
    )  # fmt: skip


def _nothing(views: Sequence[View]) -> PastFailover:
    evidence = [one for view in views for one in view.cite(("replication", "second_repl_offset"))][:4]
    evidence += [
        one for view in views for at in masters(view) for one in view.cite(("sentinel", f"{at}.config-epoch"))
    ][:2]
    text = "No failover is visible in what was read: no node remembers a promotion since it was started"
    text += ", and the logs that were read show none." if any(view.number("log", "lines") for view in views) else "."
    lack = "what happened before these logs begin or the nodes were started: see older logs, and the sentinels'"
    return PastFailover(at=None, old=None, new=None, by="unknown", told=text, evidence=tuple(evidence), unsure=(lack,),
                        asked=True)  # fmt: skip
