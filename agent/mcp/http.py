"""The server as a part of the service: behind its guard, with its tokens, over its own incidents."""

from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager

from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from agent.mcp.callers import of_request
from agent.mcp.detached import all_ended
from agent.mcp.durable import Durable
from agent.mcp.means import Means
from agent.mcp.server import server_of
from agent.service.records import Person
from agent.service.seam import Service

PATH = "/mcp"
SESSIONS, IDLE = 200, 1800.0
"""Sessions of clients that speak an older protocol, and the seconds after which an unused one ends."""


class Assistants:
    """What the service offers to assistants."""

    def __init__(self, service: Service, means: Means, busy: Callable[[], Collection[str]], link: str) -> None:
        server = server_of(Durable(service, means, busy, link), means, of_request)
        self._manager = StreamableHTTPSessionManager(
            server._lowlevel_server, max_sessions=SESSIONS, session_idle_timeout=IDLE
        )

    @property
    def route(self) -> Route:
        """Where it is."""
        return Route(PATH, endpoint=_Endpoint(self._manager))

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Serve within the block."""
        async with self._manager.run():
            yield
        await all_ended()


class _Endpoint:
    def __init__(self, manager: StreamableHTTPSessionManager) -> None:
        self._manager = manager

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        person = scope.get("state", {}).get("person")
        if isinstance(person, Person):
            # A session belongs to whoever opened it: somebody else's request for it finds none.
            token = AccessToken(token="", client_id=person.name, scopes=sorted(person.roles))
            scope = {**scope, "user": AuthenticatedUser(token)}
        await self._manager.handle_request(scope, receive, send)
