"""The table of rediagnose.toml that describes a target: all that a run without such a file needs of the settings."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, PrivateAttr, SecretStr, ValidationInfo, model_validator

from tools.connection.credentials import Credentials
from tools.connection.managed import services
from tools.connection.target import Target, Tls, parse_target
from tools.connection.trust import Network, parse_network
from tools.errors import UsageError
from tools.kubernetes.place import PodName, parse_context, parse_pod
from tools.settings.secret_source import SecretSource
from tools.settings.table import BesideFile, Table, Text, context_of, problem


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


def _pod_name(value: object) -> object:
    return str(_checked(parse_pod, value, 'write pod = "NAMESPACE/POD"'))


def _context_name(value: object) -> object:
    return _checked(parse_context, value, "write a context of your kubeconfig")


def _checked(parse: Callable[[str, str], object], value: object, remedy: str) -> object:
    try:
        return parse(value if isinstance(value, str) else "", "it")
    except UsageError:
        raise problem(f"not a name that can be used; {remedy}") from None


def _about_tls(tls: Tls | None) -> bool:
    """Whether a URL decides who is trusted, or which certificate this program presents."""
    return tls is not None and tls != Tls()


def _service(value: object) -> object:
    if isinstance(value, str) and value not in services():
        raise problem(f"no service of this name is known; write one of {', '.join(services())}")
    return value


HARMLESS = ("name", "url", "match", "text", "service")
"""Keys of a target that an untrusted file may have: it is then dialled, but sent no password."""


class AssistantsTable(Table):
    """What assistants may do with a target, beside looking at it."""

    approve: bool = False
    """Whether a person's answer to an assistant's own question approves a change. Nothing but the assistant's program
    says that a person answered."""


class TargetSettings(Table):
    """One target; empty for one the file doesn't name."""

    name: Text | None = None
    """Its name for people."""
    url: SecretStr | None = None
    """Its URL as written in the file."""
    url_env: Text | None = None
    """Where its URL is, if it contains a password; or `url_file`."""
    url_file: BesideFile | None = None
    password_env: Text | None = None
    password_file: BesideFile | None = None
    credentials: Credentials | None = None
    """A cloud's identity service in place of a password."""
    cacert: BesideFile | None = None
    cert: BesideFile | None = None
    key: BesideFile | None = None
    trust: Annotated[tuple[Network, ...], BeforeValidator(_networks)] = ()
    """Networks in which nodes that the server names may be visited and sent its password."""
    prometheus: Annotated[SecretStr, BeforeValidator(_prometheus_url)] | None = None
    """URL of the Prometheus that has its figures; may contain credentials."""
    service: Annotated[Text, BeforeValidator(_service)] | None = None
    """The service that runs it, such as memorystore, where neither its address nor INFO says so."""
    pod: Annotated[str, BeforeValidator(_pod_name)] | None = None
    """NAMESPACE/POD that Kubernetes is asked about."""
    context: Annotated[str, BeforeValidator(_context_name)] | None = None
    """The kubeconfig's context for that; null for its current one."""
    kubernetes: bool = False
    """Whether Kubernetes is asked about the Service that its address names."""
    provider: Text | None = None
    """The resource that its service's own interface is asked about, such as eu-west-1/sessions, where the address
    doesn't say."""
    match: Annotated[tuple[Mapping[str, tuple[str, ...]], ...], BeforeValidator(_label_rules)] = ()
    """Labels of a ticket that means this target: any of these tables, with any of the patterns for each label."""
    text: Annotated[tuple[str, ...], BeforeValidator(_patterns)] = ()
    """Words or phrases of a ticket that means this target: any of these."""
    mcp: AssistantsTable = AssistantsTable()
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
            # Reported when this target is used.
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
        """Its `trust`; empty if the file itself isn't trusted."""
        return self.trust if self._trusted else ()

    @property
    def approved_by_assistants(self) -> bool:
        """Its `mcp.approve`; false if the file itself isn't trusted."""
        return self.mcp.approve and self._trusted

    @property
    def target(self) -> Target | None:
        """Its address, without credentials; null if its URL is in a variable or file that doesn't exist."""
        return self._target

    def connectable(
        self, tls: Tls, password_file: Path | None = None, environ: Mapping[str, str] = os.environ
    ) -> Target:
        """The target with everything needed to reach it; `tls` takes precedence over its own certificates.

        Raises `UsageError`.
        """
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
        # A token also replaces REDISCLI_AUTH's password.
        password = None if self.credentials else self.password.read(environ) if self.password else target.password
        given = {"password": password, "credentials": self.credentials, "trust": self.trust, "service": self.service}
        return target.model_copy(update=given)

    @property
    def url_source(self) -> SecretSource | None:
        """Where its URL is, if that contains a password."""
        return self._source("url")

    @property
    def past(self) -> SecretStr | None:
        """URL of its Prometheus. Raises `UsageError` if an untrusted file names one."""
        if self.prometheus and not self._trusted:
            raise self._untrusted("prometheus")
        return self.prometheus

    @property
    def in_kubernetes(self) -> tuple[PodName | None, str | None] | None:
        """The pod and the context, if Kubernetes is to be asked. Raises `UsageError` if an untrusted file says so."""
        keys = [key for key in ("pod", "context", "kubernetes") if getattr(self, key)]
        if keys and not self._trusted:
            raise self._untrusted(keys[0])
        if not self.pod and not self.kubernetes:
            return None
        return parse_pod(self.pod) if self.pod else None, self.context

    @property
    def resource(self) -> str | None:
        """Its `provider`. Raises `UsageError` if an untrusted file names one."""
        if self.provider and not self._trusted:
            raise self._untrusted("provider")
        return self.provider

    @property
    def identity(self) -> Credentials | None:
        """Its `credentials`. Raises `UsageError` if an untrusted file names any."""
        if self.credentials and not self._trusted:
            raise self._untrusted("credentials")
        return self.credentials

    @property
    def password(self) -> SecretSource | None:
        """Where its password is."""
        return self._source("password")
