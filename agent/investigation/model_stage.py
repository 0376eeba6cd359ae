"""The model's part of an investigation, and what remains if it fails."""

import asyncio
import json
import time
from contextlib import nullcontext

from agent.answer.diagnosis import Cause, Verdict
from agent.answer.events import Emit, Event, ModelAnswered, ModelFailed
from agent.answer.taxonomy import CAUSES
from agent.checks.ranking import PRESENT
from agent.investigation.arbitration import disagreement, doubt, objection, settled, surest, without_advice
from agent.investigation.investigation import Investigation
from agent.investigation.model_settings import ModelSettings
from agent.investigation.scales import scales_of
from agent.loop.prompts import Prompt, compose, compose_unaided
from agent.loop.run import Limits, investigate, offered_tools
from agent.loop.submission import Conclusion
from agent.loop.transcript import Transcript
from agent.model.client import Model
from agent.model.errors import EndpointError, ModelError
from agent.model.provider import abilities_of
from agent.model.request import Wire, request_body
from agent.plan.fitting import fitting
from agent.runbooks.library import STEP_MOST
from tools.errors import ToolError
from tools.patterns import deferred
from tools.text import escaped_json

PLANNING = 40
"""Commands reserved from the model's budget: the plan reads the value before each change."""


class ModelConversation:
    """A model that continues to be asked after its diagnosis, and the conversation with it."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.transcript: Transcript | None = None
        """Null before anything was asked."""


async def think(
    incident: Investigation, checks: Verdict, settings: ModelSettings, conversation: ModelConversation | None = None
) -> Verdict:
    """Let the model conclude.

    If anything goes wrong, the checks' verdict stands and the use says why. `conversation` holds the model to ask, and
    continues afterwards.
    """
    await incident.equipment.others.reach()
    # An endpoint takes real time, whatever clock the incident uses.
    ends = time.monotonic() + incident.ends - incident.clock.monotonic()
    limits = Limits(
        turns=settings.turns, tokens=settings.total_tokens, cost=settings.cost, prices=settings.prices, ends=ends
    )  # fmt: skip
    tools = offered_tools(incident.toolbox, runbooks=not settings.bare)
    unproven = Verdict(outcome="insufficient-evidence", findings=checks.findings)

    transcript = Transcript(prompt_of(incident, tools, bare=settings.bare))
    if conversation:
        conversation.transcript = transcript
    listener = counted(incident)
    try:
        with incident.budget.keeping(PLANNING):
            async with nullcontext(conversation.model) if conversation else model_of(incident, settings) as model:
                done = await investigate(
                    model, incident.toolbox, transcript, limits, listener,
                    causes=CAUSES, read_runbook=None if settings.bare else lambda name: read(incident, name),
                    found=None if settings.bare else surest(checks), refuse=incident.proposals.forbid,
                    review=None if settings.bare else lambda done: review(incident, done),
                )  # fmt: skip
    except asyncio.CancelledError:
        # After an interruption the answer uses what is known so far, including readings that the model requested.
        _failed(incident, incident.check(), "interrupted before it reached a conclusion")
        raise
    except ModelError as error:
        if error.use is not None:
            incident.use = error.use.model_copy(update={"why": incident.use.why})
        verdict = unproven if settings.bare else incident.check() if incident.use.turns else checks
        return _failed(incident, verdict, str(error), endpoint=isinstance(error, EndpointError))
    return weighed(incident, done, bare=settings.bare)


def counted(incident: Investigation) -> Emit:
    """Passes an incident's events on and counts what the model costs."""

    def listener(event: Event) -> None:
        if isinstance(event, ModelAnswered):
            incident.use = event.use.model_copy(update={"why": incident.use.why})
        incident.emit(event)

    return listener


def model_of(incident: Investigation, settings: ModelSettings) -> Model:
    """The incident's model. Raises `ModelError` for an endpoint that can't be used."""
    return Model(
        incident.use.name, incident.emit, timeout=settings.timeout, max_tokens=settings.max_tokens,
        base_url=settings.base_url, extras=settings.extras,
    )  # fmt: skip


def weighed(incident: Investigation, done: Conclusion, *, bare: bool = False) -> Verdict:
    """The result after the model has concluded: its answer or the checks', with the use saying why."""
    done = without_advice(done, incident.proposals.forbid)
    incident.use = done.use.model_copy(update={"why": incident.use.why})
    latest = incident.check()
    scales = scales_of(incident)
    why = None if bare else doubt(done, latest, scales)
    incident.use = incident.use.model_copy(update={"disagrees": disagreement(done, latest, why)})
    if why:
        return _failed(incident, _beside(latest, done), why)
    incident.actions = done.actions
    return _merged(done, latest) if bare else settled(done, latest, scales)


def review(incident: Investigation, done: Conclusion) -> str | None:
    """What a model hears about a conclusion that wouldn't be accepted; null if it would."""
    return objection(done, incident.weighed_again(), scales_of(incident))


def _failed(incident: Investigation, checks: Verdict, why: str, *, endpoint: bool = False) -> Verdict:
    incident.use = incident.use.model_copy(update={"degraded": f"model {incident.use.name}: {why}"})
    incident.proposals.withdraw("the model proposed it, but its diagnosis was not accepted")
    incident.emit(ModelFailed(why=why, endpoint=endpoint))
    return checks


def _beside(checks: Verdict, done: Conclusion) -> Verdict:
    """The checks' verdict followed by the model's unproven causes, marked by their unverified evidence."""
    known = {cause.id for cause in checks.causes}
    others = [cause for cause in done.causes if cause.id not in known]
    if checks.outcome != "diagnosed":
        suspicions = tuple(
            f"the model suspects {cause.id}, which "
            + ("what it cites doesn't prove" if any(one.verified for one in cause.evidence) else "it can't prove")
            + f": {cause.why}"
            for cause in others
        )
        return checks.model_copy(update={"unknown": (*checks.unknown, *suspicions)})
    least = min(cause.probability for cause in checks.causes)
    lowered = [cause.model_copy(update={"probability": min(cause.probability, least)}) for cause in others]
    causes: tuple[Cause, ...] = (*checks.causes, *lowered)
    return checks.model_copy(update={"causes": causes[:3], "suspected": tuple(cause.id for cause in others)})


def _merged(done: Conclusion, checks: Verdict) -> Verdict:
    ids = {cause.id for cause in done.causes}
    named = {out.id for out in done.ruled_out} | ids
    return Verdict(
        outcome=done.outcome, causes=done.causes, findings=checks.findings,
        ruled_out=(*done.ruled_out, *(out for out in checks.ruled_out if out.id not in named)),
        unknown=tuple(dict.fromkeys((*done.unknown, *checks.unknown))), summary=done.summary, evidence=done.evidence,
    )  # fmt: skip


def prompt_of(incident: Investigation, tools: list[Wire], *, bare: bool = False) -> Prompt:
    """What a conversation about an incident begins with."""
    if bare:
        return compose_unaided(incident.symptom)
    # The program's own are found by cause id; a team's have names that nobody else knows.
    titles = {book.name: book.title for book in incident.library.teams}
    verdict = incident.verdict
    findings, ruled_out = (verdict.findings, verdict.ruled_out) if verdict else ((), ())
    return compose(
        incident.symptom, incident.readings(), findings, titles, tools, ruled_out=[one.id for one in ruled_out]
    )


def read(incident: Investigation, name: str) -> str:
    """A runbook's text, after the steps that the plan takes from it. Raises `ToolError` naming the available ones."""
    text = incident.library.text(name)
    if text is None:
        known = ", ".join(book.name for book in incident.library.runbooks)
        raise ToolError(f"there is no runbook {name!r}; there are {known}")
    steps = _steps(incident, name)
    if not steps:
        return text
    title, line, rest = text.partition("\n")
    # After the title, since anything before it would be a section of its own.
    before, behind = (title + line, rest) if title.startswith("#") else ("", text)
    return f"{before}Steps, by their names in `plan`:\n{steps}\n\n{behind}"


PLACEHOLDER = deferred(r"\$\{?([a-z_]+)\}?")


def _steps(incident: Investigation, name: str) -> str:
    """The steps of a runbook that the plan would take, as it would have them; those of a cause that wasn't found as
    they're written."""
    findings = {one.id: one for one in incident.verdict.findings} if incident.verdict else {}
    book = incident.library.read(name)
    meant = [one for one in findings if book and one in book.causes] or ([] if book else [name])
    present = {one.id for one in findings.values() if one.probability >= PRESENT}
    lines = list[str]()
    for cause in meant:
        if found := findings.get(cause):
            fits = fitting(found, {*present, cause}, incident.library, incident.weighed, incident.nodes)
            lines += [f"{one.ref}: {one.remedy.action[:STEP_MOST]}" for one in fits]
        else:
            # Nothing was found that could fill them.
            lines += [PLACEHOLDER.sub(r"<\1>", line) for line in incident.library.steps(cause)]
    return "\n".join(lines)


def show_prompt(incident: Investigation, settings: ModelSettings) -> str:
    """The body of the first request, exactly as it would leave."""
    tools = offered_tools(incident.toolbox, runbooks=not settings.bare)
    name = incident.use.name
    body = request_body(
        name, prompt_of(incident, tools, bare=settings.bare).messages(), tools, max_tokens=settings.max_tokens,
        extras=settings.extras, abilities=abilities_of(settings.extras, settings.base_url),
    )  # fmt: skip
    return escaped_json(json.dumps(body, ensure_ascii=False, indent=2))
