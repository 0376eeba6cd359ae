"""The answers to a model's calls of tools."""

import asyncio
import json
import re
from collections.abc import Callable, Sequence
from typing import Any

from agent.loop.changes import since
from agent.loop.claims import SUBMIT
from agent.loop.digest import reading_json
from agent.loop.excerpt import excerpt, sections
from agent.loop.offered import OPEN_READING, READ_RUNBOOK, paragraphs
from agent.model.response import ToolCall
from agent.model.usage import Spending
from tools.errors import ToolError
from tools.patterns import deferred
from tools.records import Reading
from tools.toolbox import Toolbox

MOST_CALLS = 8
"""Most tools called in one answer: the server may be struggling."""
STORED_MOST = 12_000
"""Most bytes of a stored reading that is opened."""
MOST_NAMED = 40
"""How many readings are named if one that doesn't exist was requested."""
CONCLUDE = f"No more readings: call {SUBMIT} now with what the readings show. insufficient-evidence is a valid answer."
_CHANGING = deferred(
    r"appl|approv|confirm|exec|command|config_?set|^set|flush|shut|kill|restart|roll_?back|del|write|shell|bash|redis",
    re.IGNORECASE,
)
"""Names of tools that would change something: none exist, and a person sees that one was called."""
ReadRunbook = Callable[[str], str]
"""The text of a runbook, by its name or a cause's id; raises `ToolError` naming the available ones."""
Refuse = Callable[[str, str], None]
"""Called with what was requested but refused, and why."""


class ToolCaller:
    """Carries out a model's calls of tools that read or propose."""

    def __init__(
        self, toolbox: Toolbox, read_runbook: ReadRunbook | None, spending: Spending, refuse: Refuse,
        conclude: str = CONCLUDE, concludes: bool = True,
    ) -> None:  # fmt: skip
        """`conclude` is the instruction to the model once nothing more may be read; `concludes` says whether it may
        submit a diagnosis."""
        self._toolbox = toolbox
        self._read_runbook = read_runbook
        self._spending = spending
        self._refuse = refuse
        self._conclude = conclude
        self._concludes = concludes
        self._explained: set[str] = set()

    @property
    def reads_runbooks(self) -> bool:
        """Whether there are runbooks to read."""
        return self._read_runbook is not None

    async def carry_out(self, calls: Sequence[ToolCall], *, closing: bool) -> list[str]:
        """The answers to calls, in their order."""
        for call in calls:
            if call.name not in (*self._toolbox.tools, READ_RUNBOOK, OPEN_READING) and _CHANGING.search(call.name):
                self._refuse(
                    f"{call.name[:64]} {call.arguments[:120]}", "the model called it, but there is no such tool"
                )
        if closing:
            return [self._conclude] * len(calls)
        beyond = [f"Not called: at most {MOST_CALLS} calls at once. Ask again for what you still need."]
        async with asyncio.TaskGroup() as group:
            answers = [group.create_task(self._answer(call)) for call in calls[:MOST_CALLS]]
        return [*(answer.result() for answer in answers), *beyond * max(0, len(calls) - MOST_CALLS)]

    async def _answer(self, call: ToolCall) -> str:
        if call.name == READ_RUNBOOK and self._read_runbook is not None:
            return self._runbook(call, self._read_runbook)
        if call.name == OPEN_READING:
            given = _given(call)
            stored = next((one for one in self._toolbox.readings if one.id == given.get("id")), None)
            if stored is None or given.get("again") is not True or stored.tool not in self._toolbox.tools:
                return self._stored(given, stored)
            node = given.get("node") or stored.node
            arguments = {**stored.args, **({"node": node} if len(self._toolbox.nodes) > 1 else {})}
            call = call.model_copy(update={"name": stored.tool, "arguments": json.dumps(arguments)})
        try:
            # The reserve is for the conclusion.
            async with asyncio.timeout(max(0.1, self._spending.left - self._spending.reserve)):
                reading = await self._toolbox.call(call.name, call.arguments, asked=True)
        except ToolError as error:
            further = [OPEN_READING, *[READ_RUNBOOK] * self.reads_runbooks, *[SUBMIT] * self._concludes]
            more = f", {', '.join(further)}" if call.name not in self._toolbox.tools else ""
            return f"error: {error}{more}"
        except TimeoutError:
            return f"error: the time for readings ended before {call.name} answered. {self._conclude}"
        except RecursionError:
            return f"error: {call.name}: the arguments are nested too deeply; send one flat JSON object"
        said: dict[str, object] = {
            "bounds": _kept_within(call, reading),
            "since": self._since(reading),
            "again": self._again(reading),
        }
        return reading_json(reading, {name: text for name, text in said.items() if text} | self._about(reading.tool))

    def _about(self, tool: str) -> dict[str, object]:
        """What a tool's fields mean; said only once."""
        known = self._toolbox.tools.get(tool)
        about = paragraphs(known.description)[1] if known and tool not in self._explained else ""
        self._explained.add(tool)
        return {"about": about} if about else {}

    def _again(self, reading: Reading) -> str:
        """How often a reading was taken with the same arguments, including this time: deltas may need a repeat."""
        same = (reading.tool, reading.node, reading.args)
        times = sum((one.tool, one.node, one.args) == same for one in self._toolbox.readings)
        return f"now taken {times} times with these arguments; each takes a new window" if times > 1 else ""

    def _since(self, reading: Reading) -> dict[str, object] | None:
        found = since(self._toolbox.readings, reading, self._toolbox.tools[reading.tool].adapter)
        if found is None:
            return None
        told: dict[str, object] = {"reading": found.reading, "seconds": found.seconds}
        told["changed"] = list(found.lines) or "nothing"
        return told | ({"more": f"{found.left_out} more fields changed"} if found.left_out else {})

    def _stored(self, given: dict[str, Any], stored: Reading | None) -> str:
        id, fields = (given.get(name) for name in ("id", "fields"))
        if stored is None:
            known = ", ".join(f"{one.id} {one.tool}" for one in self._toolbox.readings[-MOST_NAMED:])
            return f"error: {OPEN_READING}: there is no reading {str(id)[:20]!r}; the newest are {known}"
        glob = fields if isinstance(fields, str) and fields else None
        return reading_json(stored, {"at": stored.at} | self._about(stored.tool), most=STORED_MOST, fields=glob)

    def _runbook(self, call: ToolCall, read: ReadRunbook) -> str:
        given = _given(call)
        name, section = given.get("name"), given.get("section")
        if not isinstance(name, str):
            return f'error: {READ_RUNBOOK}: send one JSON object such as {{"name": "..."}}'
        try:
            text = read(name)
        except ToolError as error:
            return f"error: {error}"
        shown = excerpt(text, section if isinstance(section, str) and section else None)
        known = f"it has {', '.join(sections(text))}"
        return shown or f"error: {READ_RUNBOOK}: {name[:64]} has no section {str(section)[:64]!r}; {known}"


def _given(call: ToolCall) -> dict[str, Any]:
    """The arguments of a call to the loop's own tools; empty if they can't be read."""
    try:
        given = json.loads(call.arguments)
    except (ValueError, RecursionError):
        return {}
    return given if isinstance(given, dict) else {}


def _kept_within(call: ToolCall, reading: Reading) -> str:
    """Says which arguments were limited to a bound."""
    given = _given(call)
    other = [f"{name}={json.dumps(value)}" for name, value in reading.args.items() if given.get(name) != value]
    return f"taken with {', '.join(other)}, the tool's limits" if other else ""
