"""What a server's averages since its start suggest, if there is only one sample of it."""

from collections.abc import Iterable, Iterator, Sequence

from agent.answer.diagnosis import Cause, Evidence
from agent.checks.types import Check, Limits
from agent.evidence.view import Readings, View
from tools.errors import bug
from tools.records import Reading, Scalar, Values
from tools.server.info import COUNTERS

WEIGHT, MOST = 0.5, 0.45
"""Weight of a finding by averages relative to one by a window, and its maximum: less than present.

Most of what happened since the start is over.
"""
SAMPLED = ("info", "memory", "persistence", "replication", "keyspace")
_OF_COMMANDS = (".calls", ".usec", ".rejected_calls", ".failed_calls")
_BEGIN = "By its averages since the start only: "


def of_the_whole_life(readings: Readings) -> Readings | None:
    """The readings of a one-sample paste with counters as growth over the whole uptime; None for anything else."""
    if not any(one.unavailable and one.unavailable.kind == "not-pasted" for one in readings.all):
        return None
    uptimes = {one.node: up for one in readings.all if _is_single(one) and (up := _uptime(one))}
    if not uptimes:
        return None
    return Readings(_grown(one, uptimes[one.node]) if one.node in uptimes else one for one in readings.all)


def _is_single(one: Reading) -> bool:
    return one.tool == "info" and (one.get("window_seconds") == 0 or is_partial(one))


def is_partial(info: Reading) -> bool:
    """Whether of two samples the first has a few fields only, as lines of `redis-cli --stat` have."""
    return bool(info.get("window_seconds")) and info.get("rejected_connections.delta") is None


def _uptime(one: Reading) -> float:
    found = one.get("uptime_in_seconds")
    return float(found) if isinstance(found, int | float) else 0.0


def _grown(one: Reading, uptime: float) -> Reading:
    if one.values is None or (one.get("window_seconds") != 0 and not (one.tool == "info" and is_partial(one))):
        return one
    if one.tool == "commandstats":
        return one.model_copy(update={"values": _commands(one.values, uptime)})
    if one.tool not in SAMPLED:
        return one
    values: dict[str, Scalar] = {**one.values, "window_seconds": uptime}
    for field, value in one.values.items():
        if isinstance(value, int | float) and not isinstance(value, bool) and COUNTERS.fullmatch(field):
            # What was sampled twice is better than an average.
            values = {f"{field}.delta": value, f"{field}.rate": round(value / uptime, 3), **values}
    return one.model_copy(update={"values": values})


def _commands(given: Values, uptime: float) -> Values:
    values: dict[str, Scalar] = {**given, "window_seconds": uptime}
    costs: dict[str, float] = {}
    for field, value in given.items():
        if field.endswith(_OF_COMMANDS) and isinstance(value, int | float):
            values[f"{field}.delta"] = value
        if field.endswith(".usec_per_call"):
            values[f"{field}.delta"] = value
        if field.endswith(".usec") and isinstance(value, int | float):
            costs[field.removesuffix(".usec")] = value
    total = sum(costs.values())
    values |= {"total.usec.delta": int(total), "busy_share": round(total / 1e6 / uptime, 4)}
    if total:
        top = max(costs, key=lambda name: costs[name])
        values |= {"top": top, "top_share": round(costs[top] / total, 3)}
    return values


def hints(
    averages: Readings | None, view: View, found: Iterable[Cause], checks: Sequence[Check], limits: Limits
) -> Iterator[Cause]:
    """What the checks find by averages alone, as hints that cite the paste."""
    if averages is None:
        return
    known, whole = {cause.id for cause in found}, averages.view(str(view.node))
    for check in checks:
        try:
            results = list(check(whole, limits))
        except Exception as error:
            # The paste itself was weighed without it.
            bug(f"the check {check.__name__}, by averages", error)
            continue
        for one in results:
            if isinstance(one, Cause) and one.id not in known:
                yield one.model_copy(update={
                    "probability": round(min(MOST, one.probability * WEIGHT), 3), "why": f"{_BEGIN}{one.why}",
                    "evidence": tuple(cited for each in one.evidence if (cited := _as_read(each, view))),
                })  # fmt: skip


def _as_read(one: Evidence, view: View) -> Evidence | None:
    """Citations as they were read: a counter in place of its growth."""
    field = one.field.removesuffix(".delta").removesuffix(".rate")
    read = next((reading for reading in view.readings if reading.id == one.reading and reading.has(field)), None)
    return one.model_copy(update={"field": field, "value": read.get(field)}) if read else None
