"""Values for the remedies of full syncs that never succeed, from both ends."""

from agent.checks.ends import primary_of
from agent.checks.syncs import MIB, named_release, release_of
from agent.checks.types import Placeholder
from agent.evidence.view import View


def _pairs(view: View) -> tuple[View, View | None]:
    """The replica and its primary; `view` is one of the two."""
    if view.text("replication", "role") != "master":
        return view, primary_of(view)
    others = view.peers_with("replication")
    below = [peer for peer in others if peer.text("replication", "master_link_status") == "down"]
    return (below[0] if below else view), view


def _releases(view: View) -> tuple[str, ...]:
    replica, primary = _pairs(view)
    known = primary is not None and primary.node != replica.node
    return (f"{named_release(primary)}, its primary's",) if known and release_of(primary) else ()


def _needed(view: View) -> tuple[str, ...]:
    _, primary = _pairs(view)
    used = primary.number("memory", "used_memory") if primary else None
    known = (
        f"{used / MIB:.0f} MiB (as much as the primary uses)"
        if used
        else "the primary's used_memory (INFO memory there)"
    )
    return (known,)


def _node(view: View | None) -> tuple[str, ...]:
    return (view.node,) if view is not None and view.node else ()


def _primary_host(view: View) -> tuple[str, ...]:
    return tuple(node.rpartition(":")[0].strip("[]") for node in _node(_pairs(view)[1]))


def _period(view: View) -> tuple[str, ...]:
    """Five times as long, but at least five minutes."""
    now = view.number("replication", "repl-timeout")
    return (f"{max(300, 5 * now):.0f}",) if now else ()


PLACEHOLDERS = (
    Placeholder(name="sync_release", example="valkey 9.1.2, its primary's", values=_releases),
    Placeholder(name="sync_needed", example="25 MiB (as much as the primary uses)", values=_needed),
    Placeholder(name="sync_replica", example="10.0.0.2:6379", values=lambda view: _node(_pairs(view)[0])),
    Placeholder(name="sync_primary", example="10.0.0.1:6379", values=lambda view: _node(_pairs(view)[1])),
    Placeholder(name="sync_primary_host", example="10.0.0.1", values=_primary_host),
    Placeholder(name="sync_period", example="300", values=_period),
)
