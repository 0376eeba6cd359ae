"""The tables of rediagnose.toml that name a webhook: who sends to it, and how the sender proves who it is."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, model_validator

from tools.settings.secret_source import SecretSource
from tools.settings.table import BesideFile, Table, Text, problem

WebhookKind = Literal[
    "alertmanager", "azure-monitor", "cloudwatch", "datadog", "gcp-monitoring", "github", "gitlab", "grafana",
    "incidentio", "jira", "json", "jsm", "opsgenie", "pagerduty", "servicenow", "zabbix",
]  # fmt: skip
Auth = Literal["basic", "bearer", "header", "hmac", "grafana", "pagerduty", "slack", "sns", "standard"]
"""How a request proves its sender: a password, a token, a token in a header of its own, a signature of the body's
bytes, or a signature in the sender's own form; `standard` is that of standardwebhooks.com."""
AUTHS: Mapping[WebhookKind, tuple[Auth, ...]] = {
    "alertmanager": ("bearer", "basic"),
    "azure-monitor": ("basic", "bearer", "header"),
    "cloudwatch": ("basic", "sns", "bearer"),
    "datadog": ("bearer", "header", "basic"),
    "gcp-monitoring": ("basic", "bearer"),
    "github": ("hmac",),
    "gitlab": ("header", "standard"),
    "grafana": ("grafana", "bearer", "basic", "header"),
    "incidentio": ("standard",),
    "jira": ("hmac", "bearer", "header"),
    "json": ("bearer", "basic", "header", "hmac", "slack", "standard"),
    "jsm": ("bearer", "header", "basic"),
    "opsgenie": ("bearer", "header", "basic"),
    "pagerduty": ("pagerduty",),
    "servicenow": ("basic", "bearer", "header", "hmac"),
    "zabbix": ("bearer", "header", "basic", "hmac"),
}
"""What each sender is able to do; the first is what is expected if nothing is said."""
HEADERS: Mapping[tuple[WebhookKind, Auth], str] = {
    ("github", "hmac"): "X-Hub-Signature-256", ("jira", "hmac"): "X-Hub-Signature",
    ("gitlab", "header"): "X-Gitlab-Token", ("grafana", "grafana"): "X-Grafana-Alerting-Signature",
    ("zabbix", "hmac"): "X-Rediagnose-Signature", ("servicenow", "hmac"): "X-Rediagnose-Signature",
}  # fmt: skip
"""The header that a token or a signature is in, where the sender or our docs have a fixed one."""
OTHER_HEADER = "X-Rediagnose-Token"
MOST_WEBHOOKS = 64
_NAME = r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?"
_HEADER = r"[A-Za-z][A-Za-z0-9-]{0,63}"
_PATH = r"[^.\x00-\x1f]{1,64}(?:\.[^.\x00-\x1f]{1,64}){0,9}"
_TOPIC = r"arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_.-]{1,256}"
_MOST_LABELS = 32


def _name(value: Any) -> object:
    if isinstance(value, str) and not re.fullmatch(_NAME, value):
        raise problem('not lower-case letters, digits and "-", 40 at most; write name = "alerts"')
    return value


def _header(value: Any) -> object:
    if isinstance(value, str) and not re.fullmatch(_HEADER, value):
        raise problem(f'not the name of a header; write header = "{OTHER_HEADER}"')
    return value


def _topic(value: Any) -> object:
    if isinstance(value, str) and not re.fullmatch(_TOPIC, value):
        raise problem('not the ARN of a topic; write topic = "arn:aws:sns:eu-west-1:123456789012:alarms"')
    return value


def _path(value: Any) -> object:
    if isinstance(value, str) and not re.fullmatch(_PATH, value):
        raise problem('not a dotted path such as "alert.title", of 10 parts at most')
    return value


def _paths(value: Any) -> object:
    several = [value] if isinstance(value, str) else value
    if (
        not isinstance(several, list | tuple)
        or not 0 < len(several) <= 10
        or not all(isinstance(one, str) for one in several)
    ):
        raise problem('not a dotted path or a list of up to 10; write text = ["alert.message", "alert.value"]')
    return tuple(str(_path(one)) for one in several)


def _words(value: Any) -> object:
    several = value if isinstance(value, list | tuple) else [value]
    if not several or not all(isinstance(one, str) and one for one in several):
        raise problem('not a text or a list of texts; write resolved = ["resolved", "closed"]')
    return tuple(several)


def _labels(value: Any) -> object:
    if isinstance(value, str):
        return _path(value)
    if not isinstance(value, dict) or len(value) > _MOST_LABELS or not all(isinstance(v, str) for v in value.values()):
        raise problem(
            'not the path of an object, nor paths by label; write labels = "alert.labels", or { service = "alert.app" }'
        )
    return {name: str(_path(path)) for name, path in value.items()}


Path = Annotated[str, BeforeValidator(_path)]


class MapTable(Table):
    """Where a ticket's parts are in JSON of any form: dotted paths, with numbers for the items of lists."""

    title: Path
    key: Path
    """What identifies the alert, the same when it is resolved."""
    text: Annotated[tuple[str, ...], BeforeValidator(_paths)] = ()
    state: Path | None = None
    resolved: Annotated[tuple[str, ...], BeforeValidator(_words)] = ("resolved", "closed", "ok")
    """The values of `state` that close the incident, in any letter case."""
    at: Path | None = None
    """When it began: ISO 8601, or seconds or milliseconds since 1970."""
    target: Path | None = None
    """Where the name of a target is; a name that isn't in this file counts for nothing."""
    labels: Annotated[str | Mapping[str, str], BeforeValidator(_labels)] = ""


class WebhookTable(Table):
    """A sender, reached at /v1/webhooks/NAME."""

    name: Annotated[str, BeforeValidator(_name)]
    kind: WebhookKind
    auth: Auth | None = None
    """Null for the first of `AUTHS`."""
    secret_env: Text | None = None
    secret_file: BesideFile | None = None
    user: Text | None = None
    """For `basic`."""
    header: Annotated[str, BeforeValidator(_header)] | None = None
    """For `header` and signatures whose header is chosen at the sender."""
    timestamp_header: Annotated[str, BeforeValidator(_header)] | None = None
    """The header with the time that Grafana signs."""
    target: Text | None = None
    """The name of the target that everything from here is about; null to find it by the targets' rules."""
    topic: Annotated[str, BeforeValidator(_topic)] | None = None
    """The one topic of SNS that may send here; null for any that knows the secret."""
    certificate_file: BesideFile | None = None
    """Amazon's certificates for SNS, in PEM, as downloaded and looked at by a person."""
    map: MapTable | None = None

    @model_validator(mode="after")
    def _check_auth(self) -> Self:
        possible = AUTHS[self.kind]
        if self.auth and self.auth not in possible:
            named = " or ".join(f'"{one}"' for one in possible)
            raise problem(f'auth: {self.kind} can\'t do "{self.auth}"; write auth = {named}')
        if self.proof == "sns":
            missing = next((key for key in ("certificate_file", "topic") if not getattr(self, key)), None)
            if missing:
                raise problem(f'{missing}: missing; write {missing} = "...": auth = "sns" needs it')
        elif not self.secret_env and not self.secret_file:
            raise problem(f'secret_env: missing; write secret_env = "VARIABLE", or secret_file: {self.kind} sends one')
        if (self.kind == "json") != (self.map is not None):
            why = "missing; write" if self.kind == "json" else 'only kind = "json" has one; leave it out, or write'
            raise problem(f'map: {why} map = {{ title = "alert.title", key = "alert.id" }}')
        return self._check_rest()

    def _check_rest(self) -> Self:
        """Keys that mean nothing beside the others are mistakes, and one of them may be about who is let in."""
        wanted = {
            "user": self.proof == "basic", "certificate_file": self.proof == "sns", "topic": self.kind == "cloudwatch",
            "header": self.proof in ("header", "hmac", "grafana"), "timestamp_header": self.proof == "grafana",
            "secret_env": self.proof != "sns", "secret_file": self.proof != "sns",
        }  # fmt: skip
        if odd := next((key for key, meant in wanted.items() if getattr(self, key) and not meant), None):
            raise problem(f'{odd}: it means nothing with kind = "{self.kind}" and auth = "{self.proof}"; leave it out')
        if self.proof == "basic" and not self.user:
            raise problem('user: missing; write user = "rediagnose": auth = "basic" needs it')
        if self.proof == "hmac" and not self.header and (self.kind, "hmac") not in HEADERS:
            raise problem('header: missing; write header = "X-Signature": the header that the signature is in')
        return self

    @property
    def proof(self) -> Auth:
        """How a request proves its sender."""
        return self.auth or AUTHS[self.kind][0]

    @property
    def proof_header(self) -> str:
        """The header that a token or a signature is in."""
        return self.header or HEADERS.get((self.kind, self.proof), OTHER_HEADER)

    @property
    def secret(self) -> SecretSource:
        """Where the secret is. Raises `UsageError` for a file that isn't trusted."""
        source = self._source("secret")
        assert source is not None
        return source
