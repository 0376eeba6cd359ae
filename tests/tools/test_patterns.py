"""Patterns that are compiled on first use: each of them can be."""

import gc
import importlib
import pkgutil
import re

import pytest

import agent
import tools
from tools.patterns import _Deferred, compiled, deferred, literals, possible


def test_a_deferred_pattern_is_a_pattern() -> None:
    number = deferred(r"(?P<whole>\d+)", re.IGNORECASE)
    assert number.fullmatch("12") and not number.search("x")
    assert number.pattern == r"(?P<whole>\d+)" and number.groupindex == {"whole": 1}


def test_every_deferred_pattern_compiles() -> None:
    for package in (agent, tools):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            importlib.import_module(module.name)
    found = [one for one in gc.get_objects() if isinstance(one, _Deferred)]
    assert len(found) > 50
    for one in found:
        assert isinstance(compiled(one), re.Pattern)


@pytest.mark.parametrize(("text", "certain"), [
    (r"Ready to accept connections", ["Ready to accept connections"]),
    (r"^(?P<who>\w+) failed: (disk|net)work error\b", ["work error"]),
    (r"one|another (of|the) ", ["one", "another "]), (r"one|\d", []), (r"(?i)one word", []), (r"abcd?ef", ["abc"]),
    (r"abx{2,3}yz", ["ab"]), (r"[abc]+de+f", ["de"]), (r"a\[b\] and so on", [" and so on"]), (r"\d\sdone", ["done"]),
    (r"[]a|(]z: x", ["z: x"]), (r"(a[)](b|c))?yes", ["yes"]), ("x+", ["x"]), ("", []),
])  # fmt: skip
def test_what_is_certain_of_a_pattern_is_in_all_that_it_matches(text: str, certain: list[str]) -> None:
    assert list(literals(text)) == certain


@pytest.mark.parametrize(("pattern", "text", "may"), [
    (deferred(r"one (\d+)|two"), "one x", True), (deferred(r"one (\d+)|two"), "three", False),
    (deferred("word", re.IGNORECASE), "WORD", True), (deferred("a b", re.VERBOSE), "ab", True),
    (re.compile("one"), "two", True),
])  # fmt: skip
def test_what_cannot_match_is_seen_without_the_pattern(pattern: re.Pattern[str], text: str, may: bool) -> None:
    assert possible(pattern, text) is may


def test_a_mistake_shows_on_first_use() -> None:
    with pytest.raises(re.error):
        deferred("(").search("x")
