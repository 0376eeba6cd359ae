"""Which server the arguments mean, and how to log in."""

import os
from collections.abc import Sequence
from pathlib import Path

from tools.connection.target import SCHEMES, Target, Tls, parse_target
from tools.connection.trust import parse_network
from tools.errors import UsageError
from tools.patterns import deferred
from tools.records import Record
from tools.redact import hide_secrets
from tools.settings.file import all_settings, find_target, settings_for, target_named, target_names
from tools.settings.target_table import TargetSettings
from tools.text import did_you_mean

ADDRESS = deferred(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?)(:[0-9]{1,5})?")
"""host, host:port or [v6]:port."""
_IPV4 = deferred(r"\d{1,3}(\.\d{1,3}){3}")
REMEDY = "give a URL such as redis://host:6379, or --target with a name from rediagnose.toml"
"""What helps if no server is named, in every command."""


class ConnectionInputs(Record):
    """How to log in; named as in redis-cli."""

    password_file: Path | None = None
    """Its first line is the password."""
    cacert: Path | None = None
    cert: Path | None = None
    key: Path | None = None
    insecure: bool = False
    trust: tuple[str, ...] = ()
    """Networks in which nodes named by others may be visited and sent the credentials."""

    @property
    def tls(self) -> Tls:
        """The TLS settings."""
        return Tls(cacert=self.cacert, cert=self.cert, key=self.key, insecure=self.insecure)

    def target(self, where: str) -> Target:
        """The target of a URL, of an address, or of a name in rediagnose.toml. Raises `UsageError`."""
        if "://" not in where:
            if one := find_target(where):
                return self.configured(one)
            if not ADDRESS.fullmatch(where):
                raise UsageError(
                    f"{where!r} isn't a URL, an address or a target in rediagnose.toml{_meant(where)} ({REMEDY})"
                )
            where = f"redis://{where}"
        target = usable(parse_target(where, tls=self.tls, password_file=self.password_file))
        found = settings_for(target)
        # The URL's own password takes precedence, and then it doesn't matter whose the file is.
        identity = found.identity if target.password is None else None
        return self._trusting(target.model_copy(update={"credentials": identity, "trust": found.networks}))

    def configured(self, one: TargetSettings) -> Target:
        """A target of the settings with its credentials. Raises `UsageError`."""
        return self._trusting(usable(one.connectable(self.tls, self.password_file)))

    def _trusting(self, target: Target) -> Target:
        named = tuple(parse_network(one) for one in self.trust)
        return target.model_copy(update={"trust": (*target.trust, *named)})


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
    paste: tuple[str, ...] = ()
    """Files, folders, archives or - for stdin, with output copied from it."""

    def named(self, words: Sequence[str] = ()) -> Target | None:
        """The server that an option or one of the positional `words` names; null if none does.

        Raises `UsageError` if more than one is named, or if it can't be used.
        """
        options = [word for word in (self.url, self.target_name) if word is not None]
        if len(options) + len(words) > 1:
            extra = hide_secrets([*options, *words][-1])
            raise UsageError(f"{extra!r} is a second server; name only one, by its URL, --url or --target")
        if self.target_name is not None:
            return self.configured(target_named(self.target_name))
        where = next(iter((*options, *words)), None)
        return None if where is None else self.target(where)

    def named_or_environment(self, words: Sequence[str] = ()) -> Target | None:
        """The server that is named, or else that of REDIS_URL; null for none. Raises `UsageError` like `named`."""
        if found := self.named(words):
            return found
        return self.target(where) if (where := os.environ.get("REDIS_URL")) else None

    def server(self, words: Sequence[str] = (), symptom: str = "") -> Target:
        """The server that is named, or else that of REDIS_URL.

        Raises `UsageError` like `named`, or for none. `symptom` was taken for one, but may have been meant as a name.
        """
        if found := self.named_or_environment(words):
            return found
        names = f"{symptom!r} doesn't name a server" if symptom else "no server is named"
        raise UsageError(f"{names}, and REDIS_URL isn't set; {REMEDY}")

    def origin(self, words: Sequence[str] = ()) -> tuple[str | None, str]:
        """What names the server, as given, and where that came from."""
        ways = ((self.url, "--url"), (self.target_name, "--target"), *((word, "the command line") for word in words),
                (os.environ.get("REDIS_URL") or None, "REDIS_URL"))  # fmt: skip
        return next(((where, source) for where, source in ways if where is not None), (None, ""))


class Positionals(ServerInputs):
    """The target and the symptom, in any order."""

    what: tuple[str, ...] = ()

    def target_and_symptom(self) -> tuple[Target, str]:
        """The positional that is a URL, an address or a target's name is the server; another is the symptom.

        Raises `UsageError` with what is too much, missing or ambiguous.
        """
        places = [word for word in self.what if _is_place(word)]
        is_named = bool(places) or self.url is not None or self.target_name is not None
        if not is_named:
            places = [word for word in self.what if _is_host(word)][:1]
        symptoms = [word for word in self.what if word not in places]
        words = [hide_secrets(word) for word in symptoms if len(word.split()) == 1]
        if len(words) == 1 and not (is_named or places):
            raise UsageError(_either(words[0]))
        if len(symptoms) > 1:
            raise UsageError(
                f"{hide_secrets(symptoms[-1])!r} is a second symptom; put a symptom of several words in quotes"
            )
        symptom = hide_secrets(symptoms[0]) if symptoms else ""
        return self.server(places, symptom), symptom

    def names_server(self) -> bool:
        """Whether the arguments name a server; the environment doesn't count."""
        return self.url is not None or self.target_name is not None or any(map(_is_place, self.what))

    def symptom(self) -> str:
        """The symptom, if no server is named. Raises `UsageError` for a second one."""
        if len(self.what) > 1:
            extra = hide_secrets(self.what[-1])
            raise UsageError(f"{extra!r} is a second symptom; put a symptom of several words in quotes")
        return hide_secrets(self.what[0]) if self.what else ""


def _is_place(word: str) -> bool:
    """Whether a positional can only be a server: a bare host name could also be a word of the symptom."""
    words = word.split()
    if words and "://" in words[0]:
        # A symptom may begin with a dashboard's address; for a server's URL with more after it, the error says so.
        return len(words) == 1 or words[0].startswith(tuple(f"{scheme}://" for scheme in SCHEMES))
    match = ADDRESS.fullmatch(word)
    if match and (match[2] or match[1].startswith("[") or _IPV4.fullmatch(word)):
        return True
    return len(words) == 1 and find_target(word) is not None


def _is_host(word: str) -> bool:
    """Whether a word is clearly a host name, if no server is named otherwise."""
    return word == "localhost" or bool("." in word and ADDRESS.fullmatch(word))


def _either(word: str) -> str:
    """What to say about one word that is neither an address nor a target's name: its meaning isn't guessed."""
    host = f"a host: {word}:6379, or --url {word}; " if ADDRESS.fullmatch(word) else ""
    return (
        f"{word!r} isn't an address or a target in rediagnose.toml{_meant(word)} "
        f"({host}a symptom of one word: name the server as well)"
    )


def _meant(word: str) -> str:
    return did_you_mean(word, target_names(all_settings()))
