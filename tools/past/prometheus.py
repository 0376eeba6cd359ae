"""Prometheus' HTTP API, which Thanos, Mimir and VictoriaMetrics speak too: bounded in time and bytes, no retries."""

import json
import math
import socket
import ssl
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import httpx2

from tools.errors import Unanswered, UsageError
from tools.http import ACCEPTED, bounded, redirect, web_url
from tools.past.series import Series
from tools.records import Kind

MOST_BYTES = 8 * 2**20
"""Most bytes that are read of one answer."""
_ERROR_TYPES = frozenset(("timeout", "canceled", "execution", "bad_data", "internal", "unavailable", "not_found"))
_BY_ERROR_TYPE: dict[str, Kind] = {"timeout": "timeout", "canceled": "timeout", "unavailable": "busy"}
_BY_STATUS: dict[int, Kind] = {403: "denied", 407: "denied", 429: "busy", 502: "busy", 503: "busy", 504: "timeout"}


class ScrapedTarget(NamedTuple):
    """One target that a Prometheus scrapes."""

    labels: dict[str, str]
    """Those that its series have, such as `instance` and `job`."""
    parameter: str
    """The `target` that the exporter is asked about; empty where it has one server of its own."""


def checked_url(url: str, source: str) -> str:
    """The URL of a Prometheus. Raises `UsageError` naming `source`, never the URL's credentials."""
    if web_url(url) is None:
        raise UsageError(f"{source}: not the URL of a Prometheus; use http://HOST:9090, or https://USER:PASSWORD@HOST")
    return url.rstrip("/")


class Prometheus:
    """A client of one Prometheus.

    Every failure is an `Unanswered` with its kind; no message contains the credentials.
    """

    def __init__(self, url: str, timeout: float) -> None:
        self._url = httpx2.URL(url)
        self.name = f"{self._url.scheme}://{self._url.netloc.decode()}"
        """Scheme, host and port, for messages."""
        self._client = httpx2.AsyncClient(
            timeout=timeout, follow_redirects=False, headers=ACCEPTED, event_hooks=bounded(MOST_BYTES + 1)
        )

    async def __aenter__(self) -> "Prometheus":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    async def query(self, expression: str, at: float) -> list[Series]:
        """An expression's value at one moment (Unix seconds): a point of each series, or all of a range of them."""
        return list(self._series(await self._ask("query", {"query": expression, "time": f"{at:.3f}"})))

    async def query_range(self, expression: str, start: float, end: float, step: float) -> list[Series]:
        """An expression's values from start to end (Unix seconds), every `step` seconds."""
        form = {"query": expression, "start": f"{start:.3f}", "end": f"{end:.3f}", "step": f"{step:g}"}
        return list(self._series(await self._ask("query_range", form)))

    async def series(self, match: str, start: float, end: float) -> list[dict[str, str]]:
        """The labels of the series that match a selector and had samples from start to end (Unix seconds)."""
        found = await self._ask("series", {"match[]": match, "start": f"{start:.3f}", "end": f"{end:.3f}"})
        if not isinstance(found, list) or not all(isinstance(labels, dict) for labels in found):
            raise self._strange("its list of series has an unexpected form")
        return [{str(name): str(value) for name, value in labels.items()} for labels in found]

    async def targets(self) -> list[ScrapedTarget]:
        """What it scrapes at the moment."""
        found = await self._ask("targets?state=active", None)
        try:
            return [_scraped(one) for one in found["activeTargets"]]
        except (KeyError, TypeError, AttributeError):
            raise self._strange("its list of targets has another form") from None

    async def _ask(self, path: str, form: Mapping[str, str] | None) -> Any:
        """The data of an answer; without a form it's asked for by GET, which is all that some paths have."""
        path, _, query = path.partition("?")
        url = self._url.copy_with(path=f"{self._url.path.rstrip('/')}/api/v1/{path}", query=query.encode() or None)
        body = bytearray()
        try:
            async with self._client.stream("GET" if form is None else "POST", url, data=form) as response:
                async for chunk in response.aiter_bytes():
                    body += chunk
                    if len(body) > MOST_BYTES:
                        raise self._strange(f"its answer is larger than {MOST_BYTES} bytes; ask about fewer minutes")
        except (httpx2.HTTPError, OSError) as error:
            kind = _kind(error)
            raise Unanswered(kind, f"{self.name}: {type(error).__name__}") from None
        if moved := redirect(response.status_code, response.headers, url):
            raise self._strange(f"it redirects to {moved.where}, which isn't contacted; give the final URL")
        return self._data(response.status_code, bytes(body))

    def _data(self, status: int, body: bytes) -> Any:
        if status == 401:
            kind: Kind = "wrongpass" if self._url.userinfo else "noauth"
            raise Unanswered(kind, f"{self.name} answered 401; give USER:PASSWORD@ in the URL")
        try:
            answer = json.loads(body)
        except (ValueError, RecursionError):
            answer = None
        error_type = answer.get("errorType") if isinstance(answer, dict) else None
        if error_type in _ERROR_TYPES:
            raise Unanswered(_BY_ERROR_TYPE.get(error_type, "misconf"), f"{self.name} answered {status}, {error_type}")
        if status in _BY_STATUS or status >= 500:
            raise Unanswered(_BY_STATUS.get(status, "busy"), f"{self.name} answered {status}")
        if status != 200 or not isinstance(answer, dict) or answer.get("status") != "success" or "data" not in answer:
            raise self._strange(f"it answered {status}, but not like Prometheus' API; check the URL and its path")
        return answer["data"]

    def _series(self, data: Any) -> Iterator[Series]:
        try:
            for one in data["result"]:
                pairs = one["values"] if "values" in one else [one["value"]]
                points = [(float(at), float(text)) for at, text in pairs]
                labels = {str(name): str(value) for name, value in one["metric"].items()}
                yield Series(labels, [point for point in points if math.isfinite(point[1])])
        except (KeyError, TypeError, ValueError, AttributeError):
            raise self._strange("its answer doesn't have the form of Prometheus' API") from None

    def _strange(self, why: str) -> Unanswered:
        return Unanswered("unknown-command", f"{self.name}: {why}")


def _scraped(one: Any) -> ScrapedTarget:
    labels = {str(name): str(value) for name, value in one["labels"].items()}
    return ScrapedTarget(labels, str((one.get("discoveredLabels") or {}).get("__param_target") or _asked(one)))


def _asked(one: Any) -> str:
    try:
        return str(httpx2.URL(str(one.get("scrapeUrl") or "")).params.get("target") or "")
    except (httpx2.InvalidURL, ValueError):
        return ""


def _kind(error: BaseException) -> Kind:
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, TimeoutError | httpx2.TimeoutException):
            return "timeout"
        if isinstance(seen, ssl.SSLError):
            return "tls"
        if isinstance(seen, socket.gaierror):
            return "dns"
        seen = seen.__cause__ or seen.__context__
    return "refused" if isinstance(error, httpx2.ConnectError) else "reset"
