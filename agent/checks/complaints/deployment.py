"""What peers, sentinels and the cluster say about each other."""

import re
from collections.abc import Iterator

from agent.checks.complaints.complaint import HOUR, MIB, Complaint, complaint
from agent.checks.cpu import main_thread_share
from agent.checks.disagreeing import disputed
from agent.checks.elections import SHOWN
from agent.checks.types import Limits
from agent.evidence.view import View

MOVING = ("migrate", "restore", "restore-asking")
"""Commands that move a slot's keys: while they're called, an open slot is normal."""
HOT, COLD = 0.4, 0.05
"""Shares of a core: of a node that works and of nodes that don't."""


def members(view: View, limits: Limits) -> Iterator[Complaint]:
    """Members considered down, unserved slots, replicas that are missing or behind."""
    yield from _sentinels(view)
    counted = ["slots_unserved", "nodes.fail", "nodes.pfail"]
    moving = ("slots_migrating", "slots_importing")
    if any(view.number("cluster", field) for field in moving) and not any(
        one.number("commandstats", f"{name}.calls.delta") for one in (view, *view.peers) for name in MOVING
    ):
        counted += moving
    for field in counted:
        if count := view.number("cluster", field):
            yield complaint(f"{field} is {count:.0f}", ("cluster", field))
    yield from _bus(view)
    age = view.number("cluster", "migration1.age")
    if view.text("cluster", "migration1.state") == "failed" and age is not None and age <= HOUR:
        yield complaint(f"the latest slot migration failed {age:.0f} s ago", ("cluster", "migration1.state"))
    if missing := view.number("replication", "good_replicas_missing"):
        yield complaint(f"{missing:.0f} healthy replicas are missing", ("replication", "good_replicas_missing"))
    lost = view.number("replication", "connected_slaves") == 0 and view.number("replication", "repl_backlog_active")
    if lost and view.text("replication", "role") == "master":
        # A backlog may also remain from its own time as a replica.
        if (view.number("replication", "second_repl_offset") or 0) > 0:
            yield complaint(
                "it was a replica until it was promoted, and has "
        "no replica itself", ("replication", "connected_slaves"),
                ("replication", "second_repl_offset"),
            )  # fmt: skip
        else:
            yield complaint("it had a replica and now has none", ("replication", "connected_slaves"))
    yield from _replicas(view)
    own = main_thread_share(view)
    others = [main_thread_share(peer) for peer in view.peers] if own is not None and own >= HOT else []
    busy = [share for share in others if share is not None]
    if own is not None and busy and max(busy) <= COLD and view.fields("cluster"):
        yield complaint(
            f"one node uses {own:.0%} of a core, the others next to nothing", ("info", "used_cpu_user_main_thread.rate")
        )


def _bus(view: View) -> Iterator[Complaint]:
    """Links of the bus that don't come about although the node answers: pings that it sends itself keep it unsuspected
    for long, but nobody reaches it."""
    for number in range(1, SHOWN + 1):
        at = f"down{number}"
        state, link = (view.text("cluster", f"{at}.{field}") for field in ("state", "link_state"))
        peer = view.peer(view.text("cluster", f"{at}.address"))
        if state != "ok" or link != "disconnected" or peer is None or peer.get("connect", "stage") != "ping":
            continue
        yield complaint(
            f"the bus link to {peer.node} is down although that node answers: look at the bus port that it announces"
            " (cluster-announce-bus-port, cluster-port, else its port + 10000), and at what blocks that port",
            ("cluster", f"{at}.link_state"), ("cluster", f"{at}.address"),
        )  # fmt: skip


def _sentinels(view: View) -> Iterator[Complaint]:
    for mine, others in disputed(view):
        what = f"it names {mine.address} where {len(others)} other sentinels name {others[0].address}"
        yield complaint(what, *mine.cited)
    for field, value in view.fields("sentinel").items():
        if re.fullmatch(r"m\d+\.ckquorum", field) and str(value) != "ok":
            yield complaint(f"Sentinel's quorum check says {value}", ("sentinel", field))
        elif re.fullmatch(r"m\d+\.([rs]\d+\.)?flags", field) and re.search(r"[so]_down|disconnected", str(value)):
            yield complaint(f"a sentinel considers a member {value}", ("sentinel", field))
        elif re.fullmatch(r"m\d+\.s\d+\.reachable", field) and value is False:
            yield complaint("a sentinel can't be reached", ("sentinel", field))


def _replicas(view: View) -> Iterator[Complaint]:
    rate = view.number("replication", "master_repl_offset.rate") or 0
    for field in view.fields("replication"):
        if re.fullmatch(r"replica\d+\.lag_bytes", field):
            lag = view.number("replication", field) or 0
            if lag >= MIB and lag >= 2 * rate:
                yield complaint(f"a replica is {lag / MIB:.0f} MiB behind", ("replication", field))
        elif re.fullmatch(r"replica\d+\.state", field) and (state := view.text("replication", field)) != "online":
            yield complaint(f"a replica is in state {state}", ("replication", field))
