"""What a file of settings says: its content read, and what is wrong with it in one line."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from tools.connection.credentials import AwsIam, EntraId
from tools.errors import UsageError
from tools.records import Record
from tools.settings.mcp_table import McpTable
from tools.settings.model_table import ModelTable
from tools.settings.serve_table import OidcTable, ServeTable, TokenTable
from tools.settings.slack_table import ApproveTable, ChannelTable, SlackTable
from tools.settings.table import VARIABLE, Context
from tools.settings.tables import (
    GitHubSettings,
    JiraSettings,
    NotifySettings,
    PagerDutySettings,
    Settings,
)
from tools.settings.target_table import TargetSettings
from tools.settings.watch_table import WatchTable
from tools.settings.webhook_table import MapTable, WebhookTable


def parse_settings(file: Path, content: bytes, environ: Mapping[str, str], *, trusted: bool = True) -> Settings:
    """The settings in a file's content. An untrusted file can't set anything about credentials. Raises `UsageError`."""
    try:
        return Settings.model_validate(_parsed(file, content), context=Context(file, environ, trusted))
    except ValidationError as error:
        raise UsageError(f"{file}: {_explanation(error)}") from None


def _parsed(file: Path, content: bytes) -> dict[str, Any]:
    try:
        return tomllib.loads(content.decode())
    except UnicodeDecodeError:
        raise UsageError(f"{file}: it isn't UTF-8; give a readable file, or unset {VARIABLE}") from None
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise UsageError(f"{file}: not TOML: {error}") from None
    except ValueError:
        raise UsageError(f"{file}: not TOML: a number in it has more digits than can be read") from None


_TABLES: dict[str, type[Record]] = {
    "targets": TargetSettings, "github": GitHubSettings, "jira": JiraSettings, "pagerduty": PagerDutySettings,
    "notify": NotifySettings, "model": ModelTable, "entra": EntraId, "aws-iam": AwsIam,
    "mcp": McpTable, "webhook": WebhookTable, "map": MapTable, "serve": ServeTable, "token": TokenTable,
    "slack": SlackTable, "channel": ChannelTable, "approve": ApproveTable,
    "oidc": OidcTable, "watch": WatchTable,
}  # fmt: skip
_REMEDIES = {
    "targets": "write [[targets]] above each", "notify": "write [[notify]] above each",
    "mcp": "write [[mcp]] above each", "mcp.name": 'write name = "deploys"',
    "mcp.tools": 'write tools = ["list_deploys"]', "github": "write [github]",
    "jira": "write [jira]", "pagerduty": "write [pagerduty]", "model": "write [model]", "watch": "write [watch]",
    "model.reasoning_effort": 'write "low", "medium" or "high"', "model.form": 'write "chat" or "responses"',
    "model.cache_control": "write true or false", "serve": "write [serve]",
    "serve.jobs": "write a whole number above 0", "serve.waiting": "write a whole number above 0",
    "serve.keep_days": "write a number above 0", "serve.keep_mib": "write a whole number above 0",
    "serve.lease": "write a number of seconds above 0", "serve.urls": "write true or false",
    "serve.notify": 'write notify = ["oncall"]', "jira.api": "write 3 for Jira Cloud, 2 for others",
    "serve.https": "write true or false",
    "serve.token": "write [[serve.token]] above each", "serve.oidc": "write [serve.oidc]",
    "serve.token.name": 'write name = "alertmanager"', "serve.token.roles": 'write roles = ["reader"]',
    "notify.name": 'write name = "oncall"',
    "notify.form": 'write "slack", "teams", "discord", "google-chat", "mattermost" or "json"',
    "slack": "write [slack]", "slack.channel": "write [[slack.channel]] above each",
    "slack.channel.id": 'write id = "C0123456789"', "slack.approve": "write [[slack.approve]] above each",
    "slack.urls": "write true or false", "slack.approve.four_eyes": "write true or false",
    "slack.approve.targets": 'write targets = ["orders"]',
    "webhook": "write [[webhook]] above each", "webhook.name": 'write name = "alerts"',
    "webhook.kind": 'write kind = "alertmanager"', "webhook.auth": 'write auth = "bearer"',
    "webhook.map": 'write map = { title = "alert.title", key = "alert.id" }',
    "webhook.map.title": 'write title = "alert.title"', "webhook.map.key": 'write key = "alert.id"',
    "targets.credentials": 'write credentials = "entra", or { type = "aws-iam", user = "...", ... }',
}  # fmt: skip
_FAULTS = {
    "missing": "missing", "bool_type": "not true or false", "bool_parsing": "not true or false",
    "union_tag_invalid": "{ctx[tag]!r} isn't one of {ctx[expected_tags]}",
    "union_tag_not_found": "no type in it", "model_attributes_type": "not a text or a table",
    "tuple_type": "not a list of tables", "model_type": "not a table",
    "literal_error": "{input!r} isn't {ctx[expected]}",
}  # fmt: skip


def _explanation(error: ValidationError) -> str:
    """The first problem, in one line: the key, what is wrong with its value, and the remedy."""
    first = error.errors(include_url=False)[0]
    keys = [part for part in first["loc"] if isinstance(part, str)]
    where = "".join(f" {part + 1}" if isinstance(part, int) else f": {part}" for part in first["loc"])[2:]
    if first["type"] == "setting":
        return f"{where}: {first['msg']}" if where else first["msg"]
    if first["type"] == "extra_forbidden":
        return f"{where}: unknown key; {_known_keys(keys[:-1])}"
    fault = _FAULTS.get(first["type"], "not a text").format(input=first["input"], ctx=first.get("ctx"))
    remedy = _REMEDIES.get(".".join(keys)) or f'write {keys[-1]} = "..."'
    return f"{where}: {fault}; {remedy}"


def _known_keys(section: list[str]) -> str:
    if not section:
        tables = (
            "[[targets]], [github], [jira], [pagerduty], [model], [[mcp]], [serve], [slack], [watch], [[notify]] or "
            "[[webhook]]"
        )
        return f"write {tables}"
    return f"there are {', '.join(field.alias or name for name, field in _TABLES[section[-1]].model_fields.items())}"
