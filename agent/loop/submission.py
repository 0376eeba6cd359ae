"""The tool that ends an investigation: the errors in a submission, and the conclusion from it."""

from collections.abc import Collection, Sequence

from agent.answer.diagnosis import Action, Cause, Evidence, ModelUse, Outcome, RuledOut
from agent.evidence.citations import checked, verify, verify_ruled_out
from agent.evidence.citations import problems as citation_problems
from agent.evidence.cited import false_claims
from agent.loop.claims import Citation, Claim, RuledOutClaim, Submission
from agent.model.errors import ModelError
from tools.records import Reading, Record
from tools.redact import hide_secrets

MOST_CAUSES, MOST_LINES = 3, 10
SUMMARY_MOST = 320
"""Characters of a summary: about four lines of a small terminal."""
LAST = "diagnostics-disabled"
"""Ranks last, and is never the only cause of an answer."""


class Conclusion(Record):
    """A model's conclusion, its citations checked."""

    outcome: Outcome
    causes: tuple[Cause, ...]
    """At most three; those with verified evidence first."""
    ruled_out: tuple[RuledOut, ...]
    unknown: tuple[str, ...]
    actions: tuple[Action, ...]
    """Its plan, in its order."""
    use: ModelUse
    summary: str = ""
    """Its summary; empty if it gives none, or claims what the readings don't show."""
    evidence: tuple[Evidence, ...] = ()
    """The evidence for the outcome, besides what the causes cite."""

    @property
    def grounded(self) -> bool:
        """Whether its ranking may be the answer: its first cause has verified evidence."""
        return not self.causes or any(one.verified for one in self.causes[0].evidence)


def problems(
    submission: Submission, readings: Sequence[Reading], known: Collection[str], checks: Cause | None = None, *,
    first: bool = True,
) -> list[str]:  # fmt: skip
    """What the model has to correct, worded for it; empty if nothing.

    `checks` is the checks' surest cause. What is merely missing is only requested the `first` time: the answer is valid
    without it.
    """
    found: list[str] = []
    ids = [claim.id for claim in submission.causes]
    if submission.outcome == "diagnosed" and not ids:
        found.append("outcome is diagnosed, but no cause is named")
    if submission.outcome != "diagnosed" and ids:
        found.append(f"causes must be empty when outcome is {submission.outcome}; otherwise set it to diagnosed")
    if submission.outcome == "diagnosed" and set(ids) == {LAST}:
        found.append(f"{LAST} alone isn't a fault: name the fault, or choose another outcome and put it under unknown")
    sides: tuple[tuple[str, Sequence[Claim | RuledOutClaim]], ...] = (
        ("causes", submission.causes), ("ruled_out", submission.ruled_out),
    )  # fmt: skip
    for name, claims in sides:
        for number, claim in enumerate(claims):
            if claim.id not in known:
                found.append(f"{name}[{number}]: there is no cause {claim.id!r}; use an id from the list")
            found += citation_problems(f"{name}[{number}] {claim.id}", _evidence(claim.evidence), readings)
    found += [f"causes[{n}] {claim.id}: no evidence" for n, claim in enumerate(submission.causes) if not claim.evidence]
    if (
        checks
        and checks.id not in ids
        and not any(out.id == checks.id and out.evidence for out in submission.ruled_out)
    ):
        found.append(f"the checks found {checks.id}: name it under causes too, or rule it out with a measurement")
    found += citation_problems("evidence", _evidence(submission.evidence), readings)
    found += [f"summary: {why}" for why in false_claims(submission.summary, readings)]
    return found + (_missing(submission) if first else [])


def _missing(submission: Submission) -> list[str]:
    found = [] if submission.summary else ["summary: say in two sentences what is wrong, for the engineer on call"]
    if submission.outcome != "diagnosed" and not submission.evidence:
        found.append(f"evidence: cite what shows {submission.outcome}; cite what couldn't be read as unavailable")
    unreasoned = (n for n, one in enumerate(submission.plan) if one.drop and not one.why)
    return found + [f"plan[{n}]: a dropped step needs a reason under why" for n in unreasoned]


def settle(submission: Submission, readings: Sequence[Reading], known: Collection[str], use: ModelUse) -> Conclusion:
    """The conclusion from a submission: wrong citations become unverified, which costs a cause its rank.

    Raises `ModelError` if no cause is left.
    """
    nodes = list(dict.fromkeys(reading.node for reading in readings if reading.node))
    causes: dict[str, Cause] = {}
    for claim in submission.causes if submission.outcome == "diagnosed" else ():
        if claim.id in known and claim.id not in causes:
            cause = Cause(
                id=claim.id, probability=claim.probability, where=None, why=claim.why,
                evidence=_evidence(claim.evidence),
            )  # fmt: skip
            causes[claim.id] = _at_node(verify(cause, readings), claim.where, readings, nodes)
    if submission.outcome == "diagnosed" and not set(causes) - {LAST}:
        raise ModelError("the model answered diagnosed but named no valid cause")
    ruled_out = {
        out.id: verify_ruled_out(
            RuledOut(id=out.id, because=out.because, evidence=_evidence(out.evidence)), readings
        )
        for out in submission.ruled_out
        if out.id in known and out.id not in causes
    }  # fmt: skip
    return Conclusion(
        outcome=submission.outcome, causes=tuple(sorted(causes.values(), key=_rank)[:MOST_CAUSES]),
        ruled_out=tuple(ruled_out.values())[:MOST_LINES], unknown=tuple(filter(None, submission.unknown))[:MOST_LINES],
        actions=tuple(Action(**one.model_dump()) for one in submission.steps)[:MOST_LINES], use=use,
        summary=_summary(submission, readings), evidence=checked(_evidence(submission.evidence), readings)[:MOST_LINES],
    )  # fmt: skip


def _summary(submission: Submission, readings: Sequence[Reading]) -> str:
    """The summary, cut to what fits a first line; none if it claims something untrue."""
    text = hide_secrets(submission.summary)
    if false_claims(text, readings):
        return ""
    if len(text) <= SUMMARY_MOST:
        return text
    cut = text[:SUMMARY_MOST]
    whole = max(cut.rfind(end) for end in (". ", "! ", "? "))
    return cut[: whole + 1] if whole > 0 else f"{cut.rsplit(' ', 1)[0]}…"


def _rank(cause: Cause) -> tuple[bool, bool, float]:
    return cause.id == LAST, not any(one.verified for one in cause.evidence), -cause.probability


def _evidence(citations: Sequence[Citation]) -> tuple[Evidence, ...]:
    return tuple(Evidence(reading=one.reading, field=one.field, value=one.value) for one in citations)


def _at_node(cause: Cause, where: str | None, readings: Sequence[Reading], nodes: list[str]) -> Cause:
    """The cause at the node that the model names, otherwise at the node of its evidence."""
    cited = {one.reading for one in cause.evidence if one.verified}
    of_evidence = next((reading.node for reading in readings if reading.id in cited and reading.node), None)
    node = where if where in nodes else of_evidence or (nodes[0] if len(nodes) == 1 else None)
    return cause.model_copy(update={"where": node})
