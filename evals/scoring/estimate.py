"""Figures with their uncertainty: shares over scenarios, and how likely all of several tries are right."""

import math
import random
import statistics
from collections.abc import Sequence

from tools.records import Record

RESAMPLES, SEED, TAIL = 1000, 0, 0.025


class Estimate(Record):
    """A mean over scenarios, with the interval that 95 % of the resamples fall into."""

    value: float | None = None
    """Null where there is nothing to take the mean of."""
    low: float | None = None
    high: float | None = None
    of: int = 0
    """How many scenarios (or pairs of them) it's over."""


def estimate(values: Sequence[float]) -> Estimate:
    """The mean of one value for each scenario: runs of one scenario aren't independent, scenarios are."""
    if not values:
        return Estimate()
    low, high = interval(values)
    return Estimate(value=round(statistics.fmean(values), 4), low=low, high=high, of=len(values))


def interval(values: Sequence[float]) -> tuple[float, float]:
    """The bootstrap's 95 % interval of the mean, the same at every run."""
    rng, count = random.Random(SEED), len(values)
    if min(values) == max(values):
        return round(values[0], 4), round(values[0], 4)
    means = sorted(sum(rng.choices(values, k=count)) / count for _ in range(RESAMPLES))
    return round(_at(means, TAIL), 4), round(_at(means, 1 - TAIL), 4)


def _at(ordered: Sequence[float], share: float) -> float:
    place = share * (len(ordered) - 1)
    least, rest = int(place), place - int(place)
    return ordered[least] + (ordered[min(least + 1, len(ordered) - 1)] - ordered[least]) * rest


def all_right(right: int, runs: int, tries: int) -> float:
    """pass^k, the chance that `tries` runs are all right, estimated without bias from `runs` of which `right` were."""
    if not 0 < tries <= runs:
        raise ValueError(f"{tries} tries of {runs} runs")
    return math.comb(right, tries) / math.comb(runs, tries)
