"""Where senders deliver: each request is proven, read and kept, or refused as a whole."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from agent.intake.receive import receive
from agent.intake.refused import Refusal, Refused
from agent.intake.seen import Seen
from agent.service.journal import say
from agent.service.records import Submission, Submitted
from agent.service.seam import Full, Service
from agent.tickets.ticket import TicketError
from agent.web.bodies import Delivered
from agent.web.problems import problem
from tools.errors import UsageError
from tools.settings.tables import Settings

TOLD = (Refusal.UNUSABLE, Refusal.UNAVAILABLE)
"""What a person here has to hear of: the sender is who it should be, and still nothing comes of it."""


def routes(service: Service, settings: Callable[[], Settings], seen: Seen) -> list[Route]:
    """The route of all webhooks. `settings` are read for each request, so that a secret can be changed."""

    async def deliver(request: Request) -> Response:
        name, headers, body = request.path_params["name"], request.headers, await request.body()
        now = datetime.now(UTC)
        try:
            known = await asyncio.to_thread(settings)
        except UsageError as error:
            # It names a file of this machine, which isn't the sender's concern; what was sent is still wanted.
            say(f"webhook {name[:40]}: {error}")
            return problem(503, "the settings can't be read here")
        accepted = await asyncio.to_thread(receive, name, headers, body, known, seen, now)
        if isinstance(accepted, Refused):
            if accepted.status in TOLD:
                say(f"webhook {name[:40]}: refused with status {accepted.status}: {accepted.why}")
            challenge = {"WWW-Authenticate": accepted.challenge} if accepted.challenge else {}
            return problem(int(accepted.status), accepted.why, **challenge)
        try:
            delivered = await _kept(service, accepted.wanted)
        except UsageError as error:
            say(f"webhook {name[:40]}: {error}")
            return problem(503, "the settings of the target can't be used here")
        if delivered.refused and not delivered.incidents:
            return problem(422, delivered.refused[0])
        # Last of all: if this program ends before, the sender comes again, and the alert joins its incident.
        await asyncio.to_thread(seen.add, accepted.keys, now)
        return JSONResponse(delivered.model_dump(mode="json"), 202)

    return [Route("/v1/webhooks/{name}", deliver, methods=["POST"])]


async def _kept(service: Service, wanted: Sequence[Submission]) -> Delivered:
    """What became of each.

    Raises `Full`, or `UsageError` if a target's settings can't be used, so that the sender tries again; but only after
    the other alerts, which will then just join their incidents.
    """
    done: list[Submitted] = []
    refused: list[str] = []
    again: Full | UsageError | None = None
    for one in wanted:
        try:
            done.append(await service.submit(one))
        except (Full, UsageError) as error:
            again = error
        except TicketError as error:
            # The other alerts of the same request may well name a server.
            refused.append(str(error))
    if again is not None:
        raise again
    return Delivered(incidents=tuple(done), refused=tuple(refused))
