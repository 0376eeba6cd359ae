"""The runbooks' remedies that fit an incident, with what is known about it filled in."""

from collections.abc import Collection, Iterator, Mapping
from typing import NamedTuple

from agent.answer.diagnosis import Cause
from agent.evidence.view import Readings
from agent.plan.shell import ways
from agent.runbooks.library import Library
from agent.runbooks.placeholders import values_at
from agent.runbooks.remedy import Remedy
from tools.connection.node import Node


class Fitting(NamedTuple):
    """A remedy for a cause as it was found here."""

    ref: str
    """Its name in a plan's order, such as thp/1."""
    remedy: Remedy
    """With its placeholders filled."""
    written: str
    """Its action as the runbook has it, without any of this server's words."""


def fitting(
    cause: Cause, ids: Collection[str], library: Library, readings: Readings, nodes: Mapping[str, Node]
) -> Iterator[Fitting]:
    """The remedies for a cause at its node, or at the first of `nodes`; `ids` are all causes of the answer."""
    notes = library.notes(cause.id)
    node = nodes.get(cause.where or "", next(iter(nodes.values())))
    view = readings.view(node.name)
    numbered = enumerate(notes.remedies if notes else (), 1)
    fits = [(number, one) for number, one in numbered if one.fits(cause.evidence, ids, view.fields)]
    values = values_at(view, {name for _, one in fits for name in one.placeholders})
    cli = ways(node.target, readings)
    for number, one in fits:
        for filled in one.filled(values, cli):
            # A setting of a data node can't be made at the sentinel that found the cause.
            if filled.kind == "outside" or not view.is_sentinel:
                yield Fitting(f"{cause.id}/{number}", filled, one.action)
