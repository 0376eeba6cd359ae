"""The service by HTTP: an application of its interface, its page and its webhooks."""

from collections.abc import Callable, Sequence

from starlette.applications import Starlette
from starlette.routing import BaseRoute

from agent.service.service import DurableService
from agent.web.api import routes as api
from agent.web.health import routes as health
from agent.web.pages.routes import routes as pages
from agent.web.problems import HANDLERS


def app(
    service: DurableService,
    *,
    webhooks: Sequence[BaseRoute] = (),
    metrics: Callable[[], str] = str,
) -> Starlette:
    """The application; the service it stands for is started and stopped by whoever makes it.

    `webhooks` are the routes of the senders; `metrics` gives more text for /metrics. Who asks is in
    `request.state.person`, where the guard puts it.
    """
    routes = [*health(service, metrics), *api(service), *webhooks, *pages(service)]
    return Starlette(routes=routes, exception_handlers=HANDLERS)
