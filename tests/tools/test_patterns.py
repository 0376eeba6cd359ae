"""Patterns that are compiled on first use: each of them can be."""

import gc
import importlib
import json
import pkgutil
import re
from pathlib import Path
from typing import cast

import pytest

import agent
import tools
from tools.patterns import _Deferred, compiled, deferred, literals, possible

ROOT = Path(__file__).parents[2]


def test_a_deferred_pattern_is_a_pattern() -> None:
    number = deferred(r"(?P<whole>\d+)", re.IGNORECASE)
    assert number.fullmatch("12") and not number.search("x")
    assert number.pattern == r"(?P<whole>\d+)" and number.groupindex == {"whole": 1}


def all_deferred() -> list[_Deferred]:
    for package in (agent, tools):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            importlib.import_module(module.name)
    return [one for one in gc.get_objects() if isinstance(one, _Deferred)]


def test_every_deferred_pattern_compiles() -> None:
    found = all_deferred()
    assert len(found) > 50
    for one in found:
        assert isinstance(compiled(one), re.Pattern)


@pytest.mark.parametrize(("text", "certain"), [
    (r"Ready to accept connections", ["Ready to accept connections"]),
    (r"^(?P<who>\w+) failed: (disk|net)work error\b", ["work error"]),
    (r"one|another (of|the) ", ["one", "another "]), (r"one|\d", []), (r"(?i)one word", []), (r"abcd?ef", ["abc"]),
    (r"abx{2,3}yz", ["ab"]), (r"io\.\w+x\.?y", ["io."]),
    (r"[abc]+de+f", ["de"]), (r"a\[b\] and so on", ["a[b] and so on"]), (r"\d\sdone", ["done"]),
    (r"[]a|(]z: x", ["z: x"]), (r"(a[)](b|c))?yes", ["yes"]), ("x+", ["x"]), ("", []),
    (r"\b(?:lost|gone missing)\b", ["lost", "gone missing"]), (r"(?P<what>a(?:bc|de)+f?) ?x", ["bc", "de"]),
    (r"(?:one|\d+)s?", []), (r"(?=word)\w+", []), (r"(?<!no )word(?! of)", ["word"]), (r"(a)(?P=b)", []),
    (r"(?:ab|cd){0,2}e", ["e"]), (r"(ab|cd)*?ef", ["ef"]), (r"(ab|cd)+?e", ["ab", "cd"]), (r"(?s:word)", []),
])  # fmt: skip
def test_what_is_certain_of_a_pattern_is_in_all_that_it_matches(text: str, certain: list[str]) -> None:
    assert list(literals(text)) == certain


@pytest.mark.parametrize(("pattern", "text", "may"), [
    (deferred(r"one (\d+)|two"), "one x", True), (deferred(r"one (\d+)|two"), "three", False),
    (deferred("Word", re.IGNORECASE), "a wORD", True), (deferred("word", re.IGNORECASE), "war", False),
    (deferred("stalls", re.IGNORECASE), "\u017ftall\u017f", True), (deferred("a b", re.VERBOSE), "ab", True),
    (re.compile("one"), "two", True),
])  # fmt: skip
def test_what_cannot_match_is_seen_without_the_pattern(pattern: re.Pattern[str], text: str, may: bool) -> None:
    assert possible(pattern, text) is may


def test_nothing_that_matches_is_taken_for_impossible() -> None:
    index = json.loads((ROOT / "evals" / "scenarios" / "index.json").read_text(encoding="utf-8"))
    texts = sorted({one["ticket"] for one in index["scenarios"]})
    texts += (ROOT / "tools" / "host" / "log_patterns.toml").read_text(encoding="utf-8").splitlines()
    assert len(texts) > 300
    for one in all_deferred():
        for text in texts:
            assert possible(cast("re.Pattern[str]", one), text) or not one.search(text), (one.pattern, text)


def test_a_mistake_shows_on_first_use() -> None:
    with pytest.raises(re.error):
        deferred("(").search("x")
