"""Readings as the checks see them: combined per tool, numbers as numbers, citations at hand."""

import re
from collections.abc import Collection, Iterable
from datetime import datetime
from operator import itemgetter

from agent.answer.diagnosis import Cause, Evidence, RuledOut
from agent.evidence.breadth import merged
from tools.patterns import deferred
from tools.records import Kind, Reading, Scalar

_NUMBER = deferred(r"[+-]?[0-9]{1,20}(\.[0-9]{1,20})?(e[+-]?[0-9]{1,2})?", re.IGNORECASE)
"""A number as servers write it. `float` accepts more: "nan", "inf", digits of other scripts."""
Merged = tuple[Reading, dict[str, Reading]]
"""The combined values of a tool's readings, and by field the reading that supplied the value."""
PASTED = "pasted_log"
"""The reading of log lines found in the report."""
CLIENT_ERRORS = "client_errors"
"""The reading of clients' errors in the report."""
Cited = tuple[str, str]
"""(tool, field): the field in the newest reading of that tool that was wide enough to have it."""


def ended_at(reading: Reading) -> float:
    """When a reading was complete, in seconds since the epoch."""
    return datetime.fromisoformat(reading.at).timestamp() + (reading.ms or 0) / 1000


class Readings:
    """The readings of a deployment by node, grouped once for the views of all its nodes."""

    def __init__(self, readings: Iterable[Reading]) -> None:
        self.all = tuple(readings)
        self.views: dict[str, View] = {}
        """The views of nodes created so far."""
        self._by_node: dict[str | None, list[tuple[int, Reading]]] = {None: []}
        for place, reading in enumerate(self.all):
            self._by_node.setdefault(reading.node, []).append((place, reading))
        self._taken: dict[str | None, dict[str, list[Reading]]] = {}
        self._shared: dict[str, Merged] = {}
        self._having: dict[str, tuple[str, ...]] = {}
        self._places: dict[str, str] | None = None

    @property
    def by_name(self) -> Collection[str | None]:
        """The same as a set, for lookups."""
        return self._by_node.keys()

    @property
    def nodes(self) -> tuple[str, ...]:
        """The nodes that have readings, in order of appearance."""
        return tuple(node for node in self._by_node if node is not None)

    def of(self, node: str | None) -> tuple[Reading, ...]:
        """The readings of a node and those without a node, in order; all of them if no node is given."""
        if node is None:
            return self.all
        found = sorted([*self._by_node[None], *self._by_node.get(node, ())], key=itemgetter(0))
        return tuple(reading for _, reading in found)

    def merged(self, node: str | None, tool: str) -> Merged | None:
        """The combined readings of a tool at a node and without a node; None if there are none."""
        if node is None:
            taken = [reading for reading in self.all if reading.tool == tool]
            return merged(taken) if taken else None
        if tool in self._of_tools(node):
            both = tool in self._of_tools(None)
            return merged([one for one in self.of(node) if one.tool == tool] if both else self._of_tools(node)[tool])
        # In a large deployment the readings without a node are long, and the same for all its nodes.
        if tool not in self._shared and tool in self._of_tools(None):
            self._shared[tool] = merged(self._of_tools(None)[tool])
        return self._shared.get(tool)

    def _of_tools(self, node: str | None) -> dict[str, list[Reading]]:
        """The readings of one node, or those without a node, by tool."""
        if node not in self._taken:
            by_tool = self._taken[node] = dict[str, list[Reading]]()
            for _, reading in self._by_node.get(node, ()):
                by_tool.setdefault(reading.tool, []).append(reading)
        return self._taken[node]

    def having(self, tool: str) -> tuple[str, ...]:
        """The nodes that have a reading of this tool, in the order of their first readings."""
        if tool not in self._having:
            self._having[tool] = tuple(
                node for node, taken in self._by_node.items()
                if node is not None and any(reading.tool == tool for _, reading in taken)
            )  # fmt: skip
        return self._having[tool]

    def place(self, node: str | None) -> str | None:
        """The name, such as n7, of a node in the deployment's topology; None if it isn't there."""
        if self._places is None:
            whole = self.merged("", "topology")
            values = (whole[0].values or {}) if whole else {}
            named = ((field, str(node)) for field, node in values.items() if field.endswith(".node"))
            self._places = {}
            for field, name in named:
                self._places.setdefault(name, field.removesuffix(".node"))
        return self._places.get(str(node))

    def view(self, node: str) -> "View":
        """A node's view, created once."""
        if node not in self.views:
            self.views[node] = View(self, node)
        return self.views[node]


class View:
    """The readings of one node, and those without a node."""

    def __init__(self, readings: "Iterable[Reading] | Readings", node: str | None) -> None:
        self.deployment = readings if isinstance(readings, Readings) else Readings(readings)
        self.readings = self.deployment.of(node)
        self.node = node
        self._together: dict[str, Merged | None] = {}
        self._rows: dict[tuple[str, str], dict[int, dict[str, Scalar]]] = {}
        self._errors: dict[str, tuple[str, ...]] = {}

    @property
    def all(self) -> tuple[Reading, ...]:
        """The readings of all nodes."""
        return self.deployment.all

    @property
    def peers(self) -> "tuple[View, ...]":
        """The other nodes of the deployment, each seen through its own readings."""
        return tuple(self.deployment.view(node) for node in self.deployment.nodes if node != self.node)

    def peers_with(self, tool: str) -> "tuple[View, ...]":
        """The peers that have a reading of this tool: in a large deployment, far fewer than all."""
        return tuple(self.deployment.view(node) for node in self.deployment.having(tool) if node != self.node)

    def peer(self, node: str | None) -> "View | None":
        """The other node with this name; None if nothing was read from it."""
        known = node is not None and node != self.node and node in self.deployment.by_name
        return self.deployment.view(str(node)) if known else None

    def rows(self, tool: str, letter: str) -> dict[int, dict[str, Scalar]]:
        """A ranking's rows by number, in order, such as `e1.command`, `e1.usec` and `e2.command` for the letter e."""
        if (tool, letter) not in self._rows:
            rows: dict[int, dict[str, Scalar]] = {}
            for field, value in self.fields(tool).items():
                place, dot, name = field.partition(".")
                if dot and place[:1] == letter and place[1:].isdecimal():
                    rows.setdefault(int(place[1:]), {})[name] = value
            self._rows[tool, letter] = dict(sorted(rows.items()))
        return self._rows[tool, letter]

    def errors(self, tool: str) -> tuple[str, ...]:
        """The fields in which a tool's readings count errors, such as `errorstat_OOM.count.delta`."""
        if tool not in self._errors:
            self._errors[tool] = tuple(field for field in self.fields(tool) if field.startswith("errorstat_"))
        return self._errors[tool]

    def last(self, tool: str) -> Reading | None:
        """A tool's combined readings, as one reading with the newest one's id; None if there are none."""
        together = self._of(tool)
        return together[0] if together else None

    def _of(self, tool: str) -> Merged | None:
        """A tool's combined readings, computed on first use, since many are never asked for."""
        if tool not in self._together:
            found = self.deployment.merged(self.node, tool)
            if tool == "log" and (found is None or found[0].unavailable):
                # What a person could read replaces what couldn't be read from here.
                found = self.deployment.merged(self.node, PASTED) or found
            self._together[tool] = found
        return self._together[tool]

    def get(self, tool: str, field: str) -> Scalar:
        """A value, or None where it wasn't read."""
        # The checks ask a thousand times for each node.
        together = self._together[tool] if tool in self._together else self._of(tool)
        return together[0].get(field) if together else None

    def number(self, tool: str, field: str) -> float | None:
        """A number, parsed where the server gave text; None if there is none."""
        value = self.get(tool, field)
        if value is None:
            return None
        if isinstance(value, bool):
            return float(value)
        if isinstance(value, (int, float)):
            return value
        return float(value) if isinstance(value, str) and _NUMBER.fullmatch(value) else None

    def moment(self, tool: str, field: str) -> float | None:
        """When something began whose age in seconds a field gives as of its reading's end; since the epoch.

        Ages from different readings aren't comparable: one reading takes an instant, another waits for its window.
        """
        seconds, reading = self.number(tool, field), self._holding(tool, field)
        return None if seconds is None or reading is None else ended_at(reading) - seconds

    def text(self, tool: str, field: str) -> str:
        """A value as text; empty if it wasn't read."""
        value = self.get(tool, field)
        return "" if value is None else str(value)

    def unavailable(self, tool: str) -> Kind | None:
        """The kind of unavailability of a tool's newest reading; failed readings that a model asked for don't count."""
        reading = self.last(tool)
        return reading.unavailable.kind if reading and reading.unavailable else None

    def first_unavailable(self, *kinds: Kind) -> str | None:
        """The tool of the first reading that is unavailable with one of these kinds."""
        for reading in self.readings:
            if reading.unavailable and reading.unavailable.kind in kinds and not reading.asked:
                return reading.tool
        return None

    def fields(self, tool: str) -> dict[str, Scalar]:
        """All combined values of a tool's readings."""
        reading = self.last(tool)
        return dict(reading.values or {}) if reading else {}

    @property
    def place(self) -> str | None:
        """This node's name, such as n7, in the deployment's topology."""
        return self.deployment.place(self.node)

    @property
    def in_topology(self) -> dict[str, Scalar]:
        """This node in the deployment's topology: its role and how its peers see it; empty if it isn't there."""
        at = self.place
        if at is None:
            return {}
        names = ("node", "role", "seen")
        return {name: self.get("topology", f"{at}.{name}") for name in names if self._has("topology", f"{at}.{name}")}

    def _has(self, tool: str, field: str) -> bool:
        reading = self.last(tool)
        return reading is not None and reading.has(field)

    @property
    def is_sentinel(self) -> bool:
        """Whether this node is a sentinel."""
        return self.in_topology.get("role") == "sentinel"

    @property
    def symptom(self) -> str:
        """What was reported."""
        return self.text("symptom", "text")

    def cite(self, *cited: Cited) -> tuple[Evidence, ...]:
        """Evidence from those fields that were read; none from the others."""
        found: list[Evidence] = []
        for tool, field in cited:
            reading = self._holding(tool, field)
            if reading is not None:
                found.append(Evidence(reading=reading.id, field=field, value=reading.get(field), verified=True))
        return tuple(found)

    def _holding(self, tool: str, field: str) -> Reading | None:
        if field != "unavailable":
            together = self._of(tool)
            return together[1].get(field) if together else None
        # The unavailable kind may be in an earlier reading of the tool than the newest.
        having = [one for one in self.readings if one.tool == tool and one.unavailable]
        own = [one for one in having if not one.asked]
        return next(reversed(own or (having if self.unavailable(tool) else [])), None)

    def cause(self, id: str, probability: float, why: str, *cited: Cited) -> Cause:
        """A finding about this node."""
        return Cause(id=id, probability=probability, where=self.node, why=why, evidence=self.cite(*cited))

    def not_(self, id: str, because: str, *cited: Cited) -> RuledOut:
        """A cause that the readings contradict."""
        return RuledOut(id=id, because=because, evidence=self.cite(*cited))
