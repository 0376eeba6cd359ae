"""INFO commandstats over a window: which commands cost the server its time."""

import re
from typing import Annotated

from pydantic import Field

from tools.connection.node import Node
from tools.records import Scalar, Values
from tools.server.info import Window, pair
from tools.toolbox import reads

_FIELD = re.compile(r"cmdstat_(?P<name>.+?)\.(?P<field>\w+?)(?P<suffix>\.delta|\.rate)?")
TELLING = (
    "xreadgroup", "blpop", "brpop", "lpop", "rpop", "blmove", "lmove", "brpoplpush", "rpoplpush", "bzpopmin",
    "zpopmin", "evalsha", "flushall", "flushdb", "config|set", "script|flush",
)  # fmt: skip
"""Commands that are shown however little they cost: that they were called at all says what the server is used for, or
what was done to its data."""
MOST_FAILING = 16
"""Commands that are shown because some of their calls failed or were refused over the window, those with most first."""
_SHOWN = ("calls", "usec", "usec_per_call", "rejected_calls", "failed_calls")


@reads
async def commandstats(
    node: Node,
    window: Window = 2.0,
    top: Annotated[int, Field(ge=1, le=50)] = 12,
) -> Values:
    """Calls, time and failures of each command, since the start and over the window.

    `<command>.<field>` is since the start, `<command>.<field>.delta` over the window (usec_per_call.delta is the
    mean cost of the calls within it). Shown are the costliest, and all with failed or refused calls.
    `total.usec.delta` sums all commands, `top` names the costliest of the window, `top_share` is its share of that
    time. usec leaves out queueing and the network.
    """
    both = await pair(node, window)
    rows = _rows(both.changes(frozenset({"commandstats"})))
    total = sum(_n(row.get("usec.delta")) for row in rows.values())
    calls = sum(_n(row.get("calls.delta")) for row in rows.values())
    ranked = sorted(rows, key=lambda name: (_n(rows[name].get("usec.delta")), _n(rows[name].get("usec"))), reverse=True)
    values: Values = {
        "window_seconds": round(both.seconds, 3), "commands": len(rows), "total.usec.delta": int(total),
        "total.calls.delta": int(calls), "busy_share": round(total / 1e6 / both.seconds, 4) if both.seconds else None,
    }  # fmt: skip
    if total:
        values["top"] = ranked[0]
        values["top_share"] = round(_n(rows[ranked[0]].get("usec.delta")) / total, 3)
    failing = sorted((name for name in rows if _failures(rows[name])), key=lambda name: -_failures(rows[name]))
    shown = (*ranked[:top], *failing[:MOST_FAILING], *(name for name in TELLING if name in rows))
    for name in dict.fromkeys(shown):
        row = rows[name]
        for field in ("rejected_calls", "failed_calls"):
            if not row.get(field):
                row.pop(field, None)
                row.pop(f"{field}.delta", None)
        if delta := _n(row.get("calls.delta")):
            row["usec_per_call.delta"] = round(_n(row.get("usec.delta")) / delta, 2)
        for field in _SHOWN:
            for key in (field, f"{field}.delta"):
                if key in row:
                    values[f"{name}.{key}"] = row[key]
    return values


def _rows(flat: Values) -> dict[str, dict[str, Scalar]]:
    rows: dict[str, dict[str, Scalar]] = {}
    for field, value in flat.items():
        if match := _FIELD.fullmatch(field):
            if match["field"] == "usec_per_call" and match["suffix"]:
                continue
            rows.setdefault(match["name"], {})[match["field"] + (match["suffix"] or "")] = value
    for row in rows.values():
        if not row.get("calls.delta") and "usec.delta" in row:
            # Only this program called it over the window.
            row["usec.delta"] = 0
    return rows


def _failures(row: dict[str, Scalar]) -> float:
    return _n(row.get("failed_calls.delta")) + _n(row.get("rejected_calls.delta"))


def _n(value: Scalar) -> float:
    return value if isinstance(value, int | float) else 0
