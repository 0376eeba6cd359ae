"""Comments on Jira issues: REST API 3 for Jira Cloud, 2 for Data Center and Server."""

import json
import os
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from agent.tickets.of_jira import adf_text, closed_status
from agent.tickets.rest import NO_IDENTITY, PATIENCE, Rest, basic, checked_base, credential
from agent.tickets.service import Form, PostedComment
from agent.tickets.ticket import Place, ServiceError, object_of, objects_of, text_of
from tools.errors import UsageError
from tools.settings.tables import JiraSettings

_URLS = ("JIRA_URL", "JIRA_BASE_URL", "JIRA_SERVER")
_PEOPLE = ("JIRA_EMAIL", "JIRA_USER_EMAIL", "JIRA_USER")
_TOKENS = ("JIRA_TOKEN", "JIRA_API_TOKEN", "JIRA_PAT")
_PAGE, _PAGES = 100, 100


class Jira:
    """One issue. Raises `UsageError` if the token or address is missing."""

    limit = 32_767

    def __init__(
        self, place: Place, known: JiraSettings, environ: Mapping[str, str] = os.environ, patience: float = PATIENCE
    ) -> None:
        source = next((name for name in _URLS if environ.get(name)), "")
        url = known.url or environ.get(source, "")
        if not url:
            raise UsageError(
                "--post: where is Jira? Set JIRA_URL, or url under [jira]; the address in the issue isn't trusted"
            )
        base = checked_base(url, "[jira] url" if known.url else source)
        token, where = credential(known.token, _TOKENS, "jira", environ)
        person = known.person or next((environ[name] for name in _PEOPLE if environ.get(name)), "")
        cloud = ".atlassian.net" in base or "api.atlassian.com" in base
        if cloud and not person:
            raise UsageError(
                "--post: Jira Cloud needs the account's e-mail as well as its token: set JIRA_EMAIL, or email"
            )
        # Cloud needs an e-mail address with the token; Data Center takes the token alone.
        self._chosen = known.version is not None or ".atlassian.net" in base
        self.version = known.version or (3 if cloud or person else 2)
        self.form: Form = "adf" if self.version == 3 else "jira"
        header = basic(person, token) if person else f"Bearer {token}"
        self._rest = Rest("Jira", base, {"Authorization": header}, token=token, source=where, patience=patience)
        self._api = f"/rest/api/{self.version}"
        self._key = place.key
        self._comments = f"{self._api}/issue/{place.key}/comment"
        self._desk = False
        """Whether customers see comments, as in a Jira Service Management project."""

    async def close(self) -> None:
        await self._rest.close()

    async def look(self) -> str | None:
        try:
            answer = await self._rest.ask("GET", f"{self._api}/issue/{self._key}", query="fields=status,project")
        except ServiceError as error:
            if error.status == 404 and not self._chosen:
                other = 2 if self.version == 3 else 3
                raise ServiceError(
                    f"{error}; if it only has API {other}, set api = {other} under [jira]", 404
                ) from None
            raise
        issue = object_of(answer.data)
        fields = object_of(issue.get("fields"))
        self._desk = text_of(object_of(fields.get("project")).get("projectTypeKey")) == "service_desk"
        return closed_status(fields)

    async def write(self, marker: str, body: str) -> PostedComment:
        request: dict[str, Any] = {"body": json.loads(body) if self.form == "adf" else body}
        own = await self._own(marker)
        if own is not None:
            answer = await self._rest.ask("PUT", f"{self._comments}/{own}", request, take=(404,))
            if answer.status != 404:
                return self._posted(own, updated=True)
        if self._desk:
            request["properties"] = [{"key": "sd.public.comment", "value": {"internal": True}}]
        written = object_of((await self._rest.ask("POST", self._comments, request)).data)
        return self._posted(text_of(written.get("id")))

    async def _own(self, marker: str) -> str | None:
        """Our newest comment about this server."""
        marked: list[dict[str, Any]] = []
        seen = 0
        for _ in range(_PAGES):
            query = urlencode({"startAt": seen, "maxResults": _PAGE})
            answer = object_of((await self._rest.ask("GET", self._comments, query=query)).data)
            comments = objects_of(answer.get("comments"))
            marked += [
                one for one in comments if marker in adf_text(one.get("body")) and text_of(one.get("id")).isalnum()
            ]
            seen += len(comments)
            total = answer.get("total")
            if not comments or seen >= (total if isinstance(total, int) else seen):
                break
        if not marked:
            return None
        # Anybody can write the marker, but then the comment is theirs.
        who = await self._rest.ask("GET", f"{self._api}/myself", take=NO_IDENTITY)
        me = _person(object_of(who.data)) if who.status == 200 else None
        authors = [(text_of(one["id"]), _person(object_of(one.get("author")))) for one in marked]
        return next((id for id, author in reversed(authors) if None in (me, author) or author == me), None)

    def _posted(self, id: str, *, updated: bool = False) -> PostedComment:
        focus = f"?focusedCommentId={id}" if id else ""
        return PostedComment(url=f"{self._rest.base}/browse/{self._key}{focus}", updated=updated)


def _person(user: dict[str, Any]) -> tuple[str, str] | None:
    """A user's identity: the account in Cloud, the key or name elsewhere."""
    return next(
        ((field, text_of(user[field])) for field in ("accountId", "key", "name") if text_of(user.get(field))), None
    )
