"""Whether what a client's buffer holds is only on its way."""

from agent.evidence.view import View

IN_FLIGHT_SECONDS = 5.0
"""Seconds of the server's output within which a large reply is sent."""


def flows_out(view: View, at: str, size: float) -> bool:
    """Whether what waits for an ordinary client is in flight: it just took some, and as much goes out within seconds.

    Servers that report what each client was sent have already shown that.
    """
    if "P" in view.text("clients", f"{at}.flags") or view.number("clients", f"{at}.idle") != 0:
        return False
    sent = view.number("info", "total_net_output_bytes.rate")
    return sent is not None and 0 < size <= IN_FLIGHT_SECONDS * sent


def flows_in(view: View, field: str, size: float) -> bool:
    """Whether what a client's buffer holds is in flight: its command is being called, and far more came in
    meanwhile."""
    name = view.text("clients", f"{field}.cmd")
    if name in ("", "NULL") or not view.number("commandstats", f"{name}.calls.delta"):
        return False
    came, seconds = view.number("info", "total_net_input_bytes.rate"), view.number("info", "window_seconds")
    return came is not None and seconds is not None and came * seconds >= 4 * size
