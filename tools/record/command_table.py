"""What a server's COMMAND says, by its product and version, from `commands.txt`."""

import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from tools.record.resp import Map, Status

TABLE = Path(__file__).with_name("commands.txt")
DOCS_SINCE = (7, 0)
"""The version from which there are COMMAND DOCS and LIST, and an entry has hints, positions and subcommands too."""


class Known(NamedTuple):
    """A command as its server describes it."""

    name: str
    words: int
    """How many it takes with its own name; at least that many if it's negative."""
    flags: tuple[str, ...]
    keys: tuple[int, int, int]
    """Positions of the first and the last key, and the step between two."""
    categories: tuple[str, ...]
    docs: tuple[tuple[str, str], ...]
    """What COMMAND DOCS says."""


class Server(NamedTuple):
    """A server whose commands are known."""

    product: str
    version: tuple[int, int]


@cache
def _servers() -> dict[Server, dict[str, Known]]:
    lines = TABLE.read_text(encoding="utf-8").splitlines()
    named = next(line for line in lines if line.startswith("# servers:"))
    every = re.findall(r"(redis|valkey)-(\d+)\.(\d+)", named)
    servers: dict[Server, dict[str, Known]] = {Server(one, (int(a), int(b))): {} for one, a, b in every}
    for line in lines:
        if line.startswith("#"):
            continue
        name, words, flags, first, last, step, categories, kinds, since, group, summary = line.split("\t")
        told = (("summary", summary), ("since", since), ("group", group))
        about = tuple((field, text) for field, text in told if text)
        keys = int(first), int(last), int(step)
        known = Known(name, int(words), _split(flags), keys, _split(categories), about)
        for server, commands in servers.items():
            if kinds == "*" or f"{server.product}-{server.version[0]}.{server.version[1]}" in kinds.split(","):
                commands[name.lower()] = known
    return servers


def _split(text: str) -> tuple[str, ...]:
    return () if text == "-" else tuple(text.split(","))


def commands_of(product: str, version: tuple[int, int]) -> dict[str, Known]:
    """A server's commands by name: those of the nearest version of its product that isn't newer, else of the oldest."""
    own = sorted(server for server in _servers() if server.product == product) or sorted(_servers())
    older = [server for server in own if server.version <= version]
    return _servers()[older[-1] if older else own[0]]


def entry(known: Known | None, version: tuple[int, int]) -> Any:
    """A command's entry in COMMAND's reply; null for one that the server doesn't know."""
    if known is None:
        return None
    plain = [known.name, known.words, [Status(flag) for flag in known.flags], *known.keys,
             [Status(f"@{one}") for one in known.categories]]  # fmt: skip
    return plain if version < DOCS_SINCE else [*plain, [], [], []]


def docs(commands: Iterable[Known]) -> Map:
    """COMMAND DOCS."""
    return Map(tuple((one.name, Map(one.docs)) for one in commands))
