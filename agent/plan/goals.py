"""What a step should achieve and must not make worse: readings before it compared with readings after."""

from collections.abc import Iterator, Mapping, Sequence

from agent.answer.compare import _number, compare
from agent.answer.diagnosis import Goal
from tools.records import Reading, Record, Scalar

Readings = Mapping[str, Reading]
"""By tool."""
GUARD = ("info", "latency_sample", "process")
"""Readings that show whether a server got worse, whatever the step was for."""
SLOWER, SLOW_MS = 10.0, 10.0
"""A median PING time this many times as long, and above this many milliseconds, is worse."""
MORE, FEW = 2.0, 10.0
"""This many times as many errors, and this many more, are worse: a server always has some."""
FD_SHARE = 0.95
"""Share of the file limit at which descriptors count as used up."""
UNREACHED = ("timeout", "refused", "reset", "loading", "busy", "maxclients", "misconf")


class Seen(Record):
    """One goal and the readings for it."""

    goal: Goal
    before: Scalar
    after: Scalar
    holds: bool | None
    """Null if it couldn't be read."""

    @property
    def well_before(self) -> bool:
        """Whether it already held before the step, which then didn't cause it."""
        return self.goal.op not in ("falls", "grows") and _holds(self.goal, self.before, self.before) is True

    @property
    def text(self) -> str:
        """As a person reads it."""
        word = {True: "yes", False: "no", None: "not read"}[self.holds]
        return f"{self.goal.text}: {word} ({_shown(self.before)} -> {_shown(self.after)})"


def _shown(value: Scalar) -> str:
    return "-" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def seen(goal: Goal, before: Readings, after: Readings) -> Seen:
    """Whether a goal was reached."""
    first, last = _value(before, goal), _value(after, goal)
    return Seen(goal=goal, before=first, after=last, holds=_holds(goal, first, last))


def _value(readings: Readings, goal: Goal) -> Scalar:
    return readings[goal.tool].get(goal.field) if goal.tool in readings else None


def _holds(goal: Goal, before: Scalar, after: Scalar) -> bool | None:
    if after is None:
        return None
    return compare(after, goal.op, before if goal.op in ("falls", "grows") else goal.value)


def helped(goals: Sequence[Seen]) -> str:
    """What to say when all goals hold: a setting that reads back as set hasn't helped anyone yet."""
    felt = [one for one in goals if one.goal.tool != "config_get" and one.holds]
    if not felt:
        return "it is in effect; the result will only show later"
    return "the measured values are healthy, and were before" if all(one.well_before for one in felt) else "it helped"


def brought_about(goals: Sequence[Seen]) -> bool:
    """Whether anything holds that didn't before: a step that changed nothing didn't cause it."""
    return any(one.holds and not one.well_before for one in goals)


def worse(before: Readings, after: Readings) -> Iterator[str]:
    """What got worse, one sentence each; empty if it can't be compared."""

    def figures(tool: str, field: str) -> tuple[float | None, float | None]:
        one, other = (_number(of[tool].get(field)) if tool in of else None for of in (before, after))
        return one, other

    if (kind := _lost(before, after)) is not None:
        yield f"the server no longer answers ({kind})"
    for field, what in (("total_error_replies.delta", "error replies"), ("rejected_connections.delta", "rejections")):
        one, other = figures("info", field)
        if one is not None and other is not None and other > MORE * one and other - one >= (FEW if one else 1):
            # The first rejections ever are worse right away; some errors always occur.
            if what == "error replies" and other - one < FEW:
                continue
            yield f"{what} went from {one:g} to {other:g} in the window"
    for field, what in (("evicted_keys.delta", "keys"), ("evicted_clients.delta", "clients")):
        one, other = figures("info", field)
        if one == 0 and other:
            yield f"evictions of {what} began: {other:g} in the window"
    one, other = figures("latency_sample", "median_ms")
    if one is not None and other is not None and other > SLOWER * one and other > SLOW_MS:
        yield f"the median PING went from {one:g} to {other:g} ms"
    used, limit = figures("process", "num_fds"), figures("process", "nofile_soft")
    if used[1] and limit[1] and used[1] >= FD_SHARE * limit[1] and (used[0] or 0) < used[1]:
        yield f"the process has {used[1]:g} of {limit[1]:g} file descriptors in use"


def _lost(before: Readings, after: Readings) -> str | None:
    kinds = [
        one.unavailable.kind if one and one.unavailable else None
        for one in (before.get("latency_sample"), after.get("latency_sample"))
    ]
    return kinds[1] if kinds[0] not in UNREACHED and kinds[1] in UNREACHED else None
