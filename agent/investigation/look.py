"""One look at a deployment: the named node first, then all that are found, then longer where nothing was."""

import asyncio
from collections.abc import Callable

from agent.evidence.view import View
from agent.investigation.baseline import compare
from agent.investigation.equipment import Equipment
from agent.investigation.sources import Options
from agent.investigation.survey import COMES_AND_GOES, HOST, NodeSurvey, Pace
from tools.connection.node import Node
from tools.errors import ToolError

SURVEY = 30.0
"""Most seconds of the first readings, a hunt for a slot among them; the rest is the model's."""
MOST_PINGS, ALL_PINGS = 60, 180
"""PINGs of one node's latency sample, and of all nodes' together."""


class Look:
    """Takes the readings that an investigation begins with, of every node."""

    def __init__(
        self, equipment: Equipment, options: Options, symptom: str, began: float, has_found: Callable[[], bool]
    ) -> None:
        """`began` is when it began, in the clock's monotonic seconds; `has_found` whether the checks name a cause."""
        self._equipment = equipment
        self._options = options
        self._symptom = symptom
        self._ends = began + min(options.deadline, SURVEY)
        self._has_found = has_found

    async def take(self) -> None:
        """Take them; what can't be read is a reading that says so."""
        equipment, reached = self._equipment, dict[str, bool]()
        watched = equipment.target.watched
        if not watched:
            # The named node first: it tells of the others.
            reached[equipment.node.name] = await self._survey(equipment.node, MOST_PINGS).reach()
        if watched or (reached[equipment.node.name] and not self._options.one_node):
            await self._look_around()
        surveys = [self._survey(node, self._pings()) for node in equipment.nodes.values()]
        async with asyncio.TaskGroup() as group:
            for one in surveys:
                group.create_task(self._read(one, reached.get(one.node.name)))
        if equipment.node.held:
            await self._survey(equipment.node, pings=0).idle(self._symptom)
        if COMES_AND_GOES.search(self._symptom) and not self._has_found():
            await self._watch([one for one in surveys if not equipment.is_sentinel(one.node)])
        await compare(equipment.toolbox)

    async def _look_around(self) -> None:
        """Find the deployment's other nodes."""
        equipment = self._equipment
        try:
            async with asyncio.timeout(max(0.5, self._ends - equipment.clock.monotonic())):
                await equipment.toolbox.call("topology")
        except (ToolError, TimeoutError):
            # A spent budget or deadline: the nodes that are known are looked at.
            pass
        equipment.equip()
        equipment.toolbox.prefer(equipment.node.name)

    async def _read(self, survey: NodeSurvey, reached: bool | None) -> None:
        if not (await survey.reach() if reached is None else reached):
            return
        if self._equipment.is_sentinel(survey.node):
            await survey.sentinel()
        else:
            await survey.server()

    async def _watch(self, surveys: list[NodeSurvey]) -> None:
        budget = self._equipment.budget
        left = (budget.limits.pings - budget.pings) // max(1, len(surveys))
        async with asyncio.TaskGroup() as group:
            for one in surveys:
                group.create_task(one.watch(left))

    def _survey(self, node: Node, pings: int) -> NodeSurvey:
        equipment = self._equipment
        pace = Pace(window=self._options.window, ends=self._ends, pings=pings)

        def confirm(view: View) -> None:
            equipment.confirm(node, view)

        # One machine is read once, however many of the nodes run on it.
        locality = equipment.view().get("machine", "locality")
        shared = node is not equipment.node and locality in ("local", "no-listener")
        tools = [tool for tool in HOST if not (shared and tool == "machine")]
        return NodeSurvey(
            equipment.toolbox, node, equipment.clock, pace, confirm, self._has_found, tools, equipment.keeps_past,
            equipment.names_log(node), node is equipment.node and not equipment.target.watched,
        )  # fmt: skip

    def _pings(self) -> int:
        """PINGs for each node: all of them together stay within the bound."""
        asked = sum(not self._equipment.is_sentinel(node) for node in self._equipment.nodes.values())
        return max(5, min(MOST_PINGS, ALL_PINGS // max(1, asked)))
