"""Certificates that expire soon or have expired, according to the handshake or the server."""

from collections.abc import Iterator

from agent.checks.types import Found, Limits
from agent.evidence.view import Cited, View

DAY = 86_400.0
CHANCES: tuple[tuple[float, float], ...] = ((0, 0.9), (DAY, 0.6), (7 * DAY, 0.4), (30 * DAY, 0.2))
"""Most seconds left, and the chance that this is the problem: warnings 30, 7 and 1 days ahead are common; only the last
day's is part of an answer."""
OF_LIFE = 0.1
"""Share of its whole lifetime: one issued for a day is renewed in its last hours."""
OWN = ("server", "client", "ca")
"""Which certificates INFO's section `tls` tells of, from Valkey 9.1 on (from documentation: its package here is built
without TLS, and then the numbers are 0 beside a serial of "none")."""


def certificate_expiry(view: View, limits: Limits) -> Found:
    """The known certificate that expires first."""
    known = list(known_ends(view))
    if not known:
        return
    left, whose, cited = min(known)
    chance = next((chance for most, chance in CHANCES if left <= most), None)
    # A valid one rules nothing out: a client that doesn't know its authority refuses it anyway.
    if chance is None:
        return
    if left <= 0:
        why = f"{whose} expired {-left / DAY:.1f} days ago: every client that verifies it refuses to connect."
        yield view.cause("tls-mismatch", chance, why, *cited)
    elif is_late(view, left, cited):
        when = f"{left / DAY:.0f} days" if left >= 2 * DAY else f"{left / 3600:.0f} hours"
        why = f"{whose} expires in {when}; from then on, clients that verify it will refuse to connect."
        yield view.cause("tls-mismatch", chance, why, *cited)


def is_late(view: View, left: float, cited: tuple[Cited, ...]) -> bool:
    """Whether a certificate that expires in `left` seconds should have been renewed: its lifetime is nearly over."""
    length = view.number("connect", "certificate_lifetime_seconds") if cited[0][0] == "connect" else None
    return length is None or left <= OF_LIFE * length


def known_ends(view: View) -> Iterator[tuple[float, str, tuple[Cited, ...]]]:
    """Seconds until each certificate expires, whose it is, and the field that says so."""
    if (left := view.number("connect", "certificate_expires_in_seconds")) is not None:
        cited = ("connect", "certificate_expires_in_seconds"), ("connect", "certificate_lifetime_seconds")
        yield left, "The server's certificate", cited
    for whose in OWN:
        serial, field = view.text("info", f"tls_{whose}_cert_serial"), f"tls_{whose}_cert_expires_in_seconds"
        if serial not in ("", "none") and (left := view.number("info", field)) is not None:
            yield left, f"The server's {whose} certificate (according to INFO)", (("info", field),)
