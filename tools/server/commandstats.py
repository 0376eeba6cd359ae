"""INFO commandstats over a window: which commands cost the server its time."""

from collections import Counter
from functools import lru_cache
from typing import Annotated

from pydantic import Field

from tools.connection.node import Node
from tools.errors import Unanswered
from tools.patterns import deferred
from tools.records import Scalar, Values
from tools.server.command_classes import known_classes
from tools.server.info import MOST_FIELDS, Window, pair
from tools.toolbox import reads

_FIELD = deferred(r"cmdstat_(?P<name>.+?)\.(?P<field>\w+?)(?P<suffix>\.delta|\.rate)?")
TELLING = (
    "xreadgroup", "lpush", "rpush", "lpop", "rpop", "blpop", "brpop", "lmpop", "blmpop", "lmove", "blmove", "rpoplpush",
    "brpoplpush", "ltrim", "lrange", "lrem", "bzpopmin", "zpopmin", "evalsha", "flushall", "flushdb", "swapdb",
    "config|set", "script|flush", "monitor",
)  # fmt: skip
"""Commands that are shown however little they cost: their being called at all shows what the server is used for, or
what was done to its data."""
REFUSALS = ("rejected_calls", "failed_calls")
MOST_REFUSED = 32
"""How many more commands are shown for refused or failed calls: first those over the window, then the most."""
_SHOWN = ("calls", "usec", "usec_per_call", "rejected_calls", "failed_calls")


@reads
async def commandstats(
    node: Node,
    window: Window = 2.0,
    top: Annotated[int, Field(ge=1, le=50)] = 12,
) -> Values:
    """Calls, time and failures by command.

    `<command>.<field>` is since the start, `<command>.<field>.delta` over the window (usec_per_call.delta is the
    mean cost of the calls within it). Refused or failed ones are shown however cheap, and commands that only this
    program called come last. `total.usec.delta` sums all commands, `top` names the costliest of the window, `top_share`
    is its share of that time. usec leaves out queueing and the network. `writes.calls.delta` are the calls of all
    writing commands, as far as the server or the names show; `<command>.module` is true for a module's, whose time may
    be that of its own threads.
    """
    both = await pair(node, window)
    if node.network.pasted and "commandstats" not in both.last.sections:
        raise Unanswered("not-pasted", "INFO commandstats")
    rows = _rows(both.changes(frozenset({"commandstats"})))
    total = sum(_n(row.get("usec.delta")) for row in rows.values())
    calls = sum(_n(row.get("calls.delta")) for row in rows.values())
    # Before 7.0 a subcommand's calls are counted under its command's name.
    mine = both.last.own.calls + Counter(
        call.partition("|")[0] for call in both.last.own.calls.elements() if "|" in call
    )
    own = {name for name, row in rows.items() if _n(row.get("calls")) <= mine[name]}
    ranked = sorted(
        rows, key=lambda name: (name not in own, _n(rows[name].get("usec.delta")), _n(rows[name].get("usec"))),
        reverse=True,
    )  # fmt: skip
    values: Values = {
        "window_seconds": round(both.seconds, 3), "commands": len(rows), "total.usec.delta": int(total),
        "total.calls.delta": int(calls), "busy_share": round(total / 1e6 / both.seconds, 4) if both.seconds else None,
    }  # fmt: skip
    if total:
        values["top"] = ranked[0]
        values["top_share"] = round(_n(rows[ranked[0]].get("usec.delta")) / total, 3)
    classes = await known_classes(node, ranked)
    values["writes.calls.delta"] = int(
        sum(_n(rows[name].get("calls.delta")) for name, one in classes.items() if one.writes and name in rows)
    )
    for name in dict.fromkeys((*ranked[:top], *_refused(rows), *(name for name in TELLING if name in rows))):
        row = rows[name]
        for field in REFUSALS:
            if not row.get(field):
                row.pop(field, None)
                row.pop(f"{field}.delta", None)
        if delta := _n(row.get("calls.delta")):
            row["usec_per_call.delta"] = round(_n(row.get("usec.delta")) / delta, 2)
        for field in _SHOWN:
            for key in (field, f"{field}.delta"):
                if key in row:
                    values[f"{name}.{key}"] = row[key]
        if name in classes and classes[name].module:
            values[f"{name}.module"] = True
    return values


def _refused(rows: dict[str, dict[str, Scalar]]) -> list[str]:
    """Commands with refused or failed calls: a cut by cost would drop these first, since they cost nothing."""

    def times(name: str) -> tuple[float, float]:
        row = rows[name]
        return sum(_n(row.get(f"{field}.delta")) for field in REFUSALS), sum(_n(row.get(field)) for field in REFUSALS)

    return sorted((name for name in rows if any(times(name))), key=times, reverse=True)[:MOST_REFUSED]


def _rows(flat: Values) -> dict[str, dict[str, Scalar]]:
    rows: dict[str, dict[str, Scalar]] = {}
    for field, value in flat.items():
        if place := _place(field):
            name, of_it = place
            rows.setdefault(name, {})[of_it] = value
    for row in rows.values():
        if not row.get("calls.delta") and "usec.delta" in row:
            # Only this program called it over the window.
            row["usec.delta"] = 0
    return rows


@lru_cache(maxsize=MOST_FIELDS)
def _place(field: str) -> tuple[str, str] | None:
    """The command and its figure that a field of INFO is; None for one that isn't shown."""
    match = _FIELD.fullmatch(field)
    if match is None or (match["field"] == "usec_per_call" and match["suffix"]):
        return None
    # Modules register names in any case.
    return match["name"].lower(), match["field"] + (match["suffix"] or "")


def _n(value: Scalar) -> float:
    return value if isinstance(value, int | float) else 0
