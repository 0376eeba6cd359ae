"""A server that is reached over HTTP: its answers have a bound, and no redirect takes a token or a question along."""

import httpx2
from mcp.client.streamable_http import streamable_http_client

from tools.errors import Unanswered
from tools.http import ACCEPTED, bounded, redirect
from tools.mcp.server import McpServer
from tools.records import Kind

MOST_BYTES = 4 * 2**20
"""Bytes of one answer."""
_BY_STATUS: dict[int, Kind] = {403: "denied", 408: "timeout", 429: "busy", 502: "busy", 503: "busy", 504: "timeout"}


class Web:
    """The requests to one server, and what was wrong with the last answer."""

    def __init__(self, server: McpServer) -> None:
        assert server.url
        self._server = server
        self.broken: Unanswered | None = None
        """Why what it was asked wasn't answered."""
        headers = {name: value.get_secret_value() for name, value in server.headers.items()}
        hooks = bounded(MOST_BYTES)
        self.client = httpx2.AsyncClient(
            headers={**ACCEPTED, **headers}, timeout=server.timeout, follow_redirects=False, max_redirects=0,
            event_hooks={"request": [_only_messages], "response": [self._judge, *hooks["response"]]},
        )  # fmt: skip
        self.transport = streamable_http_client(server.url, http_client=self.client, max_sse_event_size=MOST_BYTES)

    async def _judge(self, response: httpx2.Response) -> None:
        name, status = self._server.name, response.status_code
        if moved := redirect(status, response.headers, response.request.url):
            why = f"{name} redirects to {moved.where}, which isn't asked; give the URL that it ends at"
            self.broken = Unanswered("untrusted", why)
        elif status == 401:
            kind: Kind = "wrongpass" if self._server.headers else "noauth"
            self.broken = Unanswered(kind, f"{name} answered 401; give a token that it takes as token_env")
        elif status == 404:
            self.broken = Unanswered("denied", f"{name} answered 404; check the URL and its path")
        elif status in _BY_STATUS or status >= 500:
            self.broken = Unanswered(_BY_STATUS.get(status, "busy"), f"{name} answered {status}")
        elif response.is_success:
            self.broken = None


async def _only_messages(request: httpx2.Request) -> None:
    # A stream for what a server says unasked would be opened anew as often as the server likes, and nobody reads it.
    if request.method == "GET":
        raise httpx2.RequestError("nothing is listened to that wasn't asked for", request=request)
