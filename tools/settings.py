"""rediagnose.toml: what is known of each target beforehand, and where tickets and notifications go."""

import os
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import SecretStr

from tools.connection.target import Target, parse_target
from tools.errors import UsageError
from tools.past.prometheus import checked_url
from tools.records import Record

FILE = "rediagnose.toml"
VARIABLE = "REDIAGNOSE_CONFIG"
_TARGET = (
    "name", "url", "url_env", "url_file", "password_env", "password_file", "cacert", "cert", "key", "prometheus",
    "match", "text",
)  # fmt: skip
_SERVICES = {
    "github": ("api", "token_env", "token_file"),
    "jira": ("url", "api", "email", "token_env", "token_file"),
    "pagerduty": ("api", "from", "token_env", "token_file"),
}
_NOTIFY = ("name", "url_env", "url_file", "form")


class SecretSource(Record):
    """Where a secret is kept: an environment variable or a file's first line."""

    where: str
    """The setting that says so, for messages."""
    env: str | None = None
    file: Path | None = None

    def read(self, environ: Mapping[str, str] = os.environ) -> SecretStr:
        """The secret. Raises `UsageError` naming the variable or the file where it isn't there."""
        if self.env is not None:
            if not (value := environ.get(self.env, "").strip()):
                raise UsageError(f"{self.where}: {self.env} isn't set; set it")
            return SecretStr(value)
        assert self.file is not None
        try:
            value = self.file.read_text(encoding="utf-8").partition("\n")[0].strip()
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it isn't UTF-8"
            raise UsageError(f"{self.where}: {self.file}: {why}; give a readable text file") from None
        if not value:
            raise UsageError(f"{self.where}: {self.file}: its first line is empty; that's where the secret stands")
        return SecretStr(value)


class TargetSettings(Record):
    """What the file says of one target; nothing of one that it doesn't name."""

    name: str | None = None
    """What people call it."""
    target: Target | None = None
    """Where it is, without its credentials; null where a variable or a file that isn't there holds the URL."""
    url_source: SecretSource | None = None
    """Where its URL is kept, for one that holds a password."""
    url: SecretStr | None = None
    """Its URL as the file has it."""
    password: SecretSource | None = None
    cacert: Path | None = None
    cert: Path | None = None
    key: Path | None = None
    prometheus: SecretStr | None = None
    """URL of the Prometheus that keeps its figures; it may hold credentials."""
    match: tuple[Mapping[str, tuple[str, ...]], ...] = ()
    """Labels of a ticket that means it: any of these, with any of its patterns for each of its labels."""
    text: tuple[str, ...] = ()
    """Words or phrases of a ticket that means it: any of these."""


class ServiceSettings(Record):
    """Where a ticket's service is, and the token for it."""

    url: str | None = None
    """Of its API or its site; null for the service's own."""
    version: Literal[2, 3] | None = None
    """Of Jira's API; null to tell it by the address."""
    person: str | None = None
    """E-mail address: of Jira's account, or of the PagerDuty user who writes."""
    token: SecretSource | None = None


class NotifySettings(Record):
    """A webhook by its name."""

    name: str
    url: SecretSource
    form: Literal["slack", "json"] | None = None
    """Null to tell it by the URL."""


class Settings(Record):
    """All that the file says."""

    file: Path | None = None
    """Null where there is none."""
    targets: tuple[TargetSettings, ...] = ()
    github: ServiceSettings = ServiceSettings()
    jira: ServiceSettings = ServiceSettings()
    pagerduty: ServiceSettings = ServiceSettings()
    notify: tuple[NotifySettings, ...] = ()


def load_settings(*, environ: Mapping[str, str] = os.environ, folder: Path | None = None) -> Settings:
    """What the file says that REDIAGNOSE_CONFIG names, else rediagnose.toml in `folder` (here) if there is one.

    Raises `UsageError` naming file, key and remedy for a file that can't be used.
    """
    named = environ.get(VARIABLE)
    file = Path(named) if named else (folder or Path()) / FILE
    if not named and not file.exists():
        return Settings()
    content = _content(file)
    known = ("targets", *_SERVICES, "notify")
    for key in sorted(content):
        if key not in known:
            raise UsageError(
                f"{file}: {key}: there is no such key; write [[targets]], [github], [jira], [pagerduty] or [[notify]]"
            )
    listed = {key: _tables(file, key, content.get(key, [])) for key in ("targets", "notify")}
    services = {name: _service(file, name, content[name]) for name in _SERVICES if name in content}
    targets = [_target(f"{file}: targets {n}", file, one, environ) for n, one in enumerate(listed["targets"], 1)]
    notify = [_notify(f"{file}: notify {n}", file, one) for n, one in enumerate(listed["notify"], 1)]
    for what, names in (("targets", [one.name for one in targets]), ("notify", [one.name for one in notify])):
        if twice := next((name for name in names if name and names.count(name) > 1), None):
            raise UsageError(f"{file}: {what}: the name {twice!r} is there {names.count(twice)} times; leave one")
    return Settings(file=file, targets=tuple(targets), notify=tuple(notify), **services)


def settings_for(
    target: Target, *, environ: Mapping[str, str] = os.environ, folder: Path | None = None
) -> TargetSettings:
    """The settings of a target, matched by host and port or by socket path. Raises as `load_settings` does."""
    known = load_settings(environ=environ, folder=folder)
    node = target.node.lower()
    found = [one for one in known.targets if one.target and one.target.node.lower() == node]
    if len(found) > 1:
        raise UsageError(f"{known.file}: targets: {target.node} is there {len(found)} times; leave one")
    return found[0] if found else TargetSettings()


def _content(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it isn't UTF-8"
        raise UsageError(f"{file}: {why}; give a readable file, or unset {VARIABLE}") from None
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{file}: not TOML: {error}") from None


def _tables(file: Path, key: str, value: Any) -> list[dict[str, Any]]:
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise UsageError(f"{file}: {key}: not a list of tables; write [[{key}]] above each")
    return value


def _texts(where: str, table: Mapping[str, Any], keys: Sequence[str], others: Sequence[str] = ()) -> None:
    for key, value in table.items():
        if key not in keys:
            raise UsageError(f"{where}: {key}: there is no such key; there are {', '.join(keys)}")
        if key not in others and (not isinstance(value, str) or not value):
            raise UsageError(f'{where}: {key}: not a text; write {key} = "..."')


def _kept(where: str, file: Path, table: Mapping[str, Any], name: str) -> SecretSource | None:
    env, path = table.get(f"{name}_env"), table.get(f"{name}_file")
    if env and path:
        raise UsageError(f"{where}: {name}_env and {name}_file: leave one")
    if env:
        return SecretSource(where=f"{where}: {name}_env", env=env)
    return SecretSource(where=f"{where}: {name}_file", file=_path(file, path)) if path else None


def _path(file: Path, text: str) -> Path:
    """A path beside the settings' own file, as a person who writes it there means it."""
    return file.parent / Path(text).expanduser()


def _target(where: str, file: Path, table: Mapping[str, Any], environ: Mapping[str, str]) -> TargetSettings:
    _texts(where, table, _TARGET, ("match", "text"))
    url, kept = table.get("url"), _kept(where, file, table, "url")
    if (url is None) == (kept is None):
        why = "missing" if url is None else "there beside url_env or url_file; leave one"
        raise UsageError(f'{where}: url: {why}; write url = "redis://HOST:6379"')
    prometheus = table.get("prometheus")
    return TargetSettings(
        name=table.get("name"), target=_place(where, url, kept, environ), url_source=kept,
        url=SecretStr(url) if url else None, password=_kept(where, file, table, "password"),
        prometheus=SecretStr(checked_url(prometheus, f"{where}: prometheus")) if prometheus else None,
        match=_match(where, table.get("match", [])), text=_patterns(f"{where}: text", table.get("text", ())),
        **{name: _path(file, table[name]) for name in ("cacert", "cert", "key") if name in table},
    )  # fmt: skip


def _place(where: str, url: str | None, kept: SecretSource | None, environ: Mapping[str, str]) -> Target | None:
    try:
        found = url or (kept.read(environ).get_secret_value() if kept else "")
    except UsageError:
        # It's missed when that target is wanted; the others can be used without.
        return None
    try:
        target = parse_target(found, environ={})
    except UsageError as error:
        raise UsageError(f"{where}: url: {error}") from None
    return target.model_copy(update={"password": None, "username": None})


def _match(where: str, value: Any) -> tuple[Mapping[str, tuple[str, ...]], ...]:
    listed = value if isinstance(value, list) else [value]
    if not all(isinstance(one, dict) and one for one in listed):
        raise UsageError(f'{where}: match: not a table; write match = {{ service = "orders", env = "prod*" }}')
    return tuple(
        {str(name): _patterns(f"{where}: match: {name}", value) for name, value in one.items()} for one in listed
    )


def _patterns(where: str, value: Any) -> tuple[str, ...]:
    listed = value if isinstance(value, list | tuple) else [value]
    if not all(isinstance(one, str) and one.strip() for one in listed):
        raise UsageError(f'{where}: not a text or a list of texts; write "..." or ["...", "..."]')
    return tuple(one.strip() for one in listed)


def _service(file: Path, name: str, table: Any) -> ServiceSettings:
    where = f"{file}: {name}"
    if not isinstance(table, dict):
        raise UsageError(f"{where}: not a table; write [{name}]")
    _texts(where, table, _SERVICES[name], ("api",) if name == "jira" else ())
    version = table.get("api") if name == "jira" else None
    if version not in (None, 2, 3) or isinstance(version, bool):
        raise UsageError(f"{where}: api: not a version of Jira's API; write api = 3 for Jira Cloud, 2 for others")
    url = table.get("url" if name == "jira" else "api")
    return ServiceSettings(
        url=url, version=version, person=table.get("email") or table.get("from"),
        token=_kept(where, file, table, "token"),
    )  # fmt: skip


def _notify(where: str, file: Path, table: Mapping[str, Any]) -> NotifySettings:
    _texts(where, table, _NOTIFY)
    if "name" not in table:
        raise UsageError(f'{where}: name: missing; write name = "oncall"')
    kept = _kept(where, file, table, "url")
    if kept is None:
        raise UsageError(f'{where}: url_env: missing; write url_env = "VARIABLE", or url_file: the URL is a secret')
    form = table.get("form")
    if form not in (None, "slack", "json"):
        raise UsageError(f'{where}: form: {form!r} isn\'t one of "slack" and "json"')
    return NotifySettings(name=table["name"], url=kept, form=form)
