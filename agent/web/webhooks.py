"""Where senders deliver: each request is proven, read and kept, or refused as a whole."""

import asyncio
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from agent.intake.receive import receive
from agent.intake.refused import Refusal, Refused
from agent.intake.seen import Seen
from agent.service.journal import Seldom, say
from agent.service.records import Submission, Submitted
from agent.service.seam import Full, Service
from agent.tickets.ticket import TicketError
from agent.web.bodies import Delivered
from agent.web.problems import problem
from tools.errors import UsageError
from tools.settings.tables import Settings

TOLD = (Refusal.UNUSABLE, Refusal.UNAVAILABLE)
"""What a person here has to hear of: the sender is who it should be, and still nothing comes of it."""
UNKNOWN_SENDERS = (Refusal.UNPROVEN, Refusal.FORBIDDEN, Refusal.UNKNOWN)
"""What anybody may cause, and so may a sender whose secret or address is wrong by mistake."""


def routes(
    service: Service, settings: Callable[[], Settings], seen: Seen, now: Callable[[], float] = time.monotonic
) -> list[Route]:
    """The route of all webhooks. `settings` are read for each request, so that a secret can be changed."""
    seldom = Seldom(now)

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
            line = f"webhook {name[:40]}: refused with status {accepted.status}: {accepted.here or accepted.why}"
            if accepted.status in TOLD:
                say(line)
            elif accepted.status in UNKNOWN_SENDERS:
                # Those who guess names get one line together.
                about = "an unknown name" if accepted.status is Refusal.UNKNOWN else f"{name} {accepted.status}"
                remedy = _names(known) if accepted.status is Refusal.UNKNOWN else ""
                seldom(about, f"{line}{remedy}; sent from {_peer(request)}")
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


def _peer(request: Request) -> str:
    """The address of whoever sends, as the guard found it."""
    return getattr(request.state, "peer", "") or (request.client.host if request.client else "an unknown address")


def _names(known: Settings) -> str:
    return f" (there are {', '.join(one.name for one in known.webhook[:20]) or 'none'})"


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
