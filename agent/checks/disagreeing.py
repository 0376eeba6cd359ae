"""Sentinels that name different primaries under one name, so that clients get the one or the other."""

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from agent.checks.types import Found, Limits, Placeholder
from agent.checks.watched import masters
from agent.evidence.view import Cited, View

SETTLED_MS = 10_000
"""Milliseconds for which a sentinel has seen its primary in its role, after which no failover explains the difference:
sentinels tell each other of one every two seconds."""


class Named(NamedTuple):
    """One name of a sentinel's, and the primary that it has under it."""

    view: View
    at: str
    """Such as m1."""

    @property
    def address(self) -> str:
        return self.view.text("sentinel", f"{self.at}.address")

    @property
    def settled(self) -> bool:
        since = self.view.number("sentinel", f"{self.at}.role-reported-time")
        moving = self.view.get("sentinel", f"{self.at}.failover-state") is not None
        return since is not None and since >= SETTLED_MS and not moving

    @property
    def cited(self) -> tuple[Cited, ...]:
        return tuple(("sentinel", f"{self.at}.{field}") for field in ("name", "address", "role-reported-time"))


def sentinels_disagree(view: View, limits: Limits) -> Found:
    """This sentinel names another primary than most others under the same name."""
    for mine, others in disputed(view):
        first = others[0]
        name = view.text("sentinel", f"{mine.at}.name")
        why = (
            f"The sentinels disagree: for {name} this one names {mine.address}, and {len(others)} others name "
            f"{first.address}. Clients write to the one or the other, by which sentinel they ask."
        )
        cause = view.cause("split-brain", 0.9, why, *mine.cited)
        yield cause.model_copy(update={"evidence": (*cause.evidence, *first.view.cite(*first.cited))})


def disputed(view: View) -> Iterator[tuple[Named, list[Named]]]:
    """What this sentinel names, and the sentinels that together name another one and are more, or came before it."""
    for at in masters(view):
        mine = Named(view, at)
        name = view.text("sentinel", f"{at}.name")
        peers = [
            Named(peer, place) for peer in view.peers_with("sentinel") for place in masters(peer)
            if peer.text("sentinel", f"{place}.name") == name
        ]  # fmt: skip
        every = [one for one in (mine, *peers) if one.settled]
        votes = Counter(one.address for one in every)
        if not mine.settled or len(votes) < 2:
            continue
        # The same winner whichever sentinel is looked at.
        winner = max(votes, key=lambda address: (votes[address], address))
        if mine.address != winner:
            yield mine, [one for one in every if one.address == winner]


def _agreed(view: View) -> tuple[str, ...]:
    """The commands that give this sentinel the others' primary."""
    return tuple(
        f"SENTINEL REMOVE {name}, then SENTINEL MONITOR {name} {host} {port} {quorum:.0f}"
        for mine, others in disputed(view)
        if (name := view.text("sentinel", f"{mine.at}.name"))
        for host, _, port in [others[0].address.rpartition(":")]
        for quorum in [others[0].view.number("sentinel", f"{others[0].at}.quorum") or 1]
    )[:1]


PLACEHOLDERS = (
    Placeholder(
        name="agreed_primary", example="SENTINEL REMOVE mymaster, then SENTINEL MONITOR mymaster 10.0.0.1 6379 2",
        values=_agreed,
    ),
)  # fmt: skip
