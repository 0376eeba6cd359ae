"""When a certificate expires, from its own bytes: ssl decodes only those it verified."""

import calendar
import re
import time
from collections.abc import Iterator

from tools.records import Record

MOST_BYTES = 1 << 16
_SEQUENCE, _VERSION, _UTC, _GENERALIZED = 0x30, 0xA0, 0x17, 0x18


class Validity(Record):
    """The start and end of a certificate's lifetime."""

    begins: int
    """In seconds since 1970."""
    ends: int
    """In seconds since 1970."""


def validity(der: bytes) -> Validity | None:
    """The lifetime of a certificate (X.509, in DER); None for anything else."""
    try:
        if len(der) > MOST_BYTES:
            return None
        ((_, certificate),) = _parts(der, 1)
        ((_, signed),) = _parts(certificate, 1)
        parts = [part for part in _parts(signed, 6) if part[0] != _VERSION]
        # Serial number, algorithm, issuer, and then the validity.
        tag, inner = parts[3]
        begins, ends = (_seconds(*part) for part in _parts(inner, 2))
    except (ValueError, IndexError, OverflowError):
        return None
    return Validity(begins=begins, ends=ends) if tag == _SEQUENCE and begins <= ends else None


def _parts(data: bytes, most: int) -> Iterator[tuple[int, bytes]]:
    at = 0
    for _ in range(most):
        if at >= len(data):
            return
        tag, length, at = data[at], data[at + 1], at + 2
        if length & 0x80:
            count = length & 0x7F
            if not 1 <= count <= 3:
                raise ValueError("no length")
            length, at = int.from_bytes(data[at : at + count], "big"), at + count
        if at + length > len(data):
            raise ValueError("cut off")
        yield tag, data[at : at + length]
        at += length


def _seconds(tag: int, raw: bytes) -> int:
    text = raw.decode("ascii")
    if tag == _UTC and re.fullmatch(r"[0-9]{12}Z", text):
        text = ("19" if int(text[:2]) >= 50 else "20") + text
    elif tag != _GENERALIZED or not re.fullmatch(r"[0-9]{14}Z", text):
        raise ValueError("no time")
    return calendar.timegm(time.strptime(text, "%Y%m%d%H%M%SZ"))
