"""What goes wrong, as an answer by HTTP: a status and one sentence that says what to do."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from pydantic import ValidationError
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from agent.service.journal import say, why
from agent.service.outages import is_outage
from agent.service.records import Person, Role
from agent.service.seam import Full, NotSo
from agent.tickets.ticket import TicketError
from tools.errors import RediagnoseError, UsageError
from tools.text import printable

MOST_SAID = 500
RETRY_AFTER = 10
"""Seconds after which the database may answer again."""
TRY_AGAIN = {"Retry-After": str(RETRY_AFTER)}


def problem(status: int, said: str, **headers: str) -> Response:
    """An answer that says what is wrong."""
    return JSONResponse({"error": printable(said)[:MOST_SAID]}, status, headers)


def person(request: Request, *roles: Role) -> Person:
    """Who asks, if they have one of these roles. Raises `HTTPException`."""
    found = getattr(request.state, "person", None)
    if not isinstance(found, Person):
        raise HTTPException(401, "log in, or send a token")
    if not found.roles & set(roles):
        raise HTTPException(403, f"this takes a person who is {' or '.join(roles)}")
    return found


async def body(request: Request) -> bytes:
    """The request's body, which the guard bounds. Raises `HTTPException` for one that isn't JSON."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise HTTPException(415, "send JSON, with content-type: application/json")
    return await request.body()


async def _http(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return problem(error.status_code, str(error.detail), **(error.headers or {}))


async def _full(_: Request, error: Exception) -> Response:
    assert isinstance(error, Full)
    return problem(429, str(error), **{"Retry-After": str(error.retry_after)})


async def _invalid(_: Request, error: Exception) -> Response:
    assert isinstance(error, ValidationError)
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    where = ".".join(map(str, first["loc"])) or "the body"
    lack = _LACKS.get(first["type"])
    return problem(422, f"{where}: {f'{lack}; /openapi.json describes {error.title}' if lack else first['msg']}")


async def _unreachable(_: Request, error: Exception) -> Response:
    note_unreachable(error)
    return problem(503, "the database doesn't answer; try again", **TRY_AGAIN)


def note_unreachable(error: BaseException) -> None:
    """Say what is wrong with the database, unless that's known: an outage is said once."""
    if not is_outage(error):
        say(f"the database: {why(error)}")


def _answering(status: int) -> Callable[[Request, Exception], Awaitable[Response]]:
    async def answer(_: Request, error: Exception) -> Response:
        return problem(status, str(error))

    return answer


_LACKS = {"missing": "missing", "extra_forbidden": "there is no such field"}
"""What pydantic says in words of its own."""
HANDLERS: Mapping[Any, Callable[[Request, Exception], Awaitable[Response]]] = {
    HTTPException: _http, ValidationError: _invalid, Full: _full, NotSo: _answering(409), TicketError: _answering(422),
    UsageError: _answering(422), SQLAlchemyError: _unreachable, RediagnoseError: _answering(503),
}  # fmt: skip
