"""The tables of rediagnose.toml, each key checked."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, PrivateAttr, SecretStr, ValidationInfo, model_validator

from tools.connection.credentials import Credentials
from tools.connection.target import Target, Tls, parse_target
from tools.connection.trust import Network, parse_network
from tools.errors import UsageError
from tools.settings.model_table import ModelTable
from tools.settings.secret_source import SecretSource
from tools.settings.table import BesideFile, Table, Text, context_of, problem

FILE = "rediagnose.toml"


def _label_rules(value: Any) -> object:
    rules = value if isinstance(value, list) else [value]
    if not all(isinstance(rule, dict) and rule for rule in rules):
        raise problem('not a table; write match = { service = "orders", env = "prod*" }')
    return tuple({label: _patterns(patterns, f"{label}: ") for label, patterns in rule.items()} for rule in rules)


def _patterns(value: Any, label: str = "") -> tuple[str, ...]:
    patterns = value if isinstance(value, list) else [value]
    if not all(isinstance(pattern, str) and pattern.strip() for pattern in patterns):
        raise problem(f'{label}not a text or a list of texts; write "..." or ["...", "..."]')
    return tuple(pattern.strip() for pattern in patterns)


def _networks(value: Any) -> object:
    try:
        return tuple(parse_network(one) for one in ([value] if isinstance(value, str) else value))
    except (ValueError, TypeError, AttributeError):
        raise problem('not a list of networks; write trust = ["10.1.0.0/16"]') from None


def _prometheus_url(value: object) -> object:
    # Most settings name no Prometheus, and the library takes a while to load.
    from tools.http import web_url

    if isinstance(value, str) and web_url(value) is None:
        raise problem("not the URL of a Prometheus; use http://HOST:9090, or https://USER:PASSWORD@HOST")
    return value.rstrip("/") if isinstance(value, str) else value


def _about_tls(tls: Tls | None) -> bool:
    """Whether a URL says who is believed, or by which certificate this program shows itself."""
    return tls is not None and tls != Tls()


HARMLESS = ("name", "url", "match", "text")
"""Keys of a target that an untrusted file may have: it's dialled then, and sent no password."""


class TargetSettings(Table):
    """One target; empty for one that the file doesn't name."""

    name: Text | None = None
    """What people call it."""
    url: SecretStr | None = None
    """Its URL as the file has it."""
    url_env: Text | None = None
    """Where its URL is, if it holds a password; or `url_file`."""
    url_file: BesideFile | None = None
    password_env: Text | None = None
    password_file: BesideFile | None = None
    credentials: Credentials | None = None
    """A cloud's identity service in place of a password."""
    cacert: BesideFile | None = None
    cert: BesideFile | None = None
    key: BesideFile | None = None
    trust: Annotated[tuple[Network, ...], BeforeValidator(_networks)] = ()
    """Networks in which nodes that the server names may be visited, and given its password."""
    prometheus: Annotated[SecretStr, BeforeValidator(_prometheus_url)] | None = None
    """URL of the Prometheus that keeps its figures; it may hold credentials."""
    match: Annotated[tuple[Mapping[str, tuple[str, ...]], ...], BeforeValidator(_label_rules)] = ()
    """Labels of a ticket that means it: any of these, with any of its patterns for each of its labels."""
    text: Annotated[tuple[str, ...], BeforeValidator(_patterns)] = ()
    """Words or phrases of a ticket that means it: any of these."""
    _target: Target | None = PrivateAttr(None)

    @model_validator(mode="after")
    def _find_target(self, info: ValidationInfo) -> Self:
        is_elsewhere = bool(self.url_env or self.url_file)
        if (self.url is not None) == is_elsewhere:
            why = "given as well as url_env or url_file; keep only one" if is_elsewhere else "missing"
            raise problem(f'url: {why}; write url = "redis://HOST:6379"')
        if self.credentials and (self.password_env or self.password_file):
            raise problem("credentials: given as well as a password; keep only one")
        if is_elsewhere and not self._trusted:
            # It's reported when this target is asked for.
            return self
        source = self.url_source
        try:
            url = source.read(context_of(info).environ) if source else self.url
        except UsageError:
            # It's reported when this target is asked for; the others can be used without it.
            return self
        try:
            target = parse_target(url.get_secret_value() if url else "", environ={})
        except UsageError as error:
            raise problem(f"url: {error}") from None
        self._target = target.model_copy(update={"password": None, "username": None})
        return self

    @property
    def networks(self) -> tuple[Network, ...]:
        """Its `trust`; none where the file isn't trusted itself."""
        return self.trust if self._trusted else ()

    @property
    def target(self) -> Target | None:
        """Where it is, without its credentials; null if its URL is in a variable or a file that isn't there."""
        return self._target

    def connectable(
        self, tls: Tls, password_file: Path | None = None, environ: Mapping[str, str] = os.environ
    ) -> Target:
        """The target with all it's reached by; `tls` comes before its own certificates. Raises `UsageError`."""
        self.must_be_trusted(HARMLESS)
        if not self._trusted and (password_file or environ.get("REDISCLI_AUTH") or tls.cert):
            raise self._untrusted("url")
        if self.url and parse_target(self.url.get_secret_value(), environ={}).password:
            where = f"{self.file}: {self.name or (self.target.node if self.target else '')}"
            raise UsageError(
                f"{where}: url: it contains a password; use password_env, password_file, or url_env instead"
            )
        url = self.url_source.read(environ) if self.url_source else self.url
        assert url is not None
        if not self._trusted and _about_tls(parse_target(url.get_secret_value(), environ={}).tls):
            raise self._untrusted("url")
        own = {name: getattr(self, name) for name in ("cacert", "cert", "key") if getattr(tls, name) is None}
        target = parse_target(
            url.get_secret_value(), tls=tls.model_copy(update=own), password_file=password_file, environ=environ
        )
        # A token takes the place of REDISCLI_AUTH's password as well.
        password = None if self.credentials else self.password.read(environ) if self.password else target.password
        given = {"password": password, "credentials": self.credentials, "trust": self.trust}
        return target.model_copy(update=given)

    @property
    def url_source(self) -> SecretSource | None:
        """Where its URL is, if that holds a password."""
        return self._source("url")

    @property
    def past(self) -> SecretStr | None:
        """URL of its Prometheus. Raises `UsageError` where an untrusted file names one."""
        if self.prometheus and not self._trusted:
            raise self._untrusted("prometheus")
        return self.prometheus

    @property
    def identity(self) -> Credentials | None:
        """Its `credentials`. Raises `UsageError` where an untrusted file names some."""
        if self.credentials and not self._trusted:
            raise self._untrusted("credentials")
        return self.credentials

    @property
    def password(self) -> SecretSource | None:
        """Where its password is."""
        return self._source("password")


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


HookForm = Literal["slack", "teams", "discord", "google-chat", "json"]


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

    def destinations(self) -> list[str]:
        """What of it says where a credential goes: a line for each table and each target, for a person to judge."""
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
        return lines + [f"notify: {one.name}, by {', '.join(one.deciding(('name', 'form')))}" for one in self.notify]

    @model_validator(mode="after")
    def _check_names(self) -> Self:
        for key, tables in (("targets", self.targets), ("notify", self.notify)):
            names = [table.name for table in tables]
            if twice := next((name for name in names if name and names.count(name) > 1), None):
                raise problem(f"{key}: the name {twice!r} appears {names.count(twice)} times; keep one")
        return self
