"""Where senders send their alerts and tickets: each proves itself by its own secret, and nobody is signed in."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from agent.intake.receive import forget, receive
from agent.intake.refused import Refused
from agent.intake.seen import Seen
from agent.service.records import Submission, Submitted
from agent.service.seam import Full, Service
from agent.tickets.ticket import TicketError
from agent.web.problems import problem
from tools.errors import UsageError
from tools.settings.file import load_settings
from tools.settings.tables import Settings

MOST_BODY = 2**20
"""Most bytes of a body; a larger one is refused while it arrives."""


def routes(service: Service, seen: Seen, settings: Callable[[], Settings] = load_settings) -> list[Route]:
    """The one route. `settings` is asked for each request, so that a new secret counts at once."""

    async def take(request: Request) -> Response:
        body = await _body(request)
        name, headers, now = request.path_params["name"], dict(request.headers), datetime.now(UTC)
        known = await asyncio.to_thread(settings)
        # It reads files and asks the database, so it has a thread.
        wanted = await asyncio.to_thread(receive, name, headers, body, known, seen, now)
        if isinstance(wanted, Refused):
            challenge = {"WWW-Authenticate": wanted.challenge} if wanted.challenge else {}
            return problem(wanted.status, wanted.why, **challenge)
        try:
            done, problems = await _submitted(service, wanted)
        except Exception:
            # What wasn't kept may be sent again.
            await asyncio.to_thread(forget, name, headers, body, known, seen, now)
            raise
        if problems and not done:
            return problem(422, problems[0])
        incidents = [one.model_dump(mode="json") for one in done]
        return JSONResponse({"incidents": incidents, "problems": problems}, 202)

    return [Route("/v1/webhooks/{name}", take, methods=["POST"])]


async def _submitted(service: Service, wanted: Sequence[Submission]) -> tuple[list[Submitted], list[str]]:
    """What became of each, and why some came to nothing. Raises `Full`; what was kept joins if it's sent again."""
    done: list[Submitted] = []
    problems: list[str] = []
    full: Full | None = None
    for one in wanted:
        try:
            done.append(await service.submit(one))
        except Full as error:
            # Others may still join or close an incident.
            full = error
        except (TicketError, UsageError) as error:
            problems.append(str(error)[:300])
    if full is not None:
        raise full
    return done, problems


async def _body(request: Request) -> bytes:
    found = b""
    async for piece in request.stream():
        found += piece
        if len(found) > MOST_BODY:
            raise HTTPException(413, f"a body has at most {MOST_BODY} bytes")
    return found
