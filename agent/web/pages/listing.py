"""The list of incidents: open ones first asked for, found by target, cause and words, a page at a time."""

from typing import NamedTuple
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from agent.report.summary import headline
from agent.service.records import Incident, Query
from agent.service.seam import Service
from agent.web.pages.rendering import page
from agent.web.pages.verdict import Badge, badge
from agent.web.pages.viewer import viewer

PER_PAGE = 25
WORDS_MOST = 200
"""Characters of what is searched for."""
STATES = {"open": True, "closed": False, "all": None}


class Row(NamedTuple):
    """An incident in the list."""

    incident: Incident
    badge: Badge
    found: str
    cause: str


class Listing:
    """The list over a service."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def page(self, request: Request) -> Response:
        """The list."""
        who, asked = viewer(request), request.query_params
        state = asked.get("state", "open")
        chosen = {name: asked.get(name, "").strip()[:WORDS_MOST] for name in ("target", "cause", "text", "before")}
        query = Query(
            open=STATES.get(state, True), limit=PER_PAGE + 1, **{name: value or None for name, value in chosen.items()}
        )  # fmt: skip
        found = await self._service.incidents(query)
        rows = [_row(one) for one in found[:PER_PAGE]]
        kept = {"state": state, **{name: chosen[name] for name in ("target", "cause", "text") if chosen[name]}}
        older = urlencode({**kept, "before": rows[-1].incident.id}) if len(found) > PER_PAGE else None
        return page(
            request, who, "list.html", rows=rows, state=state, chosen=chosen, older=older, newest=urlencode(kept),
            states=(("open", "Open"), ("closed", "Closed"), ("all", "All")), kept=kept,
            links={name: urlencode({**kept, "state": name}) for name in STATES},
        )  # fmt: skip


def _row(one: Incident) -> Row:
    answer = one.diagnosis
    found = headline(answer) if answer else one.problem or ""
    cause = answer.causes[0].id if answer and answer.causes else ""
    return Row(one, badge(one), found, cause)
