"""How many times as slow: a p99 with over one without, out of pairs of segments, and how well that is known."""

import bisect
import math
import random
import statistics
from collections.abc import Sequence

SAMPLES = 500
"""The fewest that have a p99: five of them are above it."""
LEAST_PAIRS = 6
"""The fewest pairs that have an interval."""
RESAMPLES, SEED = 2000, 0
Batch = tuple[float, float]
"""When it was sent, in seconds of `time.monotonic`, and the milliseconds that it took."""
Segment = tuple[float, float]
"""Begin and end in seconds of `time.monotonic`."""

Slice = tuple[float, float, float]
"""Begin and end, in the same seconds, of a short time, and for how long others held the server's core in it."""
HELD_AT_MOST = 0.0003
"""Seconds of that, beyond which what was slow in a slice may be others' work."""


def undisturbed(took: Sequence[Batch], held: Sequence[Slice]) -> list[Batch]:
    """The batches of slices in which the server had its core, from when they were sent until they were answered."""
    ends = [ended for _, ended, _ in held]

    def disturbed(at: float) -> bool:
        number = bisect.bisect_left(ends, at)
        return number == len(held) or held[number][2] > HELD_AT_MOST

    return [(at, ms) for at, ms in took if not disturbed(at) and not disturbed(at + ms / 1000)]


def p99(took: Sequence[Batch], segment: Segment) -> float | None:
    """The p99 of what was sent in a segment, in milliseconds; null where it was too little."""
    began, ended = segment
    inside = sorted(ms for at, ms in took if began <= at < ended)
    return inside[int(0.99 * len(inside))] if len(inside) >= SAMPLES else None


def pair_ratios(took: Sequence[Batch], pairs: Sequence[tuple[Segment, Segment]]) -> list[float]:
    """The p99 with over the p99 without, for each pair (without, with) that has enough batches in both."""
    both = [(p99(took, without), p99(took, with_)) for without, with_ in pairs]
    return [with_ / without for without, with_ in both if without and with_]


def interval(ratios: Sequence[float]) -> tuple[float, float, float] | None:
    """The ratio, and the 95 % interval of the bootstrap over pairs, the same at every run; null for too few pairs.

    It's the mean of the middle half of the logarithms: what else ran during a few segments doesn't move it.
    """
    if len(ratios) < LEAST_PAIRS:
        return None
    logs, rng = [math.log(one) for one in ratios], random.Random(SEED)
    means = [_middle(rng.choices(logs, k=len(logs))) for _ in range(RESAMPLES)]
    parts = statistics.quantiles(means, n=40, method="inclusive")
    return math.exp(_middle(logs)), math.exp(parts[0]), math.exp(parts[-1])


def _middle(values: Sequence[float]) -> float:
    cut = len(values) // 4
    return statistics.fmean(sorted(values)[cut : len(values) - cut])
