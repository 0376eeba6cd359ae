"""The tables of rediagnose.toml, each key checked."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from tools.settings.mcp_table import MOST_SERVERS, McpTable
from tools.settings.model_table import ModelTable
from tools.settings.secret_source import SecretSource
from tools.settings.serve_table import ServeTable
from tools.settings.slack_table import SlackTable
from tools.settings.table import BesideFile, Table, Text, problem
from tools.settings.target_table import HARMLESS, TargetSettings
from tools.settings.watch_table import WatchTable
from tools.settings.webhook_table import MOST_WEBHOOKS, WebhookTable
from tools.settings.work_table import HARMLESS as HARMLESS_OF_SERVE


class ServiceSettings(Table):
    """Where a ticket's service is, and the token for it."""

    token_env: Text | None = None
    token_file: BesideFile | None = None

    @property
    def token(self) -> SecretSource | None:
        """Where the token for it is."""
        return self._source("token")


class GitHubSettings(ServiceSettings):
    """Where GitHub is."""

    url: Text | None = Field(default=None, alias="api")
    """Of its API; null for the service's own."""


class JiraSettings(ServiceSettings):
    """Where Jira is."""

    url: Text | None = None
    """Of the site."""
    version: Literal[2, 3] | None = Field(default=None, alias="api")
    """Of its API; null to infer it from the address."""
    person: Text | None = Field(default=None, alias="email")
    """E-mail address of the account."""


class PagerDutySettings(ServiceSettings):
    """Where PagerDuty is."""

    url: Text | None = Field(default=None, alias="api")
    """Of its API; null for the service's own."""
    person: Text | None = Field(default=None, alias="from")
    """E-mail address of the user who writes."""


HookForm = Literal["slack", "teams", "discord", "google-chat", "mattermost", "json"]


class NotifySettings(Table):
    """A webhook by its name."""

    name: Text
    url_env: Text | None = None
    url_file: BesideFile | None = None
    form: HookForm | None = None
    """Null to infer it from the URL."""

    @model_validator(mode="after")
    def _check_url(self) -> Self:
        if not self.url_env and not self.url_file:
            raise problem('url_env: missing; write url_env = "VARIABLE", or url_file: the URL is a secret')
        return self

    @property
    def url(self) -> SecretSource:
        """Where the webhook's URL is."""
        source = self._source("url")
        assert source is not None
        return source


class Settings(Table):
    """The whole file."""

    targets: Annotated[tuple[TargetSettings, ...], Field(strict=False)] = ()
    github: GitHubSettings = GitHubSettings()
    jira: JiraSettings = JiraSettings()
    pagerduty: PagerDutySettings = PagerDutySettings()
    model: ModelTable = ModelTable()
    notify: Annotated[tuple[NotifySettings, ...], Field(strict=False)] = ()
    mcp: Annotated[tuple[McpTable, ...], Field(strict=False)] = ()
    webhook: Annotated[tuple[WebhookTable, ...], Field(strict=False)] = ()
    serve: ServeTable = ServeTable()
    slack: SlackTable = SlackTable()
    watch: WatchTable = WatchTable()

    def destinations(self) -> list[str]:
        """What decides where a credential goes: a line per table and target, for a person to judge."""
        lines = [
            f"targets: {one.name or (one.target.node if one.target else '')}: "
            f"{one.target.url if one.target else 'url_env or url_file'}"
            + (f", by {', '.join(keys)}" if (keys := one.deciding(HARMLESS)) else "")
            for one in self.targets
        ]
        services = (("github", self.github), ("jira", self.jira), ("pagerduty", self.pagerduty))
        lines += [
            f"{name}: {one.url or 'its own address'}, by {', '.join(one.deciding())}"
            for name, one in services if one.deciding()
        ]  # fmt: skip
        if keys := self.model.deciding():
            lines.append(f"model: each request, by {', '.join(keys)}")
        if keys := self.serve.deciding(HARMLESS_OF_SERVE):
            lines.append(f"serve: who may use the service, by {', '.join(keys)}")
        if keys := self.slack.deciding():
            lines.append(f"slack: {self.slack.api}: who may start and approve, by {', '.join(keys)}")
        lines += [f"mcp: {one.name}: {one.place}, asked by {', '.join(one.tools)}" for one in self.mcp]
        lines += [f"webhook: {one.name}: {one.kind} may send, checked by {one.proof}" for one in self.webhook]
        return lines + [f"notify: {one.name}, by {', '.join(one.deciding(('name', 'form')))}" for one in self.notify]

    @model_validator(mode="after")
    def _check_names(self) -> Self:
        named: tuple[tuple[str, tuple[TargetSettings | NotifySettings | McpTable | WebhookTable, ...]], ...]
        named = (("targets", self.targets), ("notify", self.notify), ("mcp", self.mcp), ("webhook", self.webhook))
        for key, tables in named:
            names = [table.name for table in tables]
            if twice := next((name for name in names if name and names.count(name) > 1), None):
                raise problem(f"{key}: the name {twice!r} appears {names.count(twice)} times; keep one")
        known = {one.name.lower() for one in self.targets if one.name}
        if unknown := next((one for one in self.watch.targets or () if one.lower() not in known), None):
            raise problem(f"watch: targets: no target has the name {unknown!r}; give names from [[targets]]")
        if len(self.mcp) > MOST_SERVERS:
            raise problem(f"mcp: {len(self.mcp)} servers; leave {MOST_SERVERS} of them")
        if len(self.webhook) > MOST_WEBHOOKS:
            raise problem(f"webhook: {len(self.webhook)} of them; leave {MOST_WEBHOOKS}")
        if lost_name := next((one for one in self._slack_targets() if one.lower() not in known), None):
            raise problem(f"slack: no [[targets]] has the name {lost_name!r}; give names from [[targets]]")
        targets = {one.name.lower() for one in self.targets if one.name}
        if lost := next((one for one in self.webhook if one.target and one.target.lower() not in targets), None):
            raise problem(
                f"webhook: {lost.name}: target: no [[targets]] has the name {lost.target!r}; write one, or leave it out"
            )
        return self

    def _slack_targets(self) -> list[str]:
        """The targets that [slack] names."""
        named = [one.target for one in self.slack.channel if one.target]
        return named + [name for one in self.slack.approve for name in one.targets or ()]
