"""What a sentinel announces while we listen."""

from collections.abc import Iterable

from tools.connection.node import PATIENCE, Node
from tools.connection.protocol import Reply, ServerError
from tools.connection.shapes import whole_number
from tools.connection.target import address
from tools.errors import Unanswered
from tools.patterns import deferred
from tools.records import Values

LISTED = 256
"""Most events that are counted, and as many decisive ones; `events.left_out` counts the rest."""
_DECIDES = deferred(r"[+-][so]down|[+-]tilt|\+switch-master|\+promoted-slave|-failover-abort-[a-z-]{1,40}")
"""Events that chatter doesn't push out, however much follows."""
_EVENT = deferred(r"[+-][a-z-]{2,40}")
_INSTANCES = ("master", "slave", "sentinel")


async def listen(node: Node, seconds: float) -> Values:
    """Subscribe for so many seconds on a connection of its own: events by name, and the newest.

    `events.unavailable` is the kind if that connection fails.
    """
    try:
        link, _ = await node.dial()
    except Unanswered as error:
        return {"events": None, "events.unavailable": error.kind}
    try:
        node.budget.spend(commands=1)
        (reply,) = await link.exchange([("PSUBSCRIBE", "*")], PATIENCE)
        if isinstance(reply, ServerError):
            return {"events": None, "events.unavailable": reply.kind or "unknown-command"}
        node.own.calls["psubscribe"] += 1
        await node.clock.sleep(seconds)
        lost = not link.usable
        values = counted(node, link.take_unasked())
    except Unanswered as error:
        return {"events": None, "events.unavailable": error.kind}
    finally:
        node.budget.spend(transferred=link.take_bytes())
        link.close()
    return {**values, "events.unavailable": "reset"} if lost else values


def counted(node: Node, messages: Iterable[Reply]) -> Values:
    """A subscriber's messages as events by name and by what they're about."""
    events = [
        (str(message[2]), str(message[3]).split(" "))
        for message in messages
        if isinstance(message, list) and len(message) == 4 and _EVENT.fullmatch(str(message[2]))
    ]
    values: Values = {"events": len(events), "events.newest": events[-1][0] if events else None}
    deciding = [number for number, (name, _) in enumerate(events) if _DECIDES.fullmatch(name)][-LISTED:]
    kept = sorted({*deciding, *range(max(0, len(events) - LISTED), len(events))})
    if len(events) > len(kept):
        values["events.left_out"] = len(events) - len(kept)
    for name, words in (events[number] for number in kept):
        _count(values, f"{name}.count")
        if name == "+switch-master" and len(words) == 5:
            values[f"{name}.from"] = _place(node, words[1], words[2])
            values[f"{name}.to"] = _place(node, words[3], words[4])
        elif words[0] in _INSTANCES and len(words) > 3:
            _count(values, f"{name}.{words[0]}.count")
            values[f"{name}.{words[0]}.address"] = _place(node, words[2], words[3])
    return values


def _count(values: Values, field: str) -> None:
    count = values.get(field)
    values[field] = (count if isinstance(count, int) else 0) + 1


def _place(node: Node, host: str, port: str) -> str:
    return node.pseudonyms.plain("address", address(host, whole_number(port) or 0))
