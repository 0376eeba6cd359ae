"""The one table of what reading tools may send, and the check that every command of theirs goes through."""

import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, get_args

from tools.connection.protocol import Command
from tools.records import Record

Tier = Literal["always", "database", "reader", "sentinel", "key-reader"]
MOST_ARGUMENTS = 1024
"""Arguments of one command at most."""
_DATA: dict[str, Any] = tomllib.loads((Path(__file__).parent / "allowed.toml").read_text(encoding="utf-8"))
_NUMBER = re.compile(r"[0-9]{1,19}")


class NotAReading(RuntimeError):
    """A tool was about to send what isn't in the table: a bug of that tool, never something to work around."""


class Allowed(Record):
    """One command that reading tools may send."""

    name: str
    """As in ACL rules: `slowlog|get`."""
    tier: Tier
    """Who is granted it."""
    tools: tuple[str, ...]
    """The tools that send it; none where it's allowed and not used yet."""
    forms: tuple[tuple[str, ...], ...]
    """The arguments that may follow, each form word by word."""
    cheapest: tuple[str, ...]
    """The arguments of its cheapest form."""
    since: Mapping[str, str] | None
    """By product, the version that brought it; null for one that 6.2 has."""
    causes: tuple[str, ...]
    """The causes that lose evidence without it."""

    @property
    def words(self) -> tuple[str, ...]:
        """The command's own words, as they're sent."""
        return tuple(self.name.upper().split("|"))


def _row(name: str, tier: Tier, row: Mapping[str, Any]) -> Allowed:
    since = row.get("since")
    return Allowed(
        name=name, tier=tier, tools=tuple(row["for"].split()),
        forms=tuple(tuple(form.split()) for form in row.get("forms", [""])),
        cheapest=tuple(row.get("try", "").split()),
        since={"redis": since, "valkey": since} if isinstance(since, str) else since,
        causes=tuple(_DATA["blinds"].get(name, ())),
    )  # fmt: skip


TABLE: dict[str, Allowed] = {
    name: _row(name, tier, row) for tier in get_args(Tier) for name, row in _DATA[tier].items()
}
"""Every command that may be sent, by name."""
ON_SENTINEL: frozenset[str] = frozenset(_DATA["sentinel-also"]["names"])
"""The reader's commands that a Sentinel has as well."""
CONTAINERS = {name.partition("|")[0] for name in TABLE if "|" in name}
"""Commands that have subcommands, each a name of its own."""


def must_read(command: Command) -> None:
    """Pass a command of the table. Raises `NotAReading` for any other, whatever its case and spacing."""
    words = [str(word) for word in command]
    head = 2 if words and words[0].lower() in CONTAINERS else 1
    name = "|".join(words[:head]).lower()
    row = TABLE.get(name)
    # A word with | in it, or a letter of another alphabet that lowers to one of this, is another command to a server.
    if row is None or not all(re.fullmatch(r"[A-Za-z-]+", word) for word in words[:head]):
        raise NotAReading(f"reading tools can't reach a changing command: {_shown(name)} isn't in allowed.toml")
    arguments = words[head:]
    if len(arguments) > MOST_ARGUMENTS or not any(_fits(form, arguments) for form in row.forms):
        raise NotAReading(f"{name} with these {len(arguments)} arguments isn't a form listed in allowed.toml")


def _shown(name: str) -> str:
    """A command's name for a message: what was put in its place could be anything."""
    return name if re.fullmatch(r"[a-z0-9.|-]{1,40}", name) else "what was given"


def _fits(form: tuple[str, ...], arguments: Sequence[str]) -> bool:
    if form and form[-1].endswith("...") and len(arguments) >= len(form):
        *form_, last = form
        form = (*form_, *[last.removesuffix("...")] * (len(arguments) - len(form_)))
    return len(form) == len(arguments) and all(map(_stands_for, form, arguments))


def _stands_for(word: str, argument: str) -> bool:
    if not word.startswith("<"):
        return argument.upper() == word.upper()
    bound = _DATA["arguments"][word[1:-1]]
    if isinstance(bound, int):
        return _NUMBER.fullmatch(argument) is not None and int(argument) <= bound
    return re.fullmatch(bound, argument, re.IGNORECASE) is not None
