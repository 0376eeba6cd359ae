"""In a large deployment: the nodes examined in depth, chosen by what a glance at all of them showed."""

import statistics
from collections import Counter
from collections.abc import Sequence

from agent.answer.diagnosis import Cause, Verdict
from agent.answer.open_points import Complained
from agent.evidence.view import View

ALL, DEPTH, MOST = 6, 6, 10
"""The most nodes that are all examined in depth, how many of a larger deployment, and the most if more are in
trouble."""
SUSPECTED = 0.3
"""Least probability of a finding that makes its node worth a closer look."""
FIGURES = (
    ("commandstats", "busy_share"), ("latency_sample", "median_ms"), ("info", "used_memory"),
    ("info", "connected_clients"), ("info", "instantaneous_ops_per_sec"), ("info", "blocked_clients"),
)  # fmt: skip
"""Figures of which a node may have far more than the others."""
LIMITED, NEARLY = (("used_memory", "maxmemory"), ("connected_clients", "maxclients")), 0.9
"""Figures with their limits, and the share of a limit at which it counts as nearly reached."""
LOST, RELATED = 1.0, 0.4
"""The weight of a node that is down, and of the one at the other end of its replication."""
YOUNG = 0.5
"""Share of the median uptime below which a node restarted on its own: its log shows why, and with what data."""
RESTARTED, AHEAD = 0.3, 0.3
"""The weight of such a node, and of one that has far more of something than the others."""
SHARED = 0.5
"""Share of the nodes from which on a complaint sets none of them apart."""
FAR = 3.0
"""Multiple of the median of all nodes that is more than chance: evenly loaded shards and their replicas stay within
twice the median."""


def worth_depth(views: Sequence[View], found: Verdict, symptom: str) -> list[str]:
    """The names of at most `MOST` of these nodes, the first of which was named by its URL: that one, then those that
    the symptom names, don't answer, have a finding or a complaint of their own, started long after the others or have
    far more of something than they do, and a sample of the rest up to `DEPTH`."""
    own = _own_complaints(found.complaints, len(views))
    scores = {str(view.node): _trouble(view, found.findings, own[view.node], symptom) for view in views}
    for name in _restarted(views):
        scores[name] += RESTARTED
    ahead = _far_ahead(views)
    for name in ahead:
        scores[name] += AHEAD
    for view in views:
        # The replicas of a lost primary show what happened to it, and the primary of a replica that lost its link
        # likewise.
        primary = f"{view.text('info', 'master_host')}:{view.text('info', 'master_port')}"
        if scores.get(primary, 0.0) >= LOST:
            scores[str(view.node)] += RELATED
        elif primary in scores and view.text("info", "master_link_status") == "down":
            scores[primary] += RELATED
    troubled = sorted((name for name in scores if scores[name]), key=lambda name: -scores[name])
    chosen = [str(views[0].node), *(name for name in troubled if name != views[0].node)][:MOST]
    for name in _spread([str(view.node) for view in views]):
        if len(chosen) >= DEPTH:
            break
        if name not in chosen:
            chosen.append(name)
    return chosen


def _own_complaints(complaints: Sequence[Complained], nodes: int) -> Counter[str | None]:
    """By node, the complaints that it doesn't share with most: one dead node is a complaint of all its neighbours."""
    made = {(one.node, one.evidence[0].field if one.evidence else one.what) for one in complaints}
    shared = Counter(field for _, field in made)
    return Counter(node for node, field in made if shared[field] <= nodes * SHARED)


def _trouble(view: View, findings: Sequence[Cause], own: int, symptom: str) -> float:
    if view.unavailable("connect") == "untrusted":
        return 0.0
    worst = max((cause.probability for cause in findings if cause.where == view.node), default=0.0)
    score = worst if worst >= SUSPECTED else 0.0
    # The number of complaints says little about which node is worse; having any sets it apart from the rest.
    score += 0.2 * min(5, own)
    if view.last("info") is None or view.first_unavailable("timeout", "refused", "reset", "dns", "tls"):
        score += 2.0
    for used, limit in LIMITED:
        most = view.number("info", limit)
        score += 0.5 * bool(most and (view.number("info", used) or 0) >= NEARLY * most)
    if view.in_topology.get("seen") == "down":
        score += 1.0
    return score + 5.0 * (str(view.node) in symptom)


def _restarted(views: Sequence[View]) -> list[str]:
    """The nodes that have been up much shorter than most; none if there are many, as in a rollout."""
    up = {str(view.node): value for view in views if (value := view.number("info", "uptime_in_seconds")) is not None}
    middle = statistics.median(up.values()) if up else 0.0
    young = [name for name, value in up.items() if value < YOUNG * middle]
    return young if len(young) <= DEPTH // 2 else []


def _far_ahead(views: Sequence[View]) -> list[str]:
    """The node that leads in each figure, if it's far above the median; the farthest first."""
    ahead = dict[str, float]()
    for tool, field in FIGURES:
        values = {str(view.node): value for view in views if (value := view.number(tool, field)) is not None}
        if len(values) < 2:
            continue
        first = max(values, key=values.__getitem__)
        middle = statistics.median(values.values())
        if values[first] > FAR * middle:
            ahead[first] = max(ahead.get(first, 0.0), values[first] / middle if middle else float("inf"))
    return sorted(ahead, key=lambda name: -ahead[name])


def _spread(names: Sequence[str]) -> list[str]:
    """All of them, each far from the previous ones: neighbours are often alike."""
    step = max(1, len(names) // DEPTH)
    return [names[at] for start in range(step) for at in range(start, len(names), step)]
