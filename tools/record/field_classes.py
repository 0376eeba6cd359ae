"""What each number of a reply is, from `field_classes.toml`, and its value at a moment."""

import re
import tomllib
from collections.abc import Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import Literal

from tools.record.continuation import Sample, Series, Stretch

Family = Literal["info", "rows", "client"]
"""Replies whose fields have one meaning: lines of INFO and CLUSTER INFO, rows of names and values, a client's line."""
_NUMBER = re.compile(r"-?(0|[1-9]\d{0,19})(\.\d{1,20})?")
_LRU_BITS = 1 << 24
_UNITS = {
    "seconds": 1,
    "microseconds": 10**6,
    "countdown": -1,
    "age": 1,
    "age_ms": 1000,
    "instant": 1,
    "instant_ms": 1000,
}
LIMITS = {"connected_clients": "maxclients"}
"""Levels, and the fields above which they can't grow; memory has its own rule."""


@cache
def _classes() -> dict[str, dict[str, re.Pattern[str]]]:
    text = Path(__file__).with_name("field_classes.toml").read_text(encoding="utf-8")
    return {family: {kind: re.compile("".join(pattern.split())) for kind, pattern in kinds.items()}
            for family, kinds in tomllib.loads(text).items()}  # fmt: skip


@lru_cache(maxsize=16384)
def class_of(family: Family, name: str) -> str:
    """A number's class; `gauge` for what isn't named."""
    return next((kind for kind, pattern in _classes()[family].items() if pattern.fullmatch(name)), "gauge")


def is_number(text: str) -> bool:
    """Whether a field's text is a number."""
    return _NUMBER.fullmatch(text) is not None


def decimals(text: str) -> int:
    """Places after the point."""
    return len(text.partition(".")[2])


def text_at(
    family: Family, name: str, series: Series, now: float, zero: float, like: str, *, moves: bool = True
) -> str:
    """A field's text at a moment, with the decimals of `like`; the recording began at `zero` of the server's clock.

    A level goes on growing only if `moves`.
    """
    kind = class_of(family, name)
    if kind == "level" and not (moves and series.moves_steadily()) and (text := series.to_and_fro(now).text):
        return text
    if kind == "gauge" and (text := series.before(now).text):
        return text
    return written(value_at(kind, name, series, now, zero), like)


def value_at(kind: str, name: str, series: Series, now: float, zero: float) -> float:
    """The number of this class at a moment; `zero` is when the recording began, on the server's clock."""
    unit = _UNITS.get(kind, 1)
    match kind:
        case "counter" if not series.falls():
            return max(0.0, series.gained(now))
        case "level" if series.moves_steadily():
            # What grows or shrinks waits for whoever comes, who else would find another incident.
            return max(series.floor, series._replace(usual=0.0).gained(now))
        case "microseconds":
            return (zero + now) * unit
        case "seconds":
            # A busy server read its clock a while after it was asked.
            run = now + min(sample.value - sample.t for sample in series.samples)
            return run % _LRU_BITS if name == "lru_clock" else run
        case "countdown":
            return max(0.0, series.run(now, unit)) if series.samples[-1].value > 0 else series.samples[-1].value
        case "age" | "age_ms":
            return series.aged(now, unit)
        case "instant" | "instant_ms":
            return series.moved(now, unit, zero)
        case "latest" if now > series.stretch.ends:
            return series.samples[-1].value
    return series.before(now).value


def written(value: float, like: str) -> str:
    """A number as text with the decimals of another."""
    places = decimals(like)
    # Rounded down: what hasn't happened wholly hasn't happened.
    return str(int(value // 1)) if not places else f"{value:.{places}f}"


def series_of(rows: Sequence[tuple[float, str]], stretch: Stretch, pace: float = 0.0) -> Series:
    """The samples of a field within the stretch; of those before it only the newest if there are no others."""
    within = [Sample(t, float(text), text) for t, text in rows if stretch.begins <= t <= stretch.ends]
    return Series(tuple(within) or (Sample(rows[-1][0], float(rows[-1][1]), rows[-1][1]),), stretch, pace)
