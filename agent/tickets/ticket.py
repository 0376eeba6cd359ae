"""A ticket or an alert from any service, and helpers to read its JSON.

TicketError            nothing could be answered: exit status 3
  ServiceError         a ticket's service refused or failed; one line says what to do
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal

from tools.errors import RediagnoseError
from tools.patterns import deferred
from tools.records import Record
from tools.redact import hide_secrets
from tools.text import printable

Source = Literal[
    "github", "gitlab", "jira", "jsm", "opsgenie", "pagerduty", "incidentio", "servicenow", "alertmanager", "grafana",
    "datadog", "zabbix", "cloudwatch", "azure-monitor", "gcp-monitoring", "slack", "json", "text",
]  # fmt: skip
NAMES: Mapping[Source, str] = {
    "github": "GitHub issue", "gitlab": "GitLab issue", "jira": "Jira issue", "jsm": "Jira Service Management alert",
    "opsgenie": "Opsgenie alert", "pagerduty": "PagerDuty incident", "incidentio": "incident.io incident",
    "servicenow": "ServiceNow incident", "alertmanager": "Alertmanager alert", "grafana": "Grafana alert",
    "datadog": "Datadog alert", "zabbix": "Zabbix problem", "cloudwatch": "CloudWatch alarm",
    "azure-monitor": "Azure Monitor alert", "gcp-monitoring": "Google Cloud Monitoring incident",
    "slack": "Slack thread", "json": "alert", "text": "ticket",
}  # fmt: skip
Labels = Mapping[str, tuple[str, ...]]
"""Label names to their values; GitHub and Jira can have several with one name."""
LONGEST = 1500
"""Characters of a ticket that are used as the symptom, the same number that a model gets."""
_LOOKED_AT = 4 * LONGEST
_MILLISECONDS = 10**11
"""A time larger than this isn't in seconds."""
_MARKER = deferred(r"rediagnose:[0-9a-f]{16}")


class TicketError(RediagnoseError):
    """Nothing could be answered for this ticket; the message says why and what to do."""


class ServiceError(TicketError):
    """A ticket service or a webhook refused or failed; the message says which and what to do."""

    def __init__(self, why: str, status: int | None = None) -> None:
        super().__init__(why)
        self.status = status
        """The HTTP status of its answer; null without an answer."""


class Place(Record):
    """Where a ticket's comments are."""

    api: str | None
    """Scheme and host of the API as named in the ticket: only for comparison, never dialled."""
    key: str
    """owner/repo#12, OPS-12 or an incident's id."""


class Ticket(Record):
    """What somebody or an alerting rule reported."""

    source: Source
    title: str = ""
    text: str = ""
    labels: tuple[Labels, ...] = ()
    """One set of labels per alert; a single one for a ticket."""
    place: Place | None = None
    """Null if there is nothing to comment on."""
    key: str | None = None
    """What identifies it to its sender, the same when it fires again and when it's resolved; null if nothing does."""
    closed: str | None = None
    """Its state in the service's own word if it's closed, else null."""
    at: datetime | None = None
    """When it began."""

    @property
    def name(self) -> str:
        """Its name for a person."""
        return f"{NAMES[self.source]} {self.place.key}" if self.place else NAMES[self.source]

    @property
    def symptom(self) -> str:
        """Title and text, bounded and without anything that looks like a credential."""
        words = "\n".join(part for part in (self.title, self.text) if part)[:_LOOKED_AT]
        return hide_secrets(printable(words)).strip()[:LONGEST].strip()


def foreign_comment(comment: str) -> str:
    """The comment that an event is about. Raises `TicketError` for one of our own, which would be answered forever."""
    if _MARKER.search(comment):
        raise TicketError("that event is about one of rediagnose's own comments; there is nothing to do")
    return comment


def text_of(value: Any) -> str:
    """A field that should be a text; null and other types count as none."""
    return value.strip() if isinstance(value, str) else ""


def object_of(value: Any) -> dict[str, Any]:
    """A field that should be an object; anything else counts as an empty one."""
    return value if isinstance(value, dict) else {}


def objects_of(value: Any) -> list[dict[str, Any]]:
    """A field that should be a list of objects; anything else in it is left out."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def time_of(value: Any) -> datetime | None:
    """A time in ISO 8601, with offsets as GitHub, Jira and Go write them; null for none and for year 1."""
    try:
        parsed = datetime.fromisoformat(text_of(value))
        moment = (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return moment if moment.year > 1970 else None


def moment_of(seconds: Any) -> datetime | None:
    """A time in seconds since 1970, or in milliseconds as some services count; null for anything else."""
    if isinstance(seconds, str) and seconds.isascii() and seconds.isdigit() and len(seconds) < 20:
        seconds = int(seconds)
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        return None
    try:
        return datetime.fromtimestamp(seconds / 1000 if seconds > _MILLISECONDS else seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def pairs_of(value: Any) -> dict[str, tuple[str, ...]]:
    """An object's texts and numbers as labels; anything else in it is left out."""
    found = {name: scalar_text(one) for name, one in object_of(value).items()}
    return {name: (text,) for name, text in found.items() if name and text}


def scalar_text(value: Any) -> str:
    """A text, or a number as a text; anything else counts as none."""
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else text_of(value)


def origin(url: Any) -> str | None:
    """Scheme and host of a URL, in lower case; null for anything else."""
    scheme, marker, rest = text_of(url).partition("://")
    host = rest.partition("/")[0].partition("?")[0].rpartition("@")[2]
    return f"{scheme}://{host}".lower() if marker and host and scheme in ("http", "https") else None
