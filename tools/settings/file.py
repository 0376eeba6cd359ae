"""The file of settings: found, read, and looked up in."""

import os
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from tools.connection.credentials import AwsIam, EntraId
from tools.connection.target import Target
from tools.errors import UsageError
from tools.records import Record
from tools.settings.model_table import ModelTable
from tools.settings.table import Context
from tools.settings.tables import (
    FILE,
    GitHubSettings,
    JiraSettings,
    NotifySettings,
    PagerDutySettings,
    Settings,
    TargetSettings,
)
from tools.settings.trust import is_own, is_trusted, settings_bytes
from tools.text import did_you_mean

VARIABLE = "REDIAGNOSE_CONFIG"


def load_settings(*, environ: Mapping[str, str] = os.environ, folder: Path | None = None) -> Settings:
    """The settings of REDIAGNOSE_CONFIG's file, else of rediagnose.toml in `folder` (here) or ~/.config/rediagnose.

    Raises `UsageError` naming file, key and remedy for a file that can't be used.
    """
    return next(all_settings(environ=environ, folder=folder), Settings())


def all_settings(*, environ: Mapping[str, str] = os.environ, folder: Path | None = None) -> Iterator[Settings]:
    """The settings of each file that counts, the nearest first, and each read only when the one before didn't do.

    Raises `UsageError` as `load_settings` does.
    """
    named = environ.get(VARIABLE)
    places = [Path(named)] if named else [path for path in _places(environ, folder) if os.path.lexists(path)]
    for file in places:
        yield _read(file, environ, named=bool(named))


def _read(file: Path, environ: Mapping[str, str], *, named: bool) -> Settings:
    try:
        content = settings_bytes(file)
    except OSError as error:
        raise UsageError(f"{file}: {error.strerror}; give a readable file, or unset {VARIABLE}") from None
    trusted = named or (_is_persons(file, environ) and is_own(file)) or is_trusted(file, content)
    return parse_settings(file, content, environ, trusted=trusted)


def parse_settings(file: Path, content: bytes, environ: Mapping[str, str], *, trusted: bool = True) -> Settings:
    """The settings of a file's content. What isn't trusted says nothing about credentials. Raises `UsageError`."""
    try:
        return Settings.model_validate(_parsed(file, content), context=Context(file, environ, trusted))
    except ValidationError as error:
        raise UsageError(f"{file}: {_explanation(error)}") from None


def settings_for(
    target: Target, *, environ: Mapping[str, str] = os.environ, folder: Path | None = None
) -> TargetSettings:
    """The settings of a target, matched by host and port or by socket path. Raises as `load_settings` does."""
    node = target.node.lower()
    for settings in all_settings(environ=environ, folder=folder):
        found = [one for one in settings.targets if one.target and one.target.node.lower() == node]
        if len(found) > 1:
            raise UsageError(f"{settings.file}: targets: {target.node} appears {len(found)} times; keep one")
        if found:
            return found[0]
    # Of one that no file names nothing is known, not even a URL.
    return TargetSettings.model_construct()


def find_target(
    name: str, *, environ: Mapping[str, str] = os.environ, folder: Path | None = None
) -> TargetSettings | None:
    """The target of a name, in any case, in the nearest file that has it. Raises `UsageError` as `load_settings`."""
    everywhere = (one for settings in all_settings(environ=environ, folder=folder) for one in settings.targets)
    return next((one for one in everywhere if one.name and one.name.lower() == name.lower()), None)


def target_named(name: str, *, environ: Mapping[str, str] = os.environ, folder: Path | None = None) -> TargetSettings:
    """The target of a name. Raises `UsageError` saying which names there are, and which is the closest."""
    if found := find_target(name, environ=environ, folder=folder):
        return found
    files = list(all_settings(environ=environ, folder=folder))
    if not files:
        raise UsageError(
            f"--target {name!r}: there is no {FILE} here or in ~/.config/rediagnose; write one, or use --url"
        )
    names = target_names(files)
    where = " and ".join(str(one.file) for one in files)
    raise UsageError(
        f"--target {name!r}: no target has this name{did_you_mean(name, names)} "
        f"({where} {'has' if len(files) == 1 else 'have'} {', '.join(names) or 'none'})"
    )


def target_names(files: Iterable[Settings]) -> list[str]:
    """The names of all targets, each once."""
    return list(dict.fromkeys(one.name for settings in files for one in settings.targets if one.name))


def _places(environ: Mapping[str, str], folder: Path | None) -> Iterator[Path]:
    yield (folder or Path()) / FILE
    home = environ.get("HOME")
    if config := environ.get("XDG_CONFIG_HOME") or (f"{home}/.config" if home else None):
        yield Path(config) / "rediagnose" / FILE


def _is_persons(file: Path, environ: Mapping[str, str]) -> bool:
    """Whether it's the person's own file, also where that is this folder's."""
    own = list(_places(environ, None))[1:]
    return any(file.absolute() == one.absolute() for one in own)


def _parsed(file: Path, content: bytes) -> dict[str, Any]:
    try:
        return tomllib.loads(content.decode())
    except UnicodeDecodeError:
        raise UsageError(f"{file}: it isn't UTF-8; give a readable file, or unset {VARIABLE}") from None
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise UsageError(f"{file}: not TOML: {error}") from None


_TABLES: dict[str, type[Record]] = {
    "targets": TargetSettings, "github": GitHubSettings, "jira": JiraSettings, "pagerduty": PagerDutySettings,
    "notify": NotifySettings, "model": ModelTable, "entra": EntraId, "aws-iam": AwsIam,
}  # fmt: skip
_REMEDIES = {
    "targets": "write [[targets]] above each", "notify": "write [[notify]] above each", "github": "write [github]",
    "jira": "write [jira]", "pagerduty": "write [pagerduty]", "model": "write [model]",
    "model.reasoning_effort": 'write "low", "medium" or "high"', "model.form": 'write "chat" or "responses"',
    "model.cache_control": "write true or false", "jira.api": "write 3 for Jira Cloud, 2 for others",
    "notify.name": 'write name = "oncall"', "notify.form": 'write "slack", "teams", "discord", "google-chat" or "json"',
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
    """The first of the problems in a line: the key, what is wrong with its value, and the remedy."""
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
        return "write [[targets]], [github], [jira], [pagerduty], [model] or [[notify]]"
    return f"there are {', '.join(field.alias or name for name, field in _TABLES[section[-1]].model_fields.items())}"
