"""Requests as the senders of webhooks make and sign them."""

import base64
import hashlib
import hmac
import json
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from agent.intake.receive import receive
from agent.intake.refused import Refused
from agent.intake.seen import Seen
from agent.service.records import Submission
from tools.settings.parsing import parse_settings
from tools.settings.tables import Settings

TICKETS = Path(__file__).resolve().parent / "tickets"
SECRET = "s3cret of the tests"
SIGNING = "whsec_" + base64.b64encode(b"a signing secret of the tests").decode()
ENVIRON = {"SECRET": SECRET, "SIGNING": SIGNING}
NOW = datetime(2026, 5, 4, 12, 6, tzinfo=UTC)
TOPIC = "arn:aws:sns:eu-west-1:123456789012:alarms"
CUSTOM = '{ title = "what.title", text = ["what.message"], key = "id", state = "phase", target = "redis" }'
TOML = f"""
[[targets]]
name = "orders"
url = "redis://127.0.0.1:1"
[[webhook]]
name = "alertmanager"
kind = "alertmanager"
secret_env = "SECRET"
[[webhook]]
name = "azure-monitor"
kind = "azure-monitor"
user = "azure"
secret_env = "SECRET"
[[webhook]]
name = "cloudwatch"
kind = "cloudwatch"
user = "sns"
secret_env = "SECRET"
topic = "{TOPIC}"
[[webhook]]
name = "datadog"
kind = "datadog"
secret_env = "SECRET"
[[webhook]]
name = "gcp-monitoring"
kind = "gcp-monitoring"
user = "google"
secret_env = "SECRET"
[[webhook]]
name = "github"
kind = "github"
secret_env = "SECRET"
[[webhook]]
name = "gitlab"
kind = "gitlab"
secret_env = "SECRET"
[[webhook]]
name = "gitlab-signed"
kind = "gitlab"
auth = "standard"
secret_env = "SIGNING"
[[webhook]]
name = "grafana"
kind = "grafana"
secret_env = "SECRET"
timestamp_header = "X-Grafana-Alerting-Timestamp"
[[webhook]]
name = "grafana-untimed"
kind = "grafana"
secret_env = "SECRET"
[[webhook]]
name = "incidentio"
kind = "incidentio"
secret_env = "SIGNING"
[[webhook]]
name = "jira"
kind = "jira"
secret_env = "SECRET"
[[webhook]]
name = "jira-automation"
kind = "jira"
auth = "header"
secret_env = "SECRET"
[[webhook]]
name = "jsm"
kind = "jsm"
auth = "header"
header = "X-Our-Token"
secret_env = "SECRET"
[[webhook]]
name = "opsgenie"
kind = "opsgenie"
secret_env = "SECRET"
[[webhook]]
name = "pagerduty"
kind = "pagerduty"
secret_env = "SECRET"
target = "Orders"
[[webhook]]
name = "servicenow"
kind = "servicenow"
user = "rediagnose"
secret_env = "SECRET"
[[webhook]]
name = "zabbix"
kind = "zabbix"
auth = "hmac"
secret_env = "SECRET"
[[webhook]]
name = "custom"
kind = "json"
secret_env = "SECRET"
map = {CUSTOM}
[[webhook]]
name = "slackish"
kind = "json"
auth = "slack"
secret_env = "SECRET"
map = {CUSTOM}
"""


class Recent:
    """Remembers requests for as long as a test runs."""

    def __init__(self) -> None:
        self.keys: set[str] = set()

    def known(self, key: str, now: datetime) -> bool:
        """Whether a request is remembered."""
        return key in self.keys

    def add(self, keys: Collection[str], now: datetime) -> None:
        """Remember a request."""
        self.keys.update(keys)


class Sent(NamedTuple):
    """A request."""

    name: str
    headers: Mapping[str, str]
    body: bytes

    def received(self, seen: Seen | None = None, now: datetime = NOW) -> tuple[Submission, ...] | Refused:
        """What becomes of it, and it is kept."""
        seen = Recent() if seen is None else seen
        result = receive(self.name, self.headers, self.body, settings(), seen, now, ENVIRON)
        if isinstance(result, Refused):
            return result
        seen.add(result.keys, now)
        return result.wanted

    def accepted(self, seen: Seen | None = None, now: datetime = NOW) -> tuple[Submission, ...]:
        """The submissions of one that isn't refused."""
        result = self.received(seen, now)
        assert not isinstance(result, Refused), result
        return result

    def refused(self, seen: Seen | None = None, now: datetime = NOW) -> Refused:
        """Why one is refused that is."""
        result = self.received(seen, now)
        assert isinstance(result, Refused), result
        return result

    def without(self, *names: str) -> "Sent":
        """The same without some of its headers."""
        lower = {name.lower() for name in names}
        return self._replace(headers={name: value for name, value in self.headers.items() if name.lower() not in lower})

    def having(self, **headers: str) -> "Sent":
        """The same with other headers; `_` stands for `-`."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.without(*given)._replace(headers={**self.without(*given).headers, **given})


def settings(text: str = TOML) -> Settings:
    """The settings of the tests."""
    return parse_settings(Path("/etc/rediagnose.toml"), text.encode(), ENVIRON)


def ticket(name: str) -> dict[str, Any]:
    """The body of a recorded webhook."""
    body = json.loads((TICKETS / name).read_text(encoding="utf-8"))
    assert isinstance(body, dict)
    return body


def sent(name: str, body: object, *, at: datetime = NOW, secret: str = SECRET, id: str = "msg_1") -> Sent:
    """A request as the webhook's sender makes it; a body of bytes is sent as it is."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Sent(name, {"Content-Type": "application/json", **_proof(name, raw, at, secret, id)}, raw)


def _proof(name: str, raw: bytes, at: datetime, secret: str, id: str) -> dict[str, str]:
    time = str(int(at.timestamp()))
    match name:
        case "github":
            return {"X-GitHub-Event": "issues", "X-Hub-Signature-256": f"sha256={_hex(secret, raw)}"}
        case "jira":
            return {"X-Hub-Signature": f"sha256={_hex(secret, raw)}"}
        case "pagerduty":
            return {"X-PagerDuty-Signature": f"v1={'0' * 64},v1={_hex(secret, raw)}"}
        case "grafana":
            signed = _hex(secret, f"{time}:".encode() + raw)
            return {"X-Grafana-Alerting-Signature": signed, "X-Grafana-Alerting-Timestamp": time}
        case "grafana-untimed":
            return {"X-Grafana-Alerting-Signature": _hex(secret, raw)}
        case "slackish":
            signed = _hex(secret, f"v0:{time}:".encode() + raw)
            return {"X-Slack-Signature": f"v0={signed}", "X-Slack-Request-Timestamp": time}
        case "zabbix":
            return {"X-Rediagnose-Signature": _hex(secret, raw)}
        case "incidentio" | "gitlab-signed":
            key = b"another key" if secret != SECRET else base64.b64decode(SIGNING.removeprefix("whsec_"))
            mac = hmac.digest(key, f"{id}.{time}.".encode() + raw, "sha256")
            signature = f"v1a,nothing v1,{base64.b64encode(mac).decode()}"
            return {"webhook-id": id, "webhook-timestamp": time, "webhook-signature": signature}
        case "gitlab":
            return {"X-Gitlab-Token": secret}
        case "jira-automation":
            return {"X-Rediagnose-Token": secret}
        case "jsm":
            return {"X-Our-Token": secret}
        case "azure-monitor" | "cloudwatch" | "gcp-monitoring" | "servicenow":
            user = {"azure-monitor": "azure", "cloudwatch": "sns", "gcp-monitoring": "google"}.get(name, "rediagnose")
            return {"Authorization": f"Basic {base64.b64encode(f'{user}:{secret}'.encode()).decode()}"}
    return {"Authorization": f"Bearer {secret}"}


def _hex(secret: str, content: bytes) -> str:
    return hmac.new(secret.encode(), content, hashlib.sha256).hexdigest()
