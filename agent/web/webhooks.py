"""Where senders deliver: each request is proven, read and kept, or refused as a whole."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from agent.intake.receive import forget, receive
from agent.intake.refused import Refused
from agent.intake.seen import Seen
from agent.service.records import Submitted
from agent.service.seam import Full, Service
from agent.tickets.ticket import TicketError
from agent.web.problems import problem
from tools.settings.tables import Settings


def routes(service: Service, settings: Callable[[], Settings], seen: Seen) -> list[Route]:
    """The route of all webhooks. `settings` are read for each request, so that a secret can be changed."""

    async def deliver(request: Request) -> Response:
        name, headers, body = request.path_params["name"], request.headers, await request.body()
        known, now = settings(), datetime.now(UTC)
        wanted = await asyncio.to_thread(receive, name, headers, body, known, seen, now)
        if isinstance(wanted, Refused):
            challenge = {"WWW-Authenticate": wanted.challenge} if wanted.challenge else {}
            return problem(int(wanted.status), wanted.why, **challenge)
        done: list[Submitted] = []
        unmeant: list[str] = []
        try:
            for one in wanted:
                try:
                    done.append(await service.submit(one))
                except TicketError as error:
                    # The other alerts of the same request may well name a server.
                    unmeant.append(str(error))
        except Full:
            # The sender tries again later, with the very same request.
            await asyncio.to_thread(forget, name, headers, body, known, seen, now)
            raise
        if unmeant and not done:
            return problem(422, unmeant[0])
        incidents = [one.model_dump(mode="json") for one in done]
        return JSONResponse({"incidents": incidents, "refused": unmeant}, 202)

    return [Route("/v1/webhooks/{name}", deliver, methods=["POST"])]
