"""Answers with less: without a part of this program, or of what can be seen. The difference is what it's worth."""

import functools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence

from agent.answer.diagnosis import Diagnosis
from agent.checks import CHECKS
from agent.checks.types import Check, Found, Limits
from agent.checks.verdict import conclude
from agent.evidence.view import View
from evals.scoring.arm import Less
from tools.record.refusals import Refusals, only
from tools.records import Reading

REFUSED: Mapping[Less, Refusals] = {
    "without-host": Refusals(without_host=True),
    "info-only": only("info"),
    "ping-and-info": only("ping", "info"),
    "ping-and-info-remotely": only("ping", "info").model_copy(update={"without_host": True}),
}
"""What isn't allowed."""
PASTES: Mapping[Less, str] = {"pasted": "one", "pasted-info": "info"}
"""The modes of `evals.pastes`: one sample of all that a person copies, and of INFO alone."""
COMPARED = re.compile(
    r"\.(?:delta|rate)\b|(?:^|[._])window_|(?:^|[._])(?:busy|my|top|cpu|main)(?:_\w+)?_share$|"
    r"^top(?:_|$)|^(?:hit_ratio|new_events|share_max|share_min)$"
)
"""Fields that it takes two samples to know."""


def concluded(answer: Diagnosis, limits: Limits, less: Less | None) -> Diagnosis:
    """The checks' answer without a part of them; the answer itself where the arm does without something else.

    What was read stays the same. There is no plan: its steps are the runbooks', for causes that were found.
    """
    if less not in CUTS:
        return answer
    readings, checks = CUTS[less](answer.readings)
    verdict = conclude(readings, answer.target.nodes, limits, checks)
    return answer.model_copy(update={
        "outcome": verdict.outcome, "causes": verdict.causes, "findings": verdict.findings,
        "ruled_out": verdict.ruled_out, "unknown": verdict.unknown, "readings": tuple(readings), "plan": (),
    })  # fmt: skip


class _Unread(Mapping[str, float]):
    """Thresholds that nobody knows."""

    def __getitem__(self, name: str) -> float:
        raise _UnreadError(name)

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


class _UnreadError(Exception):
    """A check asks for a threshold of a runbook."""


def _unguided(check: Check) -> Check:
    """A check that has to do without the runbooks' thresholds: it finds what it needs none for."""

    @functools.wraps(check)
    def found(view: View, limits: Limits) -> Found:
        results = check(view, _Unread())
        while True:
            try:
                one = next(results)
            except (StopIteration, _UnreadError):
                return
            yield one

    return found


def _once(reading: Reading) -> Reading:
    values = {field: value for field, value in (reading.values or {}).items() if not COMPARED.search(field)}
    return reading.model_copy(update={"values": values}) if reading.values else reading


Cut = Callable[[Sequence[Reading]], tuple[Sequence[Reading], Sequence[Check]]]
CUTS: Mapping[Less | None, Cut] = {
    "without-checks": lambda readings: (readings, ()),
    "without-runbooks": lambda readings: (readings, tuple(map(_unguided, CHECKS))),
    "one-sample": lambda readings: (tuple(map(_once, readings)), CHECKS),
}
"""What is left of an investigation to conclude from, and to conclude with."""
