"""The two ends of a replication link: who is above a replica, and what is wrong with a node from its peers' point of
view."""

from collections.abc import Iterator

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


WAITS = ("wait", "waitaof")
"""Commands that wait for replicas; with a time-out of 0, for ever."""
WAIT_SECONDS = 5
"""Seconds in WAIT at which a replica lags, is lost or isn't there."""


def waiting(view: View) -> Iterator[tuple[str, str, str]]:
    """Who waits for replicas that aren't there or haven't answered for long, as subject and verb; command and row.

    A wait for 0 replicas returns at once, so this is never by design.
    """
    online = view.number("replication", "replicas_online")
    for number in range(1, 21):
        at = f"g{number}"
        command = view.text("clients", f"{at}.cmd")
        if command not in WAITS or "b" not in view.text("clients", f"{at}.flags"):
            continue
        if online != 0 and (view.number("clients", f"{at}.idle_median") or 0) < WAIT_SECONDS:
            continue
        count = view.number("clients", f"{at}.count") or 0
        name = view.text("clients", f"{at}.name") or view.text("clients", f"{at}.address")
        who = f"{count:.0f} client{'' if count == 1 else 's'}{' of ' + name if name else ''}"
        yield f"{who} {'waits' if count == 1 else 'wait'}", command, at


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
