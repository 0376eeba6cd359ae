"""What runs while the server says -BUSY, as far as it can be seen: hardly anything is answered then."""

from collections.abc import Mapping

from tools.connection.node import Node
from tools.connection.protocol import Reply, ServerError
from tools.connection.shapes import whole_number
from tools.records import Values
from tools.toolbox import reads

FUNCTIONS_SINCE = 7
"""Major version of Redis that introduced functions; Valkey has always had them."""


@reads
async def script(node: Node) -> Values:
    """What runs while the server says -BUSY.

    `role` is the server's own (a script can't write on a read-only replica). Of a function `command` is FCALL or
    FCALL_RO, which never writes, and `duration_ms` how long it has run; of a script neither is known, and of
    neither whether it has written yet.
    """
    hello, pinged = await node.ask(("HELLO",), ("PING",))
    greeting = _fields(node.value(hello))
    busy = node.pseudonyms.error(pinged.text) if isinstance(pinged, ServerError) and pinged.kind == "busy" else ""
    values: Values = {"running": _running(busy), "role": _word(greeting.get("role")), "command": None}
    values["duration_ms"] = None
    if values["running"] != "function" or not _has_functions(greeting):
        return values
    (stats,) = await node.ask(("FUNCTION", "STATS"))
    if not isinstance(stats, ServerError):
        of = _fields(_fields(stats).get("running_script"))
        command, lasted = of.get("command"), of.get("duration_ms")
        # Its name and arguments are untrusted text, and add nothing.
        values["command"] = _word(command[0]) if isinstance(command, list) and command else None
        values["duration_ms"] = lasted if isinstance(lasted, int) else None
    return values


def _running(busy: str) -> str | None:
    if not busy:
        return None
    return "function" if "FUNCTION KILL" in busy else "script" if "SCRIPT KILL" in busy else "module"


def _has_functions(greeting: Mapping[str, Reply]) -> bool:
    major = str(greeting.get("version")).partition(".")[0]
    return (whole_number(major) or 0) >= FUNCTIONS_SINCE


def _fields(reply: Reply) -> dict[str, Reply]:
    """A reply of names and values, one after the other."""
    parts = reply if isinstance(reply, list) else []
    return {str(name): value for name, value in zip(parts[::2], parts[1::2], strict=False)}


def _word(reply: Reply) -> str | None:
    return reply if reply in ("master", "replica", "FCALL", "FCALL_RO") and isinstance(reply, str) else None
