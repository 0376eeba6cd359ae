"""Readings out of pieces that are no replies: logs, what Kubernetes says, what redis-cli measured."""

import re
from collections.abc import Callable, Sequence

from agent.pastes.servers import Server
from tools.host.kernel_log import SHOWN, TROUBLES, parse_kill
from tools.host.listener import SERVERS, plain_name
from tools.host.log import log_values
from tools.host.log_lines import log_lines
from tools.host.pasted_log import ZONES
from tools.paste.pieces import Piece
from tools.records import Scalar, Values

LINES = 5000
"""Lines of a log that count: the newest."""
_STAMP = re.compile(r"^\s*(?:<\d+>)?\[\s*(\d{1,10}\.\d{1,6})\]")
"""A record's time as dmesg prints it: seconds since boot."""


def seen_of(server: Server, now: float) -> dict[str, Values]:
    """By tool: what was pasted of more than the server's replies."""
    found: dict[str, Values] = {}
    for tool, form, read in _READ:
        pieces = [piece for piece in server.others if piece.form == form]
        if pieces and (values := read(pieces, now)):
            found[tool] = values
    return found


def _log(pieces: Sequence[Piece], now: float) -> Values:
    """The log as `log` reads it; of the zone of its times only that they're of the past."""
    text = "\n".join(piece.text for piece in pieces)
    lines = list(log_lines(text))
    if not lines:
        return {}
    last = next((line.at for line in reversed(lines) if line.at is not None), None)
    modified = None if last is None else last if abs(now - last) > ZONES else now
    values = log_values(lines[-LINES:], modified, now, ended=False, earlier=lines[:-LINES])
    return {"destination": "pasted", **values}


def _kernel_log(pieces: Sequence[Piece], now: float) -> Values:
    """The kernel's log as `kernel_log` reads it; its clock is the machine's uptime, so ages are to its last record."""
    records = [line for piece in pieces for line in piece.text.splitlines()]
    stamped = [(_stamp(line), line) for line in records]
    end = max((at for at, _ in stamped if at is not None), default=0.0)
    as_device = [
        (f"6,0,{round((end if at is None else at) * 1e6)},-;{_STAMP.sub('', line).strip()}") for at, line in stamped
    ]
    kills = [kill for record in as_device if (kill := parse_kill(record)) is not None]
    servers = [kill for kill in kills if SERVERS.fullmatch(kill.name)]
    values: Values = {
        "oom_kill.count": len(servers), "others.count": len(kills) - len(servers),
        "reaches_back": round(end - min((at for at, _ in stamped if at is not None), default=end)),
    }  # fmt: skip
    if servers:
        newest = servers[-1]
        values |= {
            "oom_kill.newest_age": round(max(0.0, end - newest.at), 1), "oom_kill.pid": newest.pid,
            "oom_kill.name": plain_name(newest.name), "oom_kill.rss_bytes": newest.rss,
            "oom_kill.in_cgroup": newest.in_cgroup, "oom_kill.known_pid": None,
            "oom_kill.pids": " ".join(str(kill.pid) for kill in servers[-SHOWN:]),
        }  # fmt: skip
    return values | _troubles(stamped, end)


def _troubles(stamped: Sequence[tuple[float | None, str]], end: float) -> Values:
    values: dict[str, Scalar] = {}
    for at, line in stamped:
        for name, pattern in TROUBLES.items():
            if found := pattern.search(line[:1024]):
                values[f"{name}.count"] = int(values.get(f"{name}.count") or 0) + 1
                values[f"{name}.newest_age"] = round(max(0.0, end - (end if at is None else at)), 1)
                values[f"{name}.what"] = found.groupdict().get("what") or None
                break
    return values


def _stamp(line: str) -> float | None:
    found = _STAMP.match(line)
    return float(found[1]) if found else None


def _given(pieces: Sequence[Piece], now: float) -> Values:
    """What a piece's own figures say, as they are."""
    return {name: value for piece in pieces for name, value in (piece.values or {}).items()}


_READ: tuple[tuple[str, str, Callable[[Sequence[Piece], float], Values]], ...] = (
    ("log", "server-log", _log), ("kernel_log", "kernel-log", _kernel_log), ("process", "kubernetes", _given),
    ("latency_sample", "latency-cli", _given), ("big_keys", "bigkeys", _given),
)  # fmt: skip
