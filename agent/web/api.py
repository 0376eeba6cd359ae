"""The interface for programs: incidents, their events, and decisions about them."""

import json
import secrets
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime

from pydantic import TypeAdapter
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from agent.service.records import Decision, Feedback, Incident, Person, Query, Role, Submission, Submitted
from agent.service.seam import Service
from agent.tickets.reading import parse_ticket
from agent.tickets.ticket import Ticket
from agent.web.bodies import NewDecision, NewFeedback, NewIncident, NewQuestion, earlier
from agent.web.problems import body, person
from tools.text import printable

READERS: Sequence[Role] = ("reader", "approver")
ALIVE = 15
"""Seconds between two signs of life in a stream without events."""
_NUMBER = TypeAdapter(int)


def routes(service: Service) -> list[Route]:
    """The routes under /v1."""

    async def submit(request: Request) -> Response:
        who = person(request, "sender", "approver")
        new = NewIncident.model_validate_json(await body(request))
        return _submitted(await service.submit(_submission(new, who)))

    async def list_(request: Request) -> Response:
        person(request, *READERS)
        found = await service.incidents(_query(request))
        return _json({"incidents": [one.model_dump(mode="json", by_alias=True) for one in found]})

    async def show(request: Request) -> Response:
        person(request, *READERS)
        found = await _incident(service, request)
        similar = [earlier(one).model_dump(mode="json") for one in await service.similar(found)]
        return _json({**found.model_dump(mode="json", by_alias=True), "similar": similar})

    async def events(request: Request) -> Response:
        person(request, *READERS)
        found = await _incident(service, request)
        after = _after(request)
        return EventSourceResponse(_stream(service, found.id, after), ping=ALIVE, headers={"X-Accel-Buffering": "no"})

    async def decide(request: Request) -> Response:
        who = person(request, "approver")
        found = await _incident(service, request)
        new = NewDecision.model_validate_json(await body(request))
        await service.decide(found.id, Decision(**new.model_dump(), by=who.name))
        return _json({"incident": found.id}, 202)

    async def close(request: Request) -> Response:
        who = person(request, "approver")
        found = await _incident(service, request)
        await service.close(found.id, who.name)
        return _json({"incident": found.id})

    async def look_again(request: Request) -> Response:
        who = person(request, "approver")
        found = await _incident(service, request)
        await service.look_again(found.id, who.name)
        return _json({"incident": found.id}, 202)

    async def judge(request: Request) -> Response:
        who = person(request, *READERS)
        found = await _incident(service, request)
        new = NewFeedback.model_validate_json(await body(request))
        said = new.model_copy(update={"note": printable(new.note)})
        await service.judge(found.id, Feedback(**said.model_dump(), by=who.name, at=datetime.now(UTC)))
        return _json({"incident": found.id}, 201)

    async def ask(request: Request) -> Response:
        who = person(request, *READERS)
        found = await _incident(service, request)
        new = NewQuestion.model_validate_json(await body(request))
        return _json({"incident": found.id, "question": await service.ask(found.id, new.text, who.name)}, 202)

    one = "/v1/incidents/{id}"
    return [
        Route("/v1/incidents", submit, methods=["POST"]),
        Route("/v1/incidents", list_, methods=["GET"]),
        Route(one, show, methods=["GET"]),
        Route(f"{one}/events", events, methods=["GET"]),
        Route(f"{one}/decisions", decide, methods=["POST"]),
        Route(f"{one}/close", close, methods=["POST"]),
        Route(f"{one}/look-again", look_again, methods=["POST"]),
        Route(f"{one}/feedback", judge, methods=["POST"]),
        Route(f"{one}/questions", ask, methods=["POST"]),
    ]


def _submission(new: NewIncident, who: Person) -> Submission:
    ticket = _ticket(new)
    if new.resolved and new.key is None and ticket.place is None:
        raise HTTPException(422, "resolved: the key says which incident it closes")
    if not (ticket.symptom or new.resolved):
        raise HTTPException(422, "title, text: one of them has to say something")
    # Tickets with a place are the same if the place is.
    place = f"{ticket.place.api} {ticket.place.key}" if ticket.place else secrets.token_hex(16)
    resolved = new.resolved or ticket.closed is not None
    return Submission(ticket=ticket, key=new.key or place, target=new.target, resolved=resolved, by=who.name)


def _ticket(new: NewIncident) -> Ticket:
    if new.ticket is not None:
        return parse_ticket(json.dumps(new.ticket))
    labels = {printable(name): (printable(value),) for name, value in new.labels.items()}
    return Ticket(
        source="text", title=printable(new.title), text=printable(new.text), labels=(labels,) if labels else ()
    )


def _submitted(done: Submitted) -> Response:
    headers = {"Location": f"/v1/incidents/{done.incident}"} if done.incident else {}
    return _json(done.model_dump(mode="json"), 201 if done.new else 200, headers)


def _json(content: object, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return JSONResponse(content, status, headers)


async def _incident(service: Service, request: Request) -> Incident:
    id = request.path_params["id"]
    found = await service.incident(id) if len(id) <= 40 and id.isascii() and id.isprintable() else None
    if found is None:
        raise HTTPException(404, "there is no such incident")
    return found


def _query(request: Request) -> Query:
    given = {name: printable(value)[:500] for name, value in request.query_params.items() if value}
    if unknown := set(given) - set(Query.model_fields):
        raise HTTPException(422, f"{sorted(unknown)[0][:40]}: unknown; known are {', '.join(Query.model_fields)}")
    return Query.model_validate(given)


def _after(request: Request) -> int:
    """The number of the last event that was seen."""
    said = request.headers.get("last-event-id") or request.query_params.get("after") or "0"
    if not (said.isascii() and said.isdigit() and len(said) < 10):
        raise HTTPException(422, "Last-Event-ID: not the number of an event")
    return _NUMBER.validate_python(said)


async def _stream(service: Service, id: str, after: int) -> AsyncIterator[ServerSentEvent]:
    async for one in service.events(id, after):
        yield ServerSentEvent(data=one.data, event=one.kind, id=str(one.number))
    yield ServerSentEvent(data="{}", event="end")
