"""Certificates that end: 30, 7 and 1 days ahead, and what only looks like it."""

import pytest

from agent.answer.diagnosis import Cause
from agent.checks.access import tls_mismatch
from agent.checks.certificates import DAY, certificate_expiry
from tests.agent.checks.rows import LIMITS, Expected, Given, found, view
from tools.records import Values

TLS = "tls-mismatch"


def shaken(left: float, life: float = 90 * DAY) -> Given:
    return {"connect": {"certificate_expires_in_seconds": left, "certificate_lifetime_seconds": life}}


def told(whose: str, left: float, serial: str = "3F") -> Given:
    values: Values = {f"tls_{whose}_cert_serial": serial, f"tls_{whose}_cert_expires_in_seconds": left}
    return {"info": values}


ROWS: list[tuple[str, Given, Expected]] = [
    ("expired", shaken(-60), {TLS: "sure"}),
    ("within a day", shaken(DAY), {TLS: "maybe"}),
    ("within a week", shaken(7 * DAY), {TLS: "hint"}),
    ("within a month", shaken(9 * DAY), {TLS: "hint"}),
    ("later", shaken(30 * DAY + 1), {}),
    ("made for a day", shaken(DAY / 2, DAY), {}),
    ("made for a day, and at its end", shaken(DAY / 10, DAY), {TLS: "maybe"}),
    ("the server's own word", told("server", DAY / 2), {TLS: "maybe"}),
    ("of an authority", told("ca", -5), {TLS: "sure"}),
    ("without TLS", told("server", 0, "none"), {}),
    ("no word of it", {"info": {"role": "master"}}, {}),
]  # fmt: skip


@pytest.mark.parametrize(("what", "given", "expected"), ROWS, ids=[row[0] for row in ROWS])
def test_a_certificate_is_told_by_what_is_left_of_it(what: str, given: Given, expected: Expected) -> None:
    assert found(certificate_expiry, given) == expected


def test_one_that_is_refused_for_its_end_is_named_so() -> None:
    for reason, expected in (("certificate has expired", True), ("self-signed certificate", False)):
        shown = view({"connect": ("tls", {"stage": "tls", "certificate_refused": reason})})
        (cause,) = tls_mismatch(shown, LIMITS)
        assert isinstance(cause, Cause)
        assert ("has expired" in cause.why) == expected
