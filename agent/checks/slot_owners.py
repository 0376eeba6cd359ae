"""Slots that each node believes to be another's: a move of which only some nodes were informed."""

from agent.checks.types import Found, Limits
from agent.evidence.view import View

SLOTS = 16384


def unclaimed(view: View) -> float:
    """How many slots no primary takes for its own, although this node has an owner for each; 0 unless all were read.

    Clients are then sent in circles. Between two steps of a move that goes on it's so for a moment, but then only one
    node redirects, and its slots are open.
    """
    every = [one for one in (view, *view.peers_with("cluster")) if one.number("cluster", "my_slots")]
    size = view.number("cluster", "cluster_size")
    if not view.number("cluster", "my_slots") or not size or len(every) < size:
        return 0.0
    if view.number("cluster", "slots_unassigned") != 0 or view.number("cluster", "slots_unserved") != 0:
        return 0.0
    if any(one.number("cluster", f"slots_{way}") != 0 for one in every for way in ("migrating", "importing")):
        return 0.0
    if sum((one.number("info", "errorstat_MOVED.count.delta") or 0) > 1 for one in every) < 2:
        return 0.0
    return max(0.0, SLOTS - sum(one.number("cluster", "my_slots") or 0 for one in every))


def redirected_in_circles(view: View, limits: Limits) -> Found:
    """Slots that were given away by their owner and never taken by another."""
    count, moved = unclaimed(view), view.number("info", "errorstat_MOVED.count.delta") or 0
    if not count or moved <= 1:
        return
    why = (
        f"{count:.0f} slots belong to no node: each takes another for their owner, as after a move that was given up "
        f"halfway, and clients are sent in circles ({moved:.0f} MOVED here over the window, TooManyRedirections there)."
    )
    cause = view.cause(
        "open-slot", 0.95, why, ("cluster", "my_slots"), ("cluster", "slots_unassigned"), ("cluster", "cluster_size"),
        ("info", "errorstat_MOVED.count.delta"),
    )  # fmt: skip
    theirs = [one for peer in view.peers_with("cluster") for one in peer.cite(("cluster", "my_slots"))]
    yield cause.model_copy(update={"evidence": (*cause.evidence, *theirs[:3])})
