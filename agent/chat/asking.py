"""Questions to the model about the incident at hand."""

import asyncio
import time

from agent.answer.events import Question, Reply
from agent.answer.taxonomy import CAUSES
from agent.chat import shown
from agent.chat.question import NOW, Answer, answer, message
from agent.chat.resumed import remembered
from agent.chat.session import Session
from agent.chat.told import plan_lines, wrong_citations
from agent.evidence.cited import citations
from agent.investigation.arbitration import advice_in
from agent.investigation.investigation import Investigation
from agent.investigation.model_stage import PLANNING, counted, read, review, weighed
from agent.loop.digest import digest, findings_text
from agent.loop.exchange import Dialogue
from agent.loop.run import Limits
from agent.loop.tool_calls import ToolCaller
from agent.model.errors import ModelError
from agent.model.usage import Spending
from tools.records import BudgetLimits
from tools.text import printable

QUESTION = BudgetLimits(commands=100, pings=60, bytes=8 << 20)
"""What a question may cost the deployment on top of the diagnosis."""
NEWS_MOST, FINDINGS_MOST = 2500, 800


async def ask(session: Session, text: str) -> None:
    """A question to the model about the same incident."""
    assert session.incident is not None
    incident = session.incident
    asked = Question(text=incident.pseudonyms.hide(text))
    incident.emit(asked)
    proposals, steps = len(incident.proposals.pending), {step.id for step in incident.planned.steps}
    try:
        with session.progress:
            with incident.budget.keeping(PLANNING):
                came = await _answer(session, incident, asked.text)
            if came.concluded:
                await incident.plan(weighed(incident, came.concluded))
            elif len(incident.proposals.pending) != proposals:
                await incident.plan(incident.verdict or incident.check())
    except asyncio.CancelledError:
        await session.interrupted(incident)
        shown.say(session.console, "interrupted: the answer above wasn't checked", "yellow")
        return
    except ModelError as error:
        shown.say(session.console, f"the model didn't answer: {error}. The commands work without it (/help).", "red")
        return
    finally:
        incident.toolbox.ends = None
        session.turns.append(asked)
        session.settled(incident)
    _replied(session, incident, came)
    diagnosis = incident.answer()
    if came.concluded:
        shown.answer(session.console, diagnosis)
    elif new := [step for step in diagnosis.plan if step.id not in steps]:
        shown.say(session.console, "new in the plan:")
        shown.plan(session.console, new, session.several)


async def _answer(session: Session, incident: Investigation, text: str) -> Answer:
    conversation = session.model(incident)
    if conversation is None:
        raise ModelError("its endpoint can't be one")
    conversation.model.reset_failures()
    await incident.equipment.others.reach()
    seconds = session.options.deadline
    incident.budget.allow(QUESTION)
    incident.toolbox.ends = incident.clock.monotonic() + seconds
    limits = Limits(
        turns=session.settings.turns, tokens=session.settings.total_tokens, cost=session.settings.cost,
        prices=session.settings.prices, ends=time.monotonic() + seconds,
    )  # fmt: skip
    spending = Spending(session.use.name, limits, incident.use)
    if conversation.transcript is None:
        conversation.transcript = remembered(incident, session.turns)
    conversation.transcript.add_user_message(message(text, _news(session, incident)))
    caller = ToolCaller(
        incident.toolbox, lambda name: read(incident, name), spending, incident.proposals.forbid, conclude=NOW
    )  # fmt: skip
    causes = incident.verdict.causes if incident.verdict else ()
    cited = {(one.reading, one.field) for cause in causes for one in cause.evidence}
    dialogue = Dialogue(
        conversation.model,
        incident.toolbox,
        conversation.transcript,
        spending,
        counted(incident),
        runbooks=True,
        cited=cited,
    )
    return await answer(
        dialogue, caller, spending, incident.toolbox, CAUSES, lambda done: review(incident, done)
    )  # fmt: skip


def _replied(session: Session, incident: Investigation, came: Answer) -> None:
    if not came.text:
        return
    text = printable(came.text)
    reply = Reply(text=text, cited=citations(text, incident.toolbox.readings))
    incident.emit(reply)
    session.turns.append(reply)
    if not session.console.is_terminal:
        shown.say(session.console, text)
    shown.citations(session.console, reply.cited, incident.toolbox.readings)
    for sentence, why in advice_in(text):
        # It was already streamed: if it repeats an intruder's words, we can only warn about it.
        incident.proposals.forbid(sentence, f"don't: {why}")


def _news(session: Session, incident: Investigation) -> str:
    """What the model hasn't seen yet: readings and the conclusions from them, its wrong citations, and the plan."""
    new = [one for one in incident.toolbox.readings if int(one.id[1:]) >= session.unseen]
    lines = [digest(new, NEWS_MOST)] if new else []
    if incident.verdict:
        found = findings_text(incident.verdict.causes, FINDINGS_MOST)
        lines.append(f"What stands now: {incident.verdict.outcome}\n{found}")
    lines += [f"Wrong in your last answer: {one}" for one in wrong_citations(session.turns, incident.toolbox.readings)]
    plan = plan_lines((*incident.planned.steps, *incident.planned.done), incident.planned.dropped)
    lines += ["The plan now:", *plan] if plan else ["There is no step in the plan."]
    return "\n".join(lines)
