"""Which scenarios `-k` means: words of their names, joined by and, or, not and parentheses."""

import re
from collections.abc import Callable, Sequence

from evals.scoring.scenario import Scenario
from tools.errors import UsageError

Test = Callable[[str], bool]
"""Whether the names of a scenario are meant."""
_WORD = re.compile(r"[()]|[^\s()]+")


def select(scenarios: Sequence[Scenario], expression: str | None) -> list[Scenario]:
    """Those whose id, fault, family, cause or server holds the expression's words. Raises `UsageError`."""
    if not expression:
        return list(scenarios)
    test = _Parser(expression).parsed()
    found = [one for one in scenarios if test(names(one))]
    if not found:
        raise UsageError(f"-k {expression!r}: no scenario of {len(scenarios)} matches; use words such as lua-busy")
    return found


def names(one: Scenario) -> str:
    """What is searched."""
    return "\n".join((one.id, one.fault, one.family, one.cause, one.kind)).lower()


class _Parser:
    """A recursive descent: or binds least, not most."""

    def __init__(self, expression: str) -> None:
        self._expression = expression
        self._words = _WORD.findall(expression.lower())

    def parsed(self) -> Test:
        test = self._any()
        if self._words:
            raise self._error(f"{self._words[0]!r} is unexpected")
        return test

    def _any(self) -> Test:
        tests = [self._all()]
        while self._takes("or"):
            tests.append(self._all())
        return lambda text: any(test(text) for test in tests)

    def _all(self) -> Test:
        tests = [self._one()]
        while self._takes("and"):
            tests.append(self._one())
        return lambda text: all(test(text) for test in tests)

    def _one(self) -> Test:
        if self._takes("not"):
            test = self._one()
            return lambda text: not test(text)
        if self._takes("("):
            test = self._any()
            if not self._takes(")"):
                raise self._error("a ) is missing")
            return test
        if not self._words or self._words[0] in ("and", "or", ")"):
            raise self._error("a word is missing")
        word = self._words.pop(0)
        return lambda text: word in text

    def _takes(self, word: str) -> bool:
        if self._words[:1] != [word]:
            return False
        self._words.pop(0)
        return True

    def _error(self, problem: str) -> UsageError:
        return UsageError(f"-k {self._expression!r}: {problem}; join words with and, or, not and parentheses")
