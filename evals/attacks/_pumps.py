"""Texts that a pattern may take long over, made from its own parts."""

import random
from collections.abc import Iterator
from re import _constants as ops  # type: ignore[attr-defined]
from re import _parser  # type: ignore[attr-defined]
from typing import Any

_LETTERS = "a0 =:,.-_'\"/@\n\\([{<#*|`$~x"
_CATEGORIES = {
    "CATEGORY_DIGIT": "0", "CATEGORY_NOT_DIGIT": "a", "CATEGORY_SPACE": " ", "CATEGORY_NOT_SPACE": "a",
    "CATEGORY_WORD": "a", "CATEGORY_NOT_WORD": "-",
}  # fmt: skip


def parts(pattern: str, flags: int, rng: random.Random) -> list[str]:
    """Texts that its parts match, each part by itself: what is repeated is among them once."""
    found: dict[str, None] = {}
    _visit(_parser.parse(pattern, flags), rng, found)
    return [one for one in found if one]


def pumps(pattern: str, flags: int, rng: random.Random, most: int) -> Iterator[tuple[str, str, str]]:
    """Beginnings, what to repeat, and ends: the parts alone, in pairs, and behind what comes before them."""
    own = parts(pattern, flags, rng)
    once = _sample(_parser.parse(pattern, flags), rng)
    heads = ["", *{once, *own[:12]}]
    singles = [*own, *_LETTERS, *(letter * 2 for letter in "a ")]
    ends = ("", "\x00", "\n", "!", "\x00\n")
    pumps = [("", one, "\x00") for one in singles]
    while len(pumps) < most:
        one = rng.choice(singles) + (rng.choice(singles) if rng.random() < 0.6 else "")
        pumps.append((rng.choice(heads), one, rng.choice(ends)))
    yield from pumps[:most]


def _visit(tree: Any, rng: random.Random, found: dict[str, None]) -> None:
    found.setdefault(_sample(tree, rng)[:200])
    for op, arg in tree:
        for inner in _inside(op, arg):
            _visit(inner, rng, found)
        if op not in (ops.LITERAL, ops.NOT_LITERAL):
            found.setdefault(_sample([(op, arg)], rng)[:200])


def _inside(op: Any, arg: Any) -> list[Any]:
    if op in (ops.MAX_REPEAT, ops.MIN_REPEAT, ops.POSSESSIVE_REPEAT):
        return [arg[2]]
    if op is ops.SUBPATTERN:
        return [arg[3]]
    if op is ops.BRANCH:
        return list(arg[1])
    if op in (ops.ASSERT, ops.ASSERT_NOT):
        return [arg[1]]
    if op is ops.ATOMIC_GROUP:
        return [arg]
    return []


def _sample(tree: Any, rng: random.Random) -> str:
    return "".join(_of(op, arg, rng) for op, arg in tree)


def _of(op: Any, arg: Any, rng: random.Random) -> str:
    if op is ops.LITERAL:
        return chr(arg)
    if op is ops.NOT_LITERAL:
        return "a" if arg != ord("a") else "b"
    if op is ops.ANY:
        return "a"
    if op is ops.IN:
        return _member(arg, rng)
    if op in (ops.MAX_REPEAT, ops.MIN_REPEAT, ops.POSSESSIVE_REPEAT):
        return "".join(_sample(arg[2], rng) for _ in range(max(1, min(int(arg[0]), 64))))
    if op is ops.BRANCH:
        return _sample(rng.choice(arg[1]), rng)
    if op in (ops.SUBPATTERN, ops.ATOMIC_GROUP):
        return _sample(arg[3] if op is ops.SUBPATTERN else arg, rng)
    return ""


def _member(items: Any, rng: random.Random) -> str:
    if items[0][0] is ops.NEGATE:
        return next((one for one in "a0 -=:xZ~" if not _holds(items[1:], one)), "\u2603")
    op, arg = rng.choice(items)
    if op is ops.LITERAL:
        return chr(arg)
    if op is ops.RANGE:
        return chr(arg[0])
    return _CATEGORIES[str(arg)]


def _holds(items: Any, letter: str) -> bool:
    for op, arg in items:
        if (op is ops.LITERAL and chr(arg) == letter) or (op is ops.RANGE and arg[0] <= ord(letter) <= arg[1]):
            return True
        if op is ops.CATEGORY and _CATEGORIES[str(arg)] == letter:
            return True
        if op is ops.CATEGORY and str(arg) == "CATEGORY_NOT_SPACE" and letter != " ":
            return True
        if op is ops.CATEGORY and str(arg) == "CATEGORY_WORD" and letter.isalnum():
            return True
    return False
