"""Arguments that are a little outside: kept within their bounds, where a caller would lose a turn over them."""

import math
from typing import Annotated, Literal

import pytest
from pydantic import Field

from tools.clock import SystemClock
from tools.errors import ToolError
from tools.records import Reading, Scalar, Values
from tools.toolbox import Toolbox, bind, reads


@reads
async def sampled(
    window: Annotated[float, Field(ge=0, le=60)] = 2.0,
    count: Annotated[int, Field(ge=4, le=20)] = 6,
    timeout: Annotated[float, Field(gt=0, le=10)] = 1.0,
    sections: Annotated[list[Literal["cpu", "memory"]], Field(max_length=2)] = ["cpu"],  # noqa: B006
    kind: Literal["list", "set"] | None = None,
    ceiling: Annotated[int | None, Field(le=9)] = None,
) -> Values:
    """Says with what it was called."""
    return {"window": window, "count": count, "timeout": timeout, "sections": ",".join(sections), "ceiling": ceiling}


async def taken(args: dict[str, object]) -> Reading:
    return await Toolbox([bind(sampled)], SystemClock(), lambda event: None).call("sampled", args)


@pytest.mark.parametrize(
    ("args", "field", "value"),
    [
        ({"window": 600}, "window", 60), ({"window": -1}, "window", 0), ({"count": 1}, "count", 4),
        ({"count": 100}, "count", 20), ({"timeout": 0}, "timeout", 1.0), ({"window": 3}, "window", 3),
        ({"sections": ["cpu", "nosuch"]}, "sections", "cpu"), ({"ceiling": 99}, "ceiling", 9),
        ({"sections": ["cpu", "memory", "cpu"]}, "sections", "cpu,memory"),
    ],
)  # fmt: skip
async def test_what_is_outside_is_taken_to_the_bound(args: dict[str, object], field: str, value: Scalar) -> None:
    reading = await taken(args)
    assert reading.get(field) == value
    given = reading.args[field]
    assert value == (",".join(given) if isinstance(given, list) else given)


@pytest.mark.parametrize(
    "args",
    [{"window": math.nan}, {"window": math.inf}, {"window": "soon"}, {"sections": ["nosuch"]}, {"sections": "cpu"},
     {"kind": "zset"}, {"unknown": 1}, {"window": True, "count": None}],
)  # fmt: skip
async def test_what_makes_no_sense_is_refused(args: dict[str, object]) -> None:
    with pytest.raises(ToolError, match=f"^sampled: .*{next(iter(args))}|count"):
        await taken(args)


@pytest.mark.parametrize("text", ["[" * 100_000, '{"window": ' * 5000, "{", "[]", '{"window": NaN}', "\x00"])
async def test_text_that_is_no_object_is_refused(text: str) -> None:
    with pytest.raises(ToolError, match=r"^sampled: "):
        await Toolbox([bind(sampled)], SystemClock(), lambda event: None).call("sampled", text)


@reads
async def overflowing() -> Values:
    """Says what odd figures add up to."""
    return {"sum": 1e308 + 1e308, "lost": math.nan, "delta": -(2**64), "large": 2**64 - 1, "all": 1e308, "name": "inf"}


async def test_a_reading_has_no_number_that_a_recording_cannot_hold() -> None:
    reading = await Toolbox([bind(overflowing)], SystemClock(), lambda event: None).call("overflowing", {})
    expected = {"sum": None, "lost": None, "delta": None, "large": 2**64 - 1, "all": 1e308, "name": "inf"}
    assert reading.values == expected
