"""One incident: its page, its readings, the question about a step, and the stream of what happens."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sse_starlette import EventSourceResponse
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from agent.answer.diagnosis import Diagnosis, Step
from agent.report.meanings import MEANINGS
from agent.report.render import cost_line, notices
from agent.report.summary import headline
from agent.service.history import waiting
from agent.service.proposal import KINDS, OPEN, Proposal, proposal
from agent.service.records import Incident, NumberedEvent
from agent.service.seam import Service
from agent.web.pages.conversation import KINDS as SAID
from agent.web.pages.conversation import conversation
from agent.web.pages.live import stream
from agent.web.pages.readings import arguments, listed, reading_of, rows
from agent.web.pages.rendering import page
from agent.web.pages.story import SHOWN, line
from agent.web.pages.topology import topology
from agent.web.pages.verdict import Verdict, badge
from agent.web.pages.viewer import Viewer, approver, viewer

ALIVE = 15
"""Seconds between two signs of life in a stream without events."""
SIMILAR_MOST = 6
WELL_MEANS = {
    "no-fault": "Nothing was wrong with Redis", "outside-redis": "It was something outside Redis",
}  # fmt: skip
"""What it can have been besides a cause."""
STORY_MOST = 60
"""Lines of the story that are shown, the newest."""


class PlannedStep(NamedTuple):
    """A step of the plan, and what can be decided about it."""

    step: Step
    decide: bool
    roll_back: bool
    pending: str | None
    """What was decided about it, while that is carried out."""
    why_not: str | None
    """Why a step that would need approval can't be carried out from here."""


class IncidentPages:
    """The pages of one incident over a service."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def page(self, request: Request) -> Response:
        """The incident."""
        return await incident_page(self._service, request, viewer(request))

    async def stream(self, request: Request) -> Response:
        """What happens from now on, as server-sent events."""
        viewer(request)
        one = await found(self._service, request)
        given = [request.headers.get("last-event-id", ""), request.query_params.get("after", "")]
        after = max((int(text) for text in given if text.isascii() and text.isdigit() and len(text) < 10), default=0)
        return EventSourceResponse(
            stream(self._service, one.id, after), ping=ALIVE, headers={"X-Accel-Buffering": "no"}
        )

    async def readings(self, request: Request) -> Response:
        """All readings in a list."""
        who = viewer(request)
        one, answer = await self._answered(request)
        return page(request, who, "readings.html", incident=one, readings=listed(answer), headline=headline(answer))

    async def reading(self, request: Request) -> Response:
        """One reading."""
        who = viewer(request)
        one, answer = await self._answered(request)
        if (reading := reading_of(answer, request.path_params["reading"])) is None:
            raise HTTPException(404, "There is no such reading.")
        return page(request, who, "reading.html", incident=one, reading=reading, rows=rows(answer, reading),
                    arguments=arguments(reading), headline=headline(answer))  # fmt: skip

    async def step(self, request: Request) -> Response:
        """The question about one step."""
        who = approver(request)
        one, answer = await self._answered(request)
        step = step_of(answer, request.path_params["step"])
        if (kind := KINDS.get(request.path_params["kind"])) is None:
            raise HTTPException(404, "There is no such page.")
        pending = _pending(await self._service.history(one.id, ("decided", "step-changed"))).get(step.id)
        asked = f"The {pending} is being carried out." if pending else None
        made = asked or proposal(step, kind)
        if one.state == "closed":
            made = "This incident is closed; its steps are no longer offered."
        is_one = isinstance(made, Proposal)
        return page(request, who, "step.html", incident=one, step=step, kind=kind, headline=headline(answer),
                    asked=made if is_one else None, nothing=None if is_one else made)  # fmt: skip

    async def _answered(self, request: Request) -> tuple[Incident, Diagnosis]:
        one = await found(self._service, request)
        if one.diagnosis is None:
            raise HTTPException(404, "This incident has no answer yet.")
        return one, one.diagnosis


async def found(service: Service, request: Request) -> Incident:
    """The incident in the address. Raises `HTTPException`."""
    if (one := await service.incident(request.path_params["incident"])) is None:
        raise HTTPException(404, "There is no such incident.")
    return one


def step_of(answer: Diagnosis, id: str) -> Step:
    """The step with this id. Raises `HTTPException`."""
    if (step := next((one for one in answer.plan if one.id == id), None)) is None:
        raise HTTPException(404, "There is no such step in the plan as it stands now.")
    return step


async def incident_page(
    service: Service, request: Request, who: Viewer, problem: str | None = None, status: int = 200
) -> Response:
    """The page of an incident, with what went wrong with a form at its top."""
    one = await found(service, request)
    history = await service.history(one.id, (*SHOWN, *SAID))
    similar = await service.similar(one)
    story = [told for event in history if (told := line(event)) is not None]
    return page(
        request, who, "incident.html", status, incident=one, badge=badge(one), problem=problem,
        story=story[-STORY_MOST:], earlier=max(0, len(story) - STORY_MOST),
        last=history[-1].number if history else 0, causes=MEANINGS, well=WELL_MEANS,
        similar=[(other, badge(other), headline(other.diagnosis) if other.diagnosis else other.problem or "")
                 for other in similar[:SIMILAR_MOST]],
        **conversation(one, history, await service.answerer()), **_of_answer(one, history),
    )  # fmt: skip


def _of_answer(one: Incident, history: Sequence[NumberedEvent]) -> dict[str, Any]:
    if (answer := one.diagnosis) is None:
        return {"verdict": None}
    pending = _pending(history)
    is_open = one.state == "answered"
    return {
        "verdict": Verdict(answer), "notices": notices(answer),
        "topology": topology(answer), "cost": cost_line(answer), "several": len(answer.target.nodes) > 1,
        "plan": [_planned(step, pending.get(step.id), is_open) for step in answer.plan],
        "taken": sum(reading.tool != "symptom" for reading in answer.readings),
    }  # fmt: skip


def _planned(step: Step, pending: str | None, is_open: bool) -> PlannedStep:
    if not is_open or pending or not step.needs_approval:
        return PlannedStep(step, False, False, pending, None)
    decide, roll_back = proposal(step, "decide"), proposal(step, "roll-back")
    why_not = decide if isinstance(decide, str) and step.state in OPEN else None
    return PlannedStep(step, isinstance(decide, Proposal), isinstance(roll_back, Proposal), None, why_not)


def _pending(history: Sequence[NumberedEvent]) -> Mapping[str, str]:
    """By step, what was decided about it and by whom, for those of which nothing has come yet."""
    return {step: f"{'roll-back' if one.undo else 'approval'} by {one.by}" for step, one in waiting(history).items()}
