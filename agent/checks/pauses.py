"""Clients that the server holds back."""

from agent.checks.types import Found, Limits
from agent.evidence.view import Cited, View

AT_ONCE = 3.0
"""Seconds of the whole probe of a silent server if its unknown command is answered at once: a PING then hangs for 2."""
NO_FAILOVER = ("", "no-failover")
"""States of a primary that isn't handing over."""


def writes_go_on(view: View) -> bool:
    """Whether other clients' writes were executed while the longest-blocked client was already waiting."""
    written, idle = view.number("commandstats", "writes.calls.delta"), view.number("clients", "paused_idle_max")
    window = view.number("commandstats", "window_seconds") or 2
    # These are whole seconds, and the client list was read a moment after the window.
    return bool(written) and idle is not None and idle >= window + 1


def paused(view: View, limits: Limits) -> Found:
    """Clients wait in commands that don't block, and nobody writes."""
    waiting = view.number("clients", "paused") or 0
    reason, written = view.text("info", "paused_reason"), view.number("commandstats", "writes.calls.delta")
    cited: tuple[Cited, ...] = (
        ("clients", "paused"), ("clients", "paused_cmd"), ("clients", "paused_idle_max"), ("info", "paused_reason"),
        ("info", "paused_actions"), ("commandstats", "writes.calls.delta"), ("silence", "unknown_command_answered"),
        ("silence", "ping_answered"), ("silence", "waited_seconds"),
    )  # fmt: skip
    left = view.number("info", "shutdown_in_milliseconds")
    if left is not None:
        signals = view.number("log", "sigterm.newest_age")
        why = (
            f"The server was told to shut down{f' {signals:.0f} s ago' if signals is not None else ''} and waits "
            f"for its replicas, {left / 1000:.0f} s more at most (shutdown-timeout), and holds back all writes."
        )
        yield view.cause("client-paused", 0.97, why, ("info", "shutdown_in_milliseconds"), *cited)
    elif view.get("silence", "unknown_command_answered") is True and view.get("silence", "ping_answered") is False:
        waited = view.number("silence", "waited_seconds") or 0
        why = (
            "PING hangs, but an unknown command is answered at once: the server is running and holds its clients back."
        )
        if waited > AT_ONCE:
            why = f"An unknown command was answered only after {waited - 2:.1f} s, then PING hung: a stall, or a pause."
        yield view.cause("client-paused", 0.4 if waited > AT_ONCE else 0.95, why, *cited)
    elif waiting > 0 and view.text("replication", "master_failover_state") not in NO_FAILOVER:
        why = f"{waiting:.0f} clients are waiting for a FAILOVER in progress; nobody paused them manually."
        yield view.cause("client-paused", 0.4, why, *cited, ("replication", "master_failover_state"))
    elif reason not in ("", "none"):
        why = f"The server says that clients are paused ({view.text('info', 'paused_actions')})."
        yield view.cause("client-paused", 0.96, why, *cited)
    elif waiting > 0:
        why = (
            f"{waiting:.0f} clients are blocked in {view.text('clients', 'paused_cmd')}, which isn't a blocking command"
        )
        if not written:
            why += ", and nobody writes." if written == 0 else "."
            # What the server says about itself may be slightly older than the list.
            yield view.cause("client-paused", 0.4 if reason == "none" else 0.93, why, *cited)
        elif reason == "none" or writes_go_on(view):
            because = f"{why}, but a pause holds back all writes, and {written:.0f} were carried out over the window."
            yield view.not_("client-paused", because, *cited)
        else:
            why += (
                f"; {written:.0f} writes were still carried out over the window, so "
                "it either only just began or isn't a pause."
            )
            yield view.cause("client-paused", 0.6 if waiting > 1 else 0.3, why, *cited)
    elif (view.number("clients", "threaded") or 0) > 0 and reason == "none":
        because = "The server says that no client is paused; the waiting ones are waiting for a module's own threads."
        yield view.not_("client-paused", because, ("info", "paused_reason"), ("clients", "threaded"))
