"""A model's conclusion against that of the checks: which one is the answer, and what is said of the other."""

from collections.abc import Iterable, Mapping

from agent.causes import CAUSES
from agent.conclude import LAST, Concluded
from agent.diagnosis import Cause, Disagreement, Evidence, Refused, Verdict
from agent.verdict import PRESENT

REPORT = "r0"
"""The reading that is what somebody said."""
SEEN_BY_CLIENTS = "client side"
"""The family of causes of which a report may be all that there is."""


def surest(checks: Verdict) -> Cause | None:
    """What the checks are surest of, if it's likely: a model has to name it too, or to disprove it."""
    return next((cause for cause in checks.causes if cause.probability >= PRESENT and cause.id != LAST), None)


def doubt(done: Concluded, checks: Verdict) -> str | None:
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
    return f"it says {_said(done)} and cites nothing that was measured against {found.id}"


def disagreement(done: Concluded, checks: Verdict, doubted: str | None) -> Disagreement | None:
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
    told = f"{ours[0].id} {ours[0].probability:.0%}" if ours else checks.outcome
    return Disagreement(
        model=_said(done), checks=told, stands="checks" if doubted else "model", why=why, evidence=evidence
    )


def marked(causes: Iterable[Cause]) -> tuple[Cause, ...]:
    """Causes, each with whether nothing but the report speaks for it."""
    return tuple(cause.model_copy(update={"only_reported": only_reported(cause)}) for cause in causes)


def only_reported(cause: Cause) -> bool:
    """Whether all that is proven of a cause is that somebody said so."""
    proven = {one.reading for one in cause.evidence if one.verified}
    return proven == {REPORT}


def refusals(told: Mapping[str, str]) -> tuple[Refused, ...]:
    """What was refused, by action with the reason."""
    return tuple(Refused(action=action, why=why) for action, why in told.items())


def _against(done: Concluded, found: Cause) -> bool:
    evidence = (one for out in done.ruled_out if out.id == found.id for one in out.evidence)
    return any(one.verified and one.reading != REPORT for one in evidence)


def _said(done: Concluded) -> str:
    return f"{done.causes[0].id} {done.causes[0].probability:.0%}" if done.causes else done.outcome
