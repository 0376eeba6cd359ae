"""One look at a deployment: the named node first, then all others, then a longer look if nothing was found.

In a large one all nodes get a glance, and those that stand out are examined in depth.
"""

import asyncio
from collections.abc import Callable, Sequence

from agent.answer.diagnosis import Verdict
from agent.evidence.view import Readings, View
from agent.investigation.baseline import compare
from agent.investigation.depth import ALL, worth_depth
from agent.investigation.equipment import Equipment
from agent.investigation.pods import find_pods
from agent.investigation.sources import Options
from agent.investigation.survey import COMES_AND_GOES, GLANCE_PINGS, HOST, NodeSurvey, Pace
from tools.connection.node import Node
from tools.errors import ToolError
from tools.tasks import at_once

SURVEY = 30.0
"""Most seconds for the first readings, including a hunt for a slot; the rest is for the model."""
MOST_PINGS, ALL_PINGS = 60, 180
"""PINGs in one node's latency sample, and of all nodes together."""
AT_ONCE = 200
"""Nodes that are glanced at concurrently: each holds a connection, and a process is often limited to 1,024 files."""


class Look:
    """Takes an investigation's first readings of every node."""

    def __init__(
        self, equipment: Equipment, options: Options, symptom: str, began: float, conclude: Callable[[], Verdict],
        weighed: Callable[[], Readings],
    ) -> None:  # fmt: skip
        """`began` is when it began, in the clock's monotonic seconds; `conclude` gives what the checks conclude so far,
        `weighed` the readings themselves."""
        self._equipment = equipment
        self._options = options
        self._symptom = symptom
        self._ends = began + min(options.deadline, SURVEY)
        self._conclude = conclude
        self._weighed = weighed
        self._reached: dict[str, bool] = {}
        """Whether a node could be connected to, as far as that was tried."""
        self._known = asyncio.Event()
        """Whether the deployment's nodes are known."""

    async def take(self) -> None:
        """Take them; what can't be read becomes a reading that says so."""
        # Others answer these: nobody waits for them.
        await at_once(self._take(), self._ask_kubernetes(), self._ask_around("provider"))

    async def _ask_around(self, tool: str) -> None:
        """What whoever runs the named server knows of it, if they may be asked."""
        if self._equipment.toolbox.has(tool, self._equipment.node.name):
            await self._survey(self._equipment.node, pings=0).take(tool)

    async def _ask_kubernetes(self) -> None:
        """What Kubernetes knows of the named server and of the others, if it may be asked."""
        await self._ask_around("pod")
        await self._known.wait()
        for name in await find_pods(self._equipment):
            await self._survey(self._equipment.nodes[name], pings=0).take("pod")

    async def _take(self) -> None:
        try:
            await self._find()
        finally:
            self._known.set()
        await self._examine()

    async def _find(self) -> None:
        equipment, reached = self._equipment, self._reached
        watched = equipment.target.watched
        if not watched:
            # The named node first: it names the others.
            reached[equipment.node.name] = await self._survey(equipment.node, MOST_PINGS).reach()
        if watched or (reached[equipment.node.name] and not self._options.one_node):
            await self._look_around()

    async def _examine(self) -> None:
        equipment, reached = self._equipment, self._reached
        nodes = list(equipment.nodes.values())
        sentinels = [node for node in nodes if equipment.is_sentinel(node)]
        servers = [node for node in nodes if node not in sentinels]
        in_depth = servers if len(servers) <= ALL else await self._glance(servers, reached)
        equipment.in_depth = tuple(node.name for node in in_depth)
        pings = _pings(len(in_depth))
        surveys = [self._survey(node, pings) for node in nodes if node in in_depth or node in sentinels]
        async with asyncio.TaskGroup() as group:
            for one in surveys:
                group.create_task(self._read(one, reached.get(one.node.name)))
        if equipment.node.held:
            await self._survey(equipment.node, pings=0).idle(self._symptom)
        if not self._has_found():
            await self._widen([node for node in servers if node not in in_depth])
        if COMES_AND_GOES.search(self._symptom) and not self._has_found():
            await self._watch([one for one in surveys if one.node in in_depth])
        await compare(equipment.toolbox)

    def _has_found(self) -> bool:
        return bool(self._conclude().causes)

    async def _glance(self, nodes: Sequence[Node], reached: dict[str, bool]) -> list[Node]:
        """Read what is cheap from all these nodes; returns those that deserve more."""
        free = asyncio.Semaphore(AT_ONCE)

        async def glance(node: Node) -> None:
            async with free:
                await self._survey(node, GLANCE_PINGS, in_depth=False).glance(reached.get(node.name))
                if len(nodes) > AT_ONCE and node is not self._equipment.node:
                    node.close()

        async with asyncio.TaskGroup() as group:
            for node in nodes:
                group.create_task(glance(node))
        equipment = self._equipment
        readings = self._weighed()
        views = [readings.view(node.name) for node in nodes]
        reached |= {node.name: True for node in nodes if node.held and not readings.view(node.name).unavailable("info")}
        chosen = worth_depth(views, self._conclude(), self._symptom)
        for name in chosen:
            # With the pid known, there is no need to look for the server among all processes.
            equipment.confirm(equipment.nodes[name], readings.view(name))
        return [equipment.nodes[name] for name in chosen]

    async def _widen(self, nodes: Sequence[Node]) -> None:
        """The servers' own records of the past, of those that only got a glance, since nothing was found."""
        free = asyncio.Semaphore(AT_ONCE)

        async def remember(node: Node) -> None:
            async with free:
                await self._survey(node, pings=0, in_depth=False).remember()

        async with asyncio.TaskGroup() as group:
            for node in nodes:
                group.create_task(remember(node))

    async def _look_around(self) -> None:
        """Find the deployment's other nodes."""
        equipment = self._equipment
        try:
            async with asyncio.timeout(max(0.5, self._ends - equipment.clock.monotonic())):
                await equipment.toolbox.call("topology")
        except (ToolError, TimeoutError):
            # The budget or deadline is used up: only the known nodes are examined.
            pass
        equipment.add_pasted()
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

    def _survey(self, node: Node, pings: int, *, in_depth: bool = True) -> NodeSurvey:
        equipment = self._equipment
        pace = Pace(window=self._options.window, ends=self._ends, pings=pings)

        def confirm(view: View) -> None:
            equipment.confirm(node, view)

        # A machine is read once, however many nodes run on it; a glance doesn't read it.
        shared = in_depth and node is not equipment.node and (
            equipment.view().get("machine", "locality") in ("local", "no-listener")
        )  # fmt: skip
        tools = [tool for tool in HOST if in_depth and not (shared and tool == "machine")]
        return NodeSurvey(
            equipment.toolbox, node, equipment.clock, pace, confirm, self._has_found, tools, equipment.keeps_past,
            equipment.names_log(node), node is equipment.node and not equipment.target.watched,
        )  # fmt: skip


def _pings(nodes: int) -> int:
    """PINGs for each of this many nodes, so that all together stay within the limit."""
    return max(5, min(MOST_PINGS, ALL_PINGS // max(1, nodes)))
