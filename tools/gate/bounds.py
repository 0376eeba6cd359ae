"""Whether a parameter may have a value: by the policy's bounds, and by what the machine and the data allow."""

import re
from collections.abc import Sequence
from typing import Any

from tools.errors import Forbidden
from tools.records import Reading, Record, Scalar

RESERVED_FDS = 32
"""File descriptors that the server keeps for itself."""
_UNITS = {
    "": 1, "b": 1, "k": 1000, "kb": 1 << 10, "m": 10**6, "mb": 1 << 20, "g": 10**9, "gb": 1 << 30,
}  # fmt: skip


def size(text: str) -> int | None:
    """Bytes of a size as a configuration writes it, such as 64mb; None for anything else."""
    match = re.fullmatch(r"([0-9]{1,18})([a-zA-Z]{0,2})", text)
    unit = _UNITS.get(match[2].lower()) if match else None
    return int(match[1]) * unit if match and unit else None


def check_bounds(name: str, value: str, bounds: dict[str, Any]) -> None:
    """Raises `Forbidden` for a value outside the policy's bounds of a parameter."""
    if allowed := bounds.get("one_of"):
        if value not in allowed:
            raise Forbidden(f"{name} {value!r}: only {', '.join(allowed)}")
        return
    if form := bounds.get("form"):
        if not re.fullmatch(form, value, re.ASCII):
            raise Forbidden(f"{name} {value!r}: not in the form that this parameter takes")
        return
    if value in bounds.get("or", ()):
        return
    number = size(value) if bounds.get("size") else int(value) if re.fullmatch(r"-?[0-9]{1,15}", value) else None
    if number is None:
        raise Forbidden(f"{name} {value!r}: write a whole number{' of bytes' if bounds.get('size') else ''}")
    if number < bounds.get("min", number) or number > bounds.get("max", number):
        limits = " to ".join(str(bounds[key]) for key in ("min", "max") if key in bounds)
        raise Forbidden(f"{name} {value}: out of bounds ({limits}{'' if 'max' in bounds else ' and above'})")


class Room(Record):
    """What a node's machine and data leave room for; null if unknown."""

    clients: int | None = None
    """The most clients that the process' file limit allows."""
    memory: int | None = None
    """Bytes of the machine's memory, or of the process' control group if that is less."""
    used: int | None = None
    """Bytes that the server counts as used."""
    connected: int | None = None
    """Clients that are connected."""


def room_of(readings: Sequence[Reading], node: str) -> Room:
    """The room by the newest readings of a node (`process`, `machine`, `memory` or `info`)."""
    newest: dict[tuple[str, str], Scalar] = {}
    for reading in readings:
        # One machine may be read once for several nodes of it.
        if reading.node in (node, None) or (reading.tool == "machine" and reading.get("locality") == "local"):
            newest |= {(reading.tool, field): value for field, value in (reading.values or {}).items()}

    def number(tool: str, *fields: str) -> int | None:
        found = (newest.get((tool, field)) for field in fields)
        return next((int(one) for one in found if isinstance(one, int | float) and not isinstance(one, bool)), None)

    # The server raises its own soft limit as far as the hard one.
    files = number("process", "nofile_hard", "nofile_soft")
    here = ("process", "listening") in newest
    bounds = [number("machine", "memory_total_bytes") if here else None, number("process", "cgroup_memory_limit")]
    used = number("memory", "used_memory")
    return Room(
        clients=max(0, files - RESERVED_FDS) if files is not None else None,
        memory=min((bound for bound in bounds if bound), default=None),
        used=used if used is not None else number("info", "used_memory"),
        connected=number("info", "connected_clients"),
    )  # fmt: skip


def check_room(name: str, value: str, room: Room, *, restores: bool = False) -> str | None:
    """What couldn't be checked, in a sentence, or null. Raises `Forbidden` where there's no room for a value.

    `restores` says that it stood there before: then it may lock new clients out, as it did.
    """
    if name == "maxclients":
        if not restores and room.connected is not None and int(value) <= room.connected:
            raise Forbidden(f"maxclients {value}: {room.connected} are connected, so every new client would be refused")
        if room.clients is not None and int(value) > room.clients:
            raise Forbidden(
                f"maxclients {value}: the process' file limit leaves room for {room.clients} "
                f"(limit minus {RESERVED_FDS})"
            )
        return None if room.clients is not None else "The file limit of the process isn't known from here."
    if name == "maxmemory" and (limit := size(value)):
        # 0 is no limit: as a new value it's out of bounds, as an old one it evicts nothing.
        if room.memory is not None and limit > room.memory:
            raise Forbidden(f"maxmemory {value}: the machine or its control group has {room.memory} bytes")
        if room.used is not None and limit < room.used:
            raise Forbidden(
                f"maxmemory {value}: {room.used} bytes are in use; the excess "
                f"would be evicted at once, or writes refused"
            )
        unknown = [("memory of its machine", room.memory), ("memory in use", room.used)]
        left = [what for what, known in unknown if known is None]
        return f"The {' and the '.join(left)} isn't known from here." if left else None
    return None
