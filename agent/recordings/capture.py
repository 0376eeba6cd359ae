"""Recording the whole state of a deployment at the start and at the end, and its vital signs in between."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from math import ceil

from agent.evidence.view import View
from agent.investigation.investigation import Investigation
from agent.investigation.toolset import tools_of
from tools.connection.node import Node
from tools.errors import ToolError, Unanswered
from tools.record.recorder import NOT_THE_SERVERS, Recorder
from tools.records import BudgetLimits, Reading, Record
from tools.server.info import sample
from tools.server.state import COSTS, sentinel_state, state
from tools.tasks import at_once
from tools.toolbox import PendingCall, Toolbox

PINGS = 3
"""PINGs of each node at each moment."""
MOMENT = 10
"""The most commands to one node at one moment, including those of a new connection."""
BYTES_WHOLE, BYTES_MOMENT = 8 * 2**20, 128 * 2**10
"""Usual maximum of bytes in one node's answers."""
GLANCE = 1.0
"""Seconds between the two samples of the machine."""
EACH_SECOND, WHOLE_AGAIN = 1.0, 60.0
"""Seconds between the counters, and between the whole states, of a long recording."""
_SAMPLED = frozenset(("process", "sockets", "machine"))
_ASKS = frozenset(("config_drift",))
"""The machine's tools that also ask the server."""
Tell = Callable[[str], None]


class Captured(Record):
    """What was recorded besides the investigation's own readings."""

    nodes: int
    """Nodes that were looked at."""
    answered: int
    """Nodes that answered when last asked."""
    moments: int
    """Samples of the vital signs between the two full states."""
    seconds: float


def _silent(line: str) -> None:
    pass


async def capture(
    incident: Investigation, duration: float = 20.0, every: float = 2.0, *, light: bool = False, long: bool = False,
    tell: Tell = _silent,
) -> Captured:  # fmt: skip
    """Record the state of all nodes of a surveyed and recorded investigation for `duration` seconds.

    The whole state is read at the start and at the end (with `light` only at the end), and the vital signs `every` so
    many seconds in between. With `long` the counters are read each second too, by INFO without its long sections, and
    the whole state each minute. A node that doesn't answer is tried again each time, and its silence is recorded. The
    investigation's limits are raised by what this costs, and its own readings stay as they were.
    """
    if incident.recorder is None:
        raise ValueError("an investigation that isn't recorded can't be captured; pass Sources(record=...)")
    clock, began = incident.clock, incident.clock.monotonic()
    machines = _machines(incident, incident.recorder)
    looks = [_Look(incident, node, machines) for node in incident.nodes.values()]
    pace = min(every, EACH_SECOND) if long else every
    wholes, most = (1 if light else 2) + (int(duration / WHOLE_AGAIN) if long else 0), ceil(duration / pace) + 1
    incident.budget.allow(
        BudgetLimits(
            commands=len(looks) * (wholes * COSTS + most * MOMENT), pings=len(looks) * most * PINGS,
            bytes=len(looks) * (wholes * BYTES_WHOLE + most * BYTES_MOMENT),
        )
    )  # fmt: skip
    if not light:
        tell(f"the whole state of {_several(len(looks), 'node')}")
        await at_once(*(look.whole() for look in looks))
    moments, due, full, whole = 0, pace, every, WHOLE_AGAIN
    while due < duration:
        # A late sample must not make the next ones follow immediately.
        due = max(due, clock.monotonic() - began)
        await clock.sleep(max(0.0, due - (clock.monotonic() - began)))
        if long and due >= whole:
            await at_once(*(look.whole() for look in looks))
            whole, full = due + WHOLE_AGAIN, due + every
        elif due >= full - pace / 2:
            await at_once(*(look.moment() for look in looks))
            full = due + every
        else:
            await at_once(*(look.counters() for look in looks))
        moments, due = moments + 1, due + pace
        tell(f"{min(due - pace, duration):.0f} of {duration:g} s: {_there(looks)} answered")
    await clock.sleep(max(0.0, duration - (clock.monotonic() - began)))
    tell("the whole state again" if not light else f"the whole state of {_several(len(looks), 'node')}")
    await at_once(*(look.whole() for look in looks))
    answered = sum(look.answers for look in looks)
    return Captured(
        nodes=len(looks), answered=answered, moments=moments, seconds=round(clock.monotonic() - began, 3)
    )  # fmt: skip


def _there(looks: "list[_Look]") -> str:
    return f"{sum(look.answers for look in looks)} of {_several(len(looks), 'node')}"


def _several(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _machines(incident: Investigation, recorder: Recorder) -> Toolbox:
    """The tools of the nodes' machines in a separate toolbox: what they read is recorded but isn't evidence."""

    def keep(what: PendingCall | Reading) -> None:
        if isinstance(what, Reading):
            recorder.reading(what)

    box = Toolbox((), incident.clock, keep)
    for name, node in incident.nodes.items():
        sentinel = incident.equipment.is_sentinel(node)
        tools = tools_of(
            node, incident.equipment.hosts[name], incident.proposals, incident.equipment.past, sentinel=sentinel
        )
        box.add(tool for tool in tools if tool.name in NOT_THE_SERVERS - {"history", "other_ports"})
    return box


class _Look:
    """One node, sampled repeatedly."""

    def __init__(self, incident: Investigation, node: Node, machines: Toolbox) -> None:
        self.node = node
        self.answers = False
        """Whether it answered when last asked."""
        self._sentinel = incident.equipment.is_sentinel(node)
        self._machines = machines
        self._barred = False
        view, first = View(incident.toolbox.readings, node.name), incident.view
        elsewhere = view.unavailable("process") == "not-local" or view.unavailable("connect") == "untrusted"
        # One machine is read once, however many of the nodes run on it.
        shared = node is not incident.node and first.get("machine", "locality") in ("local", "no-listener")
        self._tools = [name for name in sorted(NOT_THE_SERVERS) if machines.has(name, node.name)]
        self._tools = [name for name in self._tools if not elsewhere or name in _ASKS]
        self._tools = [name for name in self._tools if not (shared and name == "machine")]

    async def whole(self) -> None:
        """Everything that the node and its machine report."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._asked(self._state))
            for name in self._tools:
                if name not in _ASKS:
                    group.create_task(self._of_machine(name))
        if self.answers:
            async with asyncio.TaskGroup() as group:
                for name in self._tools:
                    if name in _ASKS:
                        group.create_task(self._of_machine(name))

    async def moment(self) -> None:
        """The vital signs and a few PINGs."""
        await self._asked(self._vital)

    async def counters(self) -> None:
        """The counters alone and a PING: cheap enough for each second."""
        await self._asked(self._counted)

    async def _asked(self, asking: Callable[[], Awaitable[None]]) -> None:
        if self._barred:
            return
        self.answers = False
        try:
            await self.node.connection()
            await asking()
            self.answers = True
        except Unanswered as error:
            # What is refused now will be refused later too, and each attempt leaves a log entry.
            self._barred = error.kind in ("noauth", "wrongpass", "untrusted")
        except ToolError:
            # A limit is reached or a command was refused: what is recorded so far has to do.
            pass

    async def _state(self) -> None:
        await (sentinel_state if self._sentinel else state)(self.node)

    async def _vital(self) -> None:
        if self._sentinel:
            await self.node.ask(("INFO",), ("SENTINEL", "MASTERS"))
        else:
            await sample(self.node)
        for _ in range(PINGS):
            await self.node.ping()

    async def _counted(self) -> None:
        await self.node.ask(("INFO",))
        await self.node.ping()

    async def _of_machine(self, tool: str) -> None:
        window = {"window": GLANCE} if tool in _SAMPLED else {}
        # Only a reached limit is an error: no answer is a reading.
        with contextlib.suppress(ToolError):
            await self._machines.call(tool, {**window, "node": self.node.name})
