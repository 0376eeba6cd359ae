"""Figures with their uncertainty: shares over scenarios, and how likely all of several tries are right."""

import math
import random
import statistics
from collections.abc import Sequence

from tools.records import Record

RESAMPLES, SEED, TAIL = 1000, 0, 0.025
Z = 1.959964
"""Standard deviations on both sides that hold 95 % of a normal distribution."""


class Estimate(Record):
    """A mean over scenarios with its 95 % interval."""

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


def share(values: Sequence[float]) -> Estimate:
    """The mean of what is between 0 and 1, such as the share of runs that were right, for each scenario one.

    Where every scenario has 0 or 1 the interval is Wilson's. Resampling what is all right is all right again, and says
    nothing of what the next scenario may do; where it's mixed, the interval is the bootstrap's.
    """
    if not values:
        return Estimate()
    mean = statistics.fmean(values)
    low, high = wilson(mean, len(values)) if {*values} <= {0, 1} or len({*values}) == 1 else interval(values)
    return Estimate(value=round(mean, 4), low=low, high=high, of=len(values))


def wilson(part: float, count: int) -> tuple[float, float]:
    """Wilson's 95 % score interval of a share of `count`."""
    middle = part + Z**2 / (2 * count)
    reach = Z * math.sqrt(part * (1 - part) / count + Z**2 / (4 * count**2))
    low, high = ((middle + side * reach) / (1 + Z**2 / count) for side in (-1, 1))
    return round(max(low, 0.0), 4), round(min(high, 1.0), 4)


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
