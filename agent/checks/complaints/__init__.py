"""What a server itself complains of, apart from all causes: as long as it does, it isn't called well.

The list knows no cause. What stands in it is explained by a cause that was found, or else bars `no-fault`: then
something is wrong that has no name here, and a person reads what.
"""

from collections.abc import Callable, Iterator, Sequence

from agent.answer.diagnosis import NAMELESS
from agent.answer.open_points import Complained
from agent.checks.complaints import (
    data,
    delays,
    deployment,
    doctors,
    doors,
    growth,
    habits,
    limits,
    log,
    own_ways,
    pods,
    provider,
    saves,
    statuses,
    traffic,
)
from agent.checks.complaints.complaint import Complaint
from agent.checks.types import Limits
from agent.checks.versus_baseline import as_ever
from agent.evidence.view import View
from tools.text import one_line

KINDS: tuple[Callable[[View, Limits], Iterator[Complaint]], ...] = (
    saves.crashes, statuses.statuses, log.events, log.lives, statuses.counters, statuses.errors, limits.limits,
    delays.held_up, saves.saves, delays.defragmentation, habits.habits, traffic.clients, growth.growth, data.data,
    limits.machine, deployment.members, own_ways.own_ways, doors.doors, pods.pod, provider.provider, doctors.doctors,
)  # fmt: skip
"""In the order in which they're named."""
SHOWN = 5
"""So many are named in a line."""
VALUE_MOST = 80
"""Characters of a value in it: a ticket's text is one, too."""


def complaints(view: View, thresholds: Limits) -> Iterator[Complaint]:
    """All that is wrong at a node by what was read of it, and wasn't just so on the good day, where one is known."""
    for kind in KINDS:
        for one in kind(view, thresholds):
            if not one.figures or not all(as_ever(view, thresholds, figure) for figure in one.figures):
                yield one


def told(view: View, found: Sequence[Complaint]) -> tuple[Complained, ...]:
    """Complaints as an answer holds them, each with what it was read from."""
    return tuple(
        Complained(what=one.what, node=view.node, evidence=view.cite(*one.cited), remedy=one.remedy or None)
        for one in found
    )


def nameless(view: View, found: Sequence[Complaint]) -> str:
    """The line that a person reads of complaints without a cause, each with what it was read from."""
    parts = []
    for one in found[:SHOWN]:
        cited = "; ".join(
            f"{each.reading} {one_line(each.field, VALUE_MOST)}={one_line(str(each.value), VALUE_MOST)}"
            for each in view.cite(*one.cited[:2])
        )
        parts.append(f"{one.what} [{cited}]" if cited else one.what)
    more = f"; and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    return f"{NAMELESS}: {'; '.join(parts)}{more}."


__all__ = ["KINDS", "Complaint", "complaints", "nameless", "told"]
