"""The file of settings: found, read, and looked up in."""

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from tools.connection.target import Target
from tools.errors import UsageError
from tools.settings.table import FILE, VARIABLE
from tools.settings.target_table import TargetSettings
from tools.settings.trust import is_own, is_trusted, settings_bytes
from tools.text import did_you_mean

if TYPE_CHECKING:
    from tools.settings.tables import Settings


def load_settings(*, environ: Mapping[str, str] = os.environ, folder: Path | None = None) -> "Settings":
    """The settings of REDIAGNOSE_CONFIG's file, else of rediagnose.toml in `folder` (here) or ~/.config/rediagnose.

    Raises `UsageError` naming file, key and remedy for a file that can't be used.
    """
    from tools.settings.tables import Settings

    return next(all_settings(environ=environ, folder=folder), Settings())


def all_settings(*, environ: Mapping[str, str] = os.environ, folder: Path | None = None) -> "Iterator[Settings]":
    """The settings of each applicable file, nearest first, each read only if the previous one didn't suffice.

    Raises `UsageError` like `load_settings`.
    """
    named = environ.get(VARIABLE)
    places = [Path(named)] if named else [path for path in _places(environ, folder) if os.path.lexists(path)]
    for file in places:
        yield _read(file, environ, named=bool(named))


def _read(file: Path, environ: Mapping[str, str], *, named: bool) -> "Settings":
    # Most runs find no such file, and its tables take time to build.
    from tools.settings.parsing import parse_settings

    try:
        content = settings_bytes(file)
    except OSError as error:
        raise UsageError(f"{file}: {error.strerror}; give a readable file, or unset {VARIABLE}") from None
    trusted = named or (_is_persons(file, environ) and is_own(file)) or is_trusted(file, content)
    return parse_settings(file, content, environ, trusted=trusted)


def settings_for(
    target: Target, *, environ: Mapping[str, str] = os.environ, folder: Path | None = None
) -> TargetSettings:
    """The settings of a target, matched by host and port or by socket path. Raises like `load_settings`."""
    node = target.node.lower()
    for settings in all_settings(environ=environ, folder=folder):
        found = [one for one in settings.targets if one.target and one.target.node.lower() == node]
        if len(found) > 1:
            raise UsageError(f"{settings.file}: targets: {target.node} appears {len(found)} times; keep one")
        if found:
            return found[0]
    # Nothing is known about a target that no file names, not even a URL.
    return TargetSettings.model_construct()


def find_target(
    name: str, *, environ: Mapping[str, str] = os.environ, folder: Path | None = None
) -> TargetSettings | None:
    """The target with this name, in any letter case, in the nearest file that has it.

    Raises `UsageError` like `load_settings`.
    """
    everywhere = (one for settings in all_settings(environ=environ, folder=folder) for one in settings.targets)
    return next((one for one in everywhere if one.name and one.name.lower() == name.lower()), None)


def target_named(name: str, *, environ: Mapping[str, str] = os.environ, folder: Path | None = None) -> TargetSettings:
    """The target with this name. Raises `UsageError` with the existing names and the closest one."""
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


def target_names(files: "Iterable[Settings]") -> list[str]:
    """The names of all targets, each once."""
    return list(dict.fromkeys(one.name for settings in files for one in settings.targets if one.name))


def _places(environ: Mapping[str, str], folder: Path | None) -> Iterator[Path]:
    yield (folder or Path()) / FILE
    home = environ.get("HOME")
    if config := environ.get("XDG_CONFIG_HOME") or (f"{home}/.config" if home else None):
        yield Path(config) / "rediagnose" / FILE


def _is_persons(file: Path, environ: Mapping[str, str]) -> bool:
    """Whether it's the user's own file, even if it is in this folder."""
    own = list(_places(environ, None))[1:]
    return any(file.absolute() == one.absolute() for one in own)
