"""What Prometheus has about a node: its instance, and its figures over a window."""

import asyncio
import math
from collections.abc import Coroutine, Sequence
from typing import Any

from tools.clock import iso_time
from tools.connection.node import Node
from tools.errors import Unanswered
from tools.past.changes import Window, comparison
from tools.past.coverage import gaps, restarts, usual_interval
from tools.past.figures import PREFIX, figures_query, top_query
from tools.past.instance import Instance, find_instance
from tools.past.prometheus import Prometheus
from tools.past.series import Series
from tools.records import Values

POINTS = 120
"""Most points of one series."""
_UNKNOWN_INTERVAL = 15.0


async def look_up(node: Node, url: str, deadline: float, window: Window) -> Values:
    """How the node was found, and its figures, from the Prometheus of a URL within `deadline` seconds.

    Raises `Unanswered` with what was known by then.
    """
    values: Values = {}
    try:
        async with asyncio.timeout(deadline), Prometheus(url, deadline) as prometheus:
            instance = await find_instance(prometheus, node, window.start, window.now)
            values |= instance.values
            return values | await _comparison(prometheus, node, instance, window)
    except TimeoutError:
        raise Unanswered("timeout", f"Prometheus gave no complete answer within {deadline:g} s", values) from None
    except Unanswered as error:
        raise Unanswered(error.kind, error.detail, {**values, **error.values}) from None


async def _comparison(prometheus: Prometheus, node: Node, instance: Instance, window: Window) -> Values:
    span = math.ceil(window.end - window.start)
    recent = math.ceil(window.end - window.spans.page)
    raw, listed = await _answers(
        prometheus.query(f'{{__name__=~"up|redis_up",{instance.selector}}}[15m]', window.end),
        prometheus.query(top_query(instance.selector, recent, span), window.end),
    )
    interval = usual_interval([one.points for one in raw])
    every_seconds = max(1, round(interval or _UNKNOWN_INTERVAL))
    step = math.ceil(span / (POINTS - 1) / every_seconds) * every_seconds
    # A range of one scrape is empty if that scrape came a little late; rate needs several.
    asked = figures_query(instance.selector, _names(listed), max(step, 2 * every_seconds), max(step, 4 * every_seconds))
    pending = [prometheus.query_range(asked, window.end - step * (span // step), window.end, step)]
    if window.now - window.end > step:
        pending.append(prometheus.query_range(asked, window.now, window.now, step))
    ranges, *rest = await _answers(*pending)
    if not any(one.points for one in ranges):
        problem = f"{prometheus.name} knows the instance but has no data for it from {iso_time(window.start)} on"
        raise Unanswered("not-recorded", f"{problem}; ask about a later time, or check how long it keeps samples")
    last = rest[0] if rest else ranges
    samples = next((one.points[-1][1] for one in listed if one.labels.get("figure") == "samples" and one.points), 0)
    return {
        "step_seconds": step,
        **gaps(ranges, samples, interval, window, step),
        **restarts(ranges),
        **comparison(node.pseudonyms, ranges, last, window, step),
    }


async def _answers(*queries: Coroutine[Any, Any, list[Series]]) -> list[list[Series]]:
    """The answers to concurrent queries. Raises the first `Unanswered`, which ends the others."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(query) for query in queries]
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from None
    return [task.result() for task in tasks]


def _names(listed: Sequence[Series]) -> dict[str, list[str]]:
    return {label: [one.labels[label] for one in listed if one.labels.get(label)] for label in PREFIX}
