"""Fields of INFO second by second: whether something grows steadily, in steps, or swings."""

from collections.abc import Mapping, Sequence
from typing import Annotated, NamedTuple

from pydantic import Field

from tools.connection.budget import OwnTraffic
from tools.connection.node import Node
from tools.errors import ToolError, Unanswered
from tools.patterns import deferred
from tools.records import Scalar, Values
from tools.redact import PLAIN
from tools.server.info import note_version, parse_info
from tools.server.own_part import own_part
from tools.toolbox import reads

MOST_FIELDS, MOST_SECONDS = 4, 10.0
"""Most fields that are followed, and for how long: at most fourteen commands."""
REPEATED = 2
"""Looks that may repeat an earlier one, as a recording's first does."""
CLOCK = "server_time_usec"
_FIELD = deferred(r"[a-z][a-z0-9_]{1,63}")
"""A name in INFO's form, longer than other plain identifiers may be."""


class Moment(NamedTuple):
    """One look."""

    at: float
    """Seconds, by the server's clock where it tells."""
    fields: Mapping[str, Scalar]
    own: OwnTraffic
    """This program's share by then."""


@reads
async def series(node: Node, fields: list[str], seconds: Annotated[float, Field(allow_inf_nan=False)] = 5.0) -> Values:
    """Up to 4 INFO fields each second for up to 10 s: steady, in steps, or swinging.

    Fields are named as in `info`, e.g. `used_memory`, `db0.keys`, `cmdstat_get.calls`. `<field>.t0` is the first value,
    `<field>.t3` that of 3 s later; with `.min`, `.max` and `.slope`, the growth per second. This program's own calls,
    connections and errors are excluded. `absent` are those that INFO doesn't have.
    """
    asked = list(dict.fromkeys(fields))
    kept, seconds = asked[:MOST_FIELDS], max(1.0, min(seconds, MOST_SECONDS))
    _, whole = await _look(node, ("everything",))
    note_version(node, whole.get("server", {}))
    known = {section: having for section, having in whole.items() if PLAIN.fullmatch(section)}
    homes = {name: section for section, having in known.items() for name in kept if name in having}
    if not homes:
        raise ToolError("series: INFO has none of these fields; use the names that a reading of info shows")
    # Before 7.0 INFO takes one section only.
    together = node.version is not None and node.version >= (7, 0)
    sections = tuple(dict.fromkeys(("server", *homes.values()))) if together else ("everything",)
    first, _ = await _look(node, sections)
    moments, began = [first], node.clock.monotonic()
    extra: Values = {}
    if absent := [name for name in kept if name not in homes]:
        extra["absent"] = " ".join(
            name if _FIELD.fullmatch(name) else node.pseudonyms.plain("field", name) for name in absent
        )
    if len(asked) > len(kept):
        extra["left_out"] = len(asked) - len(kept)
    for second in range(1, int(seconds) + 1 + REPEATED):
        await node.clock.sleep(max(0.0, began + second - node.clock.monotonic()))
        try:
            moment, _ = await _look(node, sections)
        except Unanswered as error:
            raise Unanswered(error.kind, error.detail, extra | _drawn(moments, homes)) from None
        if moment.fields.get("run_id") != first.fields.get("run_id"):
            detail = f"{node.name} restarted during the series; what was read before still counts"
            raise Unanswered("restarted", detail, extra | _drawn(moments, homes))
        # Between two looks a recording repeats the earlier one.
        if moment.at > moments[-1].at:
            moments.append(moment)
        if len(moments) > int(seconds):
            break
    if len(moments) < 2:
        raise Unanswered("not-recorded", "there is only one sample of INFO, so there is no series", extra)
    return extra | _drawn(moments, homes)


async def _look(node: Node, sections: Sequence[str]) -> tuple[Moment, dict[str, Values]]:
    text = str(await node.one("INFO", *sections))
    own = node.own.copy()
    # The INFO that is being answered isn't counted in its own figures.
    own.calls["info"] -= 1
    found = parse_info(text, node.pseudonyms)
    fields = {name: value for having in found.values() for name, value in having.items()}
    usec = fields.get(CLOCK)
    return Moment(usec / 1e6 if isinstance(usec, int) else node.clock.monotonic(), fields, own), found


def _drawn(moments: Sequence[Moment], names: Mapping[str, str]) -> Values:
    first = moments[0]
    values: Values = {"window_seconds": round(moments[-1].at - first.at, 3), "samples": len(moments)}
    for name in names:
        points: list[tuple[float, float]] = []
        for moment in moments:
            value = moment.fields.get(name)
            if isinstance(value, int | float) and not isinstance(value, bool):
                value -= own_part(name, first.own, moment.own)
                points.append((moment.at - first.at, value))
            if name in moment.fields:
                values.setdefault(f"{name}.t{round(moment.at - first.at)}", value)
        if points:
            figures = [value for _, value in points]
            values |= {f"{name}.min": min(figures), f"{name}.max": max(figures), f"{name}.slope": _slope(points)}
    return values


def _slope(points: Sequence[tuple[float, float]]) -> float | None:
    """The growth per second of the straight line that fits best."""
    middle, mean = (sum(part) / len(points) for part in zip(*points, strict=True))
    spread = sum((at - middle) ** 2 for at, _ in points)
    return round(sum((at - middle) * (value - mean) for at, value in points) / spread, 3) if spread else None
