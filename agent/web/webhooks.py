"""Where senders deliver: each request is proven, read and kept, or refused as a whole."""

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
from tools.settings.tables import Settings

MOST_BODY = 2**20
"""Most bytes of a body; a larger one is refused while it arrives."""


def routes(service: Service, settings: Callable[[], Settings], seen: Seen) -> list[Route]:
    """The route of all webhooks. `settings` are read for each request, so that a secret can be changed."""

    async def deliver(request: Request) -> Response:
        name, headers, body = request.path_params["name"], request.headers, await _body(request)
        known, now = await asyncio.to_thread(settings), datetime.now(UTC)
        wanted = await asyncio.to_thread(receive, name, headers, body, known, seen, now)
        if isinstance(wanted, Refused):
            challenge = {"WWW-Authenticate": wanted.challenge} if wanted.challenge else {}
            return problem(int(wanted.status), wanted.why, **challenge)
        try:
            done, unmeant = await _submitted(service, wanted)
        except Exception:
            # The sender tries again later, with the very same request.
            await asyncio.to_thread(forget, name, headers, body, known, seen, now)
            raise
        if unmeant and not done:
            return problem(422, unmeant[0])
        incidents = [one.model_dump(mode="json") for one in done]
        return JSONResponse({"incidents": incidents, "refused": unmeant}, 202)

    return [Route("/v1/webhooks/{name}", deliver, methods=["POST"])]


async def _submitted(service: Service, wanted: Sequence[Submission]) -> tuple[list[Submitted], list[str]]:
    """What became of each, and why some came to nothing. Raises `Full`; what was kept joins if it's sent again."""
    done: list[Submitted] = []
    unmeant: list[str] = []
    full: Full | None = None
    for one in wanted:
        try:
            done.append(await service.submit(one))
        except Full as error:
            # The other alerts of the same request may still join or close an incident.
            full = error
        except (TicketError, UsageError) as error:
            # And they may well name a server.
            unmeant.append(str(error)[:300])
    if full is not None:
        raise full
    return done, unmeant


async def _body(request: Request) -> bytes:
    found = b""
    async for piece in request.stream():
        found += piece
        if len(found) > MOST_BODY:
            raise HTTPException(413, f"a body has at most {MOST_BODY} bytes")
    return found
