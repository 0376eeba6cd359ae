"""The ratio of two p99s: over enough batches only, however long a triage took, and with what is known of it."""

from evals.bench.ratio import LEAST_PAIRS, SAMPLES, interval, pair_ratios


def batches(began: float, count: int, ms: float) -> list[tuple[float, float]]:
    return [(began + number / count, ms) for number in range(count)]


def test_a_ratio_for_each_pair() -> None:
    took = [*batches(0, SAMPLES, 2.0), *batches(1, SAMPLES, 3.0), *batches(2, SAMPLES, 4.0), *batches(3, SAMPLES, 4.0)]
    assert pair_ratios(took, [((0, 1), (1, 2)), ((2, 3), (3, 4))]) == [1.5, 1.0]


def test_a_pair_with_too_few_batches_has_none() -> None:
    few = [*batches(0, SAMPLES, 2.0), *batches(1, SAMPLES - 1, 3.0)]
    assert pair_ratios(few, [((0, 1), (1, 2))]) == []
    # A load that ended before its triage did.
    assert pair_ratios([], [((0, 1), (1, 9))] * LEAST_PAIRS) == []


def test_the_interval_covers_the_ratio_and_is_the_same_at_every_run() -> None:
    ratios = [1.05 + off for off in (-0.1, -0.06, -0.03, -0.01, 0.0, 0.0, 0.01, 0.03, 0.06, 0.1)]
    known = interval(ratios)
    assert known == interval(ratios)
    assert known is not None
    value, low, high = known
    assert low < value < high
    assert low < 1.05 < high


def test_a_few_disturbed_segments_move_nothing() -> None:
    known = interval([1.0] * 8 + [9.0, 0.1])
    assert known is not None
    assert known[0] == 1.0


def test_too_few_pairs_have_no_interval() -> None:
    assert interval([1.0] * (LEAST_PAIRS - 1)) is None
