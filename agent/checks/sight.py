"""What the checks of a cause looked at: a value they already weighed says nothing new for or against it."""

from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from types import CodeType, FunctionType

from agent.answer.taxonomy import CAUSES
from agent.checks import CHECKS
from agent.checks.types import Check, Limits
from agent.evidence.view import Readings, View
from tools.records import Kind, Reading, Scalar

Looked = tuple[str | None, str, str]
"""(node, tool, field)"""
ANY = "*"
"""In place of a field: all fields of the reading were looked at."""


class _Noting(View):
    """A view that records what it's asked for."""

    def __init__(self, readings: Readings, node: str | None, noted: set[Looked]) -> None:
        super().__init__(readings, node)
        self._noted = noted

    @property
    def peers(self) -> tuple[View, ...]:
        others = (node for node in self.deployment.nodes if node != self.node)
        return tuple(_Noting(self.deployment, node, self._noted) for node in others)

    def peers_with(self, tool: str) -> tuple[View, ...]:
        others = (node for node in self.deployment.having(tool) if node != self.node)
        return tuple(_Noting(self.deployment, node, self._noted) for node in others)

    def peer(self, node: str | None) -> View | None:
        known = super().peer(node)
        return _Noting(self.deployment, known.node, self._noted) if known else None

    def get(self, tool: str, field: str) -> Scalar:
        self._noted.add((self.node, tool, field))
        return super().get(tool, field)

    def unavailable(self, tool: str) -> Kind | None:
        self._noted.add((self.node, tool, "unavailable"))
        return super().unavailable(tool)

    def fields(self, tool: str) -> dict[str, Scalar]:
        self._noted.add((self.node, tool, ANY))
        return super().fields(tool)


def looked_at(cause: str, readings: Sequence[Reading], nodes: Sequence[str], limits: Limits) -> set[Looked]:
    """What the checks that can find a cause read from these readings, including readings without a node."""
    noted: set[Looked] = set()
    deployment = Readings(readings)
    for node in nodes:
        view = _Noting(deployment, node, noted)
        for check in checks_of(cause):
            for _ in check(view, limits):
                pass
    return noted


@cache
def checks_of(cause: str) -> tuple[Check, ...]:
    """The checks that can find a cause or rule it out."""
    return tuple(check for check in CHECKS if cause in _named(check))


@cache
def _named(check: Check) -> frozenset[str]:
    """The causes that a check names in its code and in that of its helpers."""
    found: set[str] = set()
    ahead, known = [check], set[object]()
    while ahead:
        function = ahead.pop()
        # Look below a check's decorator.
        while hasattr(function, "__wrapped__"):
            function = function.__wrapped__
        if function in known or not isinstance(function, FunctionType):
            continue
        known.add(function)
        for code in _codes(function.__code__):
            found |= {name for name in _texts(code.co_consts) if name in CAUSES}
            for name in code.co_names:
                other = function.__globals__.get(name)
                if isinstance(other, FunctionType) and other.__module__.startswith("agent.checks"):
                    ahead.append(other)
    return frozenset(found)


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield from _codes(inner)


def _texts(constants: Iterable[object]) -> Iterator[str]:
    for one in constants:
        if isinstance(one, str):
            yield one
        elif isinstance(one, tuple | frozenset):
            yield from _texts(one)
