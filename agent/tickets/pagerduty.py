"""Notes on PagerDuty incidents, through the REST API."""

import os
from collections.abc import Mapping
from typing import Any

from agent.tickets.rest import PATIENCE, Rest, checked_base, credential
from agent.tickets.service import Form, PostedComment
from agent.tickets.ticket import Place, ServiceError, object_of, objects_of, text_of
from tools.errors import UsageError
from tools.settings.tables import PagerDutySettings

API = "https://api.pagerduty.com"
_OWN = (API, "https://api.eu.pagerduty.com")
"""PagerDuty's two regions: a ticket may name its region."""
_TOKENS = ("PAGERDUTY_TOKEN", "PAGERDUTY_API_KEY", "PAGERDUTY_API_TOKEN")
_PEOPLE = ("PAGERDUTY_FROM", "PAGERDUTY_EMAIL", "PAGERDUTY_USER_EMAIL")


class PagerDuty:
    """One incident. Raises `UsageError` if the token or address is missing."""

    form: Form = "text"
    # Notes are read on phones and can't fold.
    limit = 4_000

    def __init__(
        self,
        place: Place,
        known: PagerDutySettings,
        environ: Mapping[str, str] = os.environ,
        patience: float = PATIENCE,
    ) -> None:
        token, source = credential(known.token, _TOKENS, "pagerduty", environ)
        person = known.person or next((environ[name] for name in _PEOPLE if environ.get(name)), "")
        if not person.isascii() or not person.isprintable():
            raise UsageError("--post: PAGERDUTY_FROM isn't an e-mail address that can be sent in a header")
        url = known.url or environ.get("PAGERDUTY_API_URL") or (place.api if place.api in _OWN else API) or API
        headers = {
            "Accept": "application/vnd.pagerduty+json;version=2", "Authorization": f"Token token={token}",
            **({"From": person} if person else {}),
        }  # fmt: skip
        base = checked_base(url, "[pagerduty] api" if known.url else "PAGERDUTY_API_URL")
        self._rest = Rest("PagerDuty", base, headers, token=token, source=source, patience=patience)
        self._person = person
        self._incident = f"/incidents/{place.key}"
        self._url = ""

    async def close(self) -> None:
        await self._rest.close()

    async def look(self) -> str | None:
        incident = object_of(object_of((await self._rest.ask("GET", self._incident)).data).get("incident"))
        self._url = text_of(incident.get("html_url"))
        return "resolved" if text_of(incident.get("status")) == "resolved" else None

    async def write(self, marker: str, body: str) -> PostedComment:
        note = {"note": {"content": body}}
        own = await self._own(marker)
        if own is not None:
            answer = await self._ask("PUT", f"{self._incident}/notes/{text_of(own.get('id'))}", note, (404, 405))
            if answer == 200:
                return self._posted(updated=True)
            if await self._own(marker) is not None:
                raise ServiceError(
                    f"PagerDuty: its earlier note can't be updated (PUT returned {answer}), and a second one isn't "
                    "added; delete that note, or use its author's token", answer,
                )  # fmt: skip
        await self._ask("POST", f"{self._incident}/notes", note)
        return self._posted()

    async def _ask(self, method: str, path: str, note: Mapping[str, Any], take: tuple[int, ...] = ()) -> int:
        try:
            return (await self._rest.ask(method, path, note, take=take)).status
        except ServiceError as error:
            if error.status == 400 and not self._person:
                raise ServiceError(f"{error}; an account-level key needs a user's e-mail: set PAGERDUTY_FROM") from None
            raise

    async def _own(self, marker: str) -> dict[str, Any] | None:
        """The newest note about this server. Only the account's own users and keys can write one."""
        notes = objects_of(object_of((await self._rest.ask("GET", f"{self._incident}/notes")).data).get("notes"))
        mine = [one for one in notes if marker in text_of(one.get("content")) and text_of(one.get("id")).isalnum()]
        return max(mine, key=lambda one: text_of(one.get("created_at")), default=None)

    def _posted(self, *, updated: bool = False) -> PostedComment:
        return PostedComment(url=self._url or self._incident, updated=updated)
