"""The tools that a model is given, and the answers to its calls."""

import asyncio
import json
import re
from collections.abc import Callable, Sequence

from agent.loop.claims import SUBMIT
from agent.loop.digest import reading_json
from agent.loop.submission_schema import schema
from agent.model.request import Wire
from agent.model.response import ToolCall
from agent.model.usage import Spending
from tools.errors import ToolError
from tools.patterns import deferred
from tools.records import Reading
from tools.toolbox import Toolbox

READ_RUNBOOK = "read_runbook"
MOST_CALLS = 8
"""Tools called in one answer: the server may be sick."""
RUNBOOK_MOST = 6000
HOPELESS: frozenset[str | None] = frozenset(("not-local", "unknown-command"))
"""Kinds of unavailable that another call doesn't change."""
CONCLUDE = f"No more readings: call {SUBMIT} now, with what the readings show. insufficient-evidence is an answer."
_CHANGING = deferred(
    r"appl|approv|confirm|exec|command|config_?set|^set|flush|shut|kill|restart|roll_?back|del|write|shell|bash|redis",
    re.IGNORECASE,
)
"""Names of tools that would change something: there are none, and a person sees that one was called."""
ReadRunbook = Callable[[str], str]
"""The text of a runbook by name or by a cause's id; raises `ToolError` naming those that there are."""
Refuse = Callable[[str, str], None]
"""Is called with what was asked for and refused, and why."""


def offered_tools(toolbox: Toolbox, *, runbooks: bool = True) -> list[Wire]:
    """The tools that the model is given, in a fixed order: those that by the readings so far could tell it something.

    A description is cut to its first paragraph; the rest, on what the fields mean, comes with a tool's first answer.
    """
    spared = _pointless(toolbox.readings)
    tools = [tool for tool in toolbox.schemas() if tool["function"]["name"] not in spared]
    for tool in tools:
        function = tool["function"]
        # An argument that there isn't is refused at the call, whether or not each schema says so.
        parameters = {name: part for name, part in function["parameters"].items() if name != "additionalProperties"}
        description = _paragraphs(function["description"])[0]
        tool["function"] = {**function, "description": description, "parameters": parameters}
    name = {"type": "string", "description": "Its name in the list, or a cause's id."}
    parameters = {"type": "object", "properties": {"name": name}, "required": ["name"], "additionalProperties": False}
    runbook = {"name": READ_RUNBOOK, "description": "The text of a runbook.", "parameters": parameters}
    return [*tools, *([{"type": "function", "function": runbook}] if runbooks else []), schema()]


def _pointless(readings: Sequence[Reading]) -> set[str]:
    """Tools that have nothing to tell: of a machine that isn't seen from here, a cluster that is none, a past that
    nobody keeps. Each takes room in every request; one that is called all the same answers."""
    kinds: dict[str, set[str | None]] = {}
    for one in readings:
        kinds.setdefault(one.tool, set()).add(one.unavailable.kind if one.unavailable else None)
    pointless = {tool for tool, seen in kinds.items() if seen <= HOPELESS}
    modes = {one.get("server_mode") or one.get("redis_mode") for one in readings if one.tool == "info"}
    if modes and modes <= {"standalone", "sentinel"}:
        pointless.add("cluster")
    if "info" in kinds and "history" not in kinds:
        # Where somebody keeps it, it's read along with INFO.
        pointless.add("history")
    return pointless


class ToolCaller:
    """Carries out a model's calls of tools that read or propose."""

    def __init__(
        self, toolbox: Toolbox, read_runbook: ReadRunbook | None, spending: Spending, refuse: Refuse,
        conclude: str = CONCLUDE,
    ) -> None:  # fmt: skip
        """`conclude` is the model's instruction once nothing more is read."""
        self._toolbox = toolbox
        self._read_runbook = read_runbook
        self._spending = spending
        self._refuse = refuse
        self._conclude = conclude
        self._explained: set[str] = set()

    @property
    def reads_runbooks(self) -> bool:
        """Whether there are runbooks to read."""
        return self._read_runbook is not None

    async def carry_out(self, calls: Sequence[ToolCall], *, closing: bool) -> list[str]:
        """The answers to calls, in their order."""
        for call in calls:
            if call.name not in (*self._toolbox.tools, READ_RUNBOOK) and _CHANGING.search(call.name):
                self._refuse(f"{call.name[:64]} {call.arguments[:120]}", "the model called it; there is no such tool")
        if closing:
            return [self._conclude] * len(calls)
        beyond = [f"Not called: at most {MOST_CALLS} at once. Ask again for what you still need."]
        async with asyncio.TaskGroup() as group:
            answers = [group.create_task(self._answer(call)) for call in calls[:MOST_CALLS]]
        return [*(answer.result() for answer in answers), *beyond * max(0, len(calls) - MOST_CALLS)]

    async def _answer(self, call: ToolCall) -> str:
        if call.name == READ_RUNBOOK and self._read_runbook is not None:
            return self._runbook(call, self._read_runbook)
        try:
            # The reserve is for the conclusion.
            async with asyncio.timeout(max(0.1, self._spending.left - self._spending.reserve)):
                reading = await self._toolbox.call(call.name, call.arguments, asked=True)
        except ToolError as error:
            further = [READ_RUNBOOK] * self.reads_runbooks + [SUBMIT]
            more = f", {', '.join(further)}" if call.name not in self._toolbox.tools else ""
            return f"error: {error}{more}"
        except TimeoutError:
            return f"error: the time for readings ended before {call.name} answered. {self._conclude}"
        except RecursionError:
            return f"error: {call.name}: the arguments are nested too deeply; send one flat JSON object"
        about = _paragraphs(self._toolbox.tools[call.name].description)[1]
        first = call.name not in self._explained
        self._explained.add(call.name)
        return reading_json(reading, about if first else "", self._times(reading))

    def _times(self, reading: Reading) -> int:
        """How often a reading was taken with the same arguments, this time included: deltas may need it again."""
        same = (reading.tool, reading.node, reading.args)
        return sum((one.tool, one.node, one.args) == same for one in self._toolbox.readings)

    def _runbook(self, call: ToolCall, read: ReadRunbook) -> str:
        try:
            given = json.loads(call.arguments)
        except (ValueError, RecursionError):
            given = None
        name = given.get("name") if isinstance(given, dict) else None
        if not isinstance(name, str):
            return f'error: {READ_RUNBOOK}: send one JSON object such as {{"name": "..."}}'
        try:
            return read(name)[:RUNBOOK_MOST]
        except ToolError as error:
            return f"error: {error}"


def _paragraphs(description: str) -> tuple[str, str]:
    first, _, rest = description.partition("\n\n")
    return " ".join(first.split()), " ".join(rest.split())
