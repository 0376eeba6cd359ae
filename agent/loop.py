"""The model's investigation: ask, carry out what it calls for, and end with what it submits."""

from collections.abc import Collection

from agent.calling import CONCLUDE, READ_RUNBOOK, Caller, ReadRunbook, Refuse
from agent.calling import offered as offered
from agent.conclude import SUBMIT, Concluded, parse, problems, settle
from agent.diagnosis import Cause
from agent.events import Emit, ModelAnswered, ModelAsked
from agent.failures import ModelError, Overflow
from agent.mended import mended
from agent.model import Model
from agent.prompts import Prompt
from agent.request import size
from agent.spending import Limits as Limits
from agent.spending import Spending
from agent.spoken import spoken
from agent.transcript import Transcript
from agent.turn import ToolCall, Turn, whole_escapes
from tools.errors import ToolError
from tools.toolbox import Toolbox

MENDS, REMINDERS, UNUSABLE, CLOSINGS = 2, 2, 3, 4
"""How often a wrong citation, an answer without a tool, and a submission that can't be read go back, and how often the
conclusion is asked for."""
PROBLEMS_MOST = 12
LAST_BUT_ONE = f"One answer is left after this one. Conclude: call {SUBMIT} unless a reading is decisive."
REMIND = f"That was no tool call, and only {SUBMIT} ends the investigation. Call it, or a tool that reads."
CUT = "It was cut off at the most tokens of an answer: be shorter."


async def investigate(
    model: Model, toolbox: Toolbox, prompt: Prompt, limits: Limits, emit: Emit, *,
    causes: Collection[str], read_runbook: ReadRunbook | None, found: Cause | None = None,
    refuse: Refuse = lambda action, why: None,
) -> Concluded:  # fmt: skip
    """Let the model investigate and conclude, without runbooks if it's given none to read.

    Raises `ModelError`, with what was spent in its `use`.

    `found` is what the checks are surest of: the model names it too, or cites what speaks against it.
    """
    spending = Spending(model.name, limits)
    caller = Caller(toolbox, read_runbook, spending, refuse)
    dialogue = _Dialogue(model, toolbox, prompt, spending, emit, causes, caller, found)
    try:
        for number in range(1, limits.turns + 1):
            turn = await dialogue.ask(number)
            if concluded := await dialogue.take(number, turn):
                return concluded
    except ModelError as error:
        raise type(error)(str(error), spending.use) from None
    raise ModelError(f"the model came to no diagnosis in {limits.turns} turns", spending.use)


class _Dialogue:
    """The conversation so far."""

    def __init__(
        self, model: Model, toolbox: Toolbox, prompt: Prompt, spending: Spending, emit: Emit,
        causes: Collection[str], caller: Caller, found: Cause | None,
    ) -> None:  # fmt: skip
        self._model = model
        self._toolbox = toolbox
        self._spending = spending
        self._emit = emit
        self._causes = causes
        self._caller = caller
        self._found = found
        self._transcript = Transcript(prompt)
        self._tools = offered(toolbox, runbooks=caller.reads_runbooks)
        self._names = {*toolbox.tools, SUBMIT} | ({READ_RUNBOOK} if caller.reads_runbooks else set())
        self._too_long: int | None = None
        """Bytes of a request that the endpoint found too long; no later one is as long."""
        self._mends = self._reminders = self._unusable = self._closings = 0

    async def ask(self, number: int) -> Turn:
        """The next answer."""
        if why := self._spending.over():
            raise ModelError(why)
        closing = self._spending.closing(number)
        self._closings += closing
        if self._closings > CLOSINGS:
            raise ModelError(f"the model was asked {CLOSINGS} times to conclude and doesn't call {SUBMIT}")
        if closing or number == self._spending.limits.turns - 1:
            self._transcript.tell(CONCLUDE if closing else LAST_BUT_ONE)
        self._emit(ModelAsked(turn=number))
        turn = await self._fitting(SUBMIT if closing else None)
        self._spending.add(turn, self._size)
        names = tuple(call.name[:64] for call in turn.tool_calls)
        self._emit(ModelAnswered(turn=number, tool_calls=names, use=self._spending.use))
        return turn

    @property
    def _size(self) -> int:
        return size(self._transcript.messages, self._tools)

    async def _fitting(self, choice: str | None) -> Turn:
        """An answer to the conversation, shortened as far as the endpoint wants it."""
        cited = {(one.reading, one.field) for one in self._found.evidence} if self._found else set()
        while True:
            while self._too_long is not None and self._size >= self._too_long:
                if not self._transcript.shorten(self._toolbox.readings, cited):
                    break
            try:
                return await self._model.ask(
                    self._transcript.messages, self._tools, ends=self._spending.limits.ends, choice=choice
                )
            except Overflow as error:
                self._too_long = min(self._size, self._too_long or self._size)
                if not self._transcript.shorten(self._toolbox.readings, cited):
                    raise ModelError(f"the incident doesn't fit into the model's context: {error}") from None

    async def take(self, number: int, turn: Turn) -> Concluded | None:
        """Carry out what an answer calls for; the conclusion, if it is one that stands."""
        calls = self._transcript.keep(turn, self._calls(turn))
        submitted = next((call for call in reversed(calls) if call.name == SUBMIT), None)
        others = [call for call in calls if call.name != SUBMIT]
        closing = self._spending.closing(number)
        # Before the submission is judged: it may cite what is read along with it.
        done = await self._caller.carry_out(others, closing=closing)
        answers = dict(zip([call.id for call in others], done, strict=True))
        if submitted:
            mendable = number < self._spending.limits.turns and self._spending.left > 0
            judged = self._judge(submitted, turn, mendable=mendable)
            if isinstance(judged, Concluded):
                return judged
            answers[submitted.id] = judged
        passed = "Passed over: several were submitted, and the last one counts."
        self._transcript.answer(turn, [(call, answers.get(call.id, passed)) for call in calls])
        if not calls:
            self._remind(turn)
        return None

    def _calls(self, turn: Turn) -> list[ToolCall]:
        """The calls of an answer, also those in its text, with their arguments mended."""
        reported = next((str(one.get("text")) for one in self._toolbox.readings if one.tool == "symptom"), "")
        calls = turn.tool_calls or spoken(turn.text, self._names, submit=SUBMIT, quoted=reported)
        cut = turn.finish_reason == "length"
        return [call.model_copy(update={"arguments": whole_escapes(mended(call.arguments, cut=cut))}) for call in calls]

    def _remind(self, turn: Turn) -> None:
        self._reminders += 1
        filtered = turn.finish_reason == "content_filter"
        if self._reminders > 1 and (turn.refusal or filtered):
            words = " ".join(turn.refusal.split())[:120]
            raise ModelError(f"the model refuses: {words}" if words else "the provider's filter takes the answer away")
        if self._reminders > REMINDERS:
            raise ModelError(f"the model answers in text and doesn't call {SUBMIT}")
        self._transcript.tell(f"{REMIND} {CUT}" if turn.finish_reason == "length" else REMIND)

    def _judge(self, call: ToolCall, turn: Turn, *, mendable: bool) -> Concluded | str:
        readings = self._toolbox.readings
        try:
            submission = parse(call.arguments)
        except ToolError as error:
            self._unusable += 1
            if self._unusable > UNUSABLE or not mendable:
                raise ModelError(f"the model's diagnosis can't be read: {str(error)[:160]}") from None
            return f"error: {error}{f' {CUT}' if turn.finish_reason == 'length' else ''}"
        wrong = problems(submission, readings, self._causes, self._found)
        if not wrong or not mendable or self._mends >= MENDS:
            return settle(submission, readings, self._causes, self._spending.use)
        self._mends += 1
        listed = "\n".join(f"- {problem}" for problem in wrong[:PROBLEMS_MOST])
        return (
            f"Not accepted yet:\n{listed}\nMend this: cite what the readings show, or drop the claim. "
            f"Then call {SUBMIT} again with the whole diagnosis."
        )
