"""A request that is refused, and how that is answered: a line of JSON for programs, a small page for people."""

import html
from collections.abc import Mapping
from importlib.resources import files
from string import Template

from starlette.responses import HTMLResponse, JSONResponse, Response

STYLE = "/access/style.css"
_PAGE = Template(
    '<!doctype html><html lang="en"><head><meta charset="utf-8">'
    '<meta name="viewport" content="width=device-width, initial-scale=1">$head'
    f'<title>$title</title><link rel="stylesheet" href="{STYLE}"></head>'
    "<body><main><h1>$title</h1>$body</main></body></html>"
)


class Refused(Exception):
    """The request is refused; `why` is for whoever asked, and names no secret."""

    def __init__(self, status: int, why: str, headers: Mapping[str, str] | None = None, *, close: bool = False) -> None:
        super().__init__(why)
        self.status = status
        self.why = why
        self.headers = dict(headers or {}) | ({"Connection": "close"} if close else {})


def page(
    title: str, body: str, status: int = 200, *, head: str = "", headers: Mapping[str, str] | None = None
) -> Response:
    """A small page; `body` and `head` are HTML already, the title isn't."""
    content = _PAGE.substitute(title=html.escape(title), body=body, head=head)
    return HTMLResponse(content, status, headers=headers)


def answer(refused: Refused, *, to_person: bool) -> Response:
    """The answer to a refused request."""
    if not to_person:
        return JSONResponse({"error": refused.why}, refused.status, headers=refused.headers)
    body = f'<p role="alert">{html.escape(refused.why)}</p><p><a href="/">Back to the incidents</a></p>'
    return page("That was refused", body, refused.status, headers=refused.headers)


def style() -> str:
    """The style sheet of these pages."""
    return files(__package__).joinpath("style.css").read_text(encoding="utf-8")
