"""Positive evidence that the fault is outside Redis: an absence of findings isn't enough."""

from agent.checks import busy
from agent.checks.connectivity import rejected, vouched
from agent.checks.host import own_delay
from agent.checks.types import Family, Found, Limits
from agent.checks.words import SLOW
from agent.checks.wrong_port import wrong_port
from agent.evidence.report_words import mention
from agent.evidence.view import View
from tools.kubernetes.place import only_inside

WAITS = 0.15
"""Share of the time below which a thread seldom waits for a core."""
STARVED = 3.0
"""Ratio of a thread's waiting for a core to its running at which others fill the machine."""
LATE_MS = 20.0
DEAR_USEC = 10_000
UNREACHABLE = ("EHOSTUNREACH", "ENETUNREACH", "ENETDOWN", "EHOSTDOWN")


def unresolved(view: View, limits: Limits) -> Found:
    """The server's name can't be resolved here."""
    if view.unavailable("connect") == "dns" and not vouched(view):
        host, _, port = (view.node or "").rpartition(":")
        inside = only_inside(host, int(port) if port.isdecimal() else None)
        why = f"Redis was never reached: {inside}." if inside else (
            "The server's name doesn't resolve: the problem is in DNS or in the URL, and Redis was never reached."
        )  # fmt: skip
        yield view.cause("outside-redis", 0.9, why, ("connect", "unavailable"))


def unreachable(view: View, limits: Limits) -> Found:
    """The network says that there is no route to the host."""
    if view.get("connect", "tcp_error") in UNREACHABLE and not vouched(view) and not rejected(view):
        why = "The network reports that the host can't be reached: a routing problem, or the host is down."
        yield view.cause("outside-redis", 0.9, why, ("connect", "unavailable"), ("connect", "tcp_error"))


def ended_tunnel(view: View, limits: Limits) -> Found:
    """The tunnel or port-forward by which a managed server is reached has ended on this machine."""
    if view.unavailable("connect") == "refused" and view.get("process", "tunnel_listens") is False:
        why = (
            f"Nothing listens at {view.node} on this machine, where a tunnel or a port-forward leads to the server: it "
            "has ended, and nothing is known of the server itself."
        )
        yield view.cause("outside-redis", 0.9, why, ("process", "tunnel_listens"), ("connect", "unavailable"))


def starved_host(view: View, limits: Limits) -> Found:
    """Other processes on the server's machine take the cores that the server is ready to use."""
    wait = view.number("process", "main_wait_share") or 0
    run = view.number("process", "main_run_share") or 0
    other = view.number("machine", "top_process.cpu_share") or 0
    if wait >= 0.3 and wait > run and other >= 0.9:
        why = f"The server spends {wait:.0%} of the time waiting for a core that another process is using."
        yield view.cause(
            "outside-redis", 0.7, why, ("process", "main_wait_share"), ("machine", "top_process.cpu_share"),
            ("machine", "cpu_busy_share"),
        )  # fmt: skip
    elif (
        wait >= WAITS and wait >= STARVED * run and _full(view) and _felt(view) and not _dear(view, run / (run + wait))
    ):
        busy_share, cores = view.number("machine", "cpu_busy_share") or 0, view.number("process", "affinity_cores")
        why = (
            "The processor is busy, but not because of this server: its thread runs "
            f"{run:.0%} of the time and waits {wait:.0%} of it"
        )
        why += f" for a core; the machine's cores are {busy_share:.0%} busy"
        why += f", and it may use {cores:.0f} of them" if cores else ""
        why += ". The longer a reply takes, the more often it is interrupted"
        why += f": it {busy.with_what(view).removeprefix('and ')}" if busy.sends_much(view) else "."
        yield view.cause(
            "outside-redis", 0.65, why, ("process", "main_wait_share"), ("process", "main_run_share"),
            ("machine", "cpu_busy_share"), ("machine", "psi_cpu_some_avg10"), ("machine", "top_process.cpu_share"),
            ("process", "affinity_cores"), ("latency_sample", "p95_ms"), *busy.cited(view),
        )  # fmt: skip


def _full(view: View) -> bool:
    """Whether the machine has no core left, by its own figures."""
    return (view.number("machine", "cpu_busy_share") or 0) >= 0.95 or (
        view.number("machine", "psi_cpu_some_avg10") or 0
    ) >= 80


def _dear(view: View, ran: float) -> bool:
    """Whether a command takes long by itself, given the share of its time for which the thread ran."""
    top = view.text("commandstats", "top")
    return (view.number("commandstats", f"{top}.usec_per_call.delta") or 0) * ran >= DEAR_USEC if top else False


def _felt(view: View) -> bool:
    """Whether slowness is reported and this server's answers are slow."""
    # We share the machine and wait for the same crowd: that doesn't show that the server is slower than others.
    late = (view.number("latency_sample", "p95_ms") or 0) >= max(LATE_MS, 1.5 * own_delay(view, "p95"))
    return late and mention(SLOW, view.symptom) is not None


def another_protocol(view: View, limits: Limits) -> Found:
    """Something other than a Redis server listens there."""
    if view.get("connect", "speaks_resp") is False and view.unavailable("connect") != "tls":
        why = "What listens there doesn't speak the Redis protocol: the URL names another service's port."
        meant, shown = wrong_port(view)
        yield view.cause(
            "outside-redis", 0.9, why + meant, ("connect", "speaks_resp"), ("connect", "unavailable"), *shown
        )


FAMILY = Family(
    checks=(unresolved, unreachable, another_protocol, ended_tunnel, starved_host),
    needs={
        "outside-redis": (),
    },
)  # fmt: skip
