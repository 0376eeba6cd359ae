"""Streams and their consumer groups: what waits to be read or acknowledged, and whether anybody reads it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated

from pydantic import Field

from tools.connection.node import Node
from tools.connection.protocol import Command, Reply, ServerError
from tools.errors import ToolError, Unanswered
from tools.records import Values
from tools.server.big_keys import scanned
from tools.toolbox import reads

SHOWN, GROUPS = 5, 3
"""Most streams that are shown, and groups of each; worst first."""
RESERVE = 3 * SHOWN
"""Commands reserved for the second sample and the consumers of what is shown."""
OLDEST = 10
"""Pending entries of a group of which it is read how often they were handed out, the oldest."""
CROWD = 200
"""Above this many consumers in a group they aren't listed."""
ADDED_MEANWHILE = 20
"""Entries that may be added between two commands of one round trip."""
AGAIN = 3
"""Deliveries from which on an entry comes back: a second one follows each restart of a worker."""
UNREAD_SHARE = 0.97
"""Share of a stream's entries that a group hasn't read, from which the next ones to be trimmed are among them."""
_NUMBERS = ("pending", "lag", "consumers", "entries-read")


@dataclass
class Stream:
    """A stream as it was sampled."""

    key: str
    length: int | None
    groups: dict[str, dict[str, Reply]] = field(default_factory=dict)
    """By name, worst first: the fields of XINFO GROUPS."""
    error: ServerError | None = None

    @property
    def waiting(self) -> int:
        """Entries waiting in its worst group, to be read or acknowledged."""
        return max((_waiting(group) for group in self.groups.values()), default=0)

    @property
    def weight(self) -> int:
        """The same, or the consumers of a group that has very many, whichever is more."""
        return max((_weight(group) for group in self.groups.values()), default=0)


@reads
async def streams(
    node: Node,
    keys: Annotated[Sequence[str], Field(max_length=10, description="Keys or handles; empty: search")] = (),
    calls: Annotated[int, Field(ge=20, le=200)] = 60,
    further: Annotated[int, Field(ge=0, le=30, description="SCANs more while none is found")] = 0,
    window: Annotated[float, Field(ge=0, le=10)] = 1.0,
) -> Values:
    """Streams and their groups' pending and lag, worst first.

    `s1.length` in entries; per group `s1.g1.group`, `.pending` (delivered, not acknowledged), `.lag` (not delivered
    yet; null before 7.0, and where deletions hide it), `.trimmed_unread` (true if the stream is trimmed of entries that
    the group hasn't read), `.consumers`, `.entries-read`, `.last-delivered-id`, `.idle_ms` (since the last consumer
    came) and `.pending_idle_ms` (since the longest silent one with pending entries came); `.deliveries` is how often
    the entry was handed out that came back most, of the ten that are pending longest, and `.redelivered` how many of
    them were handed out three times or more.
    `.delta` is over the window. `streams` were looked at; `complete` says whether the search saw all keys. Entries
    are never read, so XINFO STREAM isn't sent.
    """
    names = [_text(node, key) for key in dict.fromkeys(keys)]
    scans, complete = 0, None
    if not keys:
        # As many as the remaining budget allows; a SCAN of 1000 slots holds the server for 2.5 ms.
        first = (calls - RESERVE) // 3
        names, scans, complete = await scanned(node, (calls - RESERVE) // 2, first, "stream", 1000, further)
        names = names[: (calls - RESERVE - min(scans, first)) // 2]
    began = node.clock.monotonic()
    found = await _sampled(node, names)
    denied = next((one.error for one in found if one.error and one.error.kind == "denied"), None)
    if denied and all(one.error for one in found):
        raise Unanswered("denied", node.pseudonyms.error(denied.text))
    shown = sorted(found, key=lambda one: (one.error is not None, -one.weight, -(one.length or 0)))[:SHOWN]
    idle, asked = await _idle(node, shown)
    later: list[Stream] = []
    if window and shown:
        await node.clock.sleep(max(0.0, window - (node.clock.monotonic() - began)))
        later = await _sampled(node, [one.key for one in shown if one.error is None])
    again = {one.key: one for one in later}
    again_and_again = await _redelivered(node, [one for one in shown[:1] if _stands(one, again.get(one.key))])
    asked += len(again_and_again)
    for at, counted in again_and_again.items():
        idle[at] = {**idle.get(at, {}), **counted}
    groups = [group for one in found for group in one.groups.values()]
    lags = [group["lag"] for group in groups if group.get("lag") is not None]
    values: Values = {
        "streams": sum(one.error is None for one in found), "complete": complete,
        "window_seconds": round(node.clock.monotonic() - began, 3) if later else 0, "groups": len(groups),
        "pending": sum(group["pending"] for group in groups), "lag": sum(lags) if lags or not groups else None,
        "groups_without_consumers": sum(group["consumers"] == 0 for group in groups),
        "calls": scans + 2 * len(names) + asked + 2 * len(later),
    }  # fmt: skip
    if any("lag" not in group for group in groups):
        values["lag.unavailable"] = "unknown-command"
    for number, one in enumerate(shown, 1):
        values |= _described(node, f"s{number}", one, again.get(one.key), idle)
    return values


def _text(node: Node, key: str) -> str:
    text = node.pseudonyms.text(key)
    if text is None and re.fullmatch(r"[a-z]{1,16}#\d{1,6}", key):
        raise ToolError(f"{key} isn't a handle of this incident; give a key, or a handle that a reading shows")
    return key if text is None else text


async def _sampled(node: Node, names: list[str]) -> list[Stream]:
    if not names:
        return []
    commands: list[Command] = [part for name in names for part in (("XLEN", name), ("XINFO", "GROUPS", name))]
    replies = await node.ask(*commands)
    return [_stream(name, *replies[2 * number : 2 * number + 2]) for number, name in enumerate(names)]


def _stream(key: str, length: Reply, reply: Reply) -> Stream:
    known = length if isinstance(length, int) else None
    if isinstance(reply, ServerError):
        return Stream(key, known, error=reply)
    groups = [dict(zip(row[::2], row[1::2], strict=True)) for row in reply]
    return Stream(key, known, {str(group["name"]): group for group in sorted(groups, key=_weight, reverse=True)})


def _waiting(group: dict[str, Reply]) -> int:
    return int(group["pending"]) + int(group.get("lag") or 0)


def _weight(group: dict[str, Reply]) -> int:
    consumers = int(group["consumers"])
    return max(_waiting(group), consumers if consumers > CROWD else 0)


async def _idle(node: Node, shown: list[Stream]) -> tuple[dict[tuple[str, str], Values], int]:
    """How long the consumers of each shown stream's worst group have been away, and how many commands that took."""
    worst = [(one.key, next(iter(one.groups))) for one in shown if one.groups]
    asked = [
        (one.key, name) for one in shown for name, group in one.groups.items()
        if (one.key, name) in worst and 0 < group["consumers"] <= CROWD
    ]  # fmt: skip
    if not asked:
        return {}, 0
    replies = await node.ask(*(("XINFO", "CONSUMERS", key, name) for key, name in asked))
    found: dict[tuple[str, str], Values] = {}
    for at, reply in zip(asked, replies, strict=True):
        if isinstance(reply, ServerError):
            found[at] = {"idle_ms": None, "idle.unavailable": reply.kind or node.pseudonyms.error(reply.text)}
            continue
        rows = [dict(zip(row[::2], row[1::2], strict=True)) for row in reply]
        holding = [row["idle"] for row in rows if row["pending"]]
        found[at] = {
            "idle_ms": min((row["idle"] for row in rows), default=None),
            "pending_idle_ms": max(holding, default=None), "pending_consumers": len(holding),
        }  # fmt: skip
    return found, len(asked)


def _stands(before: Stream, after: Stream | None) -> bool:
    """Whether the worst group was given nothing new over the window, although something waits and it has entries."""
    name = next(iter(before.groups), None)
    if name is None or after is None or name not in after.groups:
        return False
    then, now = before.groups[name], after.groups[name]
    waits = now.get("lag") != 0 and (now.get("lag") is not None or (after.length or 0) > int(now["pending"]))
    return waits and int(now["pending"]) > 0 and then.get("last-delivered-id") == now.get("last-delivered-id")


async def _redelivered(node: Node, shown: list[Stream]) -> dict[tuple[str, str], Values]:
    """How often the oldest pending entries of a stream's worst group were handed out."""
    asked = [
        (one.key, name) for one in shown for name in list(one.groups)[:1] if int(one.groups[name]["pending"])
    ]  # fmt: skip
    if not asked:
        return {}
    try:
        replies = await node.ask(*(("XPENDING", key, name, "-", "+", str(OLDEST)) for key, name in asked))
    except Unanswered:
        # The groups' own figures stand without it.
        return {}
    found: dict[tuple[str, str], Values] = {}
    for at, reply in zip(asked, replies, strict=True):
        if isinstance(reply, ServerError):
            found[at] = {"deliveries": None, "deliveries.unavailable": reply.kind or node.pseudonyms.error(reply.text)}
            continue
        counts = [row[3] for row in reply]
        found[at] = {"deliveries": max(counts, default=None), "redelivered": sum(count >= AGAIN for count in counts)}
    return found


def _described(
    node: Node, at: str, one: Stream, later: Stream | None, idle: dict[tuple[str, str], Values]
) -> Values:  # fmt: skip
    plain = node.pseudonyms.plain
    values: Values = {f"{at}.key": plain("key", one.key)}
    if one.error is not None:
        return values | {f"{at}.error": node.pseudonyms.error(one.error.text)}
    now = later if later and later.error is None else one
    values |= {f"{at}.length": now.length, f"{at}.groups": len(now.groups)}
    if now is not one and one.length is not None and now.length is not None:
        values[f"{at}.length.delta"] = now.length - one.length
    # In the first sample's order: the consumers of its worst group were queried.
    for number, name in enumerate([name for name in one.groups if name in now.groups][:GROUPS], 1):
        before, group, to = one.groups[name], now.groups[name], f"{at}.g{number}"
        values |= {f"{to}.group": plain("group", name), f"{to}.last-delivered-id": group.get("last-delivered-id")}
        for figure in _NUMBERS:
            old, new = before.get(figure), group.get(figure)
            values[f"{to}.{figure}"] = new
            if now is not one and isinstance(old, int) and isinstance(new, int):
                values[f"{to}.{figure}.delta"] = new - old
        grew = now is one or (now.length or 0) > (one.length or 0)
        if _trimmed_unread(now.length, group.get("lag"), grew=grew):
            values[f"{to}.trimmed_unread"] = True
        values |= {f"{to}.{figure}": value for figure, value in idle.get((one.key, name), {}).items()}
    return values


def _trimmed_unread(length: int | None, lag: object, *, grew: bool) -> bool:
    """Whether a group has hardly read anything of a stream that doesn't get longer, or is behind by more than it holds.

    Length and lag are read one after the other, so what is added in between isn't a loss.
    """
    if length is None or not isinstance(lag, int) or lag < ADDED_MEANWHILE:
        return False
    return lag - length >= max(ADDED_MEANWHILE, length / 100) or (not grew and lag >= UNREAD_SHARE * length)
