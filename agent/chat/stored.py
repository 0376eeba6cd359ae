"""A question to the model about an answer that is stored: from its readings, without a server."""

import time
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from agent.answer.diagnosis import Diagnosis, ModelUse
from agent.answer.events import Emit, Question, Reply, Resumed
from agent.answer.taxonomy import CAUSES
from agent.chat.question import NOW, answer, message
from agent.chat.resumed import add_turns
from agent.chat.told import plan_lines, wrong_citations
from agent.evidence.cited import citations
from agent.investigation.arbitration import advice_in
from agent.investigation.model_settings import ModelSettings
from agent.loop.digest import findings_text
from agent.loop.exchange import Dialogue
from agent.loop.offered import offered_tools
from agent.loop.prompts import FOLDER, compose
from agent.loop.tool_calls import ToolCaller
from agent.loop.transcript import Transcript
from agent.model.client import Model
from agent.model.errors import ModelError
from agent.model.usage import Limits, Spending
from agent.runbooks.library import Library
from tools.clock import Clock
from tools.errors import ToolError
from tools.text import printable
from tools.toolbox import Toolbox

TEMPLATE = FOLDER / "question_stored.md"
FINDINGS_MOST = 800
TURNS = 6
"""Most answers of the model to one question: there is nothing to read but what is there."""
REPLY_MOST = 6000
"""Characters of a reply."""


class Stored(NamedTuple):
    """What is asked about, and with what."""

    answer: Diagnosis
    turns: Sequence[Question | Reply]
    """What was said about it before."""
    library: Library
    settings: ModelSettings
    seconds: float
    """For the whole."""


class Replied(NamedTuple):
    """What came of a question."""

    reply: Reply
    warnings: tuple[str, ...]
    """What nobody should do, of what it advises."""
    use: ModelUse


async def ask_stored(stored: Stored, question: str, clock: Clock, emit: Emit) -> Replied:
    """The model's reply. Raises `ModelError`."""
    settings, toolbox = stored.settings, Toolbox((), clock, lambda _: None)
    toolbox.recall(stored.answer.readings)
    warnings: dict[str, None] = {}

    def forbid(action: str, why: str) -> None:
        warnings[f"{printable(action)}: {why}"] = None

    limits = Limits(
        turns=min(settings.turns, TURNS), tokens=settings.total_tokens, cost=settings.cost, prices=settings.prices,
        ends=time.monotonic() + stored.seconds,
    )  # fmt: skip
    spending = Spending(settings.use.name, limits)
    caller = ToolCaller(
        toolbox, lambda name: _runbook(stored.library, name), spending, forbid, conclude=NOW, concludes=False
    )  # fmt: skip
    model = Model(
        settings.use.name, emit, timeout=settings.timeout, max_tokens=settings.max_tokens, base_url=settings.base_url,
        extras=settings.extras,
    )  # fmt: skip
    cited = {(one.reading, one.field) for cause in stored.answer.causes for one in cause.evidence}
    async with model:
        dialogue = Dialogue(
            model, toolbox, _conversation(stored, question, toolbox), spending, emit, runbooks=True, cited=cited,
            concludes=False,
        )  # fmt: skip
        emit(Resumed(diagnosis=stored.answer.model_copy(update={"model": settings.use}), said=()))
        emit(Question(text=question))
        try:
            came = await answer(dialogue, caller, spending, toolbox, CAUSES)
        except ModelError as error:
            raise type(error)(str(error), spending.use) from None
    text = _cut(printable(came.text))
    if not text:
        raise ModelError("the model returned an empty answer", spending.use)
    for sentence, why in advice_in(text):
        # It was already streamed: if it repeats an intruder's words, people can only be warned.
        forbid(sentence, why)
    reply = Reply(text=text, cited=citations(text, toolbox.readings))
    emit(reply)
    return Replied(reply, tuple(warnings), spending.use)


def _conversation(stored: Stored, question: str, toolbox: Toolbox) -> Transcript:
    answer = stored.answer
    titles = {book.name: book.title for book in stored.library.teams}
    transcript = Transcript(
        compose(
            answer.symptom, answer.readings, answer.findings, titles, offered_tools(toolbox, concludes=False),
            ruled_out=[one.id for one in answer.ruled_out],
        )
    )  # fmt: skip
    add_turns(transcript, stored.turns)
    transcript.add_user_message(message(question, "\n".join(_standing(stored)), TEMPLATE))
    return transcript


def _standing(stored: Stored) -> Iterator[str]:
    answer = stored.answer
    yield f"{answer.outcome}\n{findings_text(answer.causes, FINDINGS_MOST)}"
    yield from (f"Wrong in your last answer: {one}" for one in wrong_citations(stored.turns, answer.readings))
    plan = plan_lines(answer.plan, answer.dropped)
    yield from ("The plan now:", *plan) if plan else ("There is no step in the plan.",)


def _runbook(library: Library, name: str) -> str:
    if (text := library.text(name)) is None:
        raise ToolError(f"there is no runbook {name!r}; there are {', '.join(one.name for one in library.runbooks)}")
    return text


def _cut(text: str) -> str:
    return text if len(text) <= REPLY_MOST else f"{text[: REPLY_MOST - 1]}…"
