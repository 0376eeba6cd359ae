"""A ticket from a file or stdin, in whatever encoding and format it came."""

import codecs
import json
import sys
from collections.abc import Sequence
from typing import Any

from agent.tickets.of_alerts import is_alert, of_alerts
from agent.tickets.of_json import is_mapped, of_mapped
from agent.tickets.readers import READERS
from agent.tickets.ticket import Ticket
from tools.errors import UsageError
from tools.files import open_regular
from tools.settings.webhook_table import MapTable
from tools.text import printable

MOST_BYTES = 5 * 2**20
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"),
)  # fmt: skip
ACCEPTED = (
    "an issue of GitHub, GitLab or Jira, an incident of PagerDuty, incident.io or ServiceNow, an alert of "
    "Alertmanager, Grafana, Datadog, CloudWatch, Azure Monitor, Google Cloud Monitoring, Zabbix, Jira Service "
    "Management or Opsgenie, as their webhooks have them, or plain text"
)


def read_ticket(name: str, mappings: Sequence[MapTable] = ()) -> Ticket:
    """The ticket in a file, or on stdin for `-`; `mappings` are a team's own, for JSON of other forms.

    Raises `UsageError` with what can't be used and the remedy.
    """
    raw = _bytes(name)
    where = "stdin" if name == "-" else name
    if len(raw) > MOST_BYTES:
        raise UsageError(f"{where}: larger than {MOST_BYTES} bytes; give one ticket, without its attachments")
    text = decode(raw).strip().strip("\0").strip()
    if not text:
        raise UsageError(f"{where}: it's empty; give {ACCEPTED}")
    if "\0" in text:
        raise UsageError(f"{where}: it isn't text; give {ACCEPTED}")
    return parse_ticket(text, where, mappings)


def _bytes(name: str) -> bytes:
    if name == "-":
        if sys.stdin is None or sys.stdin.isatty():
            raise UsageError("stdin is a terminal; pipe a ticket into it, or name a file")
        try:
            return sys.stdin.buffer.read(MOST_BYTES + 1)
        except OSError as error:
            raise UsageError(f"stdin: {error.strerror}; pipe a ticket into it, or name a file") from None
    try:
        with open_regular(name) as file:
            return file.read(MOST_BYTES + 1)
    except OSError as error:
        why = error.strerror or str(error)
        hint = "give a file, or - for stdin"
        if "://" in name:
            hint = (
                "tickets are never fetched by URL; give the ticket's JSON as a "
                "file or on stdin, and the server with --url"
            )
        raise UsageError(f"{printable(name[:200])}: {why}; {hint}") from None


def decode(raw: bytes) -> str:
    """Text in UTF-8, -16 or -32; anything else is read as Latin-1, which accepts any bytes."""
    for mark, encoding in _MARKS:
        if raw.startswith(mark):
            return raw.decode(encoding, errors="replace")
    even, odd = raw[0:400:2], raw[1:400:2]
    if odd and odd.count(0) > len(odd) // 2:
        return raw.decode("utf-16-le", errors="replace")
    if even and even.count(0) > len(even) // 2:
        return raw.decode("utf-16-be", errors="replace")
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def parse_ticket(text: str, where: str = "the ticket", mappings: Sequence[MapTable] = ()) -> Ticket:
    """The ticket in a text. Raises `UsageError` for JSON that is broken or of an unknown format."""
    if text[0] not in "{[":
        return of_text(text)
    try:
        body: Any = json.loads(text)
    except json.JSONDecodeError as error:
        if text[0] == "[":
            return of_text(text)
        place = f"line {error.lineno}, column {error.colno}"
        raise UsageError(
            f"{where}: invalid JSON at {place}: {error.msg}; give the complete JSON, or {ACCEPTED}"
        ) from None
    except (RecursionError, ValueError):
        raise UsageError(
            f"{where}: JSON that can't be read: it is nested too deeply or contains a number that is too long"
        ) from None
    if isinstance(body, list):
        if is_alert({"alerts": body}):
            # As listed by Alertmanager's own API.
            return of_alerts({"alerts": body})
        if len(body) != 1 or not isinstance(body[0], dict):
            raise UsageError(f"{where}: a JSON list of {len(body)}; give one ticket at a time: {ACCEPTED}")
        body = body[0]
    if isinstance(body.get("body"), str) and "headers" in body and body["body"].lstrip().startswith("{"):
        # A webhook as forwarded by a gateway, wrapped in the request.
        return parse_ticket(body["body"].strip(), where, mappings)
    for reader in READERS.values():
        if reader.is_one(body):
            return reader.ticket_of(body)
    for mapping in mappings:
        if is_mapped(body, mapping):
            return of_mapped(body, mapping)
    keys = ", ".join(printable(str(key)[:40]) for key in list(body)[:8]) or "none"
    raise UsageError(f"{where}: JSON in an unknown form (its keys: {keys}); give {ACCEPTED}")


def of_text(text: str) -> Ticket:
    """The ticket in plain text: its first line is the title."""
    title, _, rest = text.partition("\n")
    return Ticket(source="text", title=title.strip(), text=rest.strip())
