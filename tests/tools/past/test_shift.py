"""Whether a figure left its band at the page: each bound's two sides, and what recurs."""

import pytest

from tools.past.changes import CHANGES, Window, comparison
from tools.past.series import Series
from tools.past.shift import BAND, ENOUGH, Level, Shift, Spans, left, shift
from tools.redact import Pseudonyms

SPANS = Spans(page=100, after=120)


def points(*values: float, at: tuple[float, ...] = (), step: int = 10) -> list[tuple[float, float]]:
    """The values up to the page, and those of its minutes."""
    begin = 100 - step * len(values)
    before = [(float(begin + step * number), value) for number, value in enumerate(values)]
    return before + [(100.0 + step * number, value) for number, value in enumerate(at)]


STEADY = (10.0,) * ENOUGH


@pytest.mark.parametrize(
    ("series", "floor", "found"),
    [
        ([], 1, Shift(None, None, 0, None, 0, False)),
        (points(*STEADY), 1, Shift(10, None, 0, None, 0, False)),
        # Nothing to compare with: the largest of the page's minutes.
        (points(at=(3, 7, 5)), 1, Shift(None, 7, 0, None, 0, False)),
        # The floor is the least spread, and the band's edge is inside.
        (points(*STEADY, at=(10 + BAND,)), 1, Shift(10, 14, BAND, None, 0, False)),
        (points(*STEADY, at=(10.5 + BAND,)), 1, Shift(10, 14.5, 4.5, 100, 0, False)),
        (points(*STEADY, at=(5.5,)), 1, Shift(10, 5.5, 4.5, 100, 0, False)),
        # Too few points before it.
        (points(*STEADY[1:], at=(100,)), 1, Shift(10, 100, 90, None, 0, False)),
        # A share of the median is a spread, too.
        (points(*(1000.0,) * 5, at=(1201,)), 1, Shift(1000, 1201, 4.02, 100, 0, False)),
        (points(*(1000.0,) * 5, at=(1200,)), 1, Shift(1000, 1200, 4, None, 0, False)),
        # The noise that was there before.
        (points(8, 10, 12, 8, 12, 10, at=(20,)), 0.1, Shift(10, 20, 10 / (1.4826 * 2), None, 0, False)),
        # It began before the page's minutes, and lasts beyond them.
        (points(*STEADY, 30, 40, at=(50, 20, 30, 30)), 1, Shift(10, 50, 40, 80, 50, False)),
        # The farthest of the page's minutes, on either side.
        (points(*STEADY, at=(12, 1, 18)), 1, Shift(10, 1, 9, 110, 10, False)),
        # What went about as far before recurs, and what didn't doesn't.
        (points(*STEADY, 50, *STEADY, at=(60,)), 1, Shift(10, 60, 50, 100, 0, True)),
        (points(*STEADY, 49, *STEADY, at=(60,)), 1, Shift(10, 60, 50, 100, 0, False)),
    ],
)  # fmt: skip
def test_a_figure_is_compared_with_what_it_was(series: list[tuple[float, float]], floor: float, found: Shift) -> None:
    got = shift(series, SPANS, floor)
    assert got._replace(spreads=round(got.spreads, 3)) == found._replace(spreads=round(found.spreads, 3))
    assert got.changed == (found.when is not None)


@pytest.mark.parametrize(
    ("series", "found"),
    [
        # Long before the page, so that most of what was before is the new level.
        (points(*STEADY, *(100.0,) * 15, at=(100, 101)), Level(10, -60)),
        (points(*STEADY, *(0.0,) * 15, at=(0,)), Level(10, -60)),
        # Growth without a step: it was last near the first level when it left its band.
        (points(*STEADY, 12, 14, 16, 18, 20, 22, at=(24,)), Level(10, 50)),
        # It's back, or never went far.
        (points(*STEADY, *(100.0,) * 15, at=(11, 10)), None),
        (points(*STEADY, at=(10 + BAND,)), None),
        # What was noise at first is noise now.
        (points(0, 20, 10, 0, 20, *(10.0,) * 9, at=(30,)), None),
        # Too few points at first, or none in the page's minutes.
        (points(*STEADY[1:], at=(100,)), None),
        (points(*STEADY, 100), None),
        ([], None),
    ],
)  # fmt: skip
def test_a_figure_that_left_its_first_level_long_ago(series: list[tuple[float, float]], found: Level | None) -> None:
    assert left(series, SPANS, 1) == found


def series(figure: str, *before: float, at: tuple[float, ...], **labels: str) -> Series:
    return Series({"figure": figure, **labels}, points(*before, at=at))


WINDOW = Window(start=0, at=110, end=130, now=200, lead=10)


def test_the_most_unusual_changes_are_listed_first_and_habits_last() -> None:
    ranges = [
        series("redis_up", *STEADY, at=(1.0,)),
        series("connected_clients", *STEADY, at=(100.0,)),
        series("blocked_clients", *STEADY, at=(1000.0,)),
        series("used_memory", *STEADY, 9e9, *STEADY, at=(9e9,)),
        series("maxclients", *STEADY, at=(10.0,)),
        series("no_such_figure", *STEADY, at=(100.0,)),
    ]
    last = [Series({"figure": "connected_clients"}, [(199, 42.25)]), Series({"figure": "blocked_clients"}, [(100, 7)])]
    got = comparison(Pseudonyms(), ranges, last, WINDOW, step=30)
    assert (got["connected_clients.before"], got["connected_clients.at"]) == (10, 100)
    assert (got["connected_clients.change"], got["connected_clients.now"]) == (90, 42.25)
    # The newest point of this one is too old to be now's.
    assert got["blocked_clients.now"] is None and "no_such_figure.at" not in got
    assert (got["maxclients.change"], got["used_memory_rss"]) == (0, None)
    order = [got[f"changed{number}.field"] for number in range(1, int(str(got["changed"])) + 1)]
    assert order[-1] == "used_memory" and order.index("blocked_clients") < order.index("connected_clients")
    assert got["changed1.seen_before"] is False and got[f"changed{len(order)}.seen_before"] is True
    assert got["changed1.ratio"] == 100 and got["changed1.when"] == "1970-01-01T00:01:40Z"
    assert f"changed{CHANGES + 1}.field" not in got


def test_a_counter_that_is_new_counted_nothing_before() -> None:
    scraped = series("redis_up", *(1.0,) * 8, at=(1.0, 1.0))
    new = Series({"figure": "rejected_connections.rate"}, [(100.0, 5.0), (110.0, 5.0)])
    got = comparison(Pseudonyms(), [scraped, new], [], WINDOW, step=30)
    assert (got["rejected_connections.rate.before"], got["rejected_connections.rate.at"]) == (0, 5)
    assert got["changed1.field"] == "rejected_connections.rate" and got["changed1.ratio"] is None


def test_a_level_left_long_before_the_page_is_in_the_comparison() -> None:
    keys = series("keys", *STEADY, *(1000.0,) * 15, at=(1000,), db="db0")
    clients = series("connected_clients", *STEADY, at=(10,))
    values = comparison(Pseudonyms(), [keys, clients], [keys, clients], WINDOW, 10)
    assert (values["db0.keys.first"], values["db0.keys.before"]) == (10, 1000)
    assert values["db0.keys.until"] == "1969-12-31T23:59:00Z"
    assert "connected_clients.first" not in values
