"""The network, as far as the server's own times distinguish it from the server."""

from agent.checks.cpu import main_thread_share
from agent.checks.types import Family, Found, Limits
from agent.checks.versus_baseline import against
from agent.evidence.view import View


@against("latency_min_ms")
def path_latency(view: View, limits: Limits) -> Found:
    """Even the fastest PING is slow, but the server's own times aren't."""
    fastest, median = view.number("latency_sample", "min_ms"), view.number("latency_sample", "median_ms")
    if fastest is None or median is None:
        return
    share = main_thread_share(view)
    busy = (share or 0) >= 0.7 or (view.number("commandstats", "busy_share") or 0) >= 0.5
    cited = (
        ("latency_sample", "min_ms"), ("latency_sample", "median_ms"), ("commandstats", "ping.usec_per_call"),
        ("commandstats", "busy_share"), ("connect", "tcp_ms"),
    )  # fmt: skip
    handshake = view.number("connect", "tcp_ms")
    # The kernel answers a handshake without the server: if it's quick and nothing is in between, its process waits.
    quick = handshake is not None and handshake < limits["path_min_latency_ms"]
    waits = quick and view.get("process", "listening") is True
    if fastest >= limits["path_min_latency_ms"] and not busy and not waits:
        own = view.number("commandstats", "ping.usec_per_call")
        why = f"Even the fastest PING took {fastest:.1f} ms (median {median:.1f} ms)"
        why += (
            (f", while the server needs {own:.0f} us for one: the rest is spent on the network path.")
            if own is not None
            else "."
        )
        steady = median <= 4 * fastest
        yield view.cause("path-latency", 0.94 if steady else 0.75, why, *cited)
    elif fastest < limits["path_min_latency_ms"]:
        yield view.not_("path-latency", f"The fastest PING took {fastest:.2f} ms.", ("latency_sample", "min_ms"))


FAMILY = Family(
    checks=(path_latency,),
    needs={
        "path-latency": ("latency_sample",),
    },
)  # fmt: skip
