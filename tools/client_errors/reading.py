"""What clients report as a reading's values."""

from collections.abc import Iterable

from tools.client_errors.records import ClientError
from tools.records import Values

UNNAMED = "a client"
"""Whose an error is where nothing tells."""


def client_error_values(errors: Iterable[ClientError], *, bare: bool = False) -> Values | None:
    """The values of `client_errors`, e1 the surest; None where no client is named: an error's mere text isn't more
    than the report that has it, unless it's `bare`, pasted in place of a server."""
    told = list(errors)
    if not told or not (bare or any(one.library for one in told)):
        return None
    values: Values = {"errors": len(told)}
    for number, one in enumerate(told, 1):
        of = {
            "library": one.library or UNNAMED, "name": one.name, "stage": one.stage, "side": one.side,
            "weight": one.weight, "count": one.count, "means": one.means, "code": one.code or None, **one.figures,
        }  # fmt: skip
        values |= {f"e{number}.{name}": value for name, value in of.items() if value is not None}
    return values
