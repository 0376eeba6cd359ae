"""Texts that a regular expression takes long over: every pattern of the program, at two lengths."""

import ast
import importlib
import pkgutil
import random
import re
import time
from collections.abc import AsyncIterator, Callable, Iterator
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import agent
import tools
from agent.model.json_repair import repaired_json
from evals.attacks._pumps import pumps
from evals.attacks.attempt import Attempt
from tools.credentials import hide_secrets
from tools.patterns import compiled
from tools.redact import Pseudonyms
from tools.server.client_list import parse_clients
from tools.server.cluster import parse_nodes
from tools.server.doctor import first_sentences
from tools.server.info import parse_info
from tools.text import printable

HOLDS = "every pattern takes time in proportion to the untrusted text"
LENGTHS, TIMES = (500, 6_000), 4
"""Characters of the shorter text, at first so few that even a cube is over soon; how much longer the other is."""
RATIO = 9.0
"""The longer may take so many times as long: 4 is in proportion, 16 is its square."""
WORTH_SECONDS = 0.02
"""What is over sooner isn't compared: it's within the clock's error, and nobody waits for it."""
EACH = 60
"""Texts for one pattern."""
_WAYS = ("fullmatch", "match", "search", "sub", "finditer", "findall", "split", "subn")


class Named(NamedTuple):
    """A pattern, where it is, and how it's used."""

    where: str
    pattern: re.Pattern[str]
    way: str


def modules() -> Iterator[ModuleType]:
    """All modules of the rooms that see others' text."""
    for room in (tools, agent):
        yield room
        for one in pkgutil.walk_packages(room.__path__, f"{room.__name__}."):
            try:
                yield importlib.import_module(one.name)
            except ImportError:
                # An extra that isn't installed.
                continue


@cache
def collected() -> list[Named]:
    """Every pattern that stands in a module, in whatever it stands, and every literal one inside a function."""
    found: dict[tuple[str, int, str], Named] = {}
    sources: dict[ModuleType, ast.Module] = {}
    for module in modules():
        if module.__file__:
            sources[module] = ast.parse(Path(module.__file__).read_text(encoding="utf-8"))
    uses: dict[str, set[str]] = {}
    for tree in sources.values():
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and node.attr in _WAYS and isinstance(node.value, ast.Name):
                uses.setdefault(node.value.id, set()).add(node.attr)
    for module, tree in sources.items():
        for name, held in vars(module).items():
            value = compiled(held)
            for pattern in _in(value, 0):
                own = uses.get(name, set()) if isinstance(value, re.Pattern) else set()
                way = (
                    "fullmatch"
                    if own == {"fullmatch"}
                    else "match"
                    if own and own <= {"match", "fullmatch"}
                    else "search"
                )
                found.setdefault(
                    (pattern.pattern, pattern.flags, way), Named(f"{module.__name__}.{name}", pattern, way)
                )
        for way, pattern in _inline(tree):
            found.setdefault((pattern.pattern, pattern.flags, way), Named(f"{module.__name__} (inline)", pattern, way))
    return list(found.values())


def _in(value: Any, depth: int) -> Iterator[re.Pattern[str]]:
    value = compiled(value)
    if isinstance(value, re.Pattern) and isinstance(value.pattern, str):
        yield value
    elif depth < 4 and isinstance(value, tuple | list | set | frozenset):
        for one in value:
            yield from _in(one, depth + 1)
    elif depth < 4 and isinstance(value, dict):
        for one in (*value, *value.values()):
            yield from _in(one, depth + 1)
    elif depth < 4 and hasattr(value, "__dict__") and not isinstance(value, type | ModuleType) and not callable(value):
        yield from _in(list(vars(value).values()), depth + 1)


def _inline(tree: ast.Module) -> Iterator[tuple[str, re.Pattern[str]]]:
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args):
            continue
        of, literal = node.func.value, getattr(node.args[0], "value", None)
        if isinstance(of, ast.Name) and of.id == "re" and node.func.attr in _WAYS and isinstance(literal, str):
            way = node.func.attr if node.func.attr in ("fullmatch", "match") else "search"
            yield way, re.compile(literal)


def walk(one: Named) -> Callable[[str], object]:
    """What the program does with a pattern: all of its matches, where it searches."""
    if one.way in ("fullmatch", "match"):
        return getattr(one.pattern, one.way)  # type: ignore[no-any-return]
    return lambda text: sum(1 for _ in one.pattern.finditer(text))


def growth(work: Callable[[str], object], head: str, part: str, end: str) -> float:
    """How many times as long the longer text takes; 0 where it's over soon. The quickest of several counts."""

    def took(length: int) -> float:
        text = head + part * (length // len(part)) + end
        best = float("inf")
        for _ in range(3):
            began = time.thread_time()
            work(text)
            best = min(best, time.thread_time() - began)
            if best < WORTH_SECONDS / 20:
                break
        return best

    for length in LENGTHS:
        if (longer := took(length * TIMES)) > WORTH_SECONDS:
            return longer / max(took(length), 1e-6)
    return 0.0


def tried(one: Named, rng: random.Random, each: int = EACH) -> Attempt:
    """One pattern with its texts."""
    work = walk(one)
    for head, part, end in pumps(one.pattern.pattern, one.pattern.flags & re.VERBOSE, rng, each):
        if (times := growth(work, head, part, end)) > RATIO:
            return Attempt(one.where, held=False, what=f"{times:.0f} times: {head[:40]!r} {part[:40]!r}* {end!r}")
    return Attempt(one.where, held=True)


WHOLE: tuple[tuple[str, Callable[[str], object]], ...] = (
    ("hide_secrets", hide_secrets), ("Pseudonyms.hide", Pseudonyms(("s3cret-of-the-url",)).hide),
    ("Pseudonyms.error", Pseudonyms().error), ("parse_info", lambda text: parse_info(text, Pseudonyms())),
    ("parse_clients", parse_clients), ("parse_nodes", parse_nodes), ("repaired_json", repaired_json),
    ("first_sentences", first_sentences), ("printable", printable),
)  # fmt: skip
"""What several patterns make together, by name."""


def whole(rng: random.Random, each: int) -> Iterator[Attempt]:
    """What goes over others' text as a whole, with texts made of all patterns that it could meet."""
    patterns = [one.pattern for one in collected() if one.where.startswith(("tools.", "agent.model."))]
    for name, work in WHOLE:
        made = Attempt(name, held=True)
        for _ in range(each):
            pattern, other = rng.choices(patterns, k=2)
            head, part, end = rng.choice(list(pumps(pattern.pattern, pattern.flags & re.VERBOSE, rng, 60)))
            if rng.random() < 0.5:
                part += rng.choice(list(pumps(other.pattern, other.flags & re.VERBOSE, rng, 40)))[1]
            if (times := growth(work, head, part, end)) > RATIO:
                made = Attempt(name, held=False, what=f"{times:.0f} times: {head[:40]!r} {part[:60]!r}* {end!r}")
                break
        yield made


async def attempts(tries: int, rng: random.Random) -> AsyncIterator[Attempt]:
    """Every pattern, however few tries are asked for."""
    for one in collected():
        yield tried(one, rng, max(20, tries // 4))
    for made in whole(rng, max(20, tries)):
        yield made
