"""Templates: what isn't markup of our own is one printable line, and escaped."""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse

from agent.report.elements import Markup, joined
from agent.report.summary import sentence
from agent.web.pages.viewer import Viewer
from agent.web.problems import TRY_AGAIN, note_unreachable
from tools.text import one_line, printable

TEMPLATES = Path(__file__).with_name("templates")
STATIC = Path(__file__).with_name("static")
TITLE_MOST = 160
"""Characters of a title: one of ten thousand must not push everything else away."""
TEXT_MOST = 6000
"""Characters of a longer text, such as a ticket's."""
UNREACHABLE = (
    "Nothing is lost: incidents and decisions that were accepted are kept, and the work on them goes on by itself as "
    "soon as the database answers again. If you have just sent something, look whether it's there before you send it "
    "again."
)


@cache
def environment() -> Environment:
    """The templates, each read once."""
    made = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, finalize=_shown,
        trim_blocks=True, lstrip_blocks=True, auto_reload=False,
    )  # fmt: skip
    made.filters |= {"short": _short, "text": _text, "clock": clock, "day": day, "sentence": sentence}
    return made


def page(request: Request, who: Viewer, name: str, status: int = 200, **values: Any) -> HTMLResponse:
    """A page of a template."""
    common: Mapping[str, Any] = {"who": who, "root": who.root, "path": request.url.path}
    text = environment().get_template(name).render(**common, **values)
    return HTMLResponse(text, status_code=status)


def clock(moment: datetime) -> str:
    """The time of day in UTC, to the second."""
    return f"{moment.astimezone(UTC):%H:%M:%S}"


def day(moment: datetime) -> str:
    """Day and time in UTC, to the minute."""
    return f"{moment.astimezone(UTC):%-d %B %Y, %H:%M} UTC"


def _shown(value: object) -> object:
    """Of every expression in a template: somebody else's words may steer neither the page nor the reader's eye."""
    if value is None:
        return ""
    return value if isinstance(value, Markup) or hasattr(value, "__html__") else one_line(str(value))


def _short(text: str) -> str:
    return one_line(text, TITLE_MOST)


def _text(text: str) -> Markup:
    """A text of several lines."""
    shown = printable(text)
    shown = shown if len(shown) <= TEXT_MOST else f"{shown[: TEXT_MOST - 1]}…"
    return joined(*(joined(line, Markup("<br>")) for line in shown.splitlines()))


async def error_page(request: Request, error: Exception) -> HTMLResponse:
    """What went wrong with a request, as a page that knows nobody."""
    status, why = (error.status_code, error.detail) if isinstance(error, HTTPException) else (500, "")
    return _error(request, status, why)


async def unreachable_page(request: Request, error: Exception) -> HTMLResponse:
    """That the database is away, as a page."""
    note_unreachable(error)
    return _error(request, 503, "The database doesn't answer at the moment", UNREACHABLE, TRY_AGAIN)


def _error(
    request: Request, status: int, why: str, more: str = "", headers: Mapping[str, str] | None = None
) -> HTMLResponse:  # fmt: skip
    root = str(request.scope.get("root_path", ""))
    text = environment().get_template("error.html").render(root=root, why=why, more=more)
    return HTMLResponse(text, status_code=status, headers=headers)
