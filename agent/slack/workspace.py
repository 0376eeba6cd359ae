"""The workspace by Slack's Web API: bounded, without redirects, and with one kind of error.

SlackError              Slack didn't do what it was asked; `lasting` if asking again is of no use
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from types import SimpleNamespace
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import aiohttp
from pydantic import SecretStr
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_async_handlers import AsyncRateLimitErrorRetryHandler
from slack_sdk.http_retry.request import HttpRequest
from slack_sdk.http_retry.response import HttpResponse
from slack_sdk.http_retry.state import RetryState
from slack_sdk.web.async_client import AsyncWebClient

from agent.slack.blocks import Block
from agent.slack.message import Message
from agent.slack.sealed import Place
from agent.tickets.ticket import object_of, objects_of, text_of
from tools.errors import RediagnoseError
from tools.settings.slack_table import SlackTable
from tools.text import one_line

PATIENCE = 15.0
"""Seconds for one call."""
WAITS_MOST, TRIES = 30, 3
"""Seconds that Slack may ask to be left alone before a call is given up, and how often in a row."""
EARLIER_MOST = 100
"""Messages of a thread that are read."""
FILE_MOST = 2 * 2**20
MARK = "rediagnose"
"""The type of the metadata by which our own messages are found again."""
LASTING = frozenset((
    "account_inactive", "cannot_reply_to_message", "cant_update_message", "channel_not_found", "invalid_auth",
    "is_archived", "message_not_found", "missing_scope", "no_permission", "not_authed", "not_in_channel",
    "restricted_action", "thread_not_found", "token_expired", "token_revoked",
))  # fmt: skip


REFUSED = ("invalid_auth", "not_authed", "account_inactive", "token_revoked", "token_expired", "not_allowed_token_type")
"""Errors about the token itself."""


class SlackError(RediagnoseError):
    """Slack refused or failed."""

    def __init__(self, why: str, *, lasting: bool = False) -> None:
        super().__init__(why)
        self.lasting = lasting


class Me(NamedTuple):
    """The app in its workspace."""

    team: str
    user: str
    bot: str
    name: str


class Somebody(NamedTuple):
    """A user, as the workspace knows them."""

    id: str
    is_member: bool
    """Whether it's a person of this workspace: neither another organisation's, nor a bot, nor somebody who left."""


class Bounded(AsyncRateLimitErrorRetryHandler):
    """Waits as long as Slack asks, unless that is too long."""

    async def _can_retry_async(
        self, *, state: RetryState, request: HttpRequest, response: HttpResponse | None = None,
        error: Exception | None = None,
    ) -> bool:  # fmt: skip
        if response is None or response.status_code != 429:
            return False
        said = next((text for name, text in response.headers.items() if name.lower() == "retry-after"), ["1"])
        text = said[0] if isinstance(said, list) else said
        return text.isascii() and text.isdigit() and int(text) <= WAITS_MOST


class Workspace:
    """What is asked of the workspace, in the name of the app."""

    def __init__(self, token: SecretStr, table: SlackTable, patience: float = PATIENCE) -> None:
        self._token, self._files = token, table.files_origin
        tracing = aiohttp.TraceConfig()
        tracing.on_request_redirect.append(_no_redirect)
        # One session for all: the client would open one for each call.
        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=patience), trace_configs=[tracing]
        )  # fmt: skip
        self.client = AsyncWebClient(
            token=token.get_secret_value(), base_url=table.api, session=self._session,
            retry_handlers=[Bounded(max_retry_count=TRIES)],
        )  # fmt: skip
        self.me = Me("", "", "", "")

    async def start(self) -> None:
        """Learn who we are there. Raises `SlackError`."""
        said = await self._asked(self.client.auth_test)
        self.me = Me(*(text_of(said.get(key)) for key in ("team_id", "user_id", "bot_id", "team")))

    async def close(self) -> None:
        """Close its connections."""
        await self._session.close()

    async def socket(self, app_token: str) -> str:
        """Where Socket Mode is opened. Raises `SlackError`."""
        return text_of((await self._asked(self.client.apps_connections_open, app_token=app_token)).get("url"))

    async def somebody(self, user: str) -> Somebody:
        """A user. Raises `SlackError`."""
        found = object_of((await self._asked(self.client.users_info, user=user)).get("user"))
        foreign = text_of(found.get("team_id")) != self.me.team or any(
            found.get(key) for key in ("is_stranger", "is_bot", "deleted", "is_workflow_bot")
        )
        return Somebody(user, not foreign)

    async def members(self, group: str) -> frozenset[str]:
        """The members of a user group. Raises `SlackError`."""
        said = await self._asked(self.client.usergroups_users_list, usergroup=group)
        users = said.get("users")
        return frozenset(one for one in users if isinstance(one, str)) if isinstance(users, list) else frozenset()

    async def replies(self, place: Place) -> list[dict[str, Any]]:
        """The messages of a thread, oldest first, at most so many. Raises `SlackError`."""
        said = await self._asked(
            self.client.conversations_replies, channel=place.channel, ts=place.thread, limit=EARLIER_MOST,
            include_all_metadata=True,
        )  # fmt: skip
        return objects_of(said.get("messages"))

    def own(self, messages: list[dict[str, Any]], incident: str) -> dict[int, str]:
        """Our messages about an incident among these: by what each says, the message's id."""
        found = {}
        for one in messages:
            metadata = object_of(one.get("metadata"))
            said = object_of(metadata.get("event_payload"))
            ours = one.get("bot_id") == self.me.bot and metadata.get("event_type") == MARK
            if ours and said.get("incident") == incident and isinstance(said.get("event"), int):
                found[said["event"]] = text_of(one.get("ts"))
        return found

    async def post(self, place: Place, message: Message, incident: str, event: int) -> str:
        """Write into a thread; the message's id. Raises `SlackError`."""
        metadata = {"event_type": MARK, "event_payload": {"incident": incident, "event": event}}
        said = await self._asked(
            self.client.chat_postMessage, channel=place.channel, thread_ts=place.thread, text=message.text,
            blocks=message.blocks, metadata=metadata, unfurl_links=False, unfurl_media=False, parse="none",
        )  # fmt: skip
        return text_of(said.get("ts"))

    async def update(self, place: Place, ts: str, message: Message) -> None:
        """Write a message anew. Raises `SlackError`."""
        await self._asked(
            self.client.chat_update, channel=place.channel, ts=ts, text=message.text, blocks=message.blocks,
            parse="none",
        )  # fmt: skip

    async def tell(self, place: Place, user: str, message: Message) -> None:
        """Write what only one person sees. Raises `SlackError`."""
        await self._asked(
            self.client.chat_postEphemeral, channel=place.channel, thread_ts=place.thread, user=user,
            text=message.text, blocks=message.blocks, parse="none",
        )  # fmt: skip

    async def open(self, trigger: str, view: Block) -> None:
        """Open a dialog. Raises `SlackError`."""
        await self._asked(self.client.views_open, trigger_id=trigger, view=view)

    async def file(self, id: str) -> tuple[str, bytes]:
        """The name and the bytes of a file of this workspace. Raises `SlackError`."""
        found = object_of((await self._asked(self.client.files_info, file=id)).get("file"))
        name, size = one_line(text_of(found.get("name")), 100) or id, found.get("size")
        url = text_of(found.get("url_private"))
        parts = urlsplit(url)
        if found.get("is_external") or f"{parts.scheme}://{parts.netloc}" != self._files:
            raise SlackError(f"{name} isn't kept by Slack, so it isn't fetched", lasting=True)
        if not isinstance(size, int) or size > FILE_MOST:
            raise SlackError(f"{name} is larger than {FILE_MOST // 2**20} MiB, so it isn't read", lasting=True)
        return name, await self._fetched(url, name)

    async def _fetched(self, url: str, name: str) -> bytes:
        headers = {"Authorization": f"Bearer {self._token.get_secret_value()}"}
        try:
            async with self._session.get(url, headers=headers, allow_redirects=False) as answer:
                data = b""
                async for chunk in answer.content.iter_chunked(2**16):
                    data += chunk
                    if len(data) > FILE_MOST:
                        break
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise SlackError(f"{name} couldn't be fetched ({type(error).__name__})") from None
        if answer.status != 200:
            raise SlackError(f"{name} couldn't be fetched (status {answer.status}); the app needs the scope files:read")
        if len(data) > FILE_MOST:
            raise SlackError(f"{name} is larger than {FILE_MOST // 2**20} MiB, so it isn't read", lasting=True)
        return data

    async def _asked(self, call: Callable[..., Awaitable[Any]], **values: Any) -> Mapping[str, Any]:
        name = getattr(call, "__name__", "call").replace("_", ".")
        try:
            said = await call(**values)
        except SlackApiError as error:
            why = one_line(text_of(error.response.get("error")) or f"status {error.response.status_code}", 100)
            token = "app token" if name == "apps.connections.open" else "bot token"
            remedy = f": check the {token} of [slack], and that the app is installed" if why in REFUSED else ""
            raise SlackError(f"Slack: {name}: {why}{remedy}", lasting=why in LASTING) from None
        except (aiohttp.ClientError, TimeoutError, asyncio.IncompleteReadError, OSError) as error:
            host = urlsplit(self.client.base_url).hostname or "Slack"
            raise SlackError(f"Slack: {name}: {host} can't be reached ({type(error).__name__})") from None
        data = said.data
        return data if isinstance(data, Mapping) else {}


async def _no_redirect(
    session: aiohttp.ClientSession, context: SimpleNamespace, asked: aiohttp.TraceRequestRedirectParams
) -> None:
    """Slack's API doesn't redirect; whoever does mustn't be sent what was meant for it."""
    raise aiohttp.ClientError("a redirect, which isn't followed")
