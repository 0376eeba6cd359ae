"""Streams whose consumer groups don't keep up."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from agent.answer.diagnosis import Cause
from agent.checks.types import Found, Limits
from agent.checks.words import JOBS_LOST, SLOW
from agent.evidence.report_words import mention
from agent.evidence.view import Cited, View
from tools.patterns import deferred

STANDS = deferred(
    r"\b(?:late|behind|frozen|stuck|stop(?:s|ped)|stands? still|nothing (?:is|gets|comes|happens|has)|backlog)\b|"
    r"\bno(?:thing)? (?:progress|new)\b|\b(?:duplicat\w+|twice|repeated(?:ly)?)\b",
    re.IGNORECASE,
)
"""Words of people whose jobs aren't done, or again and again."""
LEAST_ADDED, HANDLED = 5.0, 0.8
"""Entries a second, and commands that read or acknowledge for each, from which an unseen stream may fall behind."""


def stream_backlog(view: View, limits: Limits) -> Found:
    """Entries of a group wait to be read or acknowledged, and their number doesn't fall."""
    groups = [
        field.removesuffix(".pending")
        for field in view.fields("streams")
        if re.fullmatch(r"s\d+\.g\d+\.pending", field)
    ]
    found = [cause for at in groups for cause in _group(view, limits, at)]
    if found:
        yield max(found, key=lambda cause: cause.probability)
    elif not groups:
        yield from _unseen(view)
    elif all(_is_known(view, at) for at in groups):
        cited = [("streams", f"{at}.{name}") for at in groups[:2] for name in ("lag", "pending", "pending.delta")]
        yield view.not_("stream-backlog", "The consumer groups keep up with their streams.", *cited)


class Unseen(NamedTuple):
    """Commands a second on streams that weren't found among very many keys."""

    added: float
    done: float
    """XACK and XREADGROUP together."""
    cited: tuple[Cited, ...]


def work_is_reported(view: View) -> bool:
    """Whether a report is about work that isn't done, or late."""
    return any(mention(words, view.symptom) for words in (JOBS_LOST, STANDS))


def unseen(view: View) -> Unseen | None:
    """Far more entries that come than are read or acknowledged, where a report speaks of it and no stream was found."""
    seconds = view.number("commandstats", "window_seconds")
    added, acked, read = (
        view.number("commandstats", f"{name}.calls.delta") or 0 for name in ("xadd", "xack", "xreadgroup")
    )
    if view.get("streams", "complete") is not False or view.number("streams", "streams") or not seconds:
        return None
    if not work_is_reported(view):
        return None
    # One command may read or acknowledge many, so that these numbers alone only suggest it.
    if added < LEAST_ADDED * seconds or acked + read > HANDLED * added:
        return None
    cited = tuple(("commandstats", f"{name}.calls.delta") for name in ("xadd", "xack", "xreadgroup"))
    return Unseen(added / seconds, (acked + read) / seconds, (*cited, ("streams", "complete")))


def _unseen(view: View) -> Iterator[Cause]:
    if found := unseen(view):
        why = f"{found.added:.0f} entries a second are added to streams, while {found.done:.0f} commands a second read"
        why += " or acknowledge any; the streams weren't among the keys that were checked."
        yield view.cause("stream-backlog", 0.45, why, *found.cited)


def _is_known(view: View, at: str) -> bool:
    """Whether we read what a group holds and what waits for it: its lag, or the age of its last read entry."""
    waits = view.number("streams", f"{at}.lag") is not None or behind_seconds(view, at) is not None
    return waits and view.number("streams", f"{at}.pending") is not None


def _group(view: View, limits: Limits, at: str) -> Iterator[Cause]:
    def read(name: str) -> float | None:
        return view.number("streams", f"{at}.{name}")

    stream, many = at.partition(".")[0], limits["backlog_entries"]
    label = f"{view.text('streams', f'{stream}.key')}, group {view.text('streams', f'{at}.group')}"
    pending, lag, behind = read("pending") or 0, read("lag"), behind_seconds(view, at)
    grows, silent = read("pending.delta") or 0, (read("pending_idle_ms") or 0) / 1000
    added = view.number("streams", f"{stream}.length.delta") or view.number("commandstats", "xadd.calls.delta") or 0
    idle = read("idle_ms")
    nobody = read("consumers") == 0 or (idle is not None and idle / 1000 >= limits["consumer_silent_seconds"])
    cited: list[Cited] = [
        ("streams", f"{at}.{name}")
        for name in ("lag", "lag.delta", "pending", "pending.delta", "pending_idle_ms", "consumers", "idle_ms",
                     "last-delivered-id")
    ]  # fmt: skip
    cited += [("streams", f"{stream}.key"), ("streams", f"{stream}.length.delta"), ("commandstats", "xadd.calls.delta")]
    if lag is not None and added and view.get("streams", f"{at}.trimmed_unread") is True:
        held = view.number("streams", f"{stream}.length") or 0
        why = f"{lag:.0f} entries of {label} haven't been read, and the stream doesn't grow beyond {held:.0f}:"
        why += " entries are trimmed before anybody has read them."
        own: list[Cited] = [("streams", f"{at}.trimmed_unread"), ("streams", f"{stream}.length")]
        yield view.cause("stream-backlog", 0.94, why, *own, *cited)
    elif lag is not None and lag >= many:
        more = read("lag.delta") or 0
        why = f"{lag:.0f} entries are waiting to be read in {label}"
        if nobody:
            yield view.cause("stream-backlog", 0.95, f"{why}, and no consumer fetches them.", *cited)
        elif more > 0:
            yield view.cause("stream-backlog", 0.94, f"{why}, {more:.0f} more than at the start of the window.", *cited)
        else:
            yield view.cause("stream-backlog", 0.6, f"{why}; their number didn't grow over the window.", *cited)
    elif poison := _comes_back(view, limits, at, label, lag):
        why, likely = poison
        own = [("streams", f"{at}.{name}") for name in ("deliveries", "redelivered")]
        yield view.cause("stream-backlog", likely, why, *own, *cited)
    elif lag is None and behind is not None and behind >= limits["behind_seconds"] and added:
        why = f"The last entry read in {label} is {behind:.0f} s old, while new entries keep arriving"
        yield view.cause("stream-backlog", 0.93, f"{why}: the consumers are that far behind.", *cited)
    if pending >= many and grows > 0:
        why = (
            f"{pending:.0f} entries of {label} have been read but not acknowledged, "
            f"{grows:.0f} more than at the start of the window."
        )
        yield view.cause("stream-backlog", 0.93, why, *cited)
    elif pending >= many / 2 and grows >= 0 and silent >= limits["consumer_silent_seconds"]:
        why = (
            f"{pending:.0f} entries of {label} have not been acknowledged by a "
            "consumer that hasn't fetched anything for"
        )
        yield view.cause("stream-backlog", 0.85, f"{why} {silent:.0f} s.", *cited)


def _comes_back(view: View, limits: Limits, at: str, label: str, lag: float | None) -> tuple[str, float] | None:
    """Entries that are handed out again and again, as nobody can process them, and how likely that is the trouble."""
    most, count = view.number("streams", f"{at}.deliveries") or 0, view.number("streams", f"{at}.redelivered") or 0
    if most < limits["redelivered"]:
        return None
    behind = behind_seconds(view, at)
    waits = bool(lag) or (lag is None and behind is not None and behind >= limits["behind_seconds"])
    entries = "An entry" if count <= 1 else f"{count:.0f} entries"
    why = (
        f"{entries} of {label} {'has' if count <= 1 else 'have'} been handed out up to {most:.0f} times without being"
        " acknowledged: the consumers fail on the same ones again and again"
    )
    why += f", while {lag:.0f} new ones wait unread." if lag else "."
    said = any(mention(words, view.symptom) for words in (JOBS_LOST, SLOW, STANDS))
    return why, (0.92 if said else 0.75) if waits else 0.75 if said else 0.45


def behind_seconds(view: View, at: str) -> float | None:
    """Seconds from the last delivered entry until now, if IDs are the server's own timestamps."""
    match = re.fullmatch(r"(\d{13})-\d+", view.text("streams", f"{at}.last-delivered-id"))
    now = view.number("info", "server_time_usec")
    if match is None or now is None:
        return None
    return max(0.0, now / 1e6 - int(match[1]) / 1e3)
