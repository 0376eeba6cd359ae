"""The token that is made at the start and printed in the link: whoever has it may do everything."""

import secrets
from collections.abc import Iterator
from urllib.parse import parse_qs

from starlette.types import ASGIApp, Receive, Scope, Send

from agent.service.records import Person


class StartToken:
    """Middleware that says who asks by the one token."""

    def __init__(self, app: ASGIApp, token: str, name: str) -> None:
        self._app, self._token = app, token.encode()
        self._person = Person(name=name, roles=frozenset(("reader", "approver", "sender")))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            given = any(secrets.compare_digest(one, self._token) for one in _given(scope))
            if given:
                scope.setdefault("state", {})["person"] = self._person
        await self._app(scope, receive, send)


def _given(scope: Scope) -> Iterator[bytes]:
    for name, value in scope["headers"]:
        if name == b"authorization" and value[:7].lower() == b"bearer ":
            yield value[7:].strip()
    for value in parse_qs(scope.get("query_string", b"")).get(b"token", []):
        yield value
