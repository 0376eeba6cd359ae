"""How far what was said to be likely was there: for all answers, by what was answered, and by family."""

import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal, Protocol

from evals.lab.score import Term, calibration
from evals.scoring.families import family_of
from evals.scoring.scenario import Scenario
from tools.records import Record

By = Literal["all", "outcome", "family"]


class Said(Protocol):
    """What's needed of a result."""

    @property
    def scenario(self) -> str: ...
    @property
    def outcome(self) -> str: ...
    @property
    def terms(self) -> Sequence[Term]: ...


class Calibrated(Record):
    """How well the probabilities of some answers were chosen; of both figures 0 is best."""

    by: By
    name: str
    """The outcome that was answered, or the family of what was there; empty for all."""
    terms: int
    """How many probabilities it's about."""
    there: int
    """How many of them are of something that was there."""
    brier: float
    """The mean over runs of the mean of (probability - presence)²."""
    ece: float
    """The expected calibration error: how far each bin's share that was there is from what was said, on average."""


def calibrated(results: Iterable[Said], scenarios: Mapping[str, Scenario]) -> Iterator[Calibrated]:
    """The whole first, then its parts. Answers that name nothing where nothing was have no probability to judge."""
    groups: dict[tuple[By, str], list[Said]] = {}
    for one in results:
        if one.terms:
            family = family_of(scenarios[one.scenario].expected[0])
            for group in (("all", ""), ("outcome", one.outcome), ("family", family)):
                groups.setdefault(group, []).append(one)
    order: Sequence[By] = ("all", "outcome", "family")
    for by, name in sorted(groups, key=lambda group: (order.index(group[0]), group[1])):
        of = groups[by, name]
        terms = [term for one in of for term in one.terms]
        brier = statistics.fmean(run_brier(one) for one in of)
        yield Calibrated(
            by=by, name=name, terms=len(terms), there=sum(term.present for term in terms), brier=round(brier, 4),
            ece=round(ece(terms), 4),
        )  # fmt: skip


def run_brier(one: Said) -> float:
    """Of one answer with at least one probability."""
    return statistics.fmean((term.p - term.present) ** 2 for term in one.terms)


def ece(terms: Sequence[Term]) -> float:
    """Over the bins of the calibration, each by how many are in it."""
    bins = list(calibration(terms))
    return sum(one.count * abs(one.said - one.right) for one in bins) / max(1, len(terms))
