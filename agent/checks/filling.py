"""When a limit will be reached, where what fills it grows evenly."""

from agent.checks.limits_reached import over
from agent.evidence.view import View

LEAST_SECONDS, MOST_SECONDS = 60.0, 86_400.0
"""A time until full that is worth telling: sooner is now, later is a guess."""
LEAST_GROWTH = 0.0002
"""Of the limit a second, below which buffers that come and go look like growth over a window of seconds."""
LEAST_SHARE = 0.3
"""Of the limit in use, below which a server has only begun to work."""


def until_full(view: View) -> float | None:
    """Seconds until maxmemory is reached at the window's rate; None where nothing grows, or something gives way.

    It's told only where the growth has something that holds it (keys, or a buffer), since memory itself goes up and
    down with every reply, and where nothing may be evicted.
    """
    share, limit = over(view), view.number("memory", "maxmemory")
    grown, seconds = view.number("memory", "used_memory.delta"), view.number("memory", "window_seconds")
    policy = view.text("memory", "maxmemory_policy")
    gives_way = policy.startswith("allkeys") or (policy.startswith("volatile") and view.number("keyspace", "expires"))
    if not share or not limit or not grown or not seconds or gives_way or not LEAST_SHARE <= share < 1:
        return None
    rate = grown / seconds
    left = (1 - share) * limit
    if rate < LEAST_GROWTH * limit or not LEAST_SECONDS <= left / rate <= MOST_SECONDS:
        return None
    return left / rate


def until_full_words(view: View) -> str:
    """The same as a sentence with a space before it; empty where it isn't known."""
    seconds = until_full(view)
    return "" if seconds is None else f" At this rate maxmemory is reached in {duration(seconds)}."


def duration(seconds: float) -> str:
    """A time as a person says it, in one unit."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"
