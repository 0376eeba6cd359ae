"""Readings out of pieces that are no replies: logs, what Kubernetes says, what redis-cli measured."""

from collections.abc import Callable, Mapping, Sequence

from agent.pastes.facts import Told, facts_in, read
from agent.pastes.sections import number
from agent.pastes.servers import Server
from tools.host.log import log_values
from tools.host.log_lines import is_dated, log_lines
from tools.host.pasted_log import ZONES
from tools.paste.pieces import Piece
from tools.records import Unavailable, Values

OOM_KILLED = "OOMKilled"
PART = Unavailable(kind="not-pasted", detail="only a part of it was pasted")
PARTIAL = frozenset(("process", "machine", "disk", "sockets", "config_drift"))
"""Tools of whose reading a paste without the machine's facts has a part only."""
SENTINELS = ("sentinel.monitors", "sentinel.quorum", "sentinel.known")
"""What a sentinel's own file says of its job."""
LINES = 5000
"""Lines of a log that count: the newest."""


def seen_of(server: Server, now: float) -> dict[str, Told]:
    """By tool: what was pasted of more than the server's replies."""
    found = dict(_by_script(server, now))
    for tool, form, told in _READ:
        pieces = [piece for piece in server.others if piece.form == form]
        if not pieces or not (values := told(pieces, now, bool(server.moments))):
            continue
        script = found.get(tool)
        if tool in PARTIAL:
            # What both have is from the machine itself.
            found[tool] = Told({**values, **script.values}, script.lack) if script else Told(values, PART)
        elif script is None or not _reaches_further(script.values, values):
            found[tool] = Told(values)
    return found


def _by_script(server: Server, now: float) -> Mapping[str, Told]:
    """What the host script's output says, if there is one: the last."""
    for piece in reversed(server.others):
        if piece.form == "host-facts" and (facts := facts_in(piece.text)):
            moment = server.moments[-1] if server.moments else None
            return read(facts, server.name, number(moment.info, "process_id") if moment else None, now,
                        moment.at if moment else None)  # fmt: skip
    return {}


def _reaches_further(one: Values, other: Values) -> bool:
    """Whether of two readings of one log the first has more lines of it."""
    counts = [values.get("lines") or 0 for values in (one, other)]
    return all(isinstance(count, int | float) for count in counts) and counts[0] > counts[1]  # type: ignore[operator]


def _log(pieces: Sequence[Piece], now: float, is_up: bool) -> Values:
    """The log as `log` reads it; of the zone of its times only that they're of the past."""
    text = "\n".join(piece.text for piece in pieces)
    lines = list(log_lines(text))
    if not lines:
        return {}
    last = next((line.at for line in reversed(lines) if line.at is not None), None)
    if last is not None and not is_dated(last):
        # Without the year nothing tells when that was: ages count from the log's end.
        now = last
    modified = None if last is None else last if abs(now - last) > ZONES else now
    values = log_values(lines[-LINES:], modified, now, ended=not is_up, earlier=lines[:-LINES])
    return {"destination": "pasted", **values}


def _given(pieces: Sequence[Piece], now: float, is_up: bool) -> Values:
    """What a piece's own figures say, as they are."""
    return {name: value for piece in pieces for name, value in (piece.values or {}).items()}


def _pod(pieces: Sequence[Piece], now: float, is_up: bool) -> Values:
    """What Kubernetes says of the server's container, under the names that its process has for the same."""
    told = _given(pieces, now, is_up)
    killed = OOM_KILLED in (told.get("last_state.reason"), told.get("state.reason"))
    limit = told.get("limits.memory")
    return {
        **told, "oom_killed": killed, **({"cgroup_oom_kills": 1} if killed else {}),
        **({"cgroup_memory_limit": limit} if isinstance(limit, int) else {}),
    }  # fmt: skip


def _configured(pieces: Sequence[Piece], now: float, is_up: bool) -> Values:
    """Where a server with this file listens, and what a sentinel with it needs for a failover."""
    return {name: one for name, one in _given(pieces, now, is_up).items() if name == "bind" or name in SENTINELS}


_READ: tuple[tuple[str, str, Callable[[Sequence[Piece], float, bool], Values]], ...] = (
    ("log", "server-log", _log), ("kernel_log", "kernel-log", _given), ("process", "container", _pod),
    ("process", "kubernetes", _pod),
    ("latency_sample", "latency-cli", _given), ("big_keys", "bigkeys", _given),
    ("machine", "machine", _given), ("disk", "disk", _given), ("sockets", "sockets", _given),
    ("config_drift", "config-file", _configured),
)  # fmt: skip
