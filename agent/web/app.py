"""The service by HTTP: an application of its interface, its page and its webhooks, whatever guards it."""

from collections.abc import Callable, Sequence

from starlette.applications import Starlette
from starlette.middleware import Middleware

from agent.service.seen import DurableSeen
from agent.service.service import DurableService
from agent.web.api import routes as api
from agent.web.health import routes as health
from agent.web.pages.routes import routes as pages
from agent.web.problems import HANDLERS
from agent.web.webhooks import routes as webhooks


def app(
    service: DurableService,
    *,
    guards: Sequence[Middleware] = (),
    metrics: Callable[[], str] = str,
) -> Starlette:
    """The application; the service it stands for is started and stopped by whoever makes it.

    `guards` are the middleware that says who asks (`request.state.person`) and refuses the rest, outermost first.
    `metrics` gives more text for /metrics.
    """
    senders = webhooks(service, DurableSeen(service.store.database))
    routes = [*health(service, metrics), *api(service), *senders, *pages(service)]
    return Starlette(routes=routes, middleware=guards, exception_handlers=HANDLERS)
