"""Which server the arguments mean, and how to be let in."""

import os
import re
from pathlib import Path

from tools.connection.target import Target, Tls, parse_target
from tools.connection.trust import parse_network
from tools.errors import UsageError
from tools.records import Record
from tools.redact import hide_secrets
from tools.settings.file import load_settings, settings_for, target_named
from tools.settings.tables import Settings, TargetSettings

ADDRESS = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?)(:[0-9]{1,5})?")
"""host, host:port or [v6]:port."""


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

    def target(self, where: str | None, remedy: str = "give a URL such as redis://host:6379") -> Target:
        """The target of a URL, of an address, or of a name in rediagnose.toml; without one of REDIS_URL.

        Raises `UsageError` where there is none, or where it can't be used.
        """
        where = where or os.environ.get("REDIS_URL")
        if not where:
            raise UsageError(f"REDIS_URL isn't set; {remedy}")
        known = load_settings()
        if "://" not in where:
            if is_name(where, known):
                return self.configured(target_named(where, known))
            if not ADDRESS.fullmatch(where):
                raise UsageError(f"{where!r} is no URL, no address and no target of rediagnose.toml; {remedy}")
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


class Positionals(ConnectionInputs):
    """The target and the symptom, in any order."""

    what: tuple[str, ...] = ()
    url: str | None = None
    target_name: str | None = None
    """A target of rediagnose.toml."""

    def target_and_symptom(self) -> tuple[Target, str]:
        """The positional that contains ://, is host:port, or names a target is the server; another is the symptom.

        Raises `UsageError` naming what is too many, or missing.
        """
        places = [word for word in self.what if _is_place(word)]
        symptoms = [word for word in self.what if word not in places]
        options = [word for word in (self.url, self.target_name) if word]
        if len(places) + len(options) > 1 or len(symptoms) > 1:
            extra = (symptoms if len(symptoms) > 1 else [*options, *places])[-1]
            raise UsageError(f"{extra!r}: give one URL and one symptom; put a symptom of several words in quotes")
        symptom = hide_secrets(symptoms[0]) if symptoms else ""
        if self.target_name:
            return self.configured(target_named(self.target_name)), symptom
        if not places and not options and symptoms and not os.environ.get("REDIS_URL"):
            raise UsageError(
                f"{symptoms[0]!r} isn't a URL and REDIS_URL isn't set; give a URL such as redis://host:6379"
            )
        return self.target(next(iter((*options, *places)), None)), symptom


def _is_place(word: str) -> bool:
    """Whether a positional is a target: a bare host name could be a word of the symptom as well."""
    if "://" in word.split(" ", 1)[0]:
        return True
    match = ADDRESS.fullmatch(word)
    return bool(match and match[2]) or (" " not in word and is_name(word, load_settings()))
