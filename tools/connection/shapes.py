"""The shape and maximum length of the reply to each command: the one place where replies are validated."""

import re
from collections.abc import Callable, Mapping
from functools import lru_cache

from tools.connection.protocol import Command, MalformedReply, Reply, ServerError

Shape = Callable[[Reply], bool]
"""Whether a reply is what a server answers to the command."""
MIB = 2**20
_WHOLE = re.compile(r"[0-9]{1,19}")
_NAME = re.compile(r"[^\x00-\x1f]{1,255}")
_FRACTION = re.compile(r"-?[0-9]{1,19}(\.[0-9]{1,19})?")


def whole_number(text: str) -> int | None:
    """A whole number of at most 63 bits, in plain digits, else null. `int` accepts more than servers send."""
    return number if _WHOLE.fullmatch(text) and (number := int(text)) < 2**63 else None


def is_text(reply: Reply) -> bool:
    """A string, possibly empty."""
    return isinstance(reply, str)


def is_name(reply: Reply) -> bool:
    """A name used in later commands: text that a command of the table may carry."""
    return isinstance(reply, str) and _NAME.fullmatch(reply) is not None


def is_integer(reply: Reply) -> bool:
    """An integer of either sign."""
    return isinstance(reply, int)


def is_count(reply: Reply) -> bool:
    """An integer that isn't negative."""
    return isinstance(reply, int) and reply >= 0


def is_positive(reply: Reply) -> bool:
    """An integer above 0."""
    return isinstance(reply, int) and reply > 0


def is_any(reply: Reply) -> bool:
    """Anything: it isn't read, or only as far as it's recognised."""
    return True


def is_number(reply: Reply) -> bool:
    """A number, or text that is one."""
    return is_integer(reply) or (isinstance(reply, str) and _FRACTION.fullmatch(reply) is not None)


def is_whole(reply: Reply) -> bool:
    """Text that is a whole number, as TIME and a cursor are."""
    return isinstance(reply, str) and _WHOLE.fullmatch(reply) is not None


def says(*words: str) -> Shape:
    """One of these."""
    return lambda reply: isinstance(reply, str) and reply in words


def maybe(shape: Shape) -> Shape:
    """That, or null."""
    return lambda reply: reply is None or shape(reply)


def each(shape: Shape) -> Shape:
    """A list, each of whose elements is that."""
    return lambda reply: isinstance(reply, list) and all(map(shape, reply))


def starts(*shapes: Shape) -> Shape:
    """A list that begins with these; newer servers may add more."""

    def holds(reply: Reply) -> bool:
        if not isinstance(reply, list) or len(reply) < len(shapes):
            return False
        return all(shape(part) for shape, part in zip(shapes, reply, strict=False))

    return holds


def either(*shapes: Shape) -> Shape:
    """Any one of these."""
    return lambda reply: any(shape(reply) for shape in shapes)


def pairs(value: Shape, known: Mapping[str, Shape] | None = None, *, needs: tuple[str, ...] = ()) -> Shape:
    """Alternating names and values. Known names have a shape of their own; some are required."""
    of = known or {}

    def holds(reply: Reply) -> bool:
        if not isinstance(reply, list) or len(reply) % 2 or not all(map(is_text, reply[::2])):
            return False
        if not of and not needs:
            return all(map(value, reply[1::2]))
        there = set(reply[::2])
        return all(map(there.__contains__, needs)) and all(
            of.get(name, value)(part) for name, part in zip(reply[::2], reply[1::2], strict=True)
        )

    return holds


def _events(reply: Reply) -> bool:
    """LATENCY LATEST's rows: from Valkey 9 on with a sum and a count behind."""
    row = starts(is_name, is_count, is_count, is_count)
    return each(lambda one: row(one) and all(map(is_count, one[1:])))(reply)


def _logged(reply: Reply) -> bool:
    """SLOWLOG GET's rows: before 4.0 without address and name."""
    row = starts(is_integer, is_count, is_count, each(is_text))
    return each(lambda one: row(one) and all(map(is_text, one[4:6])))(reply)


def _cumulative(reply: Reply) -> bool:
    """LATENCY HISTOGRAM's bounds and counts in turn."""
    return each(is_count)(reply) and len(reply) % 2 == 0


_INSTANCE = pairs(is_text)
_MASTER = pairs(is_text, {"name": is_name}, needs=("name",))
_BUCKETS = pairs(is_any, {"calls": is_count, "histogram_usec": _cumulative}, needs=("calls", "histogram_usec"))
_GROUP = pairs(
    is_any,
    {"name": is_text, "consumers": is_count, "pending": is_count, "last-delivered-id": is_text,
     "entries-read": maybe(is_integer), "lag": maybe(is_integer)},
    needs=("name", "consumers", "pending"),
)  # fmt: skip
_CONSUMER = pairs(is_any, {"name": is_text, "pending": is_count, "idle": is_count}, needs=("pending", "idle"))
_REFUSAL = pairs(
    is_any,
    {"count": is_count, "reason": is_text, "context": is_text, "object": is_text, "username": is_text,
     "age-seconds": is_number, "client-info": is_text},
)  # fmt: skip
_OK = says("OK")
SHAPES: dict[str, Shape] = {
    "ping": says("PONG"), "echo": is_text, "hello": pairs(is_any), "info": is_text, "dbsize": is_count,
    "time": starts(is_whole, is_whole), "lastsave": is_count, "role": starts(is_text), "select": _OK, "auth": _OK,
    "slowlog|get": _logged, "slowlog|len": is_count, "commandlog|get": _logged, "commandlog|len": is_count,
    "latency|latest": _events, "latency|history": each(starts(is_count, is_count)), "latency|doctor": is_text,
    "latency|histogram": pairs(_BUCKETS), "client|list": is_text, "client|id": is_positive, "client|info": is_text,
    "client|getname": maybe(is_text), "client|setname": _OK, "memory|doctor": is_text, "memory|usage": maybe(is_count),
    "memory|stats": pairs(either(is_integer, is_text, pairs(is_integer))), "config|get": pairs(is_text),
    "acl|whoami": is_text, "acl|log": each(_REFUSAL), "cluster|info": is_text, "cluster|nodes": is_text,
    "cluster|countkeysinslot": is_integer, "cluster|slot-stats": each(starts(is_count, pairs(is_integer))),
    "sentinel|masters": each(_MASTER), "sentinel|replicas": each(_INSTANCE), "sentinel|sentinels": each(_INSTANCE),
    "sentinel|master": _MASTER, "sentinel|ckquorum": is_text, "type": is_text, "ttl": is_integer, "pttl": is_integer,
    "strlen": is_count, "llen": is_count, "hlen": is_count, "scard": is_count, "zcard": is_count, "xlen": is_count,
    "scan": starts(is_whole, each(is_text)), "xinfo|groups": each(_GROUP), "xinfo|consumers": each(_CONSUMER),
    "xpending": each(starts(is_text, is_text, is_count, is_count)),
    "object|encoding": maybe(is_text), "object|idletime": maybe(is_count), "object|freq": maybe(is_count),
    "command|info": each(maybe(starts(is_text))), "function|stats": pairs(is_any), "config|set": _OK,
}  # fmt: skip
"""By the command's name in ACL rules.

A command that isn't here is only sent for recordings, and nothing reads its reply.
"""
MOST: dict[str, int] = {
    "client|list": 8 * MIB, "slowlog|get": 4 * MIB, "commandlog|get": 4 * MIB, "acl|log": 4 * MIB,
    "cluster|nodes": 4 * MIB, "cluster|slots": 4 * MIB, "cluster|shards": 4 * MIB, "info": 4 * MIB, "scan": 4 * MIB,
    "command|info": 4 * MIB, "latency|histogram": 4 * MIB, "xinfo|consumers": 2 * MIB, "xinfo|groups": 2 * MIB,
}  # fmt: skip
"""Most bytes of a reply, for commands whose replies may be longer than `USUAL`."""
USUAL = MIB
_CONTAINERS = frozenset(name.partition("|")[0] for name in (*SHAPES, *MOST) if "|" in name)


def _name(command: Command) -> str:
    return _named(*command[:2])


@lru_cache(maxsize=1024, typed=True)
def _named(*first: str | int) -> str:
    words = [str(word).lower() for word in first]
    return "|".join(words) if words and words[0] in _CONTAINERS else "".join(words[:1])


def most_bytes(command: Command) -> int:
    """Most bytes of the reply to a command."""
    return MOST.get(_name(command), USUAL)


def checked(command: Command, reply: Reply) -> Reply:
    """The reply, or a `MalformedReply` in its place if no server answers this command that way."""
    shape = SHAPES.get(_name(command), is_any)
    if isinstance(reply, ServerError) or shape(reply):
        return reply
    return MalformedReply(f"{_name(command).upper().replace('|', ' ')} was answered with {described(reply)}")


def described(reply: Reply) -> str:
    """What arrived, in our own words: untrusted text isn't repeated, and the length is bounded."""
    if reply is None:
        return "null"
    if isinstance(reply, str):
        known = reply if re.fullmatch(r"[A-Z]{2,12}", reply) else ""
        return f"the text {known}" if known else f"a text of {len(reply)} characters" if reply else "an empty text"
    if isinstance(reply, list):
        return f"a list of {len(reply)}"
    return f"the number {reply}"
