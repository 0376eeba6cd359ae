"""HOTKEYS GET of Redis (8.6): which keys took the CPU, if somebody has that counted.

From documentation: no such server was at hand. It's only read: HOTKEYS START would change what the server does.
"""

from typing import Any

from tools.connection.node import Node
from tools.connection.protocol import ServerError
from tools.connection.shapes import whole_number
from tools.records import Values

SINCE = (8, 6)
SHOWN = 3


async def hot_keys(node: Node) -> Values:
    """The keys that took most CPU while counted; empty if nobody has them counted. At most one command."""
    if node.version is None or node.version < SINCE:
        return {}
    (reply,) = await node.ask(("HOTKEYS", "GET"))
    if isinstance(reply, ServerError):
        return {"hot_keys.unavailable": reply.kind or "unknown-command"}
    return {
        name: node.pseudonyms.plain("key", str(value)) if name.endswith(".key") else value
        for name, value in parse_hot_keys(reply).items()
    }


def parse_hot_keys(reply: Any) -> Values:
    """The reply's keys by CPU, with their share of all commands' CPU in that time; empty for anything else."""
    fields = _paired(reply[0] if isinstance(reply, list) and len(reply) == 1 else reply)
    keys = _paired(fields.get("by-cpu-time-us"))
    whole = _number(fields.get("all-commands-all-slots-us"))
    values: Values = {}
    for number, (key, usec) in enumerate(list(keys.items())[:SHOWN], 1):
        if (spent := _number(usec)) is None:
            continue
        values |= {f"hotkey{number}.key": key, f"hotkey{number}.cpu_usec": spent}
        if whole:
            values[f"hotkey{number}.share"] = round(min(1.0, spent / whole), 4)
    if values:
        values["hot_keys.counting"] = _number(fields.get("tracking-active")) == 1
    return values


def _paired(reply: Any) -> dict[str, Any]:
    if not isinstance(reply, list) or len(reply) % 2 or len(reply) > 512:
        return {}
    return {str(name): value for name, value in zip(reply[::2], reply[1::2], strict=True)}


def _number(value: Any) -> int | None:
    return whole_number(str(value)) if isinstance(value, int | str) else None
