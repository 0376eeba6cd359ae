"""The bench's figures: a p99 over enough batches only, however long a triage took."""

from evals.guest import PAIRS, SAMPLES, pair_ratios


def batches(began: float, count: int, ms: float) -> list[tuple[float, float]]:
    return [(began + number / count, ms) for number in range(count)]


def test_a_ratio_for_each_pair() -> None:
    took = [*batches(0, SAMPLES, 2.0), *batches(1, SAMPLES, 3.0), *batches(2, SAMPLES, 4.0), *batches(3, SAMPLES, 4.0)]
    assert pair_ratios(took, [(0, 1), (1, 2), (2, 3), (3, 4)]) == [1.0, 1.5]


def test_a_pair_with_too_few_batches_has_none() -> None:
    few = [*batches(0, SAMPLES, 2.0), *batches(1, SAMPLES - 1, 3.0)]
    assert pair_ratios(few, [(0, 1), (1, 2)]) == []
    # A load that ended before its triage did.
    assert pair_ratios([], [(0, 1), (1, 9)] * PAIRS) == []
