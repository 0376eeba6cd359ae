"""Keys with given names or a given prefix: what they are, and how fast they grow."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any

from pydantic import Field

from tools.connection.node import Node
from tools.connection.protocol import Command, Reply, ServerError
from tools.errors import ToolError, Unanswered
from tools.patterns import deferred
from tools.records import Values
from tools.redact import PLAIN
from tools.server.big_keys import LENGTH
from tools.toolbox import reads

MOST, SHOWN = 8, 6
"""Most keys that may be named, and most that are shown of a prefix, the longest."""
LOOKED_AT = 30
"""Most keys of a prefix whose type is read."""
SCANS, SCAN_COUNT = 8, 1000
"""Most calls of a search, and hash slots per call: one holds the server for about 2.5 ms."""
MOST_SECONDS = 10.0
_HANDLE = deferred(r"key#\d{1,6}")


@reads
async def named_keys(
    node: Node,
    keys: Sequence[str] = (),
    prefix: str = "",
    window: Annotated[float, Field(allow_inf_nan=False)] = 1.0,
) -> Values:
    """Up to 8 keys by handle or plain name: type, length and its rate, memory, TTL, encoding, idle time; or the longest
    collections of a prefix.

    `k1.type` is none where there is no such key. `.length` is in elements, of a string in bytes, with `.delta` over the
    window and `.rate` a second. `.bytes` is MEMORY USAGE with its default samples, `.ttl_ms` -1 without a time to live,
    `.idle_seconds` the time since its last use before this look, or `.freq` under an LFU policy; `.error` says why
    nothing is known of it. Of a prefix `found` names in a bounded SCAN begin so, `looked_at` were asked for their type
    and, but for strings, their length; `complete` says whether that's all keys. Values are never read.
    """
    look = _Look(node)
    if keys:
        values = await look.at([_text(node, key) for key in list(dict.fromkeys(keys))[:MOST]])
    else:
        beginning = _text(node, prefix) if prefix else ""
        if beginning is None:
            raise ToolError(f"named_keys: {_REMEDY}")
        values = await look.of_prefix(beginning)
    grown = await look.again(max(0.0, min(window, MOST_SECONDS)))
    return {"db": node.target.db, "calls": look.calls, **values, **grown}


_REMEDY = "name a key by the handle that a reading shows, such as key#1, or by a plain name"


def _text(node: Node, key: str) -> str | None:
    """A key's name on the server; None for an unknown handle, and for a name that only a handle may represent."""
    if _HANDLE.fullmatch(key):
        return node.pseudonyms.text(key)
    return key if PLAIN.fullmatch(key) else None


class _Look:
    """One call of the tool: what it requested, and the lengths it reads twice."""

    def __init__(self, node: Node) -> None:
        self.calls = 0
        self._node = node
        self._places: dict[str, str] = {}
        """The position of each key among those shown, such as k1."""
        self._lengths: dict[str, tuple[str, int]] = {}
        """Type and first length of each shown key that has a length."""
        self._at = 0.0

    async def at(self, names: Sequence[str | None]) -> Values:
        """What the named keys are."""
        known = [name for name in names if name is not None]
        if not known:
            raise ToolError(f"named_keys: {_REMEDY}")
        self._places = {name: f"k{number}" for number, name in enumerate(names, 1) if name is not None}
        # The idle time is read first: reading a length counts as a use.
        first = await self._each(
            known, ("TYPE",), ("PTTL",), ("OBJECT", "ENCODING"), ("OBJECT", "IDLETIME"), ("MEMORY", "USAGE")
        )
        denied = [isinstance(kind, ServerError) and kind.kind == "denied" for kind, *_ in first.values()]
        if all(denied):
            raise Unanswered("denied", "the user isn't allowed to read any of these keys", {"calls": self.calls})
        await self._measure({name: str(kind) for name, (kind, *_) in first.items()})
        # Under an LFU policy the time of the last use isn't kept.
        counted = [
            name for name, (kind, *_, idle, _) in first.items()
            if isinstance(kind, str) and isinstance(idle, ServerError) and idle.kind is None
        ]  # fmt: skip
        used = await self._each(counted, ("OBJECT", "FREQ"))
        values: Values = {}
        for number, name in enumerate(names, 1):
            if name is None:
                values[f"k{number}.error"] = _REMEDY
                continue
            freq = used[name][0] if name in used else None
            values |= self._described(f"k{number}", name, first[name], freq)
        return values

    async def of_prefix(self, beginning: str) -> Values:
        """The longest collections whose names begin so, of those that a bounded search finds."""
        names, complete = await self._search(beginning)
        looked = names[:LOOKED_AT]
        kinds = {name: reply for name, (reply,) in (await self._each(looked, ("TYPE",))).items()}
        if looked and all(isinstance(kind, ServerError) and kind.kind == "denied" for kind in kinds.values()):
            raise Unanswered("denied", "the user isn't allowed to read any of these keys", {"calls": self.calls})
        await self._measure({name: str(kind) for name, kind in kinds.items() if kind != "string"})
        longest = sorted(self._lengths, key=lambda name: -self._lengths[name][1])[:SHOWN]
        self._lengths = {name: self._lengths[name] for name in longest}
        self._places = {name: f"k{number}" for number, name in enumerate(longest, 1)}
        values: Values = {
            "found": len(names), "looked_at": len(looked), "complete": complete and len(looked) == len(names),
        }  # fmt: skip
        for name, at in self._places.items():
            values[f"{at}.key"] = self._node.pseudonyms.plain("key", name)
            values[f"{at}.type"], values[f"{at}.length"] = self._lengths[name]
        return values

    async def _search(self, beginning: str) -> tuple[list[str], bool]:
        names: dict[str, None] = {}
        cursor = "0"
        for _ in range(SCANS):
            reply: Any = await self._node.one("SCAN", cursor, "COUNT", SCAN_COUNT)
            self.calls += 1
            cursor = str(reply[0])
            names |= dict.fromkeys(name for name in map(str, reply[1]) if name.startswith(beginning))
            if cursor == "0":
                return list(names), True
        return list(names), False

    async def again(self, pause: float) -> Values:
        """How the lengths have changed after a pause."""
        if not pause or not self._lengths:
            return {"window_seconds": 0}
        began, before = self._at, self._lengths
        await self._node.clock.sleep(max(0.0, began + pause - self._node.clock.monotonic()))
        await self._measure({name: kind for name, (kind, _) in before.items()})
        seconds = self._at - began
        values: Values = {"window_seconds": round(seconds, 3)}
        for name, (_, length) in self._lengths.items():
            at, grown = f"{self._places[name]}.length", length - before[name][1]
            values |= {at: length, f"{at}.delta": grown, f"{at}.rate": round(grown / seconds, 3)}
        return values

    async def _measure(self, kinds: Mapping[str, str]) -> None:
        asked = {name: kind for name, kind in kinds.items() if kind in LENGTH}
        commands: list[Command] = [(LENGTH[kind], name) for name, kind in asked.items()]
        replies = await self._ask(commands)
        self._at = self._node.clock.monotonic()
        self._lengths = {
            name: (kind, reply) for (name, kind), reply in zip(asked.items(), replies, strict=True)
            if isinstance(reply, int)
        }  # fmt: skip

    async def _each(self, names: Iterable[str], *commands: tuple[str, ...]) -> dict[str, list[Reply]]:
        """The replies of some commands for each key."""
        keys = list(dict.fromkeys(names))
        replies = await self._ask([(*command, name) for name in keys for command in commands])
        size = len(commands)
        return {name: replies[size * number : size * (number + 1)] for number, name in enumerate(keys)}

    async def _ask(self, commands: Sequence[Command]) -> list[Reply]:
        self.calls += len(commands)
        return await self._node.ask(*commands) if commands else []

    def _described(self, at: str, name: str, replies: Sequence[Reply], freq: Reply) -> Values:
        plain, error = self._node.pseudonyms.plain, self._node.pseudonyms.error
        kind, ttl, encoding, idle, size = replies
        values: Values = {f"{at}.key": plain("key", name)}
        if isinstance(kind, ServerError):
            return values | {f"{at}.error": error(kind.text)}
        values[f"{at}.type"] = plain("type", str(kind))
        if kind == "none":
            return values
        if freq is not None:
            idle = None
            values[f"{at}.freq"] = freq if isinstance(freq, int) else None
        told = {"encoding": encoding, "bytes": size, "ttl_ms": ttl, "idle_seconds": idle}
        for field, reply in told.items():
            if isinstance(reply, ServerError):
                values[f"{at}.{field}.unavailable"] = reply.kind or error(reply.text)
            elif reply is not None:
                values[f"{at}.{field}"] = plain("encoding", reply) if isinstance(reply, str) else reply
        if name in self._lengths:
            values[f"{at}.length"] = self._lengths[name][1]
        return values
