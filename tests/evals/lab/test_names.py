"""What the lab's clients are called, which must not give away what is wrong."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from random import Random

from evals.lab import faults
from evals.lab.faults.data import looks_up
from evals.lab.traffic import APPLICATIONS, CHANNELS, OPERATORS, PREFIXES, application_name
from evals.lab.wire import dial

SOURCES = sorted(Path(faults.__file__).parent.glob("*.py"))
NAMES = ("name", "others", "client_name")
"""The parameters that take a client's name."""


def named(tree: ast.Module, known: dict[str, list[str]]) -> Iterator[tuple[int, str]]:
    """Where a call has the text of a client's name in it, and the text."""
    own = {one.name: [arg.arg for arg in one.args.args] for one in ast.walk(tree)
           if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)}  # fmt: skip
    for call in ast.walk(tree):
        if not isinstance(call, ast.Call):
            continue
        function = call.func.attr if isinstance(call.func, ast.Attribute) else ast.unparse(call.func)
        given = [(word.arg, word.value) for word in call.keywords]
        given += zip((known | own).get(function, ()), call.args, strict=False)
        for parameter, value in given:
            texts = (
                (one.value for one in ast.walk(value) if isinstance(one, ast.Constant)) if parameter in NAMES else ()
            )
            yield from ((call.lineno, text) for text in texts if isinstance(text, str) and re.search("[a-z]{2}", text))


def test_no_fault_has_a_name_of_its_own() -> None:
    known = {one.__name__: list(one.__code__.co_varnames) for one in (dial, looks_up)}
    found = [f"{file.name}:{line}: {text}" for file in SOURCES
             for line, text in named(ast.parse(file.read_text()), known)]  # fmt: skip
    assert found == [], "draw it: application_name(rng) or operator_name(rng)"


def test_a_name_in_a_call_is_found() -> None:
    source = "def cache(url, name): pass\ncache(url, 'pricing')\ndial(url, name=f'ops-{number}')\ncache(url, drawn)\n"
    assert [*named(ast.parse(source), {})] == [(2, "pricing"), (3, "ops-")]


def test_names_are_drawn_from_all_that_there_are() -> None:
    assert {application_name(Random(seed)) for seed in range(400)} == {*APPLICATIONS}
    for pool in (APPLICATIONS, OPERATORS, CHANNELS, PREFIXES):
        assert len({*pool}) == len(pool) > 4
