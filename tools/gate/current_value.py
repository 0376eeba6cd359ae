"""The value on a server before a change, which must still be the same when the change is made."""

import hashlib

from tools.connection.node import Node
from tools.errors import Forbidden
from tools.gate.policy import Change
from tools.patterns import deferred
from tools.server.config import read_config

_PLAIN = deferred(r"[A-Za-z0-9_.:-]{1,32}")


async def current_value(node: Node, change: Change) -> str | None:
    """A CONFIG SET's value, or the identity of a CLIENT KILL's client; null if there is none. Raises `Forbidden`."""
    if change.parameter is not None:
        value = (await read_config(node, [change.parameter])).get(change.parameter)
        return None if value is None else str(value)
    return None if change.client is None else await _client(node, change.client)


async def _client(node: Node, id: int) -> str | None:
    """The client with an id, in one line. Ids aren't reused, but a connection's role may change."""
    listed = str(await node.one("CLIENT", "LIST", "ID", id))
    rows = [dict(part.partition("=")[::2] for part in line.split(" ")) for line in listed.splitlines()]
    row = next((row for row in rows if row.get("id") == str(id)), None)
    if row is None:
        return None
    if id == node.client_id:
        raise Forbidden(f"client {id} is this program's own connection")
    flags = row.get("flags", "")
    if set(flags) & set("SM") - set("O"):
        raise Forbidden(f"client {id} is a replica's or the primary's connection (flags={flags})")
    return f"addr={_identifier(row.get('addr', ''))} name={_identifier(row.get('name', ''))} flags={_identifier(flags)}"


def _identifier(text: str) -> str:
    """Text chosen by a client: unchanged if short and plain, else a digest that is the same in any process."""
    return text if not text or _PLAIN.fullmatch(text) else f"sha256:{hashlib.sha256(text.encode()).hexdigest()[:16]}"
