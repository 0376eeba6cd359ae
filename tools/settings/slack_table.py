"""The table [slack]: the app's tokens, the channels it works in, and who may approve there."""

import re
from typing import Annotated, Any, Self
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, model_validator

from tools.settings.secret_source import SecretSource
from tools.settings.serve_table import is_private
from tools.settings.table import BesideFile, Table, Text, problem

API = "https://slack.com/api/"
MOST_CHANNELS = 500


def _ids(first: str, example: str) -> Any:
    """A validator of Slack's ids, which begin with one of these letters."""

    def check(value: Any) -> object:
        several = [value] if isinstance(value, str) else value
        if not isinstance(several, list) or not all(
            isinstance(one, str) and re.fullmatch(rf"[{first}][A-Z0-9]{{2,30}}", one) for one in several
        ):
            raise problem(f'not a list of Slack\'s ids, which never are names; write ["{example}"]')
        return tuple(several)

    return check


def _channel(value: Any) -> object:
    if isinstance(value, str) and not re.fullmatch(r"[CG][A-Z0-9]{2,30}", value):
        raise problem('not the id of a channel; write id = "C0123456789", which "Channel details" shows at its end')
    return value


def _api(value: Any) -> object:
    if isinstance(value, str) and (not is_private(value) or "?" in value or "#" in value):
        raise problem(f'not the https address of Slack\'s Web API; leave it out, or write api = "{API}"')
    return value if not isinstance(value, str) or value.endswith("/") else f"{value}/"


Users = Annotated[tuple[str, ...], BeforeValidator(_ids("UW", "U0123456789"))]
Groups = Annotated[tuple[str, ...], BeforeValidator(_ids("S", "S0123456789"))]
Bots = Annotated[tuple[str, ...], BeforeValidator(_ids("BA", "B0123456789"))]


class ChannelTable(Table):
    """A channel that incidents may be started in."""

    id: Annotated[str, BeforeValidator(_channel)]
    target: Text | None = None
    """The name of the target that everything there is about unless a message names another one."""
    alerts: Bots = ()
    """Bots whose messages there are alerts, by the id of the bot or of its app."""


class ApproveTable(Table):
    """Who may approve changes, and of which targets."""

    targets: Annotated[tuple[Text, ...], Field(strict=False)] | None = None
    """Names of targets; null for all of them."""
    users: Users = ()
    groups: Groups = ()
    """User groups, whose members may approve."""
    four_eyes: bool = False
    """Whether whoever asked for the look may not approve what it proposes."""

    @model_validator(mode="after")
    def _check_people(self) -> Self:
        if not self.users and not self.groups:
            raise problem('users: nobody could approve; write users = ["U0123456789"] or groups = ["S0123456789"]')
        return self


class SlackTable(Table):
    """The app in a Slack workspace."""

    bot_token_env: Text | None = None
    bot_token_file: BesideFile | None = None
    app_token_env: Text | None = None
    app_token_file: BesideFile | None = None
    signing_secret_env: Text | None = None
    signing_secret_file: BesideFile | None = None
    api: Annotated[str, BeforeValidator(_api)] = API
    """Where the Web API is: another address for GovSlack."""
    urls: bool = False
    """Whether a message may name a server by its URL."""
    channel: Annotated[tuple[ChannelTable, ...], Field(strict=False)] = ()
    approve: Annotated[tuple[ApproveTable, ...], Field(strict=False)] = ()

    @model_validator(mode="after")
    def _check_whole(self) -> Self:
        if not self.model_fields_set:
            return self
        if not (self.bot_token_env or self.bot_token_file):
            raise problem('bot_token_env: missing; write bot_token_env = "SLACK_BOT_TOKEN", or bot_token_file')
        socket, signed = self.app_token_env or self.app_token_file, self.signing_secret_env or self.signing_secret_file
        if not (socket or signed):
            raise problem(
                'app_token_env: missing; write app_token_env = "SLACK_APP_TOKEN" for Socket Mode, or '
                'signing_secret_env = "SLACK_SIGNING_SECRET" if Slack can reach this by HTTP'
            )
        if not self.channel:
            raise problem('channel: none, so nothing could be started; write [[slack.channel]] with id = "C0123456789"')
        ids = [one.id for one in self.channel]
        if twice := next((one for one in ids if ids.count(one) > 1), None):
            raise problem(f"channel: {twice} appears {ids.count(twice)} times; keep one")
        if len(ids) > MOST_CHANNELS:
            raise problem(f"channel: {len(ids)} of them; leave {MOST_CHANNELS}")
        return self

    @property
    def is_set(self) -> bool:
        """Whether there is an app."""
        return bool(self.bot_token_env or self.bot_token_file)

    @property
    def bot_token(self) -> SecretSource | None:
        """Where the token that speaks for the app is."""
        return self._source("bot_token")

    @property
    def app_token(self) -> SecretSource | None:
        """Where the token that opens Socket Mode is; null without it."""
        return self._source("app_token")

    @property
    def signing_secret(self) -> SecretSource | None:
        """Where the secret that Slack's requests are signed with is; null if it doesn't send any."""
        return self._source("signing_secret")

    @property
    def files_origin(self) -> str:
        """Scheme and host that a file's bytes are fetched from, and no other: the token goes with the request."""
        parts = urlsplit(self.api)
        own = parts.hostname in ("slack.com", "slack-gov.com")
        return f"https://files.{parts.hostname}" if own else f"{parts.scheme}://{parts.netloc}"

    def channel_of(self, id: str) -> ChannelTable | None:
        """The channel with this id."""
        return next((one for one in self.channel if one.id == id), None)

    def approval_of(self, target: str) -> tuple[ApproveTable, ...]:
        """The tables that say who may approve changes of a target."""
        return tuple(
            one for one in self.approve
            if one.targets is None or target.lower() in (name.lower() for name in one.targets)
        )  # fmt: skip
