"""Which of two readings of a tool saw more: the narrower one adds to what is known and never erases it."""

from collections.abc import Sequence
from enum import Enum

from tools.patterns import deferred
from tools.records import Reading, Scalar

GAUGES = ("info",)
"""Tools whose fields hold a state, unless the name says that a field covers the window."""
AS_LONG = 0.9
"""A window of at least this share of another counts as equally long: a slow server stretches both."""
_OF_WINDOW = deferred(r"\.(delta|rate)$|^window_seconds$")
_PLACE = deferred(r"^([a-z]+)\d+\.")
"""A position in a ranking, such as `o1` in `o1.count`: two rankings can't be mixed."""


class Breadth(Enum):
    """How much a reading saw, compared with an earlier one of the same tool."""

    WHOLE = "as much"
    PART = "some of the fields, those as well"
    LESS = "a shorter window, fewer rows, or another choice"


def breadth(newer: Reading, older: Reading) -> Breadth:
    """How much the newer of two readings saw. Arguments of only one count as narrower: defaults aren't known."""
    part = False
    for name in {*newer.args, *older.args} - {"node"}:
        one, other = _given(newer, name), _given(older, name)
        if one == other:
            continue
        if isinstance(one, list) or isinstance(other, list):
            part |= not (isinstance(one, list) and isinstance(other, list) and set(other) <= set(one))
        elif not (_is_number(one) and _is_number(other)) or float(str(one)) < AS_LONG * float(str(other)):
            return Breadth.LESS
    return Breadth.PART if part else Breadth.WHOLE


def merged(taken: Sequence[Reading]) -> tuple[Reading, dict[str, Reading]]:
    """The combined values of all readings of one tool at one node, and by field the reading that supplied the value.

    The newest value wins unless its reading saw less. A failed reading that a model asked for removes nothing.
    """
    whole = taken[0]
    held = dict.fromkeys(whole.values or {}, whole)
    if len(taken) == 1:
        return whole, held
    for newer in taken[1:]:
        if newer.asked and newer.unavailable and whole.values and not whole.unavailable:
            continue
        ranked = {place[1] for field in held if (place := _PLACE.match(field))}
        saw = breadth(newer, whole)
        earlier = {id(one): one for one in held.values()}
        saw_less = {key for key, one in earlier.items() if breadth(newer, one) is Breadth.LESS}
        places = {place[1] for field in newer.values or {} if (place := _PLACE.match(field))}
        if saw is not Breadth.LESS:
            # The newer ranking replaces the older one.
            held = {
                field: one for field, one in held.items() if (at := _PLACE.match(field)) is None or at[1] not in places
            }
        for field in newer.values or {}:
            place = _PLACE.match(field)
            if saw is Breadth.LESS and place and place[1] in ranked:
                continue
            state = newer.tool in GAUGES and not _OF_WINDOW.search(field)
            if field not in held or state or id(held[field]) not in saw_less:
                held[field] = newer
        # The next one is compared with the reading that saw most.
        args = newer.args if saw is Breadth.WHOLE else whole.args
        unavailable = whole.unavailable if newer.asked and newer.unavailable else newer.unavailable
        whole = newer.model_copy(
            update={"args": args, "unavailable": unavailable, "asked": whole.asked and newer.asked}
        )
        whole = whole.model_copy(update={"values": {field: one.get(field) for field, one in held.items()} or None})
    return whole, held


def _given(reading: Reading, name: str) -> Scalar | list[str]:
    given = reading.args.get(name)
    return (reading.values or {}).get("window_seconds") if given is None and name == "window" else given


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
