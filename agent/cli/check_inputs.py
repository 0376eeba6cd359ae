"""What the options of `rediagnose check` mean: the targets, and how to examine them."""

import re
import shlex
from collections.abc import Awaitable, Callable, Iterator
from typing import Literal

from agent.cli.inputs import FIRST_LOOK
from agent.cli.place import ADDRESS, ConnectionInputs, usable
from agent.cli.program import ANSWERED, FAILED, NOTHING
from agent.fleet.inventory import Listed, from_command, from_file
from agent.fleet.look import Member
from agent.fleet.records import Report
from agent.investigation.sources import DEADLINE_CHECKS, Options
from tools.connection.target import Target, Tls, parse_target
from tools.connection.trust import parse_network
from tools.errors import RediagnoseError, UsageError
from tools.settings.file import all_settings
from tools.settings.target_table import TargetSettings
from tools.text import did_you_mean, one_line

REMEDY = "name some, or write rediagnose.toml, or give --inventory, --prometheus or --kubernetes"
FAULT, CANT_TELL = 10, 11
"""Exit statuses with --exit-code, as triage has them."""
PRIVATE = tuple(parse_network(text) for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"))
"""Where a cluster's services usually are; they may be dialled there if there is no password to leak."""
_SERVER = re.compile(r"(?:(rediss?)://)?(?:[^@/?#\s]*@)?([^@/?#\s]+?)(?:/[0-9]*)?")
Source = Callable[[], Awaitable[list[Listed]]]


class Known:
    """The targets of rediagnose.toml, read once, by name and by address."""

    def __init__(self) -> None:
        self.all: list[TargetSettings] = []
        self._names: dict[str, TargetSettings] = {}
        self._nodes: dict[str, TargetSettings] = {}
        for settings in all_settings():
            for one in settings.targets:
                if one.name and one.name.lower() in self._names:
                    # The nearest file that has a name decides.
                    continue
                self.all.append(one)
                if one.name:
                    self._names[one.name.lower()] = one
                if one.target:
                    self._nodes.setdefault(one.target.node.lower(), one)

    def named(self, name: str) -> TargetSettings | None:
        """The target of a name, in any case."""
        return self._names.get(name.lower())

    def at(self, target: Target) -> TargetSettings | None:
        """The target of the same address."""
        return None if target.watched else self._nodes.get(target.node.lower())

    @property
    def names(self) -> list[str]:
        """All names."""
        return [one.name for one in self.all if one.name]


class CheckInputs(ConnectionInputs):
    """`rediagnose check`."""

    what: tuple[str, ...] = ()
    urls: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    all: bool = False
    inventory: str | None = None
    inventory_command: str | None = None
    prometheus: str | None = None
    kubernetes: str | None = None
    namespace: str | None = None
    kubectl: str = "kubectl"
    """The program that asks Kubernetes."""
    format: Literal["text", "json", "markdown", "html"] = "text"
    quiet: bool = False
    verbose: int = 0
    fail_on: Literal["incident", "preventive"] = "incident"
    exit_code: bool = False
    jobs: int = 64
    window: float = 2.0
    deadline: float = DEADLINE_CHECKS
    """Seconds for each."""
    total_deadline: float = 300.0
    """Seconds for all."""
    one_node: bool = False

    def options(self) -> Options:
        """How to examine each target. Raises `UsageError` for limits too small for a single look."""
        least = self.window + FIRST_LOOK
        for name, seconds in (("--deadline", self.deadline), ("--total-deadline", self.total_deadline)):
            if seconds < least:
                raise UsageError(f"{name} {seconds:g}: one look takes {least:g} s; give that or more")
        return Options(window=self.window, deadline=self.deadline, one_node=self.one_node)

    def status(self, found: Report) -> int:
        """The exit status for a report."""
        if found.targets and found.counts["unanswered"] == len(found.targets):
            return NOTHING
        failed = found.counts["incident"] + (found.counts["preventive"] if self.fail_on == "preventive" else 0)
        if self.exit_code:
            return FAULT if failed else CANT_TELL if found.counts["unanswered"] else ANSWERED
        return FAILED if failed or found.counts["unanswered"] else ANSWERED

    async def members(self) -> list[Member]:
        """All targets, each address once. Raises `UsageError` for none, or a word that is none."""
        known = Known()
        found = [self._word(word, known) for word in (*self.what, *self.urls, *self.names)]
        sources = list(self._sources())
        if self.namespace and not self.kubernetes:
            raise UsageError("--namespace says where --kubernetes looks; give that too")
        if self.all or not (found or sources):
            found += [self._configured(one) for one in known.all]
        for name, source in sources:
            try:
                found += [self._member(one, known) for one in await source()]
            except UsageError:
                raise
            except RediagnoseError as error:
                if len(sources) == 1 and not found:
                    raise
                # The targets from other sources are examined anyway.
                found.append(Member(name=name, target=None, problem=f"no list of targets: {error}"))
        if not found:
            raise UsageError(f"there are no targets; {REMEDY}")
        return list({_place(one): one for one in reversed(found)}.values())[::-1]

    def _sources(self) -> Iterator[tuple[str, Source]]:
        if (file := self.inventory) is not None:

            async def read() -> list[Listed]:
                return from_file(file)

            yield "--inventory", read
        if (line := self.inventory_command) is not None:
            try:
                command = tuple(shlex.split(line))
            except ValueError as error:
                raise UsageError(f"--inventory-command: {error}; quote it as for a shell") from None
            yield "--inventory-command", lambda: from_command(command)
        # They load an HTTP client, and most checks need neither.
        if (url := self.prometheus) is not None:
            from agent.fleet.discovered import from_prometheus

            yield "--prometheus", lambda: from_prometheus(url)
        if (selector := self.kubernetes) is not None:
            from agent.fleet.discovered import from_kubernetes

            yield "--kubernetes", lambda: from_kubernetes(selector, self.namespace, program=self.kubectl)

    def _word(self, word: str, known: Known) -> Member:
        if one := known.named(word):
            return self._configured(one)
        if "://" not in word and not ADDRESS.fullmatch(word):
            shown = one_line(word, 60)
            raise UsageError(
                f"{shown!r} isn't a URL, an address or a target in rediagnose.toml{did_you_mean(word, known.names)}"
            )
        target = self._own(word, known)
        return Member(name=target.master or target.node, target=target)

    def _configured(self, one: TargetSettings) -> Member:
        name = one.name or (one.target.node if one.target else "a target without a name")
        try:
            tls = self.tls if one.target and one.target.tls else Tls()
            target = self._trusting(usable(one.connectable(tls, self.password_file)))
        except UsageError as error:
            return Member(name=name, target=None, problem=str(error), configured=bool(one.name))
        return Member(name=name, target=target, configured=bool(one.name))

    def _member(self, listed: Listed, known: Known) -> Member:
        name = listed.name
        try:
            if listed.problem:
                raise UsageError(listed.problem)
            if listed.found_by is None and (one := known.named(listed.where)):
                return self._configured(one)
            target = self._own(listed.where, known, listed) if listed.found_by is None else self._others(listed)
        except UsageError as error:
            # The text of an entry may contain a password.
            return Member(name=name or listed.place, target=None, problem=str(error))
        own = known.at(target) if listed.found_by is not None or "@" not in listed.where else None
        # If the settings have this address, its name and login come from there.
        member = self._configured(own) if own else Member(name=name or target.master or target.node, target=target)
        update = {"one_node": listed.one_node, "growth": listed.growth, "service": listed.service}
        return member.model_copy(update=update)

    def _own(self, where: str, known: Known, listed: Listed | None = None) -> Target:
        """The target of a URL or address written by a person. Raises `UsageError` that doesn't quote an entry."""
        if "://" not in where:
            if not ADDRESS.fullmatch(where):
                place = listed.place if listed else "it"
                raise UsageError(
                    f"{place} isn't a URL or an address; write redis://HOST:6379 or NAME=redis://HOST:6379"
                )
            where = f"redis://{where}"
        tls = self.tls if where.startswith("rediss://") else None
        target = usable(parse_target(where, tls=tls, password_file=self.password_file))
        if (one := known.at(target)) is not None:
            # The URL's own password comes first, and then the file may be anybody's.
            identity = one.identity if target.password is None else None
            target = target.model_copy(update={"credentials": identity, "trust": one.networks})
        return self._trusting(target)

    def _others(self, listed: Listed) -> Target:
        """The target of an address named by a service: only host, port and TLS are taken from the text."""
        match = _SERVER.fullmatch(listed.where)
        if not match or not ADDRESS.fullmatch(match[2]):
            raise UsageError(f"{listed.place}: it names no address of a server")
        tls = self.tls if match[1] == "rediss" else None
        target = usable(parse_target(f"{match[1] or 'redis'}://{match[2]}", tls=tls, password_file=self.password_file))
        gives_away_nothing = not target.has_credentials and not listed.found_by
        update = {"named_from": listed.found_by, "trust": PRIVATE if gives_away_nothing else ()}
        return self._trusting(target.model_copy(update=update))


def _place(one: Member) -> tuple[object, ...]:
    """What identifies a target; one that couldn't be determined is unique."""
    target = one.target
    return (id(one),) if target is None else (target.node.lower(), target.sentinels, target.master, target.db)
