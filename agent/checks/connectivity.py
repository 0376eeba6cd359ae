"""Connectivity: whether the server can be reached at all, and what stands in between."""

from agent.checks.addresses import is_announced_wrongly, is_called_up
from agent.checks.short_lives import STOPS, ended_again, ended_soon, fatal
from agent.checks.types import Family, Found, Limits, Placeholder
from agent.checks.wrong_port import other_server, wrong_port
from agent.evidence.view import Cited, View

SMALL_BACKLOG = 128
"""A listen queue up to this size is small in itself; the default of tcp-backlog is 511, of somaxconn 4096."""


def vouched(view: View) -> bool:
    """Whether its peers see this node, on another machine, up although it can't be reached from here.

    A deployment's addresses are internal to it: those of a container or a private network can't be dialled from
    everywhere.
    """
    seen_here = view.get("process", "locality") in ("local", "no-listener", "host-facts")
    return not seen_here and view.in_topology.get("seen") == "up"


def unreachable_from_here(view: View) -> Found:
    """The finding for a node that its peers see up."""
    why = (
        "This node can't be reached from here, but its peers see it as up: its address may belong to their own network."
    )
    yield view.cause("firewall-drop", 0.3, why, ("connect", "unavailable"), ("connect", "stage"))


REJECTED: tuple[Cited, ...] = (("connect", "icmp"), ("connect", "icmp_from"))


def rejected(view: View) -> str | None:
    """Why the ICMP error that answered the connect comes from a firewall rule, or None: a host refuses TCP without
    ICMP."""
    icmp, own = view.text("connect", "icmp"), view.get("connect", "icmp_from") == view.get("connect", "address")
    if icmp == "prohibited":
        return 'The connection attempt is answered with ICMP "administratively prohibited": a firewall rule rejects it.'
    if icmp == "port-unreachable":
        return (
            "The connection attempt is answered by ICMP, not by TCP as a closed port would: a firewall rule rejects it."
        )
    if icmp in ("host-unreachable", "net-unreachable") and own:
        return "The host itself reports that it can't be reached: a firewall rule rejects the connection."
    return None


_ENDS = {
    "shutdown": " Its log ends with an orderly shutdown{age}: somebody or something stopped it (SIGTERM, SHUTDOWN).",
    "crash": " Its log ends with a crash{age}{signal}: keep the crash report, "
        "and check whether a later release fixes it.",
    "failed": " Its log ends with a fatal error{age}.",
    "stops": " Its log just stops{age}: it was killed from outside.",
}  # fmt: skip
"""What the end of a log says about a death."""


def last_words(view: View) -> str:
    """How a vanished server ended, according to its log; empty if that can't be read."""
    if repeatedly := ended_again(view):
        return f" {repeatedly[0]}"
    if view.get("log", "end") == "stops" and view.get("log", "end_served") is False:
        return " Its log stops before it was ready: its last line may say why, or it was killed while it started."
    age, signal = view.number("log", "log_age"), view.number("log", "crash.signal")
    if last := fatal(view):
        return f" Its log ends with a fatal error{f' {age:.0f} s ago' if age is not None else ''}: {last}."
    return _ENDS.get(view.text("log", "end"), "").format(
        age=f" {age:.0f} s ago" if age is not None else "", signal=f" by signal {signal:.0f}" if signal else ""
    )


def process_down(view: View, limits: Limits) -> Found:
    """Refused at once and nothing listens; a firewall's REJECT has a listener behind it."""
    if view.unavailable("connect") != "refused" or view.get("connect", "tcp_error") not in ("ECONNREFUSED", "ENOENT"):
        return
    if view.is_sentinel or view.get("process", "tunnel_listens") is False:
        # It holds no data: the quorum says what its absence means. Of an ended tunnel `outside` reports it.
        return
    if is_announced_wrongly(view):
        # `announced` reports it: that process is alive.
        return
    if vouched(view):
        yield from unreachable_from_here(view)
        return
    listening = view.get("process", "listening")
    cited = ("connect", "unavailable"), ("connect", "tcp_error"), ("process", "listening")
    if listening is False and view.text("process", "listens_elsewhere") and not is_called_up(view):
        # `bound_elsewhere` reports it.
        return
    if listening is False:
        why = "The connection is refused at once, and nothing listens there."
        told: list[Cited] = [("log", "end"), ("log", "log_age"), ("log", "crash.signal")]
        why += last_words(view)
        told += STOPS if ended_again(view) else [("log", "last1.event")] if fatal(view) else ()
        meant, shown = wrong_port(view)
        likely = 0.97
        if _is_only_remembered(view):
            likely = 0.3
            meant += " Whoever names this address has heard from no other since its own start: it may be an old one."
        yield view.cause("process-down", likely, why + meant, *cited, *told, *shown)
    elif listening is True:
        yield view.cause(
            "firewall-drop", 0.7,
            "The connection is refused although a server listens at that address: a firewall rule rejects it.", *cited,
        )  # fmt: skip
        yield view.not_("process-down", "A server listens at that address.", ("process", "listening"))
    elif rejected(view):
        # `firewall_drop` reports it.
        return
    else:
        meant, shown = wrong_port(view)
        why = "The connection is refused at once: nothing listens at that port, or a firewall rejects what comes to it."
        if not meant:
            why = (
                "The connection is refused at once. Seen from another machine, a firewall "
                "that rejects with TCP resets looks the same."
            )
        yield view.cause("process-down", 0.85, why + meant, *cited, *shown)


def _is_only_remembered(view: View) -> bool:
    """Whether this is an address in a cluster's node table of which nobody has heard since then."""
    others = view.peers_with("cluster")
    return bool(others) and all(one.number("cluster", "cluster_stats_messages_received") == 0 for one in others)


def silent(view: View) -> bool:
    """Whether TCP was accepted and nothing was answered."""
    return view.unavailable("connect") == "timeout" and view.get("connect", "stage") not in ("dns", "tcp", "tls", None)


def _role(view: View) -> tuple[Cited, ...]:
    """The fields that show this node's role: the remedy for a replica differs from that for a primary."""
    fields = view.fields("topology")
    at = next((n for n in range(1, len(fields)) if fields.get(f"n{n}.node") == view.node), None)
    return (("topology", f"n{at}.role"),) if at else ()


def process_frozen(view: View, limits: Limits) -> Found:
    """TCP connects but nothing answers for longer than a script stays silent; the process is stopped."""
    stopped, state = view.get("process", "stopped"), view.get("process", "state")
    silence = view.last("silence")
    if view.is_sentinel:
        return
    waited = view.number("silence", "waited_seconds") or 0
    mute = view.unavailable("silence") == "timeout" and waited >= limits["silent_seconds"]
    cited: tuple[Cited, ...] = (
        ("process", "state"), ("silence", "unavailable"), ("silence", "waited_seconds"), ("connect", "unavailable"),
    )  # fmt: skip
    queue, role = ("sockets", "recv_q"), _role(view)
    if stopped is True or view.get("process", "cgroup_frozen") is True:
        how = "stopped (state T)" if stopped is True else "frozen by its control group"
        why = f"The process is {how}: the kernel accepts connections, but nothing answers."
        cited = *cited, ("process", "cgroup_frozen")
        yield view.cause("process-frozen", 0.97, why, *cited, queue, *role)
    elif silence is not None and mute:
        if state == "D":
            why = (
                "The process is in uninterruptible sleep (state D) and doesn't "
                "answer: it is waiting for storage or memory."
            )
            yield view.cause("process-frozen", 0.9, why, *cited, *role)
        elif view.last("process") is None or view.unavailable("process"):
            why = (
                f"TCP connects, but nothing came back in {waited:.1f} s, longer "
                "than a running script would stay silent."
            )
            # Behind a proxy's listener, the silence may be the proxy's.
            proxied = view.get("process", "locality") == "foreign-listener"
            yield view.cause("process-frozen", 0.55 if proxied else 0.8, why, *cited, ("connect", "tcp_ms"), *role)
        else:
            why = f"TCP connects and nothing came back in {waited:.1f} s, yet the process isn't stopped."
            yield view.cause("process-frozen", 0.4, why, *cited)
    elif silence is not None and silence.get("ping_answered") is True:
        yield view.not_("process-frozen", "The server answers.", ("silence", "ping_answered"))


def firewall_drop(view: View, limits: Limits) -> Found:
    """The connect itself times out, or ICMP answers it: packets are dropped or rejected on the way."""
    why_not, here = rejected(view), view.get("process", "listening") is not None
    if why_not and view.unavailable("connect") and not here and not vouched(view):
        yield view.cause(
            "firewall-drop", 0.92, why_not, ("connect", "unavailable"), *REJECTED, ("connect", "tcp_error")
        )
        yield view.not_(
            "process-down", "If only the process were dead, the host would refuse with a TCP reset.", *REJECTED
        )
        return
    if view.unavailable("connect") != "timeout" or view.get("connect", "stage") != "tcp":
        return
    if vouched(view):
        yield from unreachable_from_here(view)
        return
    cited = ("connect", "unavailable"), ("connect", "stage")
    if overflowing(view):
        yield view.not_("firewall-drop", "The listener's own queue is full.", ("sockets", "recv_q"))
        return
    meant, shown = wrong_port(view)
    why = "The TCP connection attempt times out: packets are dropped on the way, or the host is down."
    if shown:
        why = "The TCP connection attempt times out: packets to this port are dropped on the way."
    yield view.cause("firewall-drop", 0.85, why + meant, *cited, ("process", "listening"), *shown)
    yield view.not_("process-down", "If only the process were dead, the host would refuse at once.", *cited)


def protected_mode(view: View, limits: Limits) -> Found:
    """The greeting is -DENIED."""
    if tool := view.first_unavailable("protected"):
        why = (
            "The server refuses every connection that isn't from loopback: "
            "protected mode is on, and no password is set."
        )
        yield view.cause("protected-mode-denied", 0.98, why, (tool, "unavailable"))


def loading(view: View, limits: Limits) -> Found:
    """-LOADING, or INFO says so."""
    tool = view.first_unavailable("loading")
    # A stopped process reads nothing, whatever it has open.
    halted = view.get("process", "stopped") is True or view.get("process", "cgroup_frozen") is True
    if not tool and not halted and silent(view) and view.get("process", "loading_file"):
        why = "The server doesn't answer and is reading its data file: it is loading its dataset."
        yield view.cause("loading-dataset", 0.92, why, ("process", "loading_file"), ("process", "uptime_seconds"),
                         ("connect", "unavailable"), ("silence", "unavailable"))  # fmt: skip
    elif tool or view.number("info", "loading") == 1:
        eta = view.number("info", "loading_eta_seconds")
        why = "The server is loading its dataset" + (f", about {eta:.0f} s to go." if eta is not None else ".")
        yield view.cause(
            "loading-dataset", 0.98, why, (tool or "info", "unavailable"), ("info", "loading"),
            ("info", "loading_eta_seconds"), ("info", "loading_loaded_perc"),
        )  # fmt: skip


def overflows(view: View) -> float | None:
    """Connections that a full listen queue dropped over the window: this server's own if the kernel reports them, else
    the whole machine's."""
    own = view.number("sockets", "drops.delta")
    return own if own is not None else view.number("sockets", "ListenOverflows.delta")


def overflowing(view: View) -> bool:
    """Whether the listener's queue holds more than its limit, or overflowed while the connect timed out."""
    queued, limit = view.number("sockets", "recv_q"), view.number("sockets", "send_q")
    if queued is None or not limit:
        return False
    # A queue that is sometimes emptied may be seen empty; what was dropped meanwhile is counted.
    dropped = (overflows(view) or 0) > 0 and view.get("connect", "stage") == "tcp"
    return queued > limit or (dropped and limit <= SMALL_BACKLOG)


def listen_backlog(view: View, limits: Limits) -> Found:
    """More connections wait to be accepted than the queue holds."""
    queued, limit = view.number("sockets", "recv_q"), view.number("sockets", "send_q")
    counted = overflows(view)
    dropped = counted or 0
    own = view.number("sockets", "drops.delta") is not None
    cited = (
        ("sockets", "recv_q"), ("sockets", "send_q"),
        ("sockets", "drops.delta" if own else "ListenOverflows.delta"),
        ("info", "rejected_connections.delta"),
    )  # fmt: skip
    if overflowing(view) and limit is not None:
        why = (
            f"{queued:.0f} connections are waiting to be accepted in a queue for "
            f"{limit:.0f}{'' if counted is None else f', and {dropped:.0f} were dropped'}."
        )
        small = limit <= SMALL_BACKLOG
        # A full long queue is what a stopped process leaves behind; a short one fills up by itself.
        yield view.cause("listen-backlog-overflow", 0.98 if small else 0.8, why, *cited)
    elif dropped > 0 and limit is not None and (own or limit <= SMALL_BACKLOG):
        why = f"{dropped:.0f} connections were dropped over the window because a listen queue was full."
        yield view.cause("listen-backlog-overflow", 0.85, why, *cited)
    elif dropped > 0:
        why = "Listen queues on this machine overflowed over the window; it isn't known which."
        yield view.cause("listen-backlog-overflow", 0.4, why, *cited)
    elif queued == 0 and counted is not None:
        yield view.not_("listen-backlog-overflow", "No connection is waiting to be accepted.", *cited[:3])


FAMILY = Family(
    checks=(process_down, ended_soon, process_frozen, firewall_drop, protected_mode, loading, listen_backlog),
    needs={
        "process-down": (), "process-frozen": ("process",), "firewall-drop": (), "protected-mode-denied": (),
        "loading-dataset": (), "listen-backlog-overflow": ("sockets",),
    },
    consequences={
        "loading-dataset": {"cpu-saturated": 0.3, "process-frozen": 0.3},
    },
    placeholders=(Placeholder(name="other_server", example="127.0.0.1:6380", values=other_server),),
)  # fmt: skip
