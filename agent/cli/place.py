"""Which server the arguments mean, and how to be let in."""

import os
from collections.abc import Sequence
from pathlib import Path

from tools.connection.target import SCHEMES, Target, Tls, parse_target
from tools.connection.trust import parse_network
from tools.errors import UsageError
from tools.patterns import deferred
from tools.records import Record
from tools.redact import hide_secrets
from tools.settings.file import load_settings, settings_for, target_named
from tools.settings.tables import Settings, TargetSettings

ADDRESS = deferred(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?)(:[0-9]{1,5})?")
"""host, host:port or [v6]:port."""
REMEDY = "give a URL such as redis://host:6379, or --target and a name in rediagnose.toml"
"""What helps where no server is named, in every command."""


class ConnectionInputs(Record):
    """How to be let in; named as redis-cli names it."""

    password_file: Path | None = None
    """Its first line is the password."""
    cacert: Path | None = None
    cert: Path | None = None
    key: Path | None = None
    insecure: bool = False
    trust: tuple[str, ...] = ()
    """Networks in which nodes that others name may be visited, and given the credentials."""

    @property
    def tls(self) -> Tls:
        """The TLS settings."""
        return Tls(cacert=self.cacert, cert=self.cert, key=self.key, insecure=self.insecure)

    def target(self, where: str) -> Target:
        """The target of a URL, of an address, or of a name in rediagnose.toml. Raises `UsageError`."""
        known = load_settings()
        if "://" not in where:
            if is_name(where, known):
                return self.configured(target_named(where, known))
            if not ADDRESS.fullmatch(where):
                raise UsageError(f"{where!r} is no URL, no address and no target of rediagnose.toml; {REMEDY}")
            where = f"redis://{where}"
        target = usable(parse_target(where, tls=self.tls, password_file=self.password_file))
        found = settings_for(target)
        # The URL's own password comes first, and then the file may be anybody's.
        identity = found.identity if target.password is None else None
        return self._trusting(target.model_copy(update={"credentials": identity, "trust": found.networks}))

    def configured(self, one: TargetSettings) -> Target:
        """A target of the settings with its credentials. Raises `UsageError`."""
        return self._trusting(usable(one.connectable(self.tls, self.password_file)))

    def _trusting(self, target: Target) -> Target:
        named = tuple(parse_network(one) for one in self.trust)
        return target.model_copy(update={"trust": (*target.trust, *named)})


def is_name(word: str, known: Settings) -> bool:
    """Whether a target of the settings goes by this name."""
    return any(one.name and one.name.lower() == word.lower() for one in known.targets)


def usable(target: Target) -> Target:
    """The target, if its TLS files can be read. Raises `UsageError` naming the one that can't."""
    if target.tls:
        target.tls.context()
    return target


class ServerInputs(ConnectionInputs):
    """The one server that a command talks to."""

    url: str | None = None
    """Its URL, its host:port, or its name in rediagnose.toml."""
    target_name: str | None = None
    """Its name in rediagnose.toml."""

    def named(self, words: Sequence[str] = ()) -> Target | None:
        """The server that an option or one of the positional `words` names; null where none does.

        Raises `UsageError` where more than one is named, or where the one can't be used.
        """
        options = [word for word in (self.url, self.target_name) if word is not None]
        if len(options) + len(words) > 1:
            extra = hide_secrets([*options, *words][-1])
            raise UsageError(f"{extra!r} is a second server; name one, by its URL, by --url or by --target")
        if self.target_name is not None:
            return self.configured(target_named(self.target_name))
        where = next(iter((*options, *words)), None)
        return None if where is None else self.target(where)

    def server(self, words: Sequence[str] = (), symptom: str = "") -> Target:
        """The server that is named, or else that of REDIS_URL. Raises `UsageError` as `named` does, or for none.

        `symptom` is what was taken for one, and may have been meant as a name.
        """
        if found := self.named(words):
            return found
        if where := os.environ.get("REDIS_URL"):
            return self.target(where)
        names = f"{symptom!r} names no server" if symptom else "no server is named"
        raise UsageError(f"{names}, and REDIS_URL isn't set; {REMEDY}")


class Positionals(ServerInputs):
    """The target and the symptom, in any order."""

    what: tuple[str, ...] = ()

    def target_and_symptom(self) -> tuple[Target, str]:
        """The positional that is a URL, is host:port, or names a target is the server; another is the symptom.

        Raises `UsageError` naming what is too many, or missing.
        """
        places = [word for word in self.what if _is_place(word)]
        symptoms = [word for word in self.what if word not in places]
        if len(symptoms) > 1:
            raise UsageError(
                f"{hide_secrets(symptoms[-1])!r} is a second symptom; put a symptom of several words in quotes"
            )
        symptom = hide_secrets(symptoms[0]) if symptoms else ""
        return self.server(places, symptom), symptom


def _is_place(word: str) -> bool:
    """Whether a positional is a target: a bare host name could be a word of the symptom as well."""
    words = word.split()
    if words and "://" in words[0]:
        # A symptom may begin with a dashboard's address; of a server's URL with more behind it the error says so.
        return len(words) == 1 or words[0].startswith(tuple(f"{scheme}://" for scheme in SCHEMES))
    match = ADDRESS.fullmatch(word)
    return bool(match and match[2]) or (" " not in word and is_name(word, load_settings()))
