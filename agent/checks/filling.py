"""When a limit will be reached, if what fills it grows evenly."""

from agent.checks.limits_reached import over
from agent.evidence.view import View

LEAST_SECONDS, MOST_SECONDS = 60.0, 86_400.0
"""Times until full that are worth reporting: what isn't data may be gone sooner, and anything later is a guess."""
LEAST_GROWTH = 0.0002
"""Share of the limit per second below which short-lived buffers look like growth over a window of seconds."""
LEAST_BYTES = 2**17
"""Bytes over the window without a new key: a few clients' buffers, including ours, amount to as much."""
LEAST_INSIDE, LEAST_INSIDE_SHARE = 65_536.0, 0.00005
"""Bytes of data per second, and their share of all data: a working queue was seen to grow by half as much."""
LEAST_SHARE = 0.3
"""Share of the limit in use below which a server has only begun to work."""


def until_full(view: View) -> float | None:
    """Seconds until maxmemory is reached at the window's rate; None if nothing grows or something gives way.

    It is only reported if something accounts for the growth (keys or a buffer), since memory itself goes up and down
    with every reply, and if nothing may be evicted.
    """
    share, limit = over(view), view.number("memory", "maxmemory")
    grown, seconds = view.number("memory", "used_memory.delta"), view.number("memory", "window_seconds")
    policy = view.text("memory", "maxmemory_policy")
    gives_way = policy.startswith("allkeys") or (policy.startswith("volatile") and view.number("keyspace", "expires"))
    if not share or not limit or not grown or not seconds or gives_way or not LEAST_SHARE <= share < 1:
        return None
    if grown < LEAST_BYTES and not (view.number("keyspace", "keys.delta") or 0) > 0:
        return None
    rate = grown / seconds
    left = (1 - share) * limit / rate
    # Buffers fill and empty again within so short a time; data doesn't.
    kept = (view.number("memory", "used_memory_dataset.delta") or 0) >= grown / 2
    if rate < LEAST_GROWTH * limit or not (LEAST_SECONDS if not kept else 0) <= left <= MOST_SECONDS:
        return None
    return left


def per_second(view: View) -> float | None:
    """Bytes per second by which the memory grew over the window; 0 for short-lived changes, None if unknown."""
    grown, seconds = view.number("memory", "used_memory.delta"), view.number("memory", "window_seconds")
    used = view.number("memory", "used_memory")
    if not seconds or not used:
        return None
    # INFO omits what didn't change.
    rate = (grown or 0) / seconds
    return rate if rate >= LEAST_GROWTH * used else 0.0


def inside_keys(view: View) -> float:
    """Bytes per second by which the data grew beyond what new keys of the usual size take; 0 for short-lived
    changes."""
    grown, seconds = view.number("memory", "used_memory_dataset.delta"), view.number("memory", "window_seconds")
    data, keys = view.number("memory", "used_memory_dataset"), view.number("keyspace", "keys")
    if not grown or not seconds or not data or not keys:
        return 0.0
    came = max(0.0, view.number("keyspace", "keys.delta") or 0)
    rate = grown / seconds
    inside = came * _new_key(view, data / keys) <= grown / 2
    return rate if inside and rate >= max(LEAST_INSIDE, LEAST_INSIDE_SHARE * data) else 0.0


def _new_key(view: View, average: float) -> float:
    """Bytes of a new key, from measured common ones, since among few keys one large one dominates the mean."""
    weighed = [size for at in ("p1", "p2", "p3") if (size := view.number("prefixes", f"{at}.key_bytes")) is not None]
    return min(average, max(weighed)) if weighed else average


def until_gone(view: View) -> float | None:
    """Seconds until the memory of the machine or its control group is used up, if no maxmemory stops it before."""
    rate, free = per_second(view), view.number("machine", "memory_available_bytes")
    group, rss = view.number("process", "cgroup_memory_limit"), view.number("memory", "used_memory_rss")
    if view.number("memory", "maxmemory") != 0 or not rate:
        return None
    left = min((one for one in (free, group - rss if group and rss else None) if one is not None), default=None)
    return left / rate if left is not None and LEAST_SECONDS <= left / rate <= MOST_SECONDS else None


def until_full_words(view: View) -> str:
    """When no room will be left, as a sentence with a leading space; empty if unknown."""
    if (seconds := until_full(view)) is not None:
        return f" At this rate maxmemory is reached in {duration(seconds)}."
    if (seconds := until_gone(view)) is not None:
        return f" There is no maxmemory; at this rate the machine's memory is used up in {duration(seconds)}."
    return ""


def duration(seconds: float) -> str:
    """A duration as a person says it, in one unit."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"
