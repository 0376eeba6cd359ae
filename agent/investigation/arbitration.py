"""A model's conclusion against that of the checks: which one is the answer, and what is said of the other."""

import re
from collections.abc import Callable, Iterable, Mapping

from agent.answer.diagnosis import Cause, Disagreement, Evidence, Refused, Verdict
from agent.answer.taxonomy import CAUSES
from agent.checks.verdict import PRESENT
from agent.loop.submission import LAST, Conclusion
from tools.gate.policy import refusal_of_advice

REPORT = "r0"
"""The reading that is what somebody said."""
SEEN_BY_CLIENTS = "client side"
"""The family of causes of which a report may be all that there is."""

LOOKED_AT = ("KEYS", "DEBUG")
"""Commands that a reason may name as what clients do."""
_ADVISES = re.compile(r"\b(run|execute|apply|safe|approved|now|then|fix)\b", re.IGNORECASE)


def surest(checks: Verdict) -> Cause | None:
    """What the checks are surest of, if it's likely: a model has to name it too, or to disprove it."""
    return next((cause for cause in checks.causes if cause.probability >= PRESENT and cause.id != LAST), None)


def doubt(done: Conclusion, checks: Verdict) -> str | None:
    """Why the model's conclusion isn't the answer, or null where it is."""
    if not done.grounded:
        return f"its first cause, {done.causes[0].id}, has no verified evidence"
    first = done.causes[0] if done.causes else None
    by_client = first is not None and CAUSES[first.id].family == SEEN_BY_CLIENTS
    if first and only_reported(first) and not by_client and checks.outcome != "insufficient-evidence":
        return f"its first cause, {first.id}, is only reported, and nothing that was measured speaks for it"
    found = surest(checks)
    if found is None or found.id in {cause.id for cause in done.causes} or _against(done, found):
        return None
    return f"it says {_claims(done)} and cites nothing that was measured against {found.id}"


def disagreement(done: Conclusion, checks: Verdict, doubted: str | None) -> Disagreement | None:
    """What the two say, where that isn't the same, and why one of them stands."""
    ours, theirs = checks.causes[:1], done.causes[:1]
    if [cause.id for cause in ours] == [cause.id for cause in theirs] and checks.outcome == done.outcome:
        return None
    evidence: tuple[Evidence, ...]
    if doubted:
        why, evidence = f"The model's answer doesn't stand: {doubted}.", ours[0].evidence if ours else ()
    elif ours and (out := next((one for one in done.ruled_out if one.id == ours[0].id), None)):
        why, evidence = f"The model rules {out.id} out: {out.because}", out.evidence
    elif theirs:
        why, evidence = f"The model says: {theirs[0].why}", theirs[0].evidence
    else:
        why, evidence = "The model cites nothing against it.", ()
    named = f"{ours[0].id} {ours[0].probability:.0%}" if ours else checks.outcome
    return Disagreement(
        model=_claims(done), checks=named, stands="checks" if doubted else "model", why=why, evidence=evidence
    )


def marked(causes: Iterable[Cause]) -> tuple[Cause, ...]:
    """Causes, each with whether nothing but the report speaks for it."""
    return tuple(cause.model_copy(update={"only_reported": only_reported(cause)}) for cause in causes)


def only_reported(cause: Cause) -> bool:
    """Whether all that is proven of a cause is that somebody said so."""
    proven = {one.reading for one in cause.evidence if one.verified}
    return proven == {REPORT}


def without_advice(done: Conclusion, refuse: Callable[[str, str], None]) -> Conclusion:
    """The conclusion without reasons that tell a person to do what policy forbids: they may be an intruder's words."""

    def clean(text: str) -> str:
        if (why := advises(text)) is None:
            return text
        refuse(text, f"the model wrote it as a reason: {why}")
        return f"(The model's reason is left out: {why}.)"

    return done.model_copy(update={
        "causes": tuple(one.model_copy(update={"why": clean(one.why)}) for one in done.causes),
        "ruled_out": tuple(one.model_copy(update={"because": clean(one.because)}) for one in done.ruled_out),
        "unknown": tuple(map(clean, done.unknown)),
    })  # fmt: skip


def advises(text: str) -> str | None:
    """Why nobody should do what a text tells them to, as far as policy forbids it; null where it doesn't."""
    why = refusal_of_advice(text)
    return None if why is None or why.startswith(LOOKED_AT) or not _ADVISES.search(text) else why


def refusals(reasons: Mapping[str, str]) -> tuple[Refused, ...]:
    """What was refused, by action with the reason."""
    return tuple(Refused(action=action, why=why) for action, why in reasons.items())


def _against(done: Conclusion, found: Cause) -> bool:
    evidence = (one for out in done.ruled_out if out.id == found.id for one in out.evidence)
    return any(one.verified and one.reading != REPORT for one in evidence)


def _claims(done: Conclusion) -> str:
    return f"{done.causes[0].id} {done.causes[0].probability:.0%}" if done.causes else done.outcome
