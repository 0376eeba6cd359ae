"""A model's conclusion versus that of the checks: which one is the answer, and what is said about the other."""

import re
from collections.abc import Callable, Iterable, Iterator
from itertools import takewhile

from agent.answer.diagnosis import Cause, Disagreement, Evidence, Verdict
from agent.checks.ranking import PRESENT
from agent.checks.verdict import REPORTED
from agent.investigation.scales import Scales
from agent.loop.digest import literal
from agent.loop.submission import LAST, Conclusion
from tools.gate.advice import act_of
from tools.gate.dissuasion import without_refused
from tools.gate.policy import refusal_of_advice
from tools.patterns import deferred

_SENTENCES = deferred(r"(?<=[.!?])\s+|\n+")
LOOKED_AT = ("KEYS", "DEBUG")
"""Commands that a reason may mention as something clients do."""
_ADVISES = deferred(r"\b(run|execute|apply|safe|approved|now|then|fix)\b", re.IGNORECASE)


def surest(checks: Verdict) -> Cause | None:
    """What the checks are surest of, if it's likely: a model has to name it too or disprove it."""
    return next((cause for cause in standing(checks) if cause.id != LAST), None)


def standing(checks: Verdict) -> tuple[Cause, ...]:
    """The checks' findings of at least 50 %, whatever the outcome."""
    return tuple(cause for cause in checks.findings if cause.probability >= PRESENT)


def doubt(done: Conclusion, checks: Verdict, scales: Scales) -> str | None:
    """Why the model's conclusion isn't the answer; null if it is."""
    if done.outcome != "diagnosed":
        return _doubt_of_outcome(done, checks, scales)
    if not done.grounded:
        return f"its first cause, {done.causes[0].id}, has no verified evidence"
    first, found = done.causes[0], surest(checks)
    ahead = next((one for one in standing(checks) if one.id != LAST and not scales.overcomes(done, one)), None)
    if ahead and ahead.id == first.id:
        if first.probability >= PRESENT:
            return None
        return f"it gives {first.id} {first.probability:.0%} and cites nothing that was measured against it"
    if ahead:
        return f"it says {_claims(done)} and cites nothing that was measured against {ahead.id}"
    if scales.only_reported(first) and checks.outcome != "insufficient-evidence":
        return f"its first cause, {first.id}, is only reported, and nothing that was measured supports it"
    return None if _holds_up(first, checks, scales) else (
        f"it says {_claims(done)}, and the checks already weighed everything it cites that could show it"
        + (f" and found {found.id}" if found else f": {checks.outcome}")
    )  # fmt: skip


def _doubt_of_outcome(done: Conclusion, checks: Verdict, scales: Scales) -> str | None:
    if done.outcome == checks.outcome:
        return None
    if unrefuted := next((one for one in standing(checks) if one.id != LAST and not scales.overcomes(done, one)), None):
        return f"it says {done.outcome} and cites nothing that was measured against {unrefuted.id}"
    if checks.outcome in ("no-fault", "insufficient-evidence"):
        # Nothing can be cited for an outcome, so it is based on what was measured.
        return f"it says {done.outcome}, and what was measured says {checks.outcome}"
    return None


def _holds_up(cause: Cause, checks: Verdict, scales: Scales) -> bool:
    """Whether a cause that the model names counts: the checks found it, or it cites what they didn't weigh."""
    if any(one.id == cause.id for one in standing(checks)):
        return True
    if checks.outcome == "insufficient-evidence" and any(one.id == cause.id for one in checks.findings):
        return any(one.verified for one in cause.evidence)
    if cause.id in {out.id for out in checks.ruled_out if out.evidence}:
        return False
    # Everything that was read shows that a measured, healthy server is healthy.
    return scales.proves(cause, only_news=checks.outcome == "no-fault")


def settled(done: Conclusion, checks: Verdict, scales: Scales) -> Verdict:
    """The model's answer if accepted: with the checks' findings that it neither names nor disproves, and its unproven
    causes last."""
    found = {one.id: one for one in standing(checks)}
    said = {one.id: one for one in done.causes}
    rest: list[Cause] = []
    proven: list[Cause] = []
    suspected: list[Cause] = []
    for one in found.values():
        own = said.get(one.id)
        if own and own.probability >= PRESENT and any(cited.verified for cited in own.evidence):
            rest.append(own.model_copy(update={"where": one.where}))
        elif not scales.overcomes(done, one):
            rest.append(one)
    for one in done.causes:
        if one.id not in found:
            # As sure as the checks are of what was only reported: nobody measured it.
            sure = min(one.probability, REPORTED) if scales.only_reported(one) else one.probability
            held = one.model_copy(update={"probability": sure})
            (proven if _holds_up(one, checks, scales) else suspected).append(held)
    if done.outcome != "diagnosed":
        rest = []
    elif done.causes and done.causes[0].id in {one.id for one in proven}:
        proven, rest = proven[:1], [*rest, *proven[1:]]
    else:
        rest, proven = [*rest, *proven], []
    rest = [one for one in rest if one.id != "outside-redis"]
    ranked = sorted((*proven, *rest), key=lambda one: one.id == LAST)
    least = min((one.probability for one in ranked), default=PRESENT)
    low = [one.model_copy(update={"probability": min(one.probability, least)}) for one in suspected]
    named = {out.id for out in done.ruled_out} | {one.id for one in (*ranked, *low)}
    disproved = [out for out in done.ruled_out if out.id not in {one.id for one in ranked}]
    return Verdict(
        outcome=done.outcome, causes=(*ranked, *low)[:3], findings=checks.findings,
        ruled_out=(*disproved, *(out for out in checks.ruled_out if out.id not in named)),
        unknown=tuple(dict.fromkeys((*done.unknown, *checks.unknown))), suspected=tuple(one.id for one in low),
        summary=done.summary, evidence=done.evidence,
    )  # fmt: skip


def objection(done: Conclusion, checks: Verdict, scales: Scales) -> str | None:
    """What the model hears once if its conclusion wouldn't be accepted: both sides, and what could decide; else
    null."""
    why = doubt(done, checks, scales)
    if why is None:
        return None
    ours = "\n".join(
        f"  {one.id} {one.probability:.2f}: {one.why} [{_cited(one.evidence)}]" for one in standing(checks)[:3]
    )
    yours = "\n".join(f"  {one.id} {one.probability:.2f} [{_cited(one.evidence)}]" for one in done.causes)
    against = "\n".join(f"  against {out.id} [{_cited(out.evidence)}]" for out in done.ruled_out)
    sides = "\n".join(filter(None, [f"The checks, {checks.outcome}:", ours, f"You, {done.outcome}:", yours, against]))
    return (
        f"This wouldn't be accepted: {why}.\n{sides}\n"
        "Repeating what they weighed changes nothing. Cite a newer reading, as wide as theirs, of a field the finding "
        "cites, or a field that the runbook names and they didn't look at; otherwise name their first finding first."
    )


def _cited(evidence: Iterable[Evidence]) -> str:
    return "; ".join(f"{one.reading} {one.field}={literal(one.value)}" for one in evidence)


def disagreement(done: Conclusion, checks: Verdict, doubted: str | None) -> Disagreement | None:
    """What the two say if they differ, what each cites, and why one of them was accepted."""
    ours, theirs = checks.causes[:1], done.causes[:1]
    if [cause.id for cause in ours] == [cause.id for cause in theirs] and checks.outcome == done.outcome:
        return None
    evidence: tuple[Evidence, ...]
    of_model = (*(theirs[0].evidence if theirs else ()), *(one for out in done.ruled_out[:1] for one in out.evidence))
    of_checks = ours[0].evidence if ours else ()
    if doubted:
        why, evidence = f"The model's answer was not accepted: {doubted}.", of_checks
    elif ours and (out := next((one for one in done.ruled_out if one.id == ours[0].id), None)):
        why, evidence = f"The model rules {out.id} out: {out.because}", out.evidence
    elif theirs:
        why, evidence = f"The model says: {theirs[0].why}", theirs[0].evidence
    else:
        why, evidence = "The model cites nothing against it.", ()
    named = f"{ours[0].id} {ours[0].probability:.0%}" if ours else checks.outcome
    return Disagreement(
        model=_claims(done), checks=named, stands="checks" if doubted else "model", why=why, evidence=evidence,
        other=of_model if doubted else of_checks,
    )  # fmt: skip


def without_advice(done: Conclusion, refuse: Callable[[str, str], None]) -> Conclusion:
    """The conclusion without reasons that tell a person to do what policy forbids: they may be an intruder's words."""

    def clean(text: str) -> str:
        if (why := advises(text)) is None:
            return text
        refuse("a reason that the model gives", why)
        return f"(The model's reason was left out: {why}.)"

    summary = done.summary
    if why := advises(summary):
        refuse("a sentence of the model's summary", why)
        bad = {sentence for sentence, _ in advice_in(summary)}
        before = " ".join(takewhile(lambda one: one not in bad, _SENTENCES.split(summary)))
        # Sentences may advise together what none of them advises alone.
        summary = before if advises(before) is None else ""
    return done.model_copy(update={
        "summary": summary,
        "causes": tuple(one.model_copy(update={"why": clean(one.why)}) for one in done.causes),
        "ruled_out": tuple(one.model_copy(update={"because": clean(one.because)}) for one in done.ruled_out),
        "unknown": tuple(map(clean, done.unknown)),
    })  # fmt: skip


def advises(text: str) -> str | None:
    """Why nobody should do what a text tells them to; null if it tells them nothing of the kind."""
    return _advised(without_refused(text))


def advice_in(text: str) -> Iterator[tuple[str, str]]:
    """The sentences of a text that tell a person to do what nobody should, each with the reason."""
    # One sentence may revoke what another refuses, so this is decided on the whole text.
    parts = (_SENTENCES.split(one) for one in (text, without_refused(text)))
    for sentence, left in zip(*parts, strict=True):
        if why := _advised(left):
            yield sentence, why


def _advised(text: str) -> str | None:
    if act := act_of(text, urged=True):
        return f"{act[0]}: {act[1]}"
    why = refusal_of_advice(text)
    return None if why is None or why.startswith(LOOKED_AT) or not _ADVISES.search(text) else why


def _claims(done: Conclusion) -> str:
    return f"{done.causes[0].id} {done.causes[0].probability:.0%}" if done.causes else done.outcome
