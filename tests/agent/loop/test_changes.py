"""What a reading says against the one before it."""

from typing import Annotated

import pytest
from pydantic import Field

from agent.loop.changes import since
from tools.arguments import Adapter
from tools.records import Reading, Scalar, Unavailable, Values
from tools.toolbox import bind, reads


@reads
async def looked(
    window: Annotated[float, Field(ge=0, le=60)] = 2.0, kind: str | None = None, sections: list[str] | None = None
) -> Values:
    """Looks."""
    return {"window": window, "kind": kind, "sections": str(sections)}


ADAPTER: Adapter = bind(looked).adapter


def read(number: int, values: Values | None, *, node: str = "a:1", **args: Scalar | list[str]) -> Reading:
    gone = Unavailable(kind="timeout", detail="no answer") if values is None else None
    return Reading(
        id=f"r{number}", tool="looked", args=args, node=node, at=f"2026-01-31T02:05:{number:02}Z", ms=1.0,
        values=values, unavailable=gone,
    )  # fmt: skip


def lines(before: Reading, now: Reading) -> tuple[str, ...] | None:
    found = since([before, now], now, ADAPTER)
    return found.lines if found else None


def test_the_newest_before_it_counts() -> None:
    now = read(9, {"n": 5, "same": 1})
    found = since([read(1, {"n": 1}), read(4, {"n": 3, "same": 1}), now], now, ADAPTER)
    assert found is not None and (found.reading, found.seconds, found.lines) == ("r4", 5.0, ("n: 3 -> 5",))


@pytest.mark.parametrize(
    ("before", "now", "told"),
    [
        (read(1, {"n": 1}, node="b:2"), read(2, {"n": 2}), None),
        (read(1, {"n": 1}, kind="list"), read(2, {"n": 2}), None),
        (read(1, {"n": 1}, kind="list"), read(2, {"n": 2}, kind="list"), ("n: 1 -> 2",)),
        (read(1, {"n": 1}, window=2.0), read(2, {"n": 1}), ()),
        (read(1, {"n": 1}, window=9.0), read(2, {"n": 2}), ("n: 1 -> 2",)),
        (read(1, {"n.delta": 9, "window_seconds": 9.0}), read(2, {"n.delta": 2, "window_seconds": 2.0}), ()),
        (read(1, {"n.delta": 9, "window_seconds": 2.1}), read(2, {"n.delta": 2, "window_seconds": 2.0}),
         ("n.delta: 9 -> 2",)),
        (read(1, {"n": 1}), read(2, {"n": 1, "more": "x y"}), ('more: null -> "x y"',)),
        (read(1, {"n": 1, "gone": 4}), read(2, {"n": 1}), ("gone: 4 -> null",)),
        (read(1, {"n": 1}, sections=["cpu"]), read(2, {"n": 1, "m": 1}, sections=["cpu", "memory"]), ()),
        (read(1, {"n": 1, "m": 1}, sections=["cpu", "memory"]), read(2, {"n": 2}, sections=["cpu"]), ("n: 1 -> 2",)),
        (read(1, None), read(2, {"n": 1}), ("unavailable: timeout -> null",)),
        (read(1, {"n": 1}), read(2, None), ("unavailable: null -> timeout",)),
    ],
)  # fmt: skip
def test_what_differs(before: Reading, now: Reading, told: tuple[str, ...] | None) -> None:
    assert lines(before, now) == told


def test_many_differences_are_cut() -> None:
    now = read(2, {f"field{n}": n + 1 for n in range(300)})
    found = since([read(1, {f"field{n}": n for n in range(300)}), now], now, ADAPTER)
    assert found is not None and len(found.lines) == 40 and found.left_out == 260
