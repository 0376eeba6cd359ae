"""Nodes named by others that aren't what they were named as: another service, or another team's Redis."""

import re
from collections.abc import Iterable, Sequence

from agent.answer.diagnosis import Cause
from agent.evidence.report_words import mention
from agent.evidence.view import View
from tools.patterns import deferred

LOGIN_WORDS = deferred(
    r"\b(WRONGPASS|NOAUTH|(invalid|wrong) (username|password)|passwords?|credentials?|secrets?|authenticat\w+|auth)\b",
    re.IGNORECASE,
)
"""What people say about refused logins."""
MOST = 0.45
"""Highest probability of findings at such a node: they don't cause an incident of the deployment in question."""
_NONE = frozenset(("", "0" * 40))


def strangeness(view: View, named: View) -> str | None:
    """Why a node named by others doesn't belong to the deployment of the `named` node; None if nothing shows that."""
    kind = view.unavailable("connect")
    if named.last("info") is None or named.unavailable("info"):
        # A node that isn't known itself can't show who belongs to it.
        return None
    if view.get("connect", "speaks_resp") is False:
        return "what answers there doesn't speak the Redis protocol"
    if kind == "tls" and named.unavailable("connect") is None:
        return "what answers there doesn't speak TLS, unlike the named node"
    if kind in ("noauth", "wrongpass") and named.get("connect", "auth") != "not-required" and not _fellow(view, named):
        return "what answers there accepts different credentials from the named node"
    if view.last("info") is None or view.unavailable("info"):
        return None
    if named.text("topology", "topology") == "cluster":
        mode = view.text("info", "server_mode") or view.text("info", "redis_mode")
        return "what answers there isn't a cluster node" if mode and mode != "cluster" else None
    if view.in_topology.get("role") == "replica" and view.text("info", "role") == "master":
        histories = {view.text("info", name) for name in ("master_replid", "master_replid2")} - _NONE
        known = {
            named.text(tool, name) for tool in ("info", "replication")
            for name in ("master_replid", "master_replid2")
        } - _NONE  # fmt: skip
        if histories and known and not histories & known:
            return "what answers there is an independent primary, whose data never came from here"
    return None


def _fellow(view: View, named: View) -> bool:
    """Whether it serves slots of the same cluster, whose clients use one password, and a refused login is reported."""
    cluster = named.text("topology", "topology") == "cluster"
    up = cluster and view.in_topology.get("role") == "primary" and view.in_topology.get("seen") == "up"
    return up and mention(LOGIN_WORDS, named.symptom) is not None


def strangers(views: Sequence[View]) -> dict[str, str]:
    """By node: why it isn't one of the deployment that the first node belongs to."""
    if not views:
        return {}
    reasons = {str(view.node): strangeness(view, views[0]) for view in views[1:] if not view.is_sentinel}
    return {node: why for node, why in reasons.items() if why}


def lowered(causes: Iterable[Cause]) -> list[Cause]:
    """The findings at a stranger, which aren't causes."""
    return [cause.model_copy(update={"probability": min(cause.probability, MOST)}) for cause in causes]
