"""What all HTTP clients share: URLs, bounded answers, when to try again, and text that may be printed."""

import math
import time
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any

import httpx2

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
            raise httpx2.DecodingError("packed in a way that nobody asked for", request=response.request)
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


def printable(text: str) -> str:
    """Text that can't steer a terminal."""
    return "".join(letter if letter.isprintable() or letter in "\n\t" else " " for letter in text)


def web_url(text: str) -> httpx2.URL | None:
    """The URL of a text; null for what is none, or not of HTTP."""
    try:
        url = httpx2.URL(text)
    except (httpx2.InvalidURL, ValueError):
        return None
    return url if url.scheme in ("http", "https") and url.host else None


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
