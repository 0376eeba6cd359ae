"""Counts as written in a sentence."""


def times(count: float) -> str:
    """How often: once, 3 times."""
    return "once" if round(count) == 1 else f"{count:.0f} times"
