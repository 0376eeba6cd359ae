"""Whether a server was measured and does what it should."""

from agent.checks.blind_spots import is_pasted
from agent.checks.host import own_delay
from agent.checks.lifetime import is_partial
from agent.evidence.view import View
from tools.server.info import DECISIVE

SOON_MS = 10.0
"""Milliseconds within which a healthy server answers a PING, and completes a turn of its event loop."""


def well(view: View) -> bool:
    """Whether the server was measured and does what it should."""
    read = all(view.last(tool) and not view.unavailable(tool) for tool in ("info", "commandstats"))
    read = read and all(view.number("info", field) is not None for field in DECISIVE)
    # One sample, as somebody may have pasted it, doesn't show what goes on now.
    read = read and any(
        one.tool == "info" and one.get("window_seconds") != 0 and not (is_pasted(view) and is_partial(one))
        for one in view.readings
    )
    return bool(read and (answers_soon(view) or _is_soon_by_its_own_figures(view)))


def answers_soon(view: View) -> bool:
    """Whether nearly all PINGs were answered at once."""
    answered, median = view.number("latency_sample", "answered"), view.number("latency_sample", "median_ms")
    share, mean = view.number("latency_sample", "over_10ms_share"), view.number("latency_sample", "mean_ms")
    if median is None and mean is not None:
        # Of `redis-cli --latency` only the mean is known: at most half took twice as long, a fifth five times.
        median, share = 2 * mean, (mean / SOON_MS if share is None else share)
    return bool(answered and median is not None and median <= SOON_MS and (share or 0) <= 0.2)


def _is_soon_by_its_own_figures(view: View) -> bool:
    """For a server whose PINGs say nothing about it: this program timed them late, or waited as long itself."""
    answered, late = view.number("latency_sample", "answered"), view.number("latency_sample", "own_late") or 0
    untimed = bool(answered) and late >= (answered or 0) / 2
    waited = own_delay(view, "p95") >= (view.number("latency_sample", "p95_ms") or float("inf"))
    busy = view.number("commandstats", "busy_share")
    spent, cycles = (view.number("info", f"eventloop_{what}.delta") for what in ("duration_sum", "cycles"))
    cycle_ms = (spent or 0) / 1000 / cycles if cycles else 0.0
    return (untimed or waited) and busy is not None and busy <= 0.5 and cycle_ms <= SOON_MS
