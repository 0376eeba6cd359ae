"""Why an old primary was considered dead, judging by its current state: whether it died, or survived and was slow."""

from collections.abc import Sequence

from agent.answer.diagnosis import Evidence
from agent.checks.elections import peer_at
from agent.evidence.view import Cited, View

AROUND = 30.0
"""Seconds around a change within which a long command belongs to it."""
SLOW_USEC = 200_000
"""Least duration of a command worth naming with a failover: sentinels and nodes usually wait longer."""
STARTING = 2.0
"""Most seconds that a server's clock and a log's differ."""


def ago(seconds: float) -> str:
    """Seconds as a person reads them."""
    for size, unit in ((86400.0, "d"), (3600.0, "h"), (60.0, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def reason(views: Sequence[View], old: str, at: float, dead: bool) -> tuple[str, list[Evidence], list[str]]:
    """Why the replaced primary was considered dead: a sentence, what shows it, and what isn't known."""
    was = peer_at(views[0], old) if old else None
    if was is None or not dead:
        return (
            "",
            [],
            [] if not dead else ["why the old primary was considered dead: it isn't among the nodes that were read"],
        )
    if kind := was.unavailable("connect"):
        ended = _ended(was, "end")
        text = f"{old} still doesn't answer ({kind}): it most likely died{ended or ' or was cut off'}."
        return text, [*was.cite(("connect", "unavailable"), ("log", "end"))], []
    up, started = was.number("info", "uptime_in_seconds"), was.moment("info", "uptime_in_seconds")
    if up is None or started is None:
        return "", [], [f"why {old} was considered dead: its uptime_in_seconds wasn't read"]
    cited: list[Cited] = [("info", "uptime_in_seconds")]
    if started >= at - STARTING:
        ended = _ended(was, "previous_end")
        text = f"{old} has only been up for {ago(up)}: it died or was stopped before that, and was started again"
        text += f" {ago(started - at)} after the change" if started - at > STARTING else ""
        text += f"; {ended.removeprefix(', ')}." if ended else "."
        lack = [] if ended else [f"how {old} ended: the log of its previous run, and the kernel log from that time"]
        return text, [*was.cite(*cited, ("log", "previous_end"))], lack
    slow = _slow_at(was, at)
    text = f"{old} was alive throughout (up for {ago(up)}), so it was slow or unreachable"
    if slow is None:
        text += ": its slow log has no command from that time, so its process, its machine or the network stalled."
        unsure = [f"what held {old} up: the metrics of its machine and the network from that time"]
        return text, [*was.cite(*cited, ("slowlog", "entries"))], unsure
    took, command = was.number("slowlog", f"{slow}.usec") or 0, was.text("slowlog", f"{slow}.command")
    text += f": {command} took {took / 1e6:.1f} s there at about that time."
    shown = [("slowlog", f"{slow}.{field}") for field in ("command", "usec", "age")]
    return text, [*was.cite(*cited, *shown)], []


def _ended(view: View, field: str) -> str:
    words = {
        "shutdown": ", and its log says that it was shut down", "crash": ", and its log says that it crashed",
        "stops": ", and its log just stops: it was killed from outside", "failed": ", and its log says that it gave up",
    }  # fmt: skip
    return words.get(view.text("log", field), "")


def _slow_at(view: View, at: float) -> str | None:
    """The longest slow log entry that may have held a node up at that time."""
    near = []
    for number in range(1, 33):
        then, took = view.moment("slowlog", f"e{number}.age"), view.number("slowlog", f"e{number}.usec") or 0
        if then is not None and took >= SLOW_USEC and abs(then - at) <= AROUND + took / 1e6:
            near.append((took, f"e{number}"))
    return max(near)[1] if near else None
