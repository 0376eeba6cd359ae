"""What became of the incidents of each family: every run is in one row and one column, so that they add up."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from agent.answer.taxonomy import CAUSES
from evals.scoring.result import Result
from evals.scoring.scenario import Scenario

ATTACKED = "attacked"
"""The row of the incidents in which somebody planted something, whatever their family."""
Fate = Literal["right", "wrong cause", "called well", "can't tell", "failed", "invalid"]


@dataclass(frozen=True)
class Family:
    """One family."""

    name: str
    counts: "Counter[Fate]"
    """Of its runs."""


def families(results: Iterable[Result], scenarios: Iterable[Scenario]) -> list[Family]:
    """The families of what was there, by name, with all of an arm's runs."""
    named = {one.id: one for one in scenarios}
    found: dict[str, Counter[Fate]] = {}
    for one in results:
        scenario = named[one.scenario]
        name = family_of(scenario.expected[0]) if scenario.attack is None else ATTACKED
        found.setdefault(name, Counter())[fate(one)] += 1
    return [Family(name, found[name]) for name in sorted(found, key=lambda name: (name == ATTACKED, name))]


def family_of(answer: str) -> str:
    """The family of a cause, or the outcome itself."""
    return CAUSES[answer].family if answer in CAUSES else answer or "nothing"


def fate(one: Result) -> Fate:
    """What became of a run."""
    if one.invalid is not None:
        return "invalid"
    if one.error is not None:
        return "failed"
    if one.first:
        return "right"
    if one.outcome == "no-fault":
        return "called well"
    return "can't tell" if one.outcome == "insufficient-evidence" else "wrong cause"
