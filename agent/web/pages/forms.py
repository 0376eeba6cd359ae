"""What the page's forms send: decisions, feedback, questions, and an incident's end."""

from datetime import UTC, datetime

from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from agent.answer.taxonomy import CAUSES, WELL
from agent.service.proposal import Kind, proposal
from agent.service.records import Feedback, Verb
from agent.service.seam import Full, NotSo, Service
from agent.web.pages.incident import found, incident_page, step_of
from agent.web.pages.viewer import Viewer, approver, viewer
from tools.text import printable

FIELDS_MOST = 12
NOTE_MOST = 2000
"""Characters of a note."""
OFFERED: dict[str, tuple[Verb, Kind]] = {
    "approve": ("approve", "decide"), "refuse": ("refuse", "decide"), "roll-back": ("roll-back", "roll-back")
}  # fmt: skip


class Forms:
    """The forms' receivers over a service."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def decide(self, request: Request) -> Response:
        """A decision about one exact change, as it was shown."""
        who = approver(request)
        one, form = await found(self._service, request), await _form(request)
        if (offered := OFFERED.get(_field(form, "verb"))) is None or one.diagnosis is None:
            raise HTTPException(400, "That isn't a decision about a step.")
        verb, kind = offered
        made = proposal(step_of(one.diagnosis, _field(form, "step")), kind)
        if isinstance(made, str):
            return await self._refused(request, who, made)
        if _field(form, "action") != made.action or _field(form, "before") != (made.before or ""):
            why = "What you were shown is no longer what would be done; look at it again. Nothing was changed."
            return await self._refused(request, who, why)
        if verb != "refuse" and made.is_risky and _field(form, "understood") != "yes":
            return await self._refused(request, who, "A risky change needs the tick that you have read it.")
        try:
            await self._service.decide(one.id, made.decided(verb, who.person.name))
        except NotSo as error:
            return await self._refused(request, who, str(error))
        return _back(who, one.id)

    async def judge(self, request: Request) -> Response:
        """Whether the answer was right, and what it was."""
        who = viewer(request)
        one, form = await found(self._service, request), await _form(request)
        verdict, cause = _field(form, "verdict"), _field(form, "cause").strip()
        if verdict not in ("right", "wrong"):
            return await self._refused(request, who, "Say whether the answer was right or wrong.", 400)
        if cause and cause not in (*CAUSES, *WELL):
            return await self._refused(request, who, "Choose a cause of the list, or describe it in the note.", 400)
        judged = Feedback(
            by=who.person.name, at=datetime.now(UTC), verdict="right" if verdict == "right" else "wrong",
            cause=cause or None, note=printable(_field(form, "note"))[:NOTE_MOST].strip(),
        )  # fmt: skip
        try:
            await self._service.judge(one.id, judged)
        except NotSo as error:
            return await self._refused(request, who, str(error))
        return _back(who, one.id)

    async def ask(self, request: Request) -> Response:
        """A question about the answer: one that is suggested, or any other."""
        who = viewer(request)
        one, form = await found(self._service, request), await _form(request)
        try:
            await self._service.ask(one.id, _field(form, "suggested") or _field(form, "text"), who.person.name)
        except NotSo as error:
            return await self._refused(request, who, str(error))
        except Full as error:
            return await self._refused(request, who, str(error), 429)
        return _back(who, one.id, "#talk")

    async def close(self, request: Request) -> Response:
        """The end of an incident."""
        who = approver(request)
        one = await found(self._service, request)
        try:
            await self._service.close(one.id, who.person.name)
        except NotSo as error:
            return await self._refused(request, who, str(error))
        return _back(who, one.id)

    async def look_again(self, request: Request) -> Response:
        """A new investigation."""
        who = approver(request)
        one = await found(self._service, request)
        try:
            await self._service.look_again(one.id, who.person.name)
        except NotSo as error:
            return await self._refused(request, who, str(error))
        except Full as error:
            return await self._refused(request, who, f"{error}; try again in {error.retry_after} s.", 429)
        return _back(who, one.id)

    async def _refused(self, request: Request, who: Viewer, why: str, status: int = 409) -> Response:
        return await incident_page(self._service, request, who, why, status)


async def _form(request: Request) -> FormData:
    return await request.form(max_files=0, max_fields=FIELDS_MOST)


def _field(form: FormData, name: str) -> str:
    found = form.get(name)
    return found if isinstance(found, str) else ""


def _back(who: Viewer, incident: str, place: str = "") -> Response:
    """To the incident, by GET, so that reloading sends nothing twice."""
    return RedirectResponse(f"{who.root}/incidents/{incident}{place}", status_code=303)
