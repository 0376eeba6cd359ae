"""A remedy: what cures a cause, in words and as shell commands, and which form of the cause it is for."""

import shlex
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from string import Template
from typing import Annotated, Literal

from pydantic import Field, model_validator

from agent.answer.compare import compare
from agent.answer.diagnosis import Evidence, Goal
from tools.patterns import deferred
from tools.records import Record, Scalar

Values = Mapping[str, tuple[str, ...]]
"""The values of placeholders; some have several values, one for each step that they make."""
_PLAIN = deferred(r"[A-Za-z0-9_./][A-Za-z0-9_.:/@%+,=-]{0,199}")
"""What may go from a reading into a shell command: no option, and no handle, since a handle stands for hidden text."""
CLI = "cli"
"""The placeholder for redis-cli with the options to reach a server; `$name_cli` reaches the server `$name`."""
Read = Callable[[str], Mapping[str, Scalar]]
"""Returns the values of a tool's readings at a node."""
Cli = Callable[[str], str | None]
"""Returns redis-cli with the options to reach an address, or the cause's node without one; null if there is no way."""


def nothing_read(tool: str) -> Mapping[str, Scalar]:
    """No readings of any tool."""
    return {}


class Clue(Record):
    """A value in a cause's evidence or in a tool's reading."""

    tool: str | None = None
    """The tool whose reading at the cause's node has it; null for a value that the cause's evidence cites."""
    field: Annotated[str, Field(min_length=1, max_length=128)]
    """Its field name, in which `*` matches anything."""
    op: Literal["==", "!=", "<", "<=", ">", ">="]
    value: Scalar = None

    def holds(self, evidence: Iterable[Evidence], read: Read) -> bool:
        """Whether the evidence or the tool's reading has such a field with such a value."""
        cited = read(self.tool).items() if self.tool else ((one.field, one.value) for one in evidence)
        found = (value for field, value in cited if fnmatchcase(field, self.field))
        return any(compare(value, self.op, self.value) for value in found if value is not None)


class Remedy(Record):
    """One way to cure a cause."""

    kind: Literal["config_set", "command", "outside"]
    action: str
    """The exact command with `$placeholders`, or what a person does."""
    why: str
    risk: Literal["safe", "risky"]
    rollback: str | None = None
    verify: str | None = None
    """What a person sees once it has worked, in words."""
    paste: tuple[str, ...] = ()
    """Shell commands that carry it out.

    What is sent from here gets its own line; a line that lacks a value is left out.
    """
    shown_by: tuple[str, ...] = ()
    """Shell commands that show what `verify` says; a line that lacks a value is left out."""
    check: tuple[Goal, ...] = ()
    """For what is sent from here: what shows within a few seconds that it worked, in a form that code compares."""
    when: tuple[Clue, ...] = ()
    """Evidence of the form of the cause that this cures, if there are several: without any of it, this is left out."""
    unless: tuple[Clue, ...] = ()
    """Evidence of another form of the cause, which this doesn't cure: if any is present, the remedy is left out."""
    after: tuple[str, ...] = ()
    """Causes whose own remedies have to come first: if any is present, this remedy is left out."""

    @model_validator(mode="after")
    def _one_command(self) -> "Remedy":
        """What is sent has to be one complete command, and every `$` has to begin a placeholder."""
        if self.kind != "outside":
            try:
                shlex.split(self.action)
            except ValueError as error:
                raise ValueError(f"{self.action!r} isn't one command: {error}") from None
        for text in (*self.texts, *self.lines):
            if not Template(text).is_valid():
                raise ValueError(f"{text!r} has a $ that doesn't start a placeholder; write $$ for a literal one")
        return self

    @property
    def texts(self) -> tuple[str, ...]:
        """The texts a person reads, which are shown complete or not at all."""
        return tuple(text for text in (self.action, self.why, self.rollback, self.verify) if text)

    @property
    def lines(self) -> tuple[str, ...]:
        """The lines for a shell."""
        return (*self.paste, *self.shown_by)

    @property
    def placeholders(self) -> tuple[str, ...]:
        """The names by which its values are looked up; a `$name_cli` needs the value of `$name`."""
        named = (name for text in (*self.texts, *self.lines) for name in Template(text).get_identifiers())
        return tuple(dict.fromkeys(name.removesuffix(f"_{CLI}") for name in named))

    def fits(self, evidence: Sequence[Evidence], causes: Collection[str], read: Read = nothing_read) -> bool:
        """Whether it's for the form of the cause that the evidence shows and no blocker is among `causes`."""
        meant = not self.when or any(clue.holds(evidence, read) for clue in self.when)
        barred = any(clue.holds(evidence, read) for clue in self.unless)
        return meant and not barred and not set(self.after) & set(causes)

    def same_as(self, command: Sequence[str]) -> bool:
        """Whether it sends this command or sets this parameter, to any value."""
        if self.kind == "outside":
            return False
        own, other = [[word.lower() for word in words] for words in (shlex.split(self.action), command)]
        if own[:2] == ["config", "set"]:
            return own[:3] == other[:3]
        return len(own) == len(other) and all(a == b or a.startswith("$") for a, b in zip(own, other, strict=True))

    def filled(self, values: Values, cli: Cli) -> "list[Remedy]":
        """The remedy with its placeholders filled, once per value of one that has several.

        None if a text lacks a value: what isn't known about this server isn't said. Only those lines are dropped that
        lack a value or have one unfit for a shell.
        """
        needed = {name.removesuffix(f"_{CLI}") for text in self.texts for name in Template(text).get_identifiers()}
        several = max((values[name] for name in needed if name in values), key=len, default=("",))
        made = (
            self._with({
                name: (of[min(number, len(of) - 1)],) if name in needed else of for name, of in values.items()
            }, cli)
            for number in range(len(several))
        )  # fmt: skip
        return [one for one in made if one is not None]

    def _with(self, values: Values, cli: Cli) -> "Remedy | None":
        """The remedy with these values: a placeholder in a text has one value, each value of one in a line makes a
        line."""
        told = {name: of[0] for name, of in values.items() if of}
        try:
            texts = {
                name: text and Template(text).substitute(told, cli=cli("") or CLI)
                for name, text in (
                    ("action", self.action), ("why", self.why), ("rollback", self.rollback), ("verify", self.verify)
                )
            }  # fmt: skip
        except KeyError:
            return None
        lines = {
            name: tuple(made for line in of for made in _lines(line, values, cli))
            for name, of in (("paste", self.paste), ("shown_by", self.shown_by))
        }
        return self.model_copy(update={**texts, **lines})


def _lines(line: str, values: Values, cli: Cli) -> Iterator[str]:
    """A shell command with its values, once per value of one that has several; none if a value isn't fit for a
    shell."""
    names = Template(line).get_identifiers()
    several = max((len(values.get(name.removesuffix(f"_{CLI}"), ())) for name in names), default=0)
    for number in range(max(1, several)):
        known: dict[str, str] = {}
        for name in names:
            of = values.get(base := name.removesuffix(f"_{CLI}"), ())
            value = of[min(number, len(of) - 1)] if of else ""
            if name == CLI or (name != base and value):
                known[name] = cli(value) or ""
            elif _PLAIN.fullmatch(value):
                known[name] = shlex.quote(value)
        if all(known.get(name) for name in names):
            yield Template(line).substitute(known)
