"""rediagnose.toml: what is known of each target beforehand, such as where its past is kept."""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from tools.errors import UsageError
from tools.past.prometheus import checked_url
from tools.records import Record
from tools.server.target import Target, parse_target

FILE = "rediagnose.toml"
VARIABLE = "REDIAGNOSE_CONFIG"
_KEYS = ("name", "url", "prometheus")


class TargetSettings(Record):
    """What the file says of one target; nothing of one that it doesn't name."""

    name: str | None = None
    """What people call it."""
    prometheus: SecretStr | None = None
    """URL of the Prometheus that keeps its figures; it may hold credentials."""


def settings_for(
    target: Target, *, environ: Mapping[str, str] = os.environ, folder: Path | None = None
) -> TargetSettings:
    """The settings of a target, matched by host and port or by socket path.

    The file is the one that REDIAGNOSE_CONFIG names, else rediagnose.toml in `folder` (here) if there is one.
    Raises `UsageError` naming file, key and remedy for a file that can't be used.
    """
    named = environ.get(VARIABLE)
    file = Path(named) if named else (folder or Path()) / FILE
    if not named and not file.exists():
        return TargetSettings()
    found = [settings for node, settings in _read(file) if node == target.node.lower()]
    if len(found) > 1:
        raise UsageError(f"{file}: targets: {target.node} is there {len(found)} times; leave one")
    return found[0] if found else TargetSettings()


def _read(file: Path) -> list[tuple[str, TargetSettings]]:
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it isn't UTF-8"
        raise UsageError(f"{file}: {why}; give a readable file, or unset {VARIABLE}") from None
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{file}: not TOML: {error}") from None
    targets = content.pop("targets", [])
    if content:
        raise UsageError(f"{file}: {min(content)}: there is no such key; write [[targets]]")
    if not isinstance(targets, list) or not all(isinstance(one, dict) for one in targets):
        raise UsageError(f"{file}: targets: not a list of tables; write [[targets]] above each")
    return [_target(f"{file}: targets {index}", one) for index, one in enumerate(targets, 1)]


def _target(where: str, table: Mapping[str, Any]) -> tuple[str, TargetSettings]:
    for key, value in table.items():
        if key not in _KEYS:
            raise UsageError(f"{where}: {key}: there is no such key; there are {', '.join(_KEYS)}")
        if not isinstance(value, str) or not value:
            raise UsageError(f'{where}: {key}: not a text; write {key} = "..."')
    if "url" not in table:
        raise UsageError(f'{where}: url: missing; write url = "redis://HOST:6379"')
    try:
        target = parse_target(table["url"], environ={})
    except UsageError as error:
        raise UsageError(f"{where}: url: {error}") from None
    prometheus = table.get("prometheus")
    kept = SecretStr(checked_url(prometheus, f"{where}: prometheus")) if prometheus else None
    return target.node.lower(), TargetSettings(name=table.get("name"), prometheus=kept)
