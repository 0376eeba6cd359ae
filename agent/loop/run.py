"""The model's investigation: ask it, carry out its calls, and end with its submission."""

from collections.abc import Callable, Collection

from agent.answer.diagnosis import Cause
from agent.answer.events import Emit
from agent.loop.claims import SUBMIT, parse
from agent.loop.exchange import Dialogue
from agent.loop.offered import offered_tools as offered_tools
from agent.loop.submission import Conclusion, problems, settle
from agent.loop.tool_calls import CONCLUDE, ReadRunbook, Refuse, ToolCaller
from agent.loop.transcript import Transcript
from agent.model.client import Model
from agent.model.errors import ModelError
from agent.model.response import ToolCall, Turn
from agent.model.usage import Limits as Limits
from agent.model.usage import Spending
from tools.errors import ToolError
from tools.toolbox import Toolbox

CORRECTIONS, REMINDERS, UNUSABLE, CLOSINGS = 2, 2, 3, 4
"""How often the model may correct citations, answer without a tool, submit the unreadable, and be asked to conclude."""
PROBLEMS_MOST = 12
LAST_BUT_ONE = f"One answer is left after this one. Conclude: call {SUBMIT} unless a reading is decisive."
REMIND = f"That was not a tool call. Only {SUBMIT} ends the investigation: call it, or a tool that reads."
ACCEPTED = "Accepted."
SUPERSEDED = "Ignored: several were submitted, and the last one counts."
Review = Callable[[Conclusion], str | None]
"""Says why a conclusion wouldn't be accepted, worded for the model; null if it would."""
CUT = "It was cut off at the token limit of an answer: be shorter."


async def investigate(
    model: Model, toolbox: Toolbox, transcript: Transcript, limits: Limits, emit: Emit, *,
    causes: Collection[str], read_runbook: ReadRunbook | None, found: Cause | None = None,
    refuse: Refuse = lambda action, why: None, review: Review | None = None,
) -> Conclusion:  # fmt: skip
    """Let the model investigate and conclude, without runbooks if `read_runbook` is null.

    `transcript` grows. Raises `ModelError`, with what was spent in its `use`. `found` is the checks' surest cause: the
    model has to name it too, or cite what contradicts it. `review` says why a conclusion wouldn't be accepted; the
    model is then asked once more.
    """
    spending = Spending(model.name, limits)
    caller = ToolCaller(toolbox, read_runbook, spending, refuse)
    cited = {(one.reading, one.field) for one in found.evidence} if found else set()
    dialogue = Dialogue(model, toolbox, transcript, spending, emit, runbooks=caller.reads_runbooks, cited=cited)
    concluding = _Conversation(dialogue, toolbox, spending, causes, caller, found, review)
    try:
        for number in range(1, limits.turns + 1):
            turn = await concluding.ask(number)
            if concluded := await concluding.take(number, turn):
                return concluded
    except ModelError as error:
        if concluding.valid is not None:
            return concluding.valid.model_copy(update={"use": spending.use})
        raise type(error)(str(error), spending.use) from None
    raise ModelError(f"the model reached no diagnosis in {limits.turns} turns", spending.use)


class _Conversation:
    """The conversation up to a diagnosis."""

    def __init__(
        self, dialogue: Dialogue, toolbox: Toolbox, spending: Spending, causes: Collection[str], caller: ToolCaller,
        found: Cause | None, review: Review | None,
    ) -> None:  # fmt: skip
        self._dialogue = dialogue
        self._transcript = dialogue.transcript
        self._toolbox = toolbox
        self._spending = spending
        self._causes = causes
        self._caller = caller
        self._found = found
        self._review = review
        self._corrections = self._reminders = self._unusable = self._closings = 0
        self.valid: Conclusion | None = None
        """What was submitted, valid but for words that were asked for once: it stands if nothing better follows."""

    async def ask(self, number: int) -> Turn:
        """The next answer."""
        if why := self._spending.exceeded_bound():
            raise ModelError(why)
        closing = self._spending.must_conclude(number)
        self._closings += closing
        if self._closings > CLOSINGS:
            raise ModelError(f"the model was asked {CLOSINGS} times to conclude but didn't call {SUBMIT}")
        if closing or number == self._spending.limits.turns - 1:
            self._transcript.add_user_message(CONCLUDE if closing else LAST_BUT_ONE)
        return await self._dialogue.ask(number, SUBMIT if closing else None)

    async def take(self, number: int, turn: Turn) -> Conclusion | None:
        """Carry out an answer's calls; returns the conclusion once it is accepted."""
        calls = self._transcript.add_answer(turn, self._dialogue.calls(turn))
        submitted = next((call for call in reversed(calls) if call.name == SUBMIT), None)
        others = [call for call in calls if call.name != SUBMIT]
        closing = self._spending.must_conclude(number)
        # Before judging the submission, which may cite readings taken in the same answer.
        done = await self._caller.carry_out(others, closing=closing)
        answers = dict(zip([call.id for call in others], done, strict=True))
        if submitted:
            correctable = number < self._spending.limits.turns and self._spending.left > 0
            judged = self._judge(submitted, turn, correctable=correctable)
            answers[submitted.id] = ACCEPTED if isinstance(judged, Conclusion) else judged
        self._transcript.add_results(turn, [(call, answers.get(call.id, SUPERSEDED)) for call in calls])
        if submitted and isinstance(judged, Conclusion):
            return judged
        if not calls:
            self._remind(turn)
        return None

    def _remind(self, turn: Turn) -> None:
        self._reminders += 1
        filtered = turn.finish_reason == "content_filter"
        if self._reminders > 1 and (turn.refusal or filtered):
            words = " ".join(turn.refusal.split())[:120]
            raise ModelError(f"the model refused: {words}" if words else "the provider's filter removed the answer")
        if self._reminders > REMINDERS:
            raise ModelError(f"the model answered in text and didn't call {SUBMIT}")
        self._transcript.add_user_message(f"{REMIND} {CUT}" if turn.finish_reason == "length" else REMIND)

    def _judge(self, call: ToolCall, turn: Turn, *, correctable: bool) -> Conclusion | str:
        readings = self._toolbox.readings
        try:
            submission = parse(call.arguments)
        except ToolError as error:
            self._unusable += 1
            if self._unusable > UNUSABLE or not correctable:
                raise ModelError(f"the model's diagnosis can't be read: {str(error)[:160]}") from None
            return f"error: {error}{f' {CUT}' if turn.finish_reason == 'length' else ''}"
        wrong = problems(submission, readings, self._causes, self._found, first=not self._corrections)
        if not wrong or not correctable or self._corrections >= CORRECTIONS:
            done = settle(submission, readings, self._causes, self._spending.use)
            if correctable and self._review and (objection := self._review(done)):
                self._review = None
                return f"Not accepted yet. {objection} Then call {SUBMIT} again with the whole diagnosis."
            return done
        self._corrections += 1
        if not problems(submission, readings, self._causes, self._found, first=False):
            self.valid = settle(submission, readings, self._causes, self._spending.use)
        listed = "\n".join(f"- {problem}" for problem in wrong[:PROBLEMS_MOST])
        return (
            f"Not accepted yet:\n{listed}\nFix this: cite what the readings show, or drop the claim. "
            f"Then call {SUBMIT} again with the whole diagnosis."
        )
