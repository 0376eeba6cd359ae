"""Where the pages are."""

from collections.abc import Awaitable, Callable

from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from agent.report.page import STYLE
from agent.service.seam import Service
from agent.web.pages.forms import Forms
from agent.web.pages.incident import IncidentPages
from agent.web.pages.listing import Listing
from agent.web.pages.rendering import STATIC, error_page, unreachable_page

Endpoint = Callable[[Request], Awaitable[Response]]


def routes(service: Service) -> list[BaseRoute]:
    """The pages over a service. Who asks has to be in `request.state.person`, the token of their forms in `csrf`."""
    shown, forms = IncidentPages(service), Forms(service)
    one = "/incidents/{incident}"
    return [
        _read("/", Listing(service).page),
        _read(one, shown.page),
        _read(f"{one}/stream", shown.stream),
        _read(f"{one}/readings", shown.readings),
        _read(f"{one}/readings/{{reading}}", shown.reading),
        _read(f"{one}/steps/{{step}}/{{kind}}", shown.step),
        _sent(f"{one}/decisions", forms.decide),
        _sent(f"{one}/feedback", forms.judge),
        _sent(f"{one}/questions", forms.ask),
        _sent(f"{one}/close", forms.close),
        _sent(f"{one}/look-again", forms.look_again),
        Route("/static/report.css", _report_style, include_in_schema=False),
        Route("/favicon.ico", _icon, include_in_schema=False),
        Mount("/static", StaticFiles(directory=STATIC)),
    ]


def _read(path: str, endpoint: Endpoint) -> Route:
    return Route(path, endpoint, methods=["GET"], include_in_schema=False, middleware=[_OWN_ERRORS])


def _sent(path: str, endpoint: Endpoint) -> Route:
    return Route(path, endpoint, methods=["POST"], include_in_schema=False, middleware=[_OWN_ERRORS])


_OWN_ERRORS = Middleware(ExceptionMiddleware, handlers={HTTPException: error_page, SQLAlchemyError: unreachable_page})
"""An error of a page is a page."""


async def _report_style(request: Request) -> FileResponse:
    """The style that an answer has as a file, too."""
    return FileResponse(STYLE, media_type="text/css")


async def _icon(request: Request) -> FileResponse:
    """Where browsers look for one whose page doesn't name it, such as that of a sign-in."""
    return FileResponse(STATIC / "icon.svg", media_type="image/svg+xml")
