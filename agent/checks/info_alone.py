"""What INFO alone suggests if the client list can't be read: hints with a weight of their own, never a diagnosis."""

from agent.checks.types import Family, Found, Limits
from agent.evidence.view import View

HINT = 0.45
"""Below 50 %: INFO doesn't say whose connections or buffers they are."""
LEAST_GROWTH, LEAST_CLIENTS = 3, 8
STAYED = 0.9
"""Share of the connections opened over the window that remain: nobody closes any."""
BLOCKING = ("blpop", "brpop", "blmove", "brpoplpush", "blmpop", "bzpopmin", "bzpopmax", "xread", "xreadgroup", "wait")


def growing_clients(view: View, limits: Limits) -> Found:
    """Every connection opened over the window remained."""
    if not view.unavailable("clients"):
        return
    grown, came = (
        view.number("info", "connected_clients.delta"),
        view.number("info", "total_connections_received.delta"),
    )
    clients, seconds = view.number("info", "connected_clients"), view.number("info", "window_seconds")
    if grown is None or came is None or clients is None or seconds is None:
        return
    if grown >= LEAST_GROWTH and grown >= STAYED * came and clients >= LEAST_CLIENTS:
        why = f"connected_clients grew by {grown:.0f} to {clients:.0f} over {seconds:.0f} s, and none was closed; "
        why += "only CLIENT LIST shows whose connections they are."
        cited = ("info", "connected_clients.delta"), ("info", "total_connections_received.delta")
        yield view.cause("connection-leak", HINT, why, *cited, ("info", "connected_clients"))


def full_buffers(view: View, limits: Limits) -> Found:
    """One client's buffer was large within the last seconds, and the clients still hold as much."""
    held = view.number("info", "mem_clients_normal")
    if not view.unavailable("clients") or held is None:
        return
    for id, field, limit, what in (
        ("slow-consumer-output", "client_recent_max_output_buffer", "output_buffer_bytes", "of output was waiting for"),
        ("query-buffer-hog", "client_recent_max_input_buffer", "query_buffer_bytes", "of input was held from"),
    ):
        size = view.number("info", field)
        if size is not None and size >= limits[limit] and held >= 0.5 * size:
            why = f"{size / 2**20:.1f} MiB {what} one client within the last seconds, and the buffers of all clients "
            why += f"hold {held / 2**20:.1f} MiB; only CLIENT LIST shows which client it is."
            yield view.cause(id, HINT, why, ("info", field), ("info", "mem_clients_normal"))


def held_back(view: View, limits: Limits) -> Found:
    """Clients are blocked although no blocking command was called, or the server itself says that it holds them."""
    if not view.unavailable("clients"):
        return
    blocked, action = view.number("info", "blocked_clients"), view.text("info", "paused_actions")
    if not blocked or not view.number("commandstats", "commands"):
        return
    names = {field.partition(".")[0] for field in view.fields("commandstats")}
    if action not in ("", "none"):
        why = f"The server is holding back {blocked:.0f} clients (paused_actions is {action})."
        yield view.cause("client-paused", HINT, why, ("info", "paused_actions"), ("info", "blocked_clients"))
    elif not names & {*BLOCKING}:
        why = f"{blocked:.0f} clients are blocked, but none of the commands in the statistics is a blocking one."
        yield view.cause("client-paused", HINT, why, ("info", "blocked_clients"), ("commandstats", "commands"))


FAMILY = Family(checks=(growing_clients, full_buffers, held_back), needs={})
