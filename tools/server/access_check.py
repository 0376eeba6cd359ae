"""What the current user can read: every reading command tried once."""

from tools.connection.allowed import Allowed
from tools.connection.node import Node
from tools.connection.protocol import Command, ServerError
from tools.records import Record
from tools.server.users import About, missing, readable


class Check(Record):
    """What the current user can read."""

    user: str | None
    """As ACL WHOAMI says, plain or a handle; null if it may not be asked."""
    answered: int
    """Commands that were answered, even with an error of their own."""
    denied: tuple[Allowed, ...]
    """Commands that the user isn't allowed to send."""
    absent: tuple[Allowed, ...]
    """Commands that this server doesn't have."""


async def tried(node: Node, server: About, *, keys: bool) -> Check:
    """Try each reading command once in its cheapest form, all in one round trip; the connection is closed after it.

    Each refused one leaves an entry in ACL LOG. Raises `Unanswered` if the server doesn't answer.
    """
    rows = readable(server, node.target.db, keys=keys)
    absent = [row for row in rows if server.version and missing(server, row.name, row.since)]
    # After subscribing, nothing else is answered on that connection.
    there = sorted((row for row in rows if row not in absent), key=lambda row: row.name == "psubscribe")
    replies = await node.ask(*(_cheapest(row, node.target.db) for row in there))
    node.close()
    denied: list[Allowed] = []
    user: str | None = None
    for row, reply in zip(there, replies, strict=True):
        if not isinstance(reply, ServerError):
            user = node.pseudonyms.plain("user", str(reply)) if row.name == "acl|whoami" else user
        elif reply.kind == "denied":
            denied.append(row)
        elif reply.kind == "unknown-command":
            absent.append(row)
        elif reply.kind:
            node.value(reply)
    answered = len(there) - len(denied) - len([row for row in absent if row in there])
    return Check(user=user, answered=answered, denied=tuple(denied), absent=tuple(absent))


def _cheapest(row: Allowed, db: int) -> Command:
    return (*row.words, db) if row.tier == "database" else (*row.words, *row.cheapest)
