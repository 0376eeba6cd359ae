"""A recorded reply in the server's own types: a recording has those of version 2 of the protocol."""

import re
from typing import Any

from tools.connection.protocol import Reply
from tools.record.resp import Double, Map, Status, Verbatim
from tools.record.tape import Key

_VERBATIM = frozenset(
    (("INFO",), ("CLIENT", "LIST"), ("CLIENT", "INFO"), ("CLUSTER", "NODES"), ("CLUSTER", "INFO"),
     ("LATENCY", "DOCTOR"), ("LATENCY", "GRAPH"), ("MEMORY", "DOCTOR"))
)  # fmt: skip
_MAPS = frozenset(
    (("CONFIG", "GET"), ("HELLO",), ("SENTINEL", "MASTER"), ("FUNCTION", "STATS"), ("XINFO", "STREAM"),
     ("MEMORY", "STATS"), ("LATENCY", "HISTOGRAM"), ("COMMAND", "DOCS"))
)  # fmt: skip
_DEEP = frozenset((("MEMORY", "STATS"), ("LATENCY", "HISTOGRAM"), ("FUNCTION", "STATS"), ("CLUSTER", "SHARDS")))
"""Replies whose lists of names and values are maps wherever they are."""
_ROWS = frozenset(
    (("SENTINEL", "MASTERS"), ("SENTINEL", "REPLICAS"), ("SENTINEL", "SLAVES"), ("SENTINEL", "SENTINELS"),
     ("ACL", "LOG"), ("XINFO", "GROUPS"), ("XINFO", "CONSUMERS"), ("MODULE", "LIST"))
)  # fmt: skip
"""Replies that are lists of maps."""
_DOUBLES = {("MEMORY", "STATS"): None, ("ACL", "LOG"): "age-seconds"}
"""Replies with fractions: in any field, or in one."""
_FRACTION = re.compile(r"-?\d{1,20}(\.\d{1,20})?(e-?\d{1,3})?")


def shaped(asked: Key, reply: Reply) -> Reply:
    """A reply to `asked` with its own types."""
    name = next((one for one in (asked[:2], asked[:1]) if one in _MAPS | _DEEP | _ROWS | _VERBATIM), ())
    if isinstance(reply, str):
        plain = reply == "OK" or (asked == ("PING",) and reply == "PONG") or asked[:1] == ("TYPE",)
        return Status(reply) if plain else Verbatim(reply) if name in _VERBATIM else reply
    if not isinstance(reply, list):
        return reply
    if name in _DEEP:
        return _deep(reply, name)
    if name in _MAPS:
        return _map(reply, name)
    if name in _ROWS:
        return [_map(row, name) if isinstance(row, list) else row for row in reply]
    return reply


def _map(flat: list[Any], name: Key) -> Reply:
    if len(flat) % 2:
        return flat
    pairs = zip(flat[::2], flat[1::2], strict=True)
    return Map(tuple((field, _number(value, field, name)) for field, value in pairs))


def _deep(value: Any, name: Key, field: str = "") -> Reply:
    if not isinstance(value, list):
        return _number(value, field, name)
    named = all(isinstance(one, str) for one in value[::2]) and len(value) % 2 == 0 and value
    if not (named or field == "histogram_usec"):
        return [_deep(one, name) for one in value]
    pairs = zip(value[::2], value[1::2], strict=False)
    return Map(tuple((one, _deep(value, name, str(one))) for one, value in pairs))


def _number(value: Any, field: Any, name: Key) -> Reply:
    if name in _DOUBLES and _DOUBLES[name] in (None, field) and isinstance(value, str) and _FRACTION.fullmatch(value):
        return Double(value)
    return value
