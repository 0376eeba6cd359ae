"""Two values compared: numbers as numbers, all else as text."""

from tools.records import Scalar


def compare(value: Scalar, op: str, other: Scalar) -> bool | None:
    """Whether the comparison holds, numbers compared as numbers; null where it needs a number and one isn't."""
    one, two = _number(value), _number(other)
    if op in ("==", "!="):
        equal = one == two if one is not None and two is not None else str(value) == str(other)
        return equal == (op == "==")
    if one is None or two is None:
        return None
    return {"<": one < two, "<=": one <= two, ">": one > two, ">=": one >= two, "falls": one < two, "grows": one > two}[
        op
    ]


def _number(value: Scalar) -> float | None:
    try:
        return None if value is None else float(value)
    except ValueError:
        return None
