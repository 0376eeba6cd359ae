"""Whether a cluster's replicas can be elected to replace a failed primary, and which one of each should be."""

from collections.abc import Iterator
from typing import NamedTuple

from agent.checks.types import Found, Placeholder
from agent.evidence.view import Cited, View

SHOWN = 8
"""How many failed nodes a reading of `cluster` lists individually."""
MOST_NAMED = 6
"""How many nodes a step lists individually."""
VALIDITY, TIMEOUT_MS = 10, 15_000
"""Defaults of cluster-replica-validity-factor and cluster-node-timeout."""


class Lost(NamedTuple):
    """A primary whose slots nobody serves, as seen by one node of the cluster."""

    at: str
    """The prefix of its fields, such as down1."""
    address: str
    slots: int


def lost_primaries(view: View) -> Iterator[Lost]:
    """The failed primaries whose slots are lost, largest first."""
    for number in range(1, SHOWN + 1):
        at = f"down{number}"
        slots, state = view.number("cluster", f"{at}.slots"), view.text("cluster", f"{at}.state")
        if slots and state in ("fail", "pfail"):
            yield Lost(at=at, address=view.text("cluster", f"{at}.address"), slots=int(slots))


def outvoted(view: View) -> View | None:
    """A node that sees a majority of primaries while this one doesn't, and so is cut off; None if there is none."""
    if view.get("cluster", "majority") is not False:
        return None
    return next((peer for peer in view.peers_with("cluster") if peer.get("cluster", "majority") is True
                 and peer.text("cluster", "cluster_state") == "ok"), None)  # fmt: skip


def peer_at(view: View, address: str) -> View | None:
    """The view of the node at that address, including this one; None if nothing was read from it."""
    return view if view.node == address else view.peer(address)


def seen_from_here(view: View, address: str) -> str:
    """How a failed node looks from here, if that decides whether it may be alive; otherwise empty."""
    peer = peer_at(view, address)
    if peer is None:
        return "not looked at from here"
    if peer.get("process", "stopped") is True:
        return "its process is stopped and may be resumed"
    kind = peer.unavailable("connect")
    if kind == "refused":
        return "nothing listens there"
    if kind is None and peer.last("connect") is not None:
        return "it answers from here: it is alive, but the others can't reach its cluster bus"
    return f"no answer from here ({kind}): it may still be alive" if kind else ""


def heir(view: View, address: str) -> View | None:
    """Among the responsive replicas of a primary, the one that received most; None if none answers."""
    host, _, port = address.rpartition(":")
    having = [
        one for one in (view, *view.peers_with("cluster"))
        if one.text("cluster", "my_role") == "replica" and one.text("replication", "master_port") == port
        and one.text("replication", "master_host") == host.strip("[]")
    ]  # fmt: skip
    return max(having, key=lambda one: one.number("replication", "slave_repl_offset") or 0, default=None)


def obstacle(replica: View) -> tuple[str, tuple[Cited, ...]]:
    """Why this replica doesn't stand for election although a majority could elect it, and what shows that."""
    if replica.text("cluster", "cluster-replica-no-failover") == "yes":
        return "it has cluster-replica-no-failover yes", (("cluster", "cluster-replica-no-failover"),)
    told = replica.text("log", "failover_aborted.reason")
    gone = replica.number("replication", "master_link_down_since_seconds")
    factor = replica.number("cluster", "cluster-replica-validity-factor")
    timeout = replica.number("cluster", "cluster-node-timeout") or TIMEOUT_MS
    period = replica.number("replication", "repl-ping-replica-period") or 10
    # The time until the primary is marked as failed isn't counted against it.
    oldest = timeout / 1000 * (1 + (VALIDITY if factor is None else factor)) + period
    aged = gone is not None and factor != 0 and gone > oldest
    if aged or told.startswith("Disconnected from"):
        why = "its data is too old according to its cluster-replica-validity-factor"
        why += f": its link has been down for {gone:.0f} s of the {oldest:.0f} s allowed" if aged else ""
        return why, (
            ("replication", "master_link_down_since_seconds"), ("cluster", "cluster-replica-validity-factor"),
            ("cluster", "cluster-node-timeout"), ("log", "failover_aborted.reason"),
        )  # fmt: skip
    return "", ()


def told(view: View) -> str:
    """Who is gone and who could take over, as the end of a sentence about unserved slots."""
    lost = list(lost_primaries(view))
    if not lost:
        return ""
    if len(lost) == 1:
        seen, living = view.text("cluster", f"{lost[0].at}.state"), view.number("cluster", f"{lost[0].at}.replicas_ok")
        replicas = {0: "none of its replicas is alive", 1: "1 of its replicas is alive"}
        which = replicas.get(int(living or 0), f"{living or 0:.0f} of its replicas are alive")
        text = f": {lost[0].address} is seen as {seen}" + (f", and {which}" if living is not None else "")
        replica = heir(view, lost[0].address) if living else None
        stands = obstacle(replica)[0] if replica and view.get("cluster", "majority") is not False else ""
        return text + (f", which doesn't stand for election because {stands}" if stands else "")
    names = ", ".join(one.address for one in lost[:MOST_NAMED])
    more = f" and {len(lost) - MOST_NAMED} more" if len(lost) > MOST_NAMED else ""
    return f": the primaries {names}{more} are gone"


def without_majority(view: View) -> str:
    """That nobody can be elected, as the end of a sentence; empty if a majority remains."""
    if view.get("cluster", "majority") is not False:
        return ""
    left, gone = view.number("cluster", "primaries_ok") or 0, len(list(lost_primaries(view)))
    are = "is" if left == 1 else "are"
    of = f" of {left + gone:.0f}" if 0 < gone < SHOWN else ""
    return f"; only {left:.0f}{of} primaries with slots {are} left, which is no majority, so no replica can be elected"


def cut_off(view: View, by: View) -> Found:
    """This node sees no majority while another one does."""
    why = f"This node can't see a majority of the primaries, while {by.node} can and says that the cluster is ok"
    why += ": this node is cut off, and only its own clients are refused."
    cause = view.cause(
        "cluster-slots-down", 0.9, why, ("cluster", "cluster_state"), ("cluster", "primaries_ok"),
        ("cluster", "nodes.pfail"), ("cluster", "disconnected"),
    )  # fmt: skip
    theirs = by.cite(("cluster", "majority"), ("cluster", "primaries_ok"))
    yield cause.model_copy(update={"evidence": (*cause.evidence, *theirs)})


def _failed(view: View) -> tuple[str, ...]:
    """The failed primaries, each with how it looks from here."""
    found = []
    for one in list(lost_primaries(view))[:MOST_NAMED]:
        seen = seen_from_here(view, one.address)
        found.append(f"{one.address} ({seen})" if seen else one.address)
    return (", ".join(found),) if found else ()


def _heirs(view: View) -> tuple[str, ...]:
    """For each failed primary the replica that should replace it."""
    found = []
    for one in list(lost_primaries(view))[:MOST_NAMED]:
        if replica := heir(view, one.address):
            found.append(f"{replica.node} (for {one.address})")
    return (", ".join(found),) if found else ("the replica with the newest data for each failed primary",)


def _elected(view: View) -> tuple[str, ...]:
    """For each failed primary the replica that FORCE is for, and why it wasn't elected."""
    found = []
    for one in list(lost_primaries(view))[:MOST_NAMED]:
        replica = heir(view, one.address)
        why = obstacle(replica)[0] if replica else ""
        if replica:
            after = f"; {why}" if why else "; an election may be in progress: wait 10 s and look again first"
            found.append(f"{replica.node} (for {one.address}{after})")
    return (", ".join(found),) if found else ("the replica that is alive",)


PLACEHOLDERS = (
    Placeholder(name="failed_primaries", example="10.0.0.1:6379 (nothing listens there)", values=_failed),
    Placeholder(name="heirs", example="10.0.0.5:6379 (for 10.0.0.1:6379)", values=_heirs),
    Placeholder(
        name="elected", example="10.0.0.5:6379 (for 10.0.0.1:6379; it has cluster-replica-no-failover yes)",
        values=_elected,
    ),
)  # fmt: skip
