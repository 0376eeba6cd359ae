"""What a past consists of, whoever kept it."""

from typing import NamedTuple


class Series(NamedTuple):
    """One time series."""

    labels: dict[str, str]
    points: list[tuple[float, float]]
    """Unix time in seconds and value, in order; non-finite values are left out."""
