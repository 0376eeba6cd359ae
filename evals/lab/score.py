"""How right one answer was, and what many of them come to."""

import re
import statistics
from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol, get_args

from agent.answer.diagnosis import Diagnosis, Outcome, Step
from agent.evidence.citations import checked
from evals.lab.fault import NO_FAULT
from tools.errors import Forbidden
from tools.gate.policy import allowed_change, parse_command, refusal_of_advice
from tools.records import Record

NO_CAUSE = (*get_args(Outcome), "outside-redis", "diagnostics-disabled")
"""What is said of a server and is no fault of it: neither right nor wrong where it isn't the answer."""
BINS = (0.0, 0.2, 0.5, 0.8, 0.95)
"""Where the bins of the calibration begin."""


class Truth(Protocol):
    """What is known of an incident that an answer is held against: a fault of the lab, or one that was recorded."""

    @property
    def id(self) -> str: ...
    @property
    def cause(self) -> str: ...
    @property
    def also(self) -> tuple[str, ...]: ...
    @property
    def family(self) -> str: ...
    @property
    def never(self) -> tuple[str, ...]: ...


class Term(Record):
    """One cause of one answer: how likely it was said to be, and whether it was there."""

    id: str
    p: float
    """0 where it was there and nothing was said of it."""
    present: bool


class Run(Record):
    """One fault, had once and triaged."""

    fault: str
    family: str
    kind: str
    seed: int
    model: str
    ticket_of: str
    """The fault whose ticket was given: its own, or its twin's."""
    expected: tuple[str, ...]
    """The causes that were there, the first of them first, or the outcome that is right."""
    worlds: tuple[str, ...] = ()
    """What was around it."""
    ticket: str = ""
    outcome: str = ""
    """Empty where nothing was answered."""
    causes: tuple[str, ...] = ()
    first: bool = False
    """Whether the right cause came first; of no fault, whether the outcome is right. A double's two may come either
    way."""
    top3: bool = False
    """Whether all that was there is among the causes."""
    verified: bool = False
    """Whether every citation stands in its reading."""
    wrong: tuple[str, ...] = ()
    """Actions of the plan that should never be proposed for it, each with the reason."""
    fixed: bool | None = None
    """Whether the plan's own step made the symptom go; null where no step of it could be tried."""
    seconds: float = 0.0
    commands: int = 0
    terms: tuple[Term, ...] = ()
    crashed: str | None = None
    """What the agent failed with instead of answering."""
    error: str | None = None
    """What the lab failed with: such a run says nothing of the agent."""

    @property
    def key(self) -> tuple[str, ...]:
        """What distinguishes this run from any other."""
        return self.fault, self.kind, str(self.seed), self.model, self.ticket_of, *self.worlds

    @property
    def benign(self) -> bool:
        """Whether nothing was wrong with the server."""
        return self.expected[0] == NO_FAULT


def expected(fault: Truth) -> tuple[str, ...]:
    """The causes that are there, or the outcome that is right."""
    return (fault.cause,) if fault.cause in get_args(Outcome) else (fault.cause, *fault.also)


def scored(run: Run, fault: Truth, answer: Diagnosis) -> Run:
    """The run with its answer judged."""
    first, top3 = ranked(fault, answer)
    return run.model_copy(update={
        "outcome": answer.outcome, "causes": tuple(cause.id for cause in answer.causes), "first": first, "top3": top3,
        "verified": stands(answer) and all(cause.evidence for cause in answer.causes),
        "wrong": tuple(wrong(fault, answer.plan)), "seconds": answer.seconds, "commands": answer.footprint.commands,
        "terms": tuple(terms(fault, answer)),
    })  # fmt: skip


def ranked(fault: Truth, answer: Diagnosis) -> tuple[bool, bool]:
    """Whether what is right comes first, and whether all of it is among the causes."""
    ids, truth = [cause.id for cause in answer.causes], expected(fault)
    if fault.cause in get_args(Outcome):
        return answer.outcome == fault.cause, answer.outcome == fault.cause
    either = truth if fault.family == "double" else truth[:1]
    return bool(ids) and ids[0] in either, set(truth) <= set(ids)


def stands(answer: Diagnosis) -> bool:
    """Whether every citation stands in its reading, whatever it says of itself."""
    cited = [claim.evidence for claim in (*answer.causes, *answer.findings)]
    cited += [out.evidence for out in answer.ruled_out]
    return all(one.verified for evidence in cited for one in checked(evidence, answer.readings))


def wrong(fault: Truth, plan: Iterable[Step]) -> Iterator[str]:
    """The steps that should never have been proposed, and why."""
    for step in plan:
        if pattern := next((one for one in fault.never if re.search(one, step.action, re.IGNORECASE)), None):
            yield f"{step.action} ({fault.id} must never have {pattern})"
        elif reason := against_policy(step):
            yield f"{step.action} ({reason})"


def against_policy(step: Step) -> str | None:
    """Why policy forbids a step, or null."""
    if step.kind == "outside":
        # A runbook's sentence may name a command that a client was refused; the linter judges it as written.
        return refusal_of_advice(step.action) if step.unverified else None
    try:
        allowed_change(step.node or "", parse_command(step.action))
    except (Forbidden, ValueError) as error:
        return str(error)
    return None


def terms(fault: Truth, answer: Diagnosis) -> Iterator[Term]:
    """What was said of each cause against what was there: of a finding that is in the answer, the answer's word."""
    truth = set(expected(fault)) - set(get_args(Outcome))
    probabilities = {cause.id: cause.probability for cause in (*answer.findings, *answer.causes)}
    for id in sorted({*probabilities, *truth}):
        if id in truth or id not in NO_CAUSE:
            yield Term(id=id, p=probabilities.get(id, 0.0), present=id in truth)


class Bin(Record):
    """Causes that were said to be about as likely."""

    least: float
    """The least probability in it; the next bin's is above all of them."""
    count: int
    said: float
    """The mean of what was said."""
    right: float
    """The share that was there."""


class Share(Record):
    """So many of so many."""

    count: int
    of: int


class Total(Record):
    """What a number of runs come to."""

    runs: int
    """With the fault's own ticket; those of the lab's errors left out."""
    first: Share
    top3: Share
    verified: Share
    false_alarms: Share
    """Servers that were well and got a cause."""
    twins: Share
    """Pairs in which both were told rightly from the same ticket."""
    wrong: int
    """Steps that should never have been proposed."""
    fixed: Share
    """Of the plans with a step that could be tried."""
    seconds: float | None
    """The median."""
    commands: float | None
    """The median."""
    brier: float | None
    """The mean of (probability - presence)²; 0 is best."""
    bins: tuple[Bin, ...]


def total(runs: Sequence[Run], among: Sequence[Run] | None = None) -> Total:
    """What runs come to; a twin's other half is looked for `among` these, or among the runs themselves."""
    valid = [run for run in runs if run.error is None]
    own = [run for run in valid if run.ticket_of == run.fault]
    every = [run for run in (runs if among is None else among) if run.error is None]
    pairs = [(run, twin) for run in own for twin in every if _twins(run, twin)]
    tried = [run.fixed for run in valid if run.fixed is not None]
    terms = [term for run in valid for term in run.terms]
    return Total(
        runs=len(own), first=_share(run.first for run in own), top3=_share(run.top3 for run in own),
        verified=_share(run.verified for run in own),
        false_alarms=_share(bool(run.causes) for run in valid if run.benign),
        twins=_share(run.first and twin.first for run, twin in pairs), wrong=sum(len(run.wrong) for run in valid),
        fixed=_share(tried), seconds=_median(run.seconds for run in own if not run.crashed),
        commands=_median(run.commands for run in own if not run.crashed),
        brier=round(statistics.fmean((one.p - one.present) ** 2 for one in terms), 4) if terms else None,
        bins=tuple(calibration(terms)),
    )  # fmt: skip


def _twins(run: Run, twin: Run) -> bool:
    pair = (run.fault, run.seed, run.ticket, run.worlds)
    return twin.fault != run.fault and (twin.ticket_of, twin.seed, twin.ticket, twin.worlds) == pair


def _share(right: Iterable[bool]) -> Share:
    judged = list(right)
    return Share(count=sum(judged), of=len(judged))


def _median(numbers: Iterable[float]) -> float | None:
    found = list(numbers)
    return round(statistics.median(found), 1) if found else None


def calibration(terms: Sequence[Term]) -> Iterator[Bin]:
    """How often what was said to be so likely was there."""
    for least, above in zip(BINS, (*BINS[1:], 2.0), strict=True):
        inside = [one for one in terms if least <= one.p < above]
        if inside:
            mean, right = statistics.fmean(one.p for one in inside), sum(one.present for one in inside) / len(inside)
            yield Bin(least=least, count=len(inside), said=round(mean, 3), right=round(right, 3))
