"""A service that keeps its incidents in memory, for what only the pages do; and a server of the pages over it."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from http.cookies import SimpleCookie
from threading import Thread
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from agent.answer.diagnosis import Diagnosis, Step
from agent.answer.events import Event
from agent.recordings.replay import case, on_virtual_time
from agent.service.records import Decision, Feedback, Incident, NumberedEvent, Person, Query, Submission, Submitted
from agent.service.seam import NotSo
from agent.web.pages.routes import routes
from evals.scoring.scenario import BUNDLED, Scenario
from tests.golden.entries import library
from tools.record.load import load as recording
from tools.record.tape import Tape

BEGAN = datetime(2026, 11, 19, 11, 40, tzinfo=UTC)
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
PEOPLE = {
    "ann": Person(name="Ann Approver", roles=frozenset({"approver"})),
    "bob": Person(name="Bob", roles=frozenset({"approver"})),
    "rita": Person(name="Rita Reader", roles=frozenset({"reader"})),
    "alerts": Person(name="alertmanager", roles=frozenset({"sender"})),
}
CSRF = "token-of-this-session"


@cache
def investigated(scenario: Scenario) -> tuple[Diagnosis, tuple[Event, ...]]:
    """What the checks answer to a recorded incident, and all that happened until then."""

    async def investigate() -> tuple[Diagnosis, tuple[Event, ...]]:
        tape = Tape(recording(BUNDLED / scenario.file))
        async with case(tape, scenario.ticket, library=library()) as investigation:
            return investigation.answer(), tuple(investigation.heard)

    # In a thread of its own: the driver of a browser keeps a loop running in that of a test.
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(lambda: on_virtual_time(investigate())).result()


class Memory:
    """The service's seam over a dictionary; a decision comes true when a test says so."""

    def __init__(self) -> None:
        self.kept: dict[str, Incident] = {}
        self.told: dict[str, list[NumberedEvent]] = {}
        self.decisions: list[tuple[str, Decision]] = []
        self.asked: list[str] = []
        self.model = "offline"
        """The model that answers questions."""
        self.away = False

    def answers(self) -> bool:
        return not self.away

    def open(self, title: str, symptom: str, target: str = "orders", **values: Any) -> Incident:
        """A new incident."""
        at = BEGAN + timedelta(hours=len(self.kept))
        one = Incident(id=f"i{len(self.kept):04}", source="alertmanager", key=title, target=target, title=title,
                       symptom=symptom, state="queued", opened_at=at, updated_at=at, **values)  # fmt: skip
        self.kept[one.id], self.told[one.id] = one, []
        self.note(one.id, "submitted", by="alertmanager", title=title, target=target)
        return one

    def answer(self, id: str, answer: Diagnosis, events: Sequence[Event] = ()) -> None:
        """Let it be investigated."""
        for event in events:
            if event.type != "answered":
                self.tell(id, event.type, event.model_dump_json())
        self.change(id, state="answered", diagnosis=answer)
        self.note(id, "answered", outcome=answer.outcome, summary=answer.summary)

    def change(self, id: str, **values: Any) -> None:
        """Change an incident."""
        self.kept[id] = self.kept[id].model_copy(update=values)

    def note(self, id: str, kind: str, **values: Any) -> None:
        """An event of the service's own."""
        self.tell(id, kind, json.dumps({"type": kind, **values}))

    def tell(self, id: str, kind: str, data: str) -> None:
        """An event."""
        number = len(self.told[id]) + 1
        at = self.kept[id].opened_at + timedelta(seconds=number)
        self.told[id].append(NumberedEvent(number=number, at=at, kind=kind, data=data))

    def came(self, id: str, step: str, state: str, detail: str) -> None:
        """What has become of a step."""
        answer = self.kept[id].diagnosis
        assert answer is not None
        plan = tuple(one.model_copy(update={"state": state}) if one.id == step else one for one in answer.plan)
        self.change(id, diagnosis=answer.model_copy(update={"plan": plan}))
        changed: Step = next(one for one in plan if one.id == step)
        self.note(id, "step-changed", step=changed.model_dump(mode="json"), detail=detail)

    async def submit(self, submission: Submission) -> Submitted:
        return Submitted(incident=self.open(submission.ticket.title, submission.ticket.symptom).id, new=True)

    async def decide(self, incident: str, decision: Decision) -> None:
        if any(
            id == incident and one.step == decision.step and one.verb == decision.verb for id, one in self.decisions
        ):
            return
        self.decisions.append((incident, decision))
        self.note(incident, "decided", **decision.model_dump())

    async def propose(self, incident: str, action: str, node: str | None, why: str, by: str) -> Step:
        raise NotSo("nothing is proposed from the pages")

    async def close(self, incident: str, by: str) -> None:
        if self.kept[incident].state == "closed":
            raise NotSo("this incident is already closed")
        self.change(incident, state="closed", closed_at=BEGAN, closed_by=by)
        self.note(incident, "closed", by=by, why="closed by a person")

    async def look_again(self, incident: str, by: str) -> None:
        self.change(incident, state="queued")
        self.note(incident, "submitted", by=by, again=True)

    async def judge(self, incident: str, feedback: Feedback) -> None:
        self.change(incident, feedback=(*self.kept[incident].feedback, feedback))
        self.note(incident, "feedback", **feedback.model_dump(mode="json"))

    async def ask(self, incident: str, text: str, by: str) -> int:
        if self.kept[incident].state == "closed" or not text.strip():
            raise NotSo("nothing can be asked here")
        self.asked.append(text)
        self.note(incident, "question", question=len(self.asked), by=by, text=text)
        return len(self.asked)

    async def answerer(self) -> str:
        return self.model

    def reply(self, id: str, number: int, text: str, **values: Any) -> None:
        """Let a question be answered."""
        about = max((one.number for one in self.told[id] if one.kind == "answered"), default=0)
        said = {"by": "checks", "about": about, "lost": False, "cited": [], "warnings": []}
        self.note(id, "reply", **{**said, "question": number, "text": text, **values})

    async def incident(self, incident: str) -> Incident | None:
        return self.kept.get(incident)

    async def incidents(self, query: Query) -> tuple[Incident, ...]:
        found = [one for one in reversed(self.kept.values()) if _fits(one, query)]
        return tuple(found[: query.limit])

    async def similar(self, incident: Incident) -> tuple[Incident, ...]:
        earlier = [one for one in self.kept.values() if one.target == incident.target and one.id < incident.id]
        return tuple(reversed(earlier))

    async def history(self, incident: str, kinds: Collection[str]) -> tuple[NumberedEvent, ...]:
        return tuple(one for one in self.told[incident] if one.kind in kinds)

    async def events(self, incident: str, after: int = 0) -> AsyncIterator[NumberedEvent]:
        while True:
            for one in self.told[incident][after:]:
                after = one.number
                yield one
            if self.kept[incident].state == "closed":
                return
            await asyncio.sleep(0.02)


def _fits(one: Incident, query: Query) -> bool:
    answer = one.diagnosis
    words = " ".join((one.title, one.symptom, one.target, answer.summary if answer else "")).lower()
    return (
        (query.open is None or query.open == (one.closed_at is None))
        and query.target in (None, one.target)
        and (query.cause is None or bool(answer and query.cause in [cause.id for cause in answer.causes]))
        and all(word in words for word in (query.text or "").lower().split())
        and (query.before is None or one.id < query.before)
    )


class Known:
    """Who asks, by a cookie, and the policy that the browser is to enforce: what the access layer does in earnest."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        cookies = SimpleCookie(dict(scope["headers"]).get(b"cookie", b"").decode())
        name = cookies["person"].value if "person" in cookies else ""
        scope.setdefault("state", {}).update({"csrf": CSRF} | ({"person": PEOPLE[name]} if name in PEOPLE else {}))

        async def with_policy(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"content-security-policy", POLICY.encode())]
            await send(message)

        await self._app(scope, receive, with_policy)


def application(service: Memory) -> ASGIApp:
    """The pages over a service, for the people above."""
    return Known(Starlette(routes=routes(service)))


@contextmanager
def served(service: Memory) -> Iterator[str]:
    """A real server of it on loopback."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = uvicorn.Config(application(service), log_level="warning", lifespan="off", timeout_graceful_shutdown=1)
        server = uvicorn.Server(config)
        thread = Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(10)
