"""What a cluster tells its clients to dial where that isn't an address."""

from agent.checks.types import Found, Limits
from agent.evidence.view import View

PREFERRED, OWN = ("cluster", "cluster-preferred-endpoint-type"), ("cluster", "cluster-announce-hostname")


def nameless_endpoints(view: View, limits: Limits) -> Found:
    """Redirects that name a host which was never announced: clients get a question mark in its place."""
    if view.text(*PREFERRED) != "hostname":
        return
    nameless = [peer for peer in (view, *view.peers_with("cluster")) if peer.get(*OWN) == ""]
    if not nameless:
        return
    nodes = ", ".join(dict.fromkeys(str(one.node) for one in nameless[:6]))
    why = (
        "cluster-preferred-endpoint-type is hostname, but cluster-announce-hostname is empty at "
        f'{nodes}{" and others" if len(nameless) > 6 else ""}: redirects and CLUSTER SLOTS name these as "?", which '
        "no client can connect to."
    )
    cited = PREFERRED, OWN, ("info", "errorstat_MOVED.count.delta")
    cause = view.cause("announced-address-unreachable", 0.96, why, *cited)
    more = nameless[0].cite(OWN) if nameless[0] is not view else ()
    yield cause.model_copy(update={"evidence": (*cause.evidence, *more)})
