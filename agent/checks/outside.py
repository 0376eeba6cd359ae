"""Positive evidence that the fault lies outside Redis: an absence of findings is none."""

from agent.checks.connectivity import rejected, vouched
from agent.checks.types import Family, Found, Limits
from agent.evidence.view import View

UNREACHABLE = ("EHOSTUNREACH", "ENETUNREACH", "ENETDOWN", "EHOSTDOWN")


def unresolved(view: View, limits: Limits) -> Found:
    """The server's name isn't resolved here."""
    if view.unavailable("connect") == "dns" and not vouched(view):
        why = "The server's name isn't resolved: the fault is in DNS or in the URL, before any Redis."
        yield view.cause("outside-redis", 0.9, why, ("connect", "unavailable"))


def unreachable(view: View, limits: Limits) -> Found:
    """The network says that there's no way to the host."""
    if view.get("connect", "tcp_error") in UNREACHABLE and not vouched(view) and not rejected(view):
        why = "The network reports that the host can't be reached: routing, or the host is down."
        yield view.cause("outside-redis", 0.9, why, ("connect", "unavailable"), ("connect", "tcp_error"))


def starved_host(view: View, limits: Limits) -> Found:
    """Another process on the server's machine takes the cores that the server is ready to use."""
    wait = view.number("process", "main_wait_share") or 0
    run = view.number("process", "main_run_share") or 0
    other = view.number("machine", "top_process.cpu_share") or 0
    if wait >= 0.3 and wait > run and other >= 0.9:
        why = f"The server waits {wait:.0%} of the time for a core that another process uses."
        yield view.cause(
            "outside-redis", 0.7, why, ("process", "main_wait_share"), ("machine", "top_process.cpu_share"),
            ("machine", "cpu_busy_share"),
        )  # fmt: skip


def another_protocol(view: View, limits: Limits) -> Found:
    """Something else than a Redis server listens there."""
    if view.get("connect", "speaks_resp") is False and view.unavailable("connect") != "tls":
        why = "What listens there answers, and not in the Redis protocol: the URL names another service's port."
        yield view.cause("outside-redis", 0.9, why, ("connect", "speaks_resp"), ("connect", "unavailable"))


FAMILY = Family(
    checks=(unresolved, unreachable, another_protocol, starved_host),
    needs={
        "outside-redis": (),
    },
)  # fmt: skip
