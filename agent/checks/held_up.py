"""Whether a command holds others up while it runs, according to how long PINGs took beside it."""

from agent.evidence.view import View

OFTEN = 0.1
"""The share of time at which whatever holds up the main thread delays one PING in twenty by half a call."""
PINGS = 20
"""Fewest PINGs for the longest of them to show whether anybody waited."""
FELT_SHARE, FELT_USEC, FELT_MS = 0.2, 1_000, 2.0
"""Share of the time, microseconds per call, and milliseconds of one PING in twenty, from which others notice a command:
a page that makes twenty round trips is slower by milliseconds each time."""


def noticed(view: View, share: float, each: float) -> bool:
    """Whether a command that takes this share of the time, and these microseconds per call, delays a PING in twenty."""
    late, pings = view.number("latency_sample", "p95_ms"), view.number("latency_sample", "answered") or 0
    if share < FELT_SHARE or each < FELT_USEC or late is None or pings < PINGS:
        return False
    return late >= max(FELT_MS, each / 2000)


def in_threads(view: View, low: str) -> bool:
    """Whether a module's command took its time in its own threads: the main thread did less, or nobody waited."""
    each = view.number("commandstats", f"{low}.usec_per_call.delta") or 0
    calls = view.number("commandstats", f"{low}.calls.delta") or 0
    if view.get("commandstats", f"{low}.module") is not True or calls < 2 or not each:
        return False
    share = (view.number("commandstats", f"{low}.usec.delta") or 0) / 1e6
    share /= view.number("commandstats", "window_seconds") or 2
    run, wait = view.number("process", "main_run_share"), view.number("process", "main_wait_share")
    # A thread waiting for a core is at work too, so all of that share would be in these two.
    if run is not None and wait is not None and run + wait < 0.7 * share:
        return True
    longest, pings = view.number("latency_sample", "max_ms"), view.number("latency_sample", "answered") or 0
    if share >= OFTEN and pings >= PINGS and _ran_little(view, share):
        # Anything that held up the main thread for so much of the time would have delayed more than one PING in twenty.
        late = view.number("latency_sample", "p95_ms")
        return late is not None and late * 1000 < each / 2
    return longest is not None and pings >= PINGS and longest * 1000 < each / 4


def _ran_little(view: View, share: float) -> bool:
    """Whether the main thread's CPU time, by the server's own count, is far below such a share."""
    spent = [view.number("info", f"used_cpu_{of}_main_thread.rate") for of in ("user", "sys")]
    return all(one is not None for one in spent) and sum(one or 0 for one in spent) < 0.5 * share
