"""Certificates that end soon, or have ended: as the handshake showed them, or as the server says."""

from collections.abc import Iterator

from agent.checks.types import Found, Limits
from agent.evidence.view import Cited, View

DAY = 86_400.0
CHANCES: tuple[tuple[float, float], ...] = ((0, 0.9), (DAY, 0.6), (7 * DAY, 0.4), (30 * DAY, 0.2))
"""Seconds that are left at most, and the chance that this is what is wrong: 30, 7 and 1 days ahead are what people are
commonly warned by; only the last day's is part of an answer."""
OF_LIFE = 0.1
"""Of its whole life: one that is made for a day is renewed in the last hours of it."""
OWN = ("server", "client", "ca")
"""Which certificates INFO's section `tls` tells of, from Valkey 9.1 on (from documentation: its package here is built
without TLS, and then the numbers are 0 beside a serial of "none")."""


def certificate_expiry(view: View, limits: Limits) -> Found:
    """The certificate that ends first, of those that are known."""
    known = list(known_ends(view))
    if not known:
        return
    left, whose, cited = min(known)
    chance = next((chance for most, chance in CHANCES if left <= most), None)
    # One that is valid rules nothing out: a client that doesn't know its authority is refused all the same.
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
    """Whether a certificate that ends in `left` seconds should have been renewed: its life is nearly over."""
    length = view.number("connect", "certificate_lifetime_seconds") if cited[0][0] == "connect" else None
    return length is None or left <= OF_LIFE * length


def known_ends(view: View) -> Iterator[tuple[float, str, tuple[Cited, ...]]]:
    """Seconds until each certificate ends, whose it is, and where that stands."""
    if (left := view.number("connect", "certificate_expires_in_seconds")) is not None:
        cited = ("connect", "certificate_expires_in_seconds"), ("connect", "certificate_lifetime_seconds")
        yield left, "The server's certificate", cited
    for whose in OWN:
        serial, field = view.text("info", f"tls_{whose}_cert_serial"), f"tls_{whose}_cert_expires_in_seconds"
        if serial not in ("", "none") and (left := view.number("info", field)) is not None:
            yield left, f"The server's {whose} certificate (according to INFO)", (("info", field),)
