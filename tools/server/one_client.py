"""One client, examined twice: what it is, and what changes."""

from collections.abc import Mapping

from tools.connection.node import Node
from tools.connection.protocol import ServerError
from tools.connection.shapes import whole_number
from tools.errors import Unanswered
from tools.patterns import deferred
from tools.records import Scalar, Values
from tools.server.client_list import fields
from tools.toolbox import reads

WINDOW = 1.2
"""Seconds between the two looks. A server measures ages with a clock that it only updates a few times a second."""
LOOKS = 2
"""Second looks at most."""
MOST = 48
"""Fields that are shown: no server has as many."""
MOST_ID = 2**63 - 1
_TEXTS = {
    "name": "client", "addr": "address", "laddr": "address", "cmd": "command", "user": "user", "lib-name": "library",
    "lib-ver": "library",
}  # fmt: skip
"""Fields that are text even if numeric, and the name of their handles."""
_FIELD = deferred(r"[a-z][a-z0-9-]{0,31}")
_NUMBER = deferred(r"-?[0-9]{1,19}")


@reads
async def one_client(node: Node, id: int) -> Values:
    """One client by its id: all fields of CLIENT LIST, twice a second apart, with what moved.

    `listed` says whether it's there, `left` that it left in between. Fields are CLIENT LIST's own, from the second
    look; changed numbers have `.delta`, texts `.before`; `moved` names them, except for the seconds that passed (`age`,
    and `idle` while it only grows). Addresses are without their port, which is `addr.port`. Sizes in bytes.
    """
    number = max(1, min(id, MOST_ID))
    line, began = await _line(node, number), node.clock.monotonic()
    if line is None:
        return {"id": number, "listed": False}
    for _ in range(LOOKS):
        await node.clock.sleep(WINDOW)
        # A busy server updates its clock late, and a recording may return one look twice: then nothing has changed yet.
        if (again := await _line(node, number)) != line:
            break
    new, window = again not in (None, line), round(node.clock.monotonic() - began, 3)
    first, last = _values(node, fields(line)), _values(node, fields(again or line))
    values: Values = dict(last)
    moved = [name for name, value in last.items() if name in first and value != first[name]] if new else []
    for name in moved:
        old, now = first[name], last[name]
        if isinstance(old, int) and isinstance(now, int):
            values[f"{name}.delta"] = now - old
        else:
            values[f"{name}.before"] = old
    passed = {"age"} | ({"idle"} if isinstance(grown := values.get("idle.delta"), int) and grown > 0 else set())
    return values | {
        "id": number, "listed": again is not None, "left": again is None, "window_seconds": window if new else 0,
        "moved": " ".join(name for name in moved if name not in passed) if new else None,
    }  # fmt: skip


async def _line(node: Node, number: int) -> str | None:
    (reply,) = await node.ask(("CLIENT", "LIST", "ID", number))
    if isinstance(reply, ServerError) and reply.kind is None:
        raise Unanswered("unknown-command", "this server can't list a single client by its id")
    lines = str(node.value(reply)).split("\n")
    return next((line for line in lines if whole_number(fields(line).get("id", "")) == number), None)


def _values(node: Node, found: Mapping[str, str]) -> Values:
    values: Values = {}
    for name, text in found.items():
        if not _FIELD.fullmatch(name) or len(values) >= MOST:
            continue
        if name in ("addr", "laddr"):
            host, _, port = text.rpartition(":")
            values[name] = node.pseudonyms.plain("address", host or text)
            values[f"{name}.port"] = whole_number(port)
        else:
            values[name] = _scalar(node, name, text)
    return values


def _scalar(node: Node, name: str, text: str) -> Scalar:
    if name not in _TEXTS and _NUMBER.fullmatch(text):
        return int(text)
    return node.pseudonyms.plain(_TEXTS.get(name, "text"), text.replace("|", ":") if name == "cmd" else text)
