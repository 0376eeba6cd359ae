"""LATENCY: the stalls that the server itself measured, by event."""

from typing import Any, NamedTuple

from tools.connection.node import Node
from tools.connection.protocol import Command, Reply, ServerError
from tools.connection.shapes import whole_number
from tools.errors import Unanswered
from tools.records import Record, Scalar, Values
from tools.server.doctor import FAILED, answers, doctor, told_spikes, unavailable
from tools.server.info import Pair, Sample, Window, pair
from tools.toolbox import reads

MOST = 64
"""Events that are read: the server itself has about 20."""
HISTORIES = 6
"""Events whose history is read: the latest ones. The server keeps up to 160 spikes of each."""
AGES = (60, 600)
"""Seconds back that a history is summed up over."""
THRESHOLD = "latency-monitor-threshold"


class Event(Record):
    """One line of LATENCY LATEST; durations in milliseconds."""

    name: str
    at: int
    """Unix time of the latest spike."""
    last: int
    max: int
    total: int | None
    """Sum of all spikes, if the server reports it (Valkey 9)."""
    count: int | None
    """How many spikes there were, if the server reports it (Valkey 9)."""


class _Look(NamedTuple):
    """What the server measured by now, and before the window if there was one."""

    latest: Reply
    seconds: float
    now: int
    began: int
    before: dict[str, Event] | None


@reads
async def latency_events(node: Node, window: Window = 2.0) -> Values:
    """Stalls that the server itself measured, by event.

    `<event>.last_ms` and `.age` (seconds) are of the latest spike, `.max_ms` of the worst, `.new` says whether one
    occurred within the window (null: unknown); `.spikes_60s`, `.max_60s_ms`, `.spikes_600s` and `.max_600s_ms` are of
    the last 60 and 600 s (spikes of one second count once, 160 are kept). `worst` is the event with the longest spike
    of the last 600 s. Only what takes at least `monitor_threshold_ms` is an event: with `monitor_enabled` false no
    events mean nothing.
    """
    look = await _looked(node, window)
    latest = look.latest
    events = [] if isinstance(latest, ServerError) else sorted(_events(latest), key=lambda one: -one.at)
    history: list[Command] = [("LATENCY", "HISTORY", event.name) for event in events[:HISTORIES]]
    threshold, *spikes = await answers(node, ("CONFIG", "GET", THRESHOLD), *history)
    advice: Reply = ""
    if events or isinstance(latest, ServerError) or isinstance(threshold, FAILED) or not threshold:
        # Without events it only says whether any could have been recorded.
        (advice,) = await answers(node, ("LATENCY", "DOCTOR"))
    values: Values = {"window_seconds": look.seconds}
    values |= _monitor(node, threshold, advice) | doctor(node, advice)
    if isinstance(latest, ServerError):
        values |= {"events": None, "events.unavailable": unavailable(node, latest)} | told_spikes(advice)
        if isinstance(advice, FAILED) and latest.kind:
            raise Unanswered(latest.kind, f"LATENCY: {node.pseudonyms.error(latest.text)}", values)
        return values
    now, before = look.now, look.before
    recent: dict[str, int] = {}
    values |= {"events": len(events), "new_events": None if before is None else 0}
    for index, event in enumerate(events):
        shown = node.pseudonyms.plain("event", event.name)
        values |= {f"{shown}.{field}": value for field, value in _described(event, now).items()}
        new = None if before is None else _new(before.get(event.name), event, look.began)
        values[f"{shown}.new"] = new
        values["new_events"] = int(values["new_events"] or 0) + 1 if new else values["new_events"]
        if index < HISTORIES:
            values |= {f"{shown}.{field}": value for field, value in _history(node, spikes[index], now).items()}
            longest = values.get(f"{shown}.max_600s_ms")
            recent[shown] = longest if isinstance(longest, int) else 0
    if any(recent.values()):
        values["worst"] = max(recent, key=lambda name: recent[name])
        values["worst_ms"] = max(recent.values())
    return values


async def _looked(node: Node, window: float) -> _Look:
    try:
        both = await pair(node, window)
    except Unanswered as error:
        if error.kind != "not-pasted":
            raise
        # A person pasted this and no INFO, or only what the doctor says.
        latest, advice = await node.ask(("LATENCY", "LATEST"), ("LATENCY", "DOCTOR"))
        if isinstance(latest, ServerError) and isinstance(advice, ServerError):
            raise
        return _Look(latest, 0.0, int(node.clock.now().timestamp()), 0, None)
    last, first = server_time(node, both.last), server_time(node, both.first)
    return _Look(both.last.replies["latency"], round(both.seconds, 3), last, first, _before(both))


def server_time(node: Node, sample: Sample) -> int:
    """The server's Unix time as of a sample, or this machine's if INFO doesn't report it."""
    usec = sample.flat(frozenset({"server"})).get("server_time_usec")
    return usec // 1_000_000 if isinstance(usec, int) else int(node.clock.now().timestamp())


def _monitor(node: Node, threshold: Reply, advice: Reply) -> Values:
    if isinstance(threshold, FAILED) or not threshold:
        # Without CONFIG the doctor still says so, as long as there was no event.
        off = "monitoring is disabled" in str(advice)
        values: Values = {"monitor_threshold_ms": None, "monitor_enabled": False if off else None}
        return values | ({"config.unavailable": unavailable(node, threshold)} if threshold else {})
    milliseconds = whole_number(str(threshold[1]))
    enabled = None if milliseconds is None else milliseconds > 0
    return {"monitor_threshold_ms": milliseconds, "monitor_enabled": enabled}


def _events(reply: Reply) -> list[Event]:
    return [_event(row) for row in reply[:MOST]]


def _event(row: list[Any]) -> Event:
    total, count = (int(row[4]), int(row[5])) if len(row) >= 6 else (None, None)
    return Event(name=str(row[0]), at=int(row[1]), last=int(row[2]), max=int(row[3]), total=total, count=count)


def _before(both: Pair) -> dict[str, Event] | None:
    """The events when the window began; null if there is no window or they couldn't be read."""
    reply = both.first.replies["latency"]
    if both.first is both.last or isinstance(reply, ServerError):
        return None
    return {event.name: event for event in _events(reply)}


def _described(event: Event, now: int) -> dict[str, Scalar]:
    values: dict[str, Scalar] = {"last_ms": event.last, "max_ms": event.max, "age": max(0, now - event.at)}
    if event.count and event.total is not None:
        values |= {"spikes": event.count, "mean_ms": round(event.total / event.count, 1)}
    return values


def _new(before: Event | None, after: Event, began: int) -> bool | None:
    if before is None or (before.at, before.last, before.count) != (after.at, after.last, after.count):
        return True
    # A second spike within the same second only shows if it's longer, or if the server counts them.
    return None if after.count is None and after.at >= began else False


def _history(node: Node, reply: Reply, now: int) -> dict[str, Scalar]:
    if isinstance(reply, FAILED):
        return {"history.unavailable": unavailable(node, reply)}
    values: dict[str, Scalar] = {}
    for seconds in AGES:
        spikes = [int(took) for at, took, *_ in reply if now - int(at) <= seconds]
        values |= {f"spikes_{seconds}s": len(spikes), f"max_{seconds}s_ms": max(spikes, default=0)}
    return values
