"""The two ends of a replication link: who is above a replica, and what is wrong with a node from its peers' point of
view."""

from agent.answer.diagnosis import Cause
from agent.checks.types import Limits
from agent.evidence.view import Cited, View
from tools.connection.target import address

AUTH = ("NOAUTH", "WRONGPASS", "NOPERM")
"""Errors that refuse a login or a permission."""


def primary_of(view: View) -> View | None:
    """The view of the node that this replica follows; None if unknown."""
    host, port = view.text("replication", "master_host"), view.number("replication", "master_port")
    named = address(host, int(port)) if host and port else ""
    if found := view.peer(named):
        return found
    primaries = [peer for peer in view.peers_with("replication") if peer.text("replication", "role") == "master"]
    return primaries[0] if len(primaries) == 1 else None


def trouble(peer: View | None) -> tuple[str, tuple[Cited, ...]] | None:
    """What is wrong with a node itself that affects its peers; None if nothing is known."""
    if peer is None:
        return None
    if peer.get("process", "stopped") is True or peer.get("process", "cgroup_frozen") is True:
        return "is stopped", (("process", "state"), ("process", "cgroup_frozen"))
    kind = peer.unavailable("connect")
    words = {
        "refused": "isn't running", "loading": "is loading its dataset", "busy": "is busy with a script",
        "maxclients": "turns clients away", "protected": "is in protected mode",
    }  # fmt: skip
    silent = peer.unavailable("silence") == "timeout" or (
        kind == "timeout" and peer.get("connect", "stage") not in ("dns", "tcp", "tls", None)
    )
    if kind in words:
        return words[kind], (("connect", "unavailable"),)
    # A listener that isn't the server is a proxy: its silence is that of the path, not of the primary.
    if silent and peer.get("process", "locality") != "foreign-listener":
        return "doesn't answer", (("connect", "unavailable"), ("silence", "unavailable"))
    return None


def wait_in_wait(view: View) -> tuple[str, str] | None:
    """Who waits in WAIT for a replica although none is connected, as subject and verb of a sentence; and its row."""
    if view.number("replication", "replicas_online") != 0:
        return None
    for number in range(1, 21):
        at = f"g{number}"
        if view.text("clients", f"{at}.cmd") == "wait" and "b" in view.text("clients", f"{at}.flags"):
            count = view.number("clients", f"{at}.count") or 0
            name = view.text("clients", f"{at}.name") or view.text("clients", f"{at}.address")
            who = f"{count:.0f} client{'' if count == 1 else 's'}{' of ' + name if name else ''}"
            return f"{who} {'waits' if count == 1 else 'wait'}", at
    return None


def refused(view: View, limits: Limits) -> str | None:
    """The error with which its primary refuses this replica's login, according to the replica's log."""
    recent = limits["replication_event_seconds"]
    for event in ("replication_aborted", "replication_refused"):
        age, error = view.number("log", f"{event}.newest_age"), view.text("log", f"{event}.error")
        if age is not None and age <= recent and error in AUTH:
            return error
    age = view.number("log", "replication_auth.newest_age")
    return "WRONGPASS" if age is not None and age <= recent else None


def with_other(cause: Cause, other: View | None, *cited: Cited) -> Cause:
    """A cause with evidence from another node besides its own."""
    more = other.cite(*cited) if other else ()
    return cause.model_copy(update={"evidence": (*cause.evidence, *more)})
