"""One question from the engineer on call, answered by the model in text, from readings old and new."""

from collections.abc import Collection
from pathlib import Path
from string import Template

from agent.loop.claims import SUBMIT, parse
from agent.loop.exchange import Dialogue
from agent.loop.prompts import FOLDER, block_quote
from agent.loop.run import ACCEPTED, PROBLEMS_MOST, SUPERSEDED, Review
from agent.loop.submission import Conclusion, problems, settle
from agent.loop.tool_calls import ToolCaller
from agent.model.errors import ModelError
from agent.model.response import ToolCall
from agent.model.usage import Spending
from tools.errors import ToolError
from tools.records import Reading, Record
from tools.toolbox import Toolbox

NOW = "No more readings: answer now, in plain text, from what was read."
EMPTY = "That answer was empty. Answer the question in plain text."
GIVEN_UP = "Not carried out: the user interrupted."
MOST_CORRECTIONS = 2
"""How often a diagnosis with a wrong citation is sent back."""
TEMPLATE: Path = FOLDER / "question.md"


class Answer(Record):
    """The result of a question."""

    text: str
    """The model's text; empty if it only changed its diagnosis."""
    concluded: Conclusion | None
    """Its new diagnosis; null if the previous one stands."""


def message(question: str, news: str, template: Path = TEMPLATE) -> str:
    """A question as sent to the model; `news` is what it hasn't seen yet."""
    text = Template(template.read_text(encoding="utf-8"))
    return text.substitute(question=block_quote(question), news=news or "nothing").strip()


async def answer(
    dialogue: Dialogue, caller: ToolCaller, spending: Spending, toolbox: Toolbox, causes: Collection[str],
    review: Review | None = None,
) -> Answer:  # fmt: skip
    """The answer to the conversation's last message. `review` is applied once to a diagnosis. Raises `ModelError`."""
    transcript, concluded, empty, corrections = dialogue.transcript, None, 0, 0
    for number in range(1, spending.limits.turns + 1):
        if why := spending.exceeded_bound():
            raise ModelError(why)
        closing = spending.must_conclude(number)
        if closing:
            transcript.add_user_message(NOW)
        turn = await dialogue.ask(number)
        calls = transcript.add_answer(turn, dialogue.calls(turn))
        submitted = next((call for call in reversed(calls) if call.name == SUBMIT and dialogue.concludes), None)
        others = [call for call in calls if call.name != SUBMIT or not dialogue.concludes]
        answers = {}
        try:
            done = await caller.carry_out(others, closing=closing)
            answers = dict(zip([call.id for call in others], done, strict=True))
            if submitted:
                judged = _judged(
                    submitted,
                    toolbox.readings,
                    causes,
                    spending,
                    correctable=corrections < MOST_CORRECTIONS and not closing,
                    first=not corrections,
                )
                if review and isinstance(judged, Conclusion) and not closing and (objection := review(judged)):
                    judged, review = f"Not accepted yet. {objection}", None
                corrections += isinstance(judged, str)
                answers[submitted.id] = judged if isinstance(judged, str) else ACCEPTED
                concluded = concluded if isinstance(judged, str) else judged
        finally:
            left = {call.id: SUPERSEDED if call.name == SUBMIT else GIVEN_UP for call in calls}
            transcript.add_results(turn, [(call, answers.get(call.id, left[call.id])) for call in calls])
        accepted = submitted is not None and answers[submitted.id] == ACCEPTED
        if not others and (accepted or not calls) and (turn.text.strip() or concluded):
            return Answer(text="" if accepted and not turn.tool_calls else turn.text.strip(), concluded=concluded)
        if not calls:
            empty += 1
            if empty > 1:
                filtered = turn.refusal or turn.finish_reason == "content_filter"
                raise ModelError("the model refused to answer" if filtered else "the model returned an empty answer")
            transcript.add_user_message(EMPTY)
    if concluded:
        return Answer(text="", concluded=concluded)
    raise ModelError(f"the model didn't answer within {spending.limits.turns} turns")


def _judged(
    call: ToolCall, readings: list[Reading], causes: Collection[str], spending: Spending, *, correctable: bool,
    first: bool,
) -> Conclusion | str:  # fmt: skip
    """The submitted diagnosis, or what is wrong with it."""
    try:
        submission = parse(call.arguments)
    except ToolError as error:
        return f"error: {error}"
    wrong = problems(submission, readings, causes, None, first=first)
    if not wrong or not correctable:
        # What was said about an earlier diagnosis doesn't apply to this one.
        use = spending.use.model_copy(update={"degraded": None, "disagrees": None})
        return settle(submission, readings, causes, use)
    return "\n".join(["Not accepted yet:", *(f"- {problem}" for problem in wrong[:PROBLEMS_MOST])])
