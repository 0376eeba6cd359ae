"""What an answer says beside its causes: a summary, the servers' complaints, what wasn't seen, and what is no fault."""

from collections.abc import Sequence

from agent.answer.diagnosis import NAMELESS, Cause, Diagnosis, Verdict
from agent.answer.open_points import CANT_TELL, Blind, Complained
from agent.checks.benign import benign
from agent.evidence.view import View
from agent.report.meanings import MEANINGS

HINTED = 0.3
"""Probability from which a finding is worth a word where no cause is named."""


def closed(answer: Diagnosis, checked: Verdict, views: Sequence[View], said: str = "") -> Diagnosis:
    """The answer with all of that; `checked` is what the checks make of the readings, whoever answered.

    `said` is a model's own summary of the answer, if it's the model's.
    """
    causes = [cause for cause in answer.causes if cause.probability >= 0.5]
    whole = answer.model_copy(update={
        "complaints": tuple(_explained(one, causes) for one in checked.complaints),
        "blind": tuple(kept for one in checked.blind if (kept := _still_hidden(one, answer.causes)).hides),
        "benign": benign(views) if answer.outcome == "no-fault" else (),
    })  # fmt: skip
    if said and not whole.interrupted:
        return whole.model_copy(update={"summary": said, "summary_by": "model"})
    return whole.model_copy(update={"summary": summary(whole)})


def _explained(one: Complained, causes: Sequence[Cause]) -> Complained:
    told = {(each.reading, each.field) for each in one.evidence}
    by = next((c.id for c in causes if told & {(each.reading, each.field) for each in c.evidence}), None)
    return one.model_copy(update={"explained_by": by})


def _still_hidden(one: Blind, causes: Sequence[Cause]) -> Blind:
    named = {cause.id for cause in causes}
    return one.model_copy(update={"hides": tuple(id for id in one.hides if id not in named)})


def summary(answer: Diagnosis) -> str:
    """What it is, in a sentence or two, for every outcome."""
    past = answer.failover.told if answer.failover and answer.failover.asked else ""
    if answer.causes:
        first, *others = answer.causes
        also = f" Also there: {', '.join(cause.id for cause in others)}." if others else ""
        meaning = f"{MEANINGS[first.id]} ({first.id})." if first.id in MEANINGS else f"{first.id}:"
        return f"{meaning} {first.why}{also}"
    if answer.outcome == "no-fault":
        found = " ".join(one.what for one in answer.benign)
        return " ".join(filter(None, ("Redis was measured and works normally.", past, found)))
    if answer.outcome == "outside-redis":
        return next(
            (cause.why for cause in answer.findings if cause.id == "outside-redis"), "The problem is outside Redis."
        )
    if answer.interrupted:
        taken = sum(one.tool != "symptom" for one in answer.readings)
        return f"Stopped by you, after {taken} reading{'' if taken == 1 else 's'}, which is too few to tell."
    lack = answer.unknown[0] if answer.unknown else "What was read doesn't point to a cause."
    if not lack.startswith(CANT_TELL):
        lack = " ".join([lack, *(line for line in answer.unknown if line.startswith(CANT_TELL))])
    hint = next((one for one in answer.findings if one.probability >= HINTED), None)
    speaks = f" The readings hint at {hint.id} ({hint.probability:.0%}): {hint.why}" if hint else ""
    # What is wrong now is more than what happened then.
    told = f"{lack} {past}" if lack.startswith(NAMELESS) else f"{past} {lack}"
    return f"{told}{speaks}".strip()
