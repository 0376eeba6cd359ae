"""Services that run Redis for somebody else: what each of them refuses, and where what can't be seen stands there."""

import re
import shlex
import tomllib
from collections.abc import Mapping
from fnmatch import fnmatchcase
from functools import cache, cached_property, lru_cache
from pathlib import Path
from string import Template

from tools.records import Record, Scalar

SYSTEM = "os"
"""The field of INFO in which some services name themselves."""
SETTING = ("CONFIG", "SET")
PLAIN = ("Linux", "Darwin", "FreeBSD")
"""How `os` begins on a machine that anybody may run."""
_HOST_NAME = re.compile(r"(?:[a-z0-9_-]+\.)+[a-z][a-z0-9-]*")
_PORT_BEHIND = re.compile(r":\d{1,5}$")


class Service(Record):
    """One service, in its own terms."""

    id: str
    name: str
    """As its makers write it."""
    hosts: tuple[str, ...] = ()
    """How its addresses end; a `*` stands for one label."""
    readers: tuple[str, ...] = ()
    """The first labels of its addresses that lead to replicas only; a `*` stands for any characters."""
    system: str | None = None
    """What INFO has as `os` there; null if that isn't the service's name."""
    blocks: tuple[str, ...]
    """Commands that it refuses, some with a subcommand."""
    sets: tuple[str, ...]
    """The settings that a customer may change."""
    pairs: Mapping[str, tuple[str, ...]] = {}
    """Settings that are several parameters there; `$class` is the first word of the value."""
    where: Mapping[str, str] = {}
    """Where what can't be read from a client stands, by reading."""
    terms: Mapping[str, str] = {}
    """What is done there in place of work on a machine."""
    instead: Mapping[str, str] = {}
    """What to do in place of a setting that a customer can't change."""

    @cached_property
    def _blocked(self) -> re.Pattern[str]:
        words = "|".join(re.escape(one).replace(r"\ ", r"\s+") for one in sorted(self.blocks, key=len, reverse=True))
        return re.compile(rf"(?<![\w$-])(?:{words})(?![\w-])")

    def blocked_in(self, text: str) -> str | None:
        """The first command that it refuses in a text, which has commands in capitals; else None."""
        found = self._blocked.search(text)
        return found[0] if found else None

    def refuses(self, args: tuple[str, ...]) -> bool:
        """Whether it refuses a command."""
        return self.blocked_in(" ".join(args[:2]).upper()) is not None

    def parameters(self, name: str, value: str) -> dict[str, str]:
        """A setting as the parameters it is there."""
        if name not in self.pairs:
            return {name: value}
        kind, *values = value.split()
        names = (Template(one).substitute({"class": kind}) for one in self.pairs[name])
        return dict(zip(names, values, strict=False))

    def line(self, parameters: Mapping[str, str]) -> str | None:
        """The shell command that sets parameters there; None if its makers have none."""
        if "line" not in self.terms:
            return None
        pairs = " ".join(
            Template(self.terms["pair"]).substitute(name=name, value=shlex.quote(value))
            for name, value in parameters.items()
        )
        return Template(self.terms["line"]).substitute(pairs=pairs)

    def is_reader(self, host: str | None) -> bool:
        """Whether this address of its leads to replicas only, by its name."""
        first = (host or "").lower().partition(".")[0]
        return of_host(host) is self and any(fnmatchcase(first, one) for one in self.readers)

    def seen_at(self, reading: str) -> str | None:
        """Where what a reading would show stands there."""
        return self.where.get(reading)


@cache
def services() -> Mapping[str, Service]:
    """All known services, by their ids."""
    data = tomllib.loads((Path(__file__).parent / "managed.toml").read_text(encoding="utf-8"))
    return {id: Service.model_validate({"id": id, **row}) for id, row in data.items()}


@lru_cache(maxsize=4096)
def of_host(host: str | None) -> Service | None:
    """The service whose address this is, with or without a port; None if the name doesn't say."""
    name = _PORT_BEHIND.sub("", host or "").rstrip(".").lower()
    if not _HOST_NAME.fullmatch(name):
        # Most addresses are numbers or a single label, and need no table.
        return None
    return next((one for one in services().values() if any(_ends(name, end) for end in one.hosts)), None)


def _ends(name: str, end: str) -> bool:
    labels = r"\.".join("[a-z0-9-]+" if label == "*" else re.escape(label) for label in end.split("."))
    return re.search(rf"\.{labels}$", name) is not None


def of_info(system: Scalar) -> Service | None:
    """The service that names itself in INFO's `os`; None if none does."""
    if not isinstance(system, str) or system.startswith(PLAIN):
        return None
    return next((one for one in services().values() if system == one.system), None)
