"""The past, from Prometheus: the same figures before, at and after the page, and which of them changed."""

import asyncio
import math
import re
from collections.abc import Coroutine, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from statistics import median
from typing import Annotated, Any

from pydantic import Field

from tools.clock import Clock, iso_time
from tools.connection.node import Node
from tools.errors import ToolError, Unanswered
from tools.past.changes import Window, comparison
from tools.past.figures import PREFIX, STARTED, figures_query, top_query
from tools.past.instance import Instance, find_instance
from tools.past.prometheus import Prometheus, Series, checked_url
from tools.records import Values
from tools.toolbox import reads

DEADLINE = 8.0
POINTS = 120
"""Most points of one series."""
_UNKNOWN_INTERVAL = 15.0
_RESTART = 5.0
"""Seconds that a server's start may wander by: it's a difference of two clocks in whole seconds."""
_TIME = re.compile(r"(\d{1,2}):(\d\d)(?::(\d\d))?")


class History:
    """The source of the past, and the moment in question. Raises `UsageError` for an unusable URL."""

    def __init__(
        self, url: str | None, clock: Clock, at: datetime | None = None, *, source: str = "--prometheus",
        deadline: float = DEADLINE,
    ) -> None:  # fmt: skip
        self.url = checked_url(url, source) if url else None
        """Of a Prometheus, perhaps with credentials; null where none was named."""
        self.clock = clock
        self.at = at
        """When the page came; null for now."""
        self.deadline = deadline
        """Seconds that Prometheus may take for all of it."""


def parse_moment(text: str, now: datetime) -> datetime:
    """The moment that a person means: 14:05 was today or yesterday, without an offset it's this machine's time.

    Raises `ValueError` with the remedy.
    """
    local = now.astimezone()
    try:
        if clock := _TIME.fullmatch(text.strip()):
            hour, minute, second = (int(part or 0) for part in clock.groups())
            naive = datetime(local.year, local.month, local.day, hour, minute, second)
            # Made local after the day is taken away: the day before may have had another offset.
            when = naive.astimezone()
            when = when if when <= local else (naive - timedelta(days=1)).astimezone()
        else:
            when = datetime.fromisoformat(text.strip()).astimezone()
    except (ValueError, OverflowError):
        raise ValueError(f"time {text!r} isn't understood; write 14:05 or 2026-05-04T14:05Z") from None
    if when > now:
        raise ValueError(f"time {text!r} is still to come; it's {local.isoformat(timespec='minutes')} here")
    return when.astimezone(UTC)


@reads
async def history(
    node: Node,
    source: History,
    at: Annotated[str | None, Field(description="When the page came: 14:05 or ISO 8601.")] = None,
    minutes: Annotated[int, Field(ge=1, le=720)] = 30,
) -> Values:
    """Prometheus' figures before, at and after the page, and what changed most against its own past.

    `at` is the page's time (UTC), `start` and `end` what was looked at, in steps of `step_seconds` of which each has
    its largest value (its smallest, of what is bad when low). `<field>.before` is the median of the minutes before,
    `.at` the value of the page's minutes (a sixth of `minutes` on both sides) that is farthest from it, `.now`
    the last value, `.change` at - before. Fields are INFO's, `.rate` per second. `changed1` is the most unusual one:
    `.when` its excursion left the band, `.seconds` how long it stayed out, `.spreads` how many of its own usual
    deviations it's away, `.seen_before` whether it had gone as far earlier in these minutes. `restarted` is the last
    start of the server in there. `gap_share` is the share of scrapes that is missing.
    """
    if source.url is None:
        remedy = "give --prometheus URL, or prometheus= in rediagnose.toml"
        raise Unanswered("not-recorded", f"no Prometheus was named: {remedy}")
    window = _window(source, at, minutes)
    values: Values = {
        "at": iso_time(window.at), "start": iso_time(window.start), "end": iso_time(window.end), "minutes": minutes,
    }  # fmt: skip
    try:
        async with asyncio.timeout(source.deadline), Prometheus(source.url, source.deadline) as prometheus:
            instance = await find_instance(prometheus, node, window.start, window.now)
            values |= instance.values
            return values | await _comparison(prometheus, node, instance, window)
    except TimeoutError:
        raise Unanswered("timeout", f"Prometheus gave no whole answer in {source.deadline:g} s", values) from None
    except Unanswered as error:
        raise Unanswered(error.kind, error.detail, {**values, **error.values}) from None


def _window(source: History, at: str | None, minutes: int) -> Window:
    now = source.clock.now()
    try:
        page = parse_moment(at, now) if at else min(source.at or now, now)
    except ValueError as error:
        raise ToolError(f"history: {error}") from None
    middle, half = page.timestamp(), minutes * 60
    return Window(middle - half, middle, min(now.timestamp(), middle + half), now.timestamp(), half / 6)


async def _comparison(prometheus: Prometheus, node: Node, instance: Instance, window: Window) -> Values:
    span = math.ceil(window.end - window.start)
    recent = math.ceil(window.end - window.spans.page)
    raw, listed = await _answers(
        prometheus.query(f'{{__name__=~"up|redis_up",{instance.selector}}}[15m]', window.end),
        prometheus.query(top_query(instance.selector, recent, span), window.end),
    )
    interval = _interval(raw)
    every_seconds = max(1, round(interval or _UNKNOWN_INTERVAL))
    step = math.ceil(span / (POINTS - 1) / every_seconds) * every_seconds
    # A range of one scrape is empty where that scrape came a little late; rate needs some of them.
    asked = figures_query(instance.selector, _names(listed), max(step, 2 * every_seconds), max(step, 4 * every_seconds))
    pending = [prometheus.query_range(asked, window.end - step * (span // step), window.end, step)]
    if window.now - window.end > step:
        pending.append(prometheus.query_range(asked, window.now, window.now, step))
    ranges, *rest = await _answers(*pending)
    if not any(one.points for one in ranges):
        problem = f"{prometheus.name} knows the instance and has nothing of it from {iso_time(window.start)} on"
        raise Unanswered("not-recorded", f"{problem}; ask about a later time, or see how long it keeps samples")
    last = rest[0] if rest else ranges
    samples = next((one.points[-1][1] for one in listed if one.labels.get("figure") == "samples" and one.points), 0)
    return {
        "step_seconds": step,
        **_gaps(ranges, samples, interval, window, step),
        **_restarts(ranges),
        **comparison(node.pseudonyms, ranges, last, window, step),
    }


async def _answers(*queries: Coroutine[Any, Any, list[Series]]) -> list[list[Series]]:
    """The answers to queries that run at once. Raises the first `Unanswered`, which ends the others."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(query) for query in queries]
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from None
    return [task.result() for task in tasks]


def _interval(raw: Sequence[Series]) -> float | None:
    """Seconds between two scrapes, of the fullest series."""
    times = [at for at, _ in max((one.points for one in raw), key=len, default=[])]
    steps = [later - earlier for earlier, later in pairwise(times)]
    return median(steps) if steps else None


def _names(listed: Sequence[Series]) -> dict[str, list[str]]:
    return {label: [one.labels[label] for one in listed if one.labels.get(label)] for label in PREFIX}


def _gaps(ranges: Sequence[Series], samples: float, interval: float | None, window: Window, step: int) -> Values:
    scrapes = next((one.points for one in ranges if one.labels.get("figure") == "redis_up"), [])
    times = [window.start, *(at for at, _ in scrapes), window.end]
    longest = max(later - earlier for earlier, later in pairwise(times))
    expected = round((window.end - window.start) / interval) if interval else None
    return {
        "scrape_seconds": round(interval, 1) if interval else None,
        "samples": int(samples),
        "expected_samples": expected,
        "gap_share": round(max(0.0, 1 - samples / expected), 3) if expected else None,
        "longest_gap_seconds": round(longest) if longest > 2 * step else 0,
        "points_before": sum(at < window.spans.page for at, _ in scrapes),
    }


def _restarts(ranges: Sequence[Series]) -> Values:
    points = next((one.points for one in ranges if one.labels.get("figure") == STARTED.field), [])
    began = [new for (_, old), (_, new) in pairwise(points) if new - old > _RESTART]
    return {"restarts": len(began) if points else None, "restarted": iso_time(began[-1]) if began else None}
