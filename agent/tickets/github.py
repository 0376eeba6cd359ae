"""Comments on GitHub issues, through the REST API."""

import os
from collections.abc import Mapping
from typing import Any

from agent.tickets.rest import NO_IDENTITY, PATIENCE, Rest, checked_base, credential
from agent.tickets.service import Form, PostedComment
from agent.tickets.ticket import Place, object_of, objects_of, text_of
from tools.errors import UsageError
from tools.settings.tables import GitHubSettings

API = "https://api.github.com"
_OWN = (API, "https://github.com")
_TOKENS = ("GITHUB_TOKEN", "GH_TOKEN")
_PAGE, _PAGES = 100, 100


class GitHub:
    """One issue. Raises `UsageError` if the token or address is missing."""

    form: Form = "markdown"
    limit = 65_536

    def __init__(
        self, place: Place, known: GitHubSettings, environ: Mapping[str, str] = os.environ, patience: float = PATIENCE
    ) -> None:
        token, source = credential(known.token, _TOKENS, "github", environ)
        url = known.url or environ.get("GITHUB_API_URL") or ""
        if not url and place.api not in (None, *_OWN):
            raise UsageError(
                f"--post: the issue says it is at {place.api}, which isn't sent a token unless you allow it: "
                f"set GITHUB_API_URL, or api under [github]"
            )
        headers = {
            "Accept": "application/vnd.github+json", "Authorization": f"Bearer {token}",
            "X-GitHub-Api-Version": "2022-11-28",
        }  # fmt: skip
        base = checked_base(url or API, "[github] api" if known.url else "GITHUB_API_URL")
        self._rest = Rest("GitHub", base, headers, token=token, source=source, patience=patience)
        repository, _, number = place.key.partition("#")
        self._repository = f"/repos/{repository}"
        self._issue = f"/repos/{repository}/issues/{number}"

    async def close(self) -> None:
        await self._rest.close()

    async def look(self) -> str | None:
        issue = object_of((await self._rest.ask("GET", self._issue)).data)
        return "closed" if text_of(issue.get("state")) == "closed" else None

    async def write(self, marker: str, body: str) -> PostedComment:
        own = await self._own(marker)
        if own is not None:
            path = f"{self._repository}/issues/comments/{own}"
            answer = await self._rest.ask("PATCH", path, {"body": body}, take=(404, 410))
            if answer.status == 200:
                return self._posted(answer.data, updated=True)
        return self._posted((await self._rest.ask("POST", f"{self._issue}/comments", {"body": body})).data)

    async def _own(self, marker: str) -> int | None:
        """Our newest comment about this server."""
        marked: list[dict[str, Any]] = []
        for page in range(1, _PAGES + 1):
            answer = await self._rest.ask("GET", f"{self._issue}/comments", query=f"per_page={_PAGE}&page={page}")
            comments = objects_of(answer.data)
            marked += [one for one in comments if marker in text_of(one.get("body")) and isinstance(one.get("id"), int)]
            if 'rel="next"' not in answer.headers.get("link", "") and len(comments) < _PAGE:
                break
        if not marked:
            return None
        # Anybody can write the marker, but then the comment is theirs.
        who = await self._rest.ask("GET", "/user", take=NO_IDENTITY)
        me = text_of(object_of(who.data).get("login")).lower() if who.status == 200 else ""
        mine = [one["id"] for one in marked if _is_mine(one, me, app=who.status == 403)]
        return max(mine, default=None)

    def _posted(self, data: Any, *, updated: bool = False) -> PostedComment:
        return PostedComment(url=text_of(object_of(data).get("html_url")) or self._issue, updated=updated)


def _is_mine(comment: dict[str, Any], me: str, *, app: bool) -> bool:
    """Whether the token's user wrote it. An app's token can't ask who it belongs to, and its comments are by a bot."""
    user = object_of(comment.get("user"))
    login = text_of(user.get("login")).lower()
    if app:
        return text_of(user.get("type")) == "Bot" or bool(comment.get("performed_via_github_app"))
    return not me or not login or login == me
