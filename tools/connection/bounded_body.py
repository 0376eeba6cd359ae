"""The body of an identity service's answer, bounded in bytes and seconds, for the libraries that ask for tokens.

They read what comes until its end, in a thread that nobody can stop: so it's read for them.
"""

import time
from typing import Any

MOST = 2**20
"""Bytes of one answer; a token has a few thousand."""
SECONDS = 10.0
"""Seconds for one answer, its body included."""
_PIECE = 2**14


class BodyTooLarge(OSError):
    """An answer that is larger, or takes longer, than any token does."""


def bounded_body(raw: Any, headers: Any, *, ends: float) -> bytes:
    """What a urllib3 response has in its body. Raises `BodyTooLarge`; `ends` is when, in `time.monotonic` seconds."""
    packed = str(headers.get("content-encoding") or "identity").strip().lower()
    if packed != "identity":
        raise BodyTooLarge("compressed in a way that wasn't requested")
    body = bytearray()
    while True:
        # One piece as it comes: a slow sender doesn't hold it until the piece is full.
        piece = raw.read1(_PIECE, decode_content=False)
        if not piece:
            return bytes(body)
        body += piece
        if len(body) > MOST:
            raise BodyTooLarge(f"more than {MOST} bytes")
        if time.monotonic() > ends:
            raise BodyTooLarge(f"no end in {SECONDS:g} s")
