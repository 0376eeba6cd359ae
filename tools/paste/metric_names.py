"""What others call INFO's fields."""

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from tools.records import Scalar


@cache
def metric_names() -> Mapping[str, Mapping[str, str]]:
    """By table of `metric_names.toml`: a name there, and INFO's, or nothing where INFO has none."""
    data = tomllib.loads(Path(__file__).with_name("metric_names.toml").read_text(encoding="utf-8"))
    return {table: dict(names) for table, names in data.items()}


def plain(value: float) -> Scalar:
    """A number as INFO would have it: whole where it's whole."""
    return int(value) if value.is_integer() and abs(value) < 2**63 else value
