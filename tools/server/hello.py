"""The sentinels that watch a data node, as they announce themselves on it."""

from typing import Literal

from tools.connection.node import PATIENCE, Node
from tools.connection.protocol import Reply, ServerError
from tools.connection.shapes import whole_number
from tools.errors import Unanswered
from tools.patterns import deferred

CHANNEL = "__sentinel__:hello"
PERIOD = 2.0
"""Seconds between two announcements of one sentinel."""
STEP = 0.1
_CLIENT = deferred(r"\bname=sentinel-[0-9a-f]{8}-pubsub\b")


Heard = Literal["announced", "silent", "none", "not-asked"]
"""Whether a sentinel announced itself; silent means that one is connected here but said nothing in that time."""


async def sentinel_of(node: Node) -> tuple[Heard, tuple[str, int] | None]:
    """Whether a sentinel that watches this node was heard, and the host and port of the first.

    Only where a client has a sentinel's name is the channel listened to, for as long as the first announcement takes. A
    non-default user isn't assumed to have the right to: the refusal would appear in ACL LOG.
    """
    if node.target.username not in (None, "default"):
        return "not-asked", None
    heard: Heard = "not-asked"
    try:
        (listed,) = await node.ask(("CLIENT", "LIST", "TYPE", "pubsub"))
        if isinstance(listed, ServerError):
            return "not-asked", None
        if not _CLIENT.search(str(listed)):
            return "none", None
        heard = "silent"
        place = await _announced(node)
    except Unanswered:
        # The rest of the deployment can be read without it.
        return heard, None
    return ("announced", place) if place else (heard, None)


async def _announced(node: Node) -> tuple[str, int] | None:
    link, _ = await node.dial(PATIENCE)
    try:
        node.budget.spend(commands=1)
        (reply,) = await link.exchange([("SUBSCRIBE", "__sentinel__:hello")], PATIENCE)
        if isinstance(reply, ServerError):
            return None
        node.own.calls["subscribe"] += 1
        ends = node.clock.monotonic() + PERIOD + 0.5
        while node.clock.monotonic() < ends and link.usable:
            await node.clock.sleep(STEP)
            for message in link.take_unasked():
                if (place := _place(message)) is not None:
                    return place
        return None
    finally:
        node.budget.spend(transferred=link.take_bytes())
        link.close()


def _place(message: Reply) -> tuple[str, int] | None:
    """The address in one announcement: ip,port,runid,epoch,name,ip,port,epoch of its primary.

    Anybody may publish one.
    """
    if not isinstance(message, list) or len(message) != 3 or str(message[1]) != CHANNEL:
        return None
    words = str(message[2])[:512].split(",")
    port = whole_number(words[1]) if len(words) == 8 else None
    return (words[0], port) if port is not None and 0 < port < 65536 else None
