"""Which of a server's INFO fields no code knows: `python -m evals.unknown_fields [URL ...]`.

Without a URL each server that is installed here is started and asked. A field is known where a check or the list of
complaints names it, or where `unremarkable.toml` says why it means nothing by itself. So the fields that a new release
brings are listed on the day it can be installed.
"""

import ast
import asyncio
import re
import sys
import tomllib
from collections.abc import Iterable, Iterator
from functools import cache, cached_property

from agent.checks.complaints.known import COUNTERS, STATES
from evals.fields import ROOT, general, pattern
from evals.lab.servers import installed, running
from tools.clock import SystemClock
from tools.connection.budget import Budget
from tools.connection.node import Node
from tools.connection.target import parse_target
from tools.records import Record
from tools.redact import Pseudonyms
from tools.server.info import parse_info

CHECKS = ROOT / "agent" / "checks"
FILE = CHECKS / "complaints" / "unremarkable.toml"
CARRIED = ("info", "keyspace", "memory", "persistence", "replication", "cluster")
"""Tools whose readings carry fields of INFO under the server's own names."""
WORDS = ("commandstats", "latencystats", "errorstats")
"""Sections of INFO whose fields are commands and errors: their readings take all."""
MOSTLY_WRITTEN = 8
"""Letters of a name, from which on what is filled in is one of a few words."""
_WHEN = re.compile(r"\.(delta|rate)$")
_NAME = re.compile(r"[\w.*|+:#-]{3,80}")


class Unremarkable(Record):
    """Fields that mean nothing by themselves."""

    why: str
    """For the next reader."""
    tools: tuple[str, ...] = ()
    """Of which tools; all of those that carry INFO's fields where it's empty."""
    fields: tuple[str, ...]
    """Regular expressions for whole names, without `.delta` and `.rate`."""

    @cached_property
    def _patterns(self) -> tuple[re.Pattern[str], ...]:
        return tuple(map(re.compile, self.fields))

    def has(self, tool: str, field: str) -> bool:
        """Whether a tool's field is one of them."""
        return tool in (self.tools or CARRIED) and any(one.fullmatch(field) for one in self._patterns)


@cache
def unremarkable() -> tuple[Unremarkable, ...]:
    """What `unremarkable.toml` holds."""
    return tuple(Unremarkable.model_validate(one) for one in tomllib.loads(FILE.read_text("utf-8"))["kinds"])


@cache
def named() -> re.Pattern[str]:
    """The fields that checks and complaints name: literally, with something filled in, or by a regular expression."""
    found = set[str]()
    for path in sorted(CHECKS.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            text = pattern(node) if isinstance(node, ast.Constant | ast.JoinedStr) else None
            if text and "\\" in text:
                found.add(_WHEN.sub("", re.sub(r"\\\.\(?(delta|rate)\)?$", "", text)))
            elif text and _NAME.fullmatch(text):
                name = _WHEN.sub("", text)
                # A pattern of few letters would stand for what nobody thought of: `total_*`, `expired_*`.
                if "*" not in name or "." in name or len(re.sub(r"[\W_]", "", name)) >= MOSTLY_WRITTEN:
                    found.add(re.escape(name).replace(r"\*", r"\S*"))
    texts = [*filter(_compiles, sorted(found)), *(one.pattern for one in COUNTERS)]
    return re.compile("|".join(f"(?:{text})" for text in texts))


def _compiles(text: str) -> bool:
    try:
        return bool(re.compile(text))
    except re.error:
        return False


@cache
def is_explained(tool: str, field: str) -> bool:
    """Whether a check or the list of complaints looks at a field, or a line says why it means nothing."""
    name = _WHEN.sub("", field)
    # In a list of fields a # stands for a number and a * for a name.
    example = general(tool, name).replace("#", "1").replace("*", "x")
    names = {name, example}
    return (
        name in STATES
        or name.endswith("_status")
        or any(map(named().fullmatch, names))
        or any(one.has(tool, each) for one in unremarkable() for each in names)
    )


def unknown(text: str) -> Iterator[tuple[str, str]]:
    """The fields of an INFO that no code knows, each with its section."""
    for section, fields in parse_info(text, Pseudonyms()).items():
        if section not in WORDS:
            yield from ((section, field) for field in fields if not is_explained("info", field))


async def _told(url: str) -> str:
    node = Node(parse_target(url), SystemClock(), Budget(), Pseudonyms())
    try:
        return str(await node.one("INFO", "everything"))
    finally:
        node.close()


async def _all(urls: Iterable[str]) -> dict[str, str]:
    texts = {url: await _told(url) for url in urls}
    if not texts:
        for kind in installed():
            async with running(kind, appendonly="yes", cluster_enabled="yes") as server:
                texts[kind.name] = await _told(server.url)
    return texts


def main(urls: Iterable[str]) -> int:
    """Print the fields that no code knows, by server; 1 where there are any."""
    found = False
    for name, text in asyncio.run(_all(urls)).items():
        rows = list(unknown(text))
        found = found or bool(rows)
        print(f"{name}: {len(rows)} fields that no code knows")
        for section, field in rows:
            print(f"  {section:<16} {field}")
    return int(found)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
