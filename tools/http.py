"""What all HTTP clients share: URLs, bounded answers, redirects, and when to try again."""

import math
import time
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

import httpx2

from tools.text import printable

MOST_OF_ERROR = 2**16
"""Bytes of an error's body that are read: more says nothing more."""
_PIECE = 2**16
_ENCODINGS = ("gzip", "x-gzip", "deflate")
ACCEPTED = {"Accept-Encoding": "gzip, deflate"}
"""What an answer may be packed in: what can be unpacked piece by piece within a bound."""


def bounded(most: int) -> dict[str, list[Callable[[httpx2.Response], Awaitable[None]]]]:
    """Event hooks of a client whose answers have at most so many bytes, packed or unpacked, whoever reads them.

    More raises `httpx2.ReadError` while it's read; an error's body ends at `MOST_OF_ERROR`. They hold for what a
    library reads by itself too.
    """

    async def bound(response: httpx2.Response) -> None:
        assert isinstance(response.stream, httpx2.AsyncByteStream)
        packed = response.headers.get("content-encoding", "identity").strip().lower()
        response.headers.pop("content-encoding", None)
        if packed not in ("", "identity", *_ENCODINGS):
            raise httpx2.DecodingError("compressed in a way that wasn't requested", request=response.request)
        unpack = zlib.decompressobj(47) if packed in _ENCODINGS else None
        cut = response.status_code >= 400
        response.stream = _Bounded(response.stream, min(most, MOST_OF_ERROR) if cut else most, unpack, cut=cut)

    return {"response": [bound]}


class _Bounded(httpx2.AsyncByteStream):
    """A body that ends at its bound, or fails there."""

    def __init__(self, stream: httpx2.AsyncByteStream, most: int, unpack: Any, *, cut: bool) -> None:
        self._stream = stream
        self._most = most
        self._unpack = unpack
        self._cut = cut

    async def __aiter__(self) -> AsyncIterator[bytes]:
        came = given = 0
        async for chunk in self._stream:
            came += len(chunk)
            for piece in self._pieces(chunk):
                given += len(piece)
                if max(came, given) > self._most:
                    if self._cut:
                        return
                    raise httpx2.ReadError(f"more than {self._most} bytes")
                yield piece

    def _pieces(self, chunk: bytes) -> Iterator[bytes]:
        if self._unpack is None:
            yield chunk
            return
        while chunk:
            try:
                yield self._unpack.decompress(chunk, _PIECE)
            except zlib.error as error:
                raise httpx2.DecodingError(str(error)) from None
            chunk = self._unpack.unconsumed_tail

    async def aclose(self) -> None:
        await self._stream.aclose()


def web_url(text: str) -> httpx2.URL | None:
    """The URL of a text; null for what is none, or not of HTTP."""
    try:
        url = httpx2.URL(text)
    except (httpx2.InvalidURL, ValueError):
        return None
    return url if url.scheme in ("http", "https") and url.host else None


class Redirect(NamedTuple):
    """Where an endpoint sends a client. No client here goes there: it would take a token, a body or a prompt along."""

    where: str
    """Host, and port if it's named, as it may be printed."""
    stays: bool
    """Whether that is the same scheme, host and port."""


def redirect(status: int, headers: Mapping[str, str], asked: httpx2.URL) -> Redirect | None:
    """The redirect that an answer is; null for any other answer."""
    if not 300 <= status < 400:
        return None
    try:
        there = asked.join(headers.get("location", ""))
        named = f"{there.host}:{there.port}" if there.port else there.host
    except (httpx2.InvalidURL, ValueError):
        return Redirect("an address that can't be read", False)
    stays = (there.scheme, there.host, there.port) == (asked.scheme, asked.host, asked.port)
    return Redirect(printable(named)[:80] or "an address that can't be read", stays)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that an endpoint asks to be left alone for, in any of its headers."""
    if (ms := _seconds(headers.get("retry-after-ms"))) is not None:
        return ms / 1000
    given = headers.get("retry-after")
    if (seconds := _seconds(given)) is not None or not given:
        return seconds
    try:
        at = parsedate_to_datetime(given)
    except ValueError:
        return None
    return max(0.0, (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() - time.time())


def _seconds(header: str | None) -> float | None:
    try:
        seconds = float(header or "")
    except ValueError:
        return None
    return seconds if math.isfinite(seconds) and seconds >= 0 else None
