"""A switchover by FAILOVER that doesn't finish: writes wait for a replica that doesn't catch up."""

from agent.checks.ends import trouble, with_other
from agent.checks.types import Found, Limits, Placeholder
from agent.evidence.view import Cited, View

NONE = ("", "no-failover")


def _waited_for(view: View) -> str:
    """The worst replica: a FAILOVER continues as soon as the replica it may use has caught up."""
    return view.text("replication", "replica1.address")


def failover_stuck(view: View, limits: Limits) -> Found:
    """The primary has held its writers back for a FAILOVER for at least the whole window."""
    state, before = (view.text("replication", f"master_failover_state{at}") for at in ("", ".before"))
    if state in NONE:
        return
    cited: tuple[Cited, ...] = (
        ("replication", "master_failover_state"), ("replication", "master_failover_state.before"),
        ("log", "failover.newest_age"), ("replication", "replica1.address"), ("replication", "replica1.lag"),
        ("replication", "replica1.lag_bytes"), ("clients", "paused"), ("clients", "paused_cmd"),
        ("info", "paused_reason"), ("info", "blocked_clients"),
    )  # fmt: skip
    name, age = _waited_for(view), view.number("log", "failover.newest_age")
    peer = view.peer(name)
    why = f"A FAILOVER has been in progress here ({state})"
    why += f" for {age:.0f} s" if age is not None else " since before the first look"
    why += ", and writes wait until it is over. It is waiting for"
    why += f" the replica at {name}" if name else " a replica"
    sick, silent = trouble(peer), view.number("replication", "replica1.lag") or 0
    if sick:
        why += f", which {sick[0]}"
    elif silent > 1:
        why += f", which has acknowledged nothing for {silent:.0f} s"
    # A successful switchover is over within about a second.
    stuck = before not in NONE or (age is not None and age >= limits["failover_seconds"])
    cause = view.cause(
        "failover-stuck", 0.985 if stuck else 0.45, f"{why}. Without a TIMEOUT it never gives up.", *cited
    )
    yield with_other(cause, peer, *(sick[1] if sick else ()))


def _replica(view: View) -> tuple[str, ...]:
    return (name,) if (name := _waited_for(view)) else ()


PLACEHOLDERS = (
    Placeholder(name="failover_replica", example="10.0.0.2:6379", values=_replica),
    Placeholder(name="failover_host", example="10.0.0.2",
                values=lambda view: tuple(one.rpartition(":")[0].strip("[]") for one in _replica(view))),
    Placeholder(name="failover_port", example="6379",
                values=lambda view: tuple(one.rpartition(":")[2] for one in _replica(view))),
)  # fmt: skip
