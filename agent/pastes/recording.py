"""A recording made of pieces: what was pasted is answered, everything else was never asked for."""

import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from agent.pastes.machine import seen_of
from agent.pastes.sections import written
from agent.pastes.servers import Moment, Server
from tools.clock import iso_time
from tools.paste.pieces import Piece
from tools.record.load import Recording
from tools.record.schema import Ask, Dial, Head, Line, Seen
from tools.records import Reading

WINDOW = 2.0
"""Seconds of the recording between two samples, however long lay between them: the server's own clock tells that."""
LOG_MOST, WHOLE_CONFIG = "128", 60
"""Entries of a log that are asked for, and parameters from which on a CONFIG GET is of all."""
_FIXED = {
    "slowlog": ("SLOWLOG", "GET", LOG_MOST), "acl-log": ("ACL", "LOG", LOG_MOST), "client-list": ("CLIENT", "LIST"),
    "latency-latest": ("LATENCY", "LATEST"), "latency-doctor": ("LATENCY", "DOCTOR"), "role": ("ROLE",),
    "memory-stats": ("MEMORY", "STATS"), "memory-doctor": ("MEMORY", "DOCTOR"), "cluster-nodes": ("CLUSTER", "NODES"),
    "cluster-info": ("CLUSTER", "INFO"), "cluster-shards": ("CLUSTER", "SHARDS"), "cluster-slots": ("CLUSTER", "SLOTS"),
}  # fmt: skip
"""The commands that tools send for what a form is the reply to."""
TIMED = ("slowlog", "latency-latest")
"""Replies whose rows have their time in the second place."""


def recording_of(servers: Sequence[Server], symptom: str) -> Recording:
    """The recording of these servers, the named one first."""
    first = servers[0]
    now = moment_of(first) or time.time()
    sampled = len(first.moments) > 1
    window = (first.stated or WINDOW) if sampled else 0.0
    began = datetime.fromtimestamp(now - window, UTC)
    lines: list[Line] = []
    for link, server in enumerate(servers, 1):
        lines += _lines(server, link, window, now)
    head = Head(
        at=began.isoformat(timespec="milliseconds"), url=f"redis://{first.name}", symptom=symptom, window=window,
        one_node=len(servers) == 1, pasted=True,
    )  # fmt: skip
    return Recording(Path("paste"), head, lines, cut=False)


def moment_of(server: Server) -> float | None:
    """When the last of what was pasted was, as far as it tells."""
    by_server = [at for one in server.moments if (at := one.at) is not None]
    if by_server:
        return max(by_server)
    told = [one.at for one in server.others if one.at is not None]
    logged = [float(row[1]) for one in server.others if one.form in TIMED for row in _rows(one.reply)]
    return min(time.time(), max((*told, *logged))) if told or logged else None


def _rows(reply: Any) -> list[Any]:
    rows = reply if isinstance(reply, list | tuple) else []
    return [row for row in rows if isinstance(row, list | tuple) and len(row) > 1 and isinstance(row[1], int)]


def _lines(server: Server, link: int, window: float, now: float) -> Iterator[Line]:
    node, told = server.name, [*_samples(server.moments, window), *_replies(server.others, window)]
    if told:
        yield Dial(t=0.0, node=node, link=link, ms=0.0, stages={}, stage="open")
    for t, command, reply in told:
        yield Ask(t=t, node=node, link=link, ms=0.0, commands=(command,), replies=(reply,))
    for number, (tool, seen) in enumerate(seen_of(server, now).items(), 1):
        reading = Reading(
            id=f"r{number}", tool=tool, args={}, node=node, at=iso_time(now), ms=0.0, values=seen.values or None,
            unavailable=seen.lack,
        )  # fmt: skip
        # It holds at any moment, so that nobody waits for it.
        yield Seen(t=0.0, reading=reading)


def _samples(moments: Sequence[Moment], window: float) -> Iterator[tuple[float, tuple[str, ...], Any]]:
    if not moments:
        return
    ends = [(0.0, moments[0]), (window, moments[-1])] if window and len(moments) > 1 else [(0.0, moments[-1])]
    for t, moment in ends:
        yield t, ("INFO", "everything"), written(moment.info)


def _replies(pieces: Sequence[Piece], window: float) -> Iterator[tuple[float, tuple[str, ...], Any]]:
    """The replies but INFO's, each at the end; of those that come again the earlier at the begin."""
    config: dict[str, Any] = {}
    by_command: dict[tuple[str, ...], list[Any]] = {}
    for piece in pieces:
        if piece.form in ("config", "config-file") and isinstance(piece.reply, list | tuple):
            config |= {str(name): value for name, value in zip(piece.reply[::2], piece.reply[1::2], strict=False)}
        elif piece.reply is not None and (command := _FIXED.get(piece.form) or piece.command) is not None:
            by_command.setdefault(command, []).append(piece.reply)
    if config:
        names = ("*",) if len(config) >= WHOLE_CONFIG else tuple(config)
        by_command[("CONFIG", "GET", *names)] = [[word for pair in config.items() for word in pair]]
    for command, replies in by_command.items():
        if window and len(replies) > 1:
            yield 0.0, command, replies[0]
        # With one sample both are of one moment; a log is read at the begin too.
        yield (window if window and len(replies) > 1 else 0.0), command, replies[-1]
