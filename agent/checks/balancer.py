"""One address that leads to several servers: a load balancer, a service or a name in front of a primary and its
replicas."""

import re

from agent.checks.types import Found, Limits
from agent.evidence.managed import service_of
from agent.evidence.report_words import mention
from agent.evidence.view import Cited, View
from tools.patterns import deferred

READONLY_WORDS = deferred(
    r"\b(READONLY|read[- ]only (replica|slave)|can't write against|(some|every (second|third|other)|half of (the|them)|"
    r"now and then|at random|sometimes|in turns?)\b.{0,60}\b(writes?|SETs?|carts?|keys?|orders?|values?|missing|old|"
    r"stale|gone)|(writes?|written|saved?|SETs?|carts?|keys?|orders?|values?)\b.{0,40}\b(sometimes|now and then|"
    r"at random|in turns|every (second|third|other)))",
    re.IGNORECASE,
)
"""Words with which people report that one address answers like different servers."""
YOUNG = 3
"""With an uptime up to this many seconds, another run_id may be the same server, restarted meanwhile."""
SEEN = 5
"""The most connections that are compared."""


def balancer(view: View, limits: Limits) -> Found:
    """Connections to the given address reach servers with different run_ids."""
    runs, roles = view.number("same_server", "runs"), set(view.text("same_server", "roles").split(","))
    cited: tuple[Cited, ...] = (
        ("same_server", "runs"), ("same_server", "roles"), ("same_server", "connections"),
        *(("same_server", f"c{n}.{name}") for n in range(1, SEEN) for name in ("run", "role")),
        ("replication", "errorstat_READONLY.count.delta"),
    )  # fmt: skip
    if runs is None or service_of(view) is not None:
        # A service's own endpoint leads to the primary, to any replica or to a proxy, whichever it is there for.
        return
    if runs <= 1:
        if (count := view.number("same_server", "connections") or 0) > 1:
            because = f"{count:.0f} connections to this address all reached the same server."
            yield view.not_("balancer-over-replicas", because, *cited[:3])
        return
    uptimes = [view.number("same_server", f"c{n}.uptime") for n in range(1, SEEN)]
    newest = min((uptime for uptime in uptimes if uptime is not None), default=None)
    if newest is not None and newest <= YOUNG:
        return
    told = mention(READONLY_WORDS, view.symptom) is not None
    errors = any(
        (one.number("replication", "errorstat_READONLY.count.delta") or 0) > 0
        for one in (view, *view.peers_with("replication"))
    )  # fmt: skip
    count = view.number("same_server", "connections") or 0
    why = f"{count:.0f} connections to this one address reached {runs:.0f} different servers"
    if roles == {"slave"}:
        # A name only for reads does that on purpose.
        why += ", all of them replicas: this address is for reads only."
        yield view.cause("balancer-over-replicas", 0.6 if errors else 0.3, why, *cited)
    elif "slave" in roles:
        why += ", a primary and a replica: it is chance which one a client gets"
        why += ", and writes that reach the replica are refused (READONLY)." if errors else "."
        yield view.cause("balancer-over-replicas", 0.985 if errors else 0.9 if told else 0.6, why, *cited)
    else:
        why += ", each of them a separate primary: one client can't find what another has written."
        yield view.cause("balancer-over-replicas", 0.9, why, *cited)
