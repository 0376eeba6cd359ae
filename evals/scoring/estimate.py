"""Figures with their uncertainty: shares over scenarios, and how likely all of several tries are right."""

import math
import random
import statistics
from collections.abc import Mapping, Sequence

from tools.records import Record

RESAMPLES, SEED, TAIL = 1000, 0, 0.025
MANY = 2000
"""From so many values on the mean's interval is the normal distribution's: the bootstrap's is the same by then."""
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


def clustered(values: Mapping[str, Sequence[float]]) -> Estimate:
    """The mean of all values, whose interval is over the groups that they're in: recordings of one fault are alike.

    Where all values are the same, the interval is Wilson's for as many trials as there are groups.
    """
    groups = [(sum(of), len(of)) for _, of in sorted(values.items()) if of]
    if not groups:
        return Estimate()
    total, count = sum(part for part, _ in groups), sum(of for _, of in groups)
    flat = {value for of in values.values() for value in of}
    if flat in ({0}, {1}):
        low, high = wilson(total / count, len(groups))
    else:
        rng = random.Random(SEED)
        drawn = (rng.choices(groups, k=len(groups)) for _ in range(RESAMPLES))
        means = sorted(sum(part for part, _ in some) / sum(of for _, of in some) for some in drawn)
        low, high = round(_at(means, TAIL), 4), round(_at(means, 1 - TAIL), 4)
    return Estimate(value=round(total / count, 4), low=low, high=high, of=count)


def wilson(part: float, count: int) -> tuple[float, float]:
    """Wilson's 95 % score interval of a share of `count`."""
    middle = part + Z**2 / (2 * count)
    reach = Z * math.sqrt(part * (1 - part) / count + Z**2 / (4 * count**2))
    low, high = ((middle + side * reach) / (1 + Z**2 / count) for side in (-1, 1))
    return round(max(low, 0.0), 4), round(min(high, 1.0), 4)


def interval(values: Sequence[float]) -> tuple[float, float]:
    """The mean's 95 % interval by the bootstrap, the same at every run."""
    rng, count = random.Random(SEED), len(values)
    if min(values) == max(values):
        return round(values[0], 4), round(values[0], 4)
    if count >= MANY:
        mean, reach = statistics.fmean(values), Z * statistics.pstdev(values) / math.sqrt(count)
        return round(mean - reach, 4), round(mean + reach, 4)
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
