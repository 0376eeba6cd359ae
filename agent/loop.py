"""The model's investigation: ask, carry out what it calls for, and end with what it submits."""

import asyncio
import json
import re
import time
from collections.abc import Callable, Collection, Sequence
from typing import Annotated

from pydantic import Field

from agent.conclude import SUBMIT, Concluded, parse, problems, schema, settle
from agent.diagnosis import ModelUse
from agent.digest import whole
from agent.events import Emit, ModelAnswered, ModelAsked
from agent.model import Model, ModelError
from agent.prompts import Prompt
from agent.request import Wire
from agent.turn import ToolCall, Turn, new_id
from tools.errors import ToolError
from tools.records import Record
from tools.toolbox import Toolbox

READ_RUNBOOK = "read_runbook"
MOST_CALLS = 8
"""Tools called in one answer: the server may be sick."""
MENDS, REMINDERS, UNUSABLE = 2, 2, 3
"""How often a wrong citation, an answer without a tool, and a submission that can't be read go back."""
RUNBOOK_MOST, PROBLEMS_MOST = 6000, 12
RESERVE = 0.25
"""The share of the time and of the tokens that is kept back for the conclusion."""
CONCLUDE = f"No more readings: call {SUBMIT} now, with what the readings show. insufficient-evidence is an answer."
LAST_BUT_ONE = f"One answer is left after this one. Conclude: call {SUBMIT} unless a reading is decisive."
REMIND = f"That was no tool call, and only {SUBMIT} ends the investigation. Call it, or a tool that reads."
ReadRunbook = Callable[[str], str]
"""The text of a runbook by name or by a cause's id; raises `ToolError` naming those that there are."""


class Limits(Record):
    """The bounds of a model's part."""

    turns: Annotated[int, Field(ge=1)] = 12
    """Most answers."""
    tokens: Annotated[int, Field(ge=1)] = 400_000
    """Most tokens of all answers together, in and out, as the endpoint counts them."""
    ends: float
    """The deadline in seconds of `time.monotonic`: an endpoint takes real time, also where the incident is replayed."""


def offered(toolbox: Toolbox, *, runbooks: bool = True) -> list[Wire]:
    """The tools that the model is given, always the same in the same order.

    A description is cut to its first paragraph; the rest, on what the fields mean, comes with a tool's first answer.
    """
    tools = toolbox.schemas()
    for tool in tools:
        function = tool["function"]
        tool["function"] = {**function, "description": _paragraphs(function["description"])[0]}
    name = {"type": "string", "description": "Its name in the list, or a cause's id."}
    parameters = {"type": "object", "properties": {"name": name}, "required": ["name"], "additionalProperties": False}
    runbook = {"name": READ_RUNBOOK, "description": "The text of a runbook.", "parameters": parameters}
    return [*tools, *([{"type": "function", "function": runbook}] if runbooks else []), schema()]


async def investigate(
    model: Model, toolbox: Toolbox, prompt: Prompt, limits: Limits, emit: Emit, *,
    causes: Collection[str], read_runbook: ReadRunbook | None,
) -> Concluded:  # fmt: skip
    """Let the model investigate and conclude, without runbooks if it's given none to read.

    Raises `ModelError`, with what was spent in its `use`.
    """
    dialogue = _Dialogue(model, toolbox, prompt, limits, emit, causes, read_runbook)
    try:
        for number in range(1, limits.turns + 1):
            turn = await dialogue.ask(number)
            if concluded := await dialogue.take(number, turn):
                return concluded
    except ModelError as error:
        raise type(error)(str(error), dialogue.use) from None
    raise ModelError(f"the model came to no diagnosis in {limits.turns} turns", dialogue.use)


class _Dialogue:
    """The conversation so far."""

    def __init__(
        self, model: Model, toolbox: Toolbox, prompt: Prompt, limits: Limits, emit: Emit,
        causes: Collection[str], read_runbook: ReadRunbook | None,
    ) -> None:  # fmt: skip
        self.use = ModelUse(name=model.name)
        self._model = model
        self._toolbox = toolbox
        self._limits = limits
        self._emit = emit
        self._causes = causes
        self._read_runbook = read_runbook
        self._messages = prompt.messages()
        self._tools = offered(toolbox, runbooks=read_runbook is not None)
        self._reserve = RESERVE * (limits.ends - time.monotonic())
        self._ids: set[str] = set()
        self._explained: set[str] = set()
        self._mends = self._reminders = self._unusable = 0

    @property
    def _left(self) -> float:
        return self._limits.ends - time.monotonic()

    @property
    def _spent(self) -> int:
        return self.use.tokens_in + self.use.tokens_out

    def _closing(self, number: int) -> bool:
        """Whether this answer has to be the conclusion."""
        short = self._left < self._reserve or self._spent > (1 - RESERVE) * self._limits.tokens
        return number == self._limits.turns or short

    async def ask(self, number: int) -> Turn:
        """The next answer."""
        if self._spent >= self._limits.tokens:
            raise ModelError(f"the model spent {self._spent} tokens of {self._limits.tokens} without a diagnosis")
        closing = self._closing(number)
        if closing or number == self._limits.turns - 1:
            self._tell(CONCLUDE if closing else LAST_BUT_ONE)
        self._emit(ModelAsked(turn=number))
        turn = await self._model.ask(
            self._messages, self._tools, ends=self._limits.ends, choice=SUBMIT if closing else None
        )
        self.use = self.use.model_copy(
            update={
                "turns": number, "tokens_in": self.use.tokens_in + turn.tokens_in,
                "tokens_out": self.use.tokens_out + turn.tokens_out,
            }
        )  # fmt: skip
        names = tuple(call.name for call in turn.tool_calls)
        self._emit(ModelAnswered(turn=number, tool_calls=names, use=self.use))
        return turn

    async def take(self, number: int, turn: Turn) -> Concluded | None:
        """Carry out what an answer calls for; the conclusion, if it is one that stands."""
        calls = self._keep(turn)
        submitted = next((call for call in reversed(calls) if call.name == SUBMIT), None)
        others = [call for call in calls if call.name != SUBMIT]
        closing = self._closing(number)
        # Before the submission is judged: it may cite what is read along with it.
        answers = dict(zip([call.id for call in others], await self._carry_out(others, closing), strict=True))
        if submitted:
            judged = self._judge(submitted, turn, mendable=number < self._limits.turns and self._left > 0)
            if isinstance(judged, Concluded):
                return judged
            answers[submitted.id] = judged
        for call in calls:
            text = answers.get(call.id, "Passed over: several were submitted, and the last one counts.")
            self._messages.append({"role": "tool", "tool_call_id": call.id, "content": text})
        if not calls:
            self._reminders += 1
            if self._reminders > REMINDERS:
                raise ModelError(f"the model answers in text and doesn't call {SUBMIT}")
            self._tell(REMIND)
        return None

    def _keep(self, turn: Turn) -> list[ToolCall]:
        """Append an answer to the conversation; its calls, with ids that no earlier call has."""
        calls = [
            call if call.id not in self._ids else call.model_copy(update={"id": new_id()}) for call in turn.tool_calls
        ]
        self._ids.update(call.id for call in calls)
        message: Wire = {"role": "assistant", "content": turn.text or None}
        if calls:
            message["tool_calls"] = [_echoed(call) for call in calls]
        if calls or turn.text:
            self._messages.append(message)
        return calls

    def _tell(self, text: str) -> None:
        last = self._messages[-1]
        if last == {"role": "user", "content": text}:
            return
        self._messages.append({"role": "user", "content": text})

    async def _carry_out(self, calls: Sequence[ToolCall], closing: bool) -> list[str]:
        if closing:
            return [CONCLUDE] * len(calls)
        beyond = [f"Not called: at most {MOST_CALLS} at once. Ask again for what you still need."]
        done = await asyncio.gather(*(self._answer(call) for call in calls[:MOST_CALLS]))
        return [*done, *beyond * max(0, len(calls) - MOST_CALLS)]

    async def _answer(self, call: ToolCall) -> str:
        if call.name == READ_RUNBOOK and self._read_runbook is not None:
            return self._runbook(call, self._read_runbook)
        try:
            # What is kept back is for the conclusion.
            async with asyncio.timeout(max(0.1, self._left - self._reserve)):
                reading = await self._toolbox.call(call.name, call.arguments)
        except ToolError as error:
            further = [READ_RUNBOOK] * (self._read_runbook is not None) + [SUBMIT]
            more = f", {', '.join(further)}" if call.name not in self._toolbox.tools else ""
            return f"error: {error}{more}"
        except TimeoutError:
            return f"error: the time for readings ended before {call.name} answered. {CONCLUDE}"
        except RecursionError:
            return f"error: {call.name}: the arguments are nested too deeply; send one flat JSON object"
        about = _paragraphs(self._toolbox.tools[call.name].description)[1]
        first = call.name not in self._explained
        self._explained.add(call.name)
        return whole(reading, about if first else "")

    def _runbook(self, call: ToolCall, read: ReadRunbook) -> str:
        given = _object(call.arguments)
        name = given.get("name") if given else None
        if not isinstance(name, str):
            return f'error: {READ_RUNBOOK}: send one JSON object such as {{"name": "..."}}'
        try:
            return read(name)[:RUNBOOK_MOST]
        except ToolError as error:
            return f"error: {error}"

    def _judge(self, call: ToolCall, turn: Turn, *, mendable: bool) -> Concluded | str:
        readings = self._toolbox.readings
        try:
            submission = parse(call.arguments)
        except ToolError as error:
            self._unusable += 1
            if self._unusable > UNUSABLE or not mendable:
                raise ModelError(f"the model's diagnosis can't be read: {str(error)[:160]}") from None
            cut = (
                " It was cut off at the most tokens of an answer: be shorter." if turn.finish_reason == "length" else ""
            )
            return f"error: {error}{cut}"
        wrong = problems(submission, readings, self._causes)
        if not wrong or not mendable or self._mends >= MENDS:
            return settle(submission, readings, self._causes, self.use)
        self._mends += 1
        listed = "\n".join(f"- {problem}" for problem in wrong[:PROBLEMS_MOST])
        return (
            f"Not accepted yet:\n{listed}\nMend this: cite what the readings show, or drop the claim. "
            f"Then call {SUBMIT} again with the whole diagnosis."
        )


def _echoed(call: ToolCall) -> Wire:
    """A call as it's sent back: endpoints refuse a conversation with a broken one in it, and it's told as an error."""
    name = re.sub(r"[^A-Za-z0-9_-]", "_", call.name)[:64] or "unnamed"
    arguments = call.arguments if _object(call.arguments) is not None else "{}"
    return {"id": call.id, "type": "function", "function": {"name": name, "arguments": arguments}}


def _object(text: str) -> dict[str, object] | None:
    try:
        parsed = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return parsed if isinstance(parsed, dict) else None


def _paragraphs(description: str) -> tuple[str, str]:
    first, _, rest = description.partition("\n\n")
    return " ".join(first.split()), " ".join(rest.split())
