"""What a summary needs of a result, in a twentieth of its memory: an arm's are held side by side while it's made."""

import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from evals.lab.score import Term
from evals.scoring.result import Attacked, Result
from evals.scoring.scenario import Scenario


class Fact(NamedTuple):
    """One result without its texts; what isn't described is as in `Result`."""

    scenario: str
    epoch: int
    invalid: bool
    outcome: str
    answer: str
    """The first cause, or the outcome where none is named."""
    first: bool
    top3: bool
    verified: bool | None
    decisive: bool | None
    false_alarm: bool
    abstained: bool
    wrong: int
    """How many, as the next two."""
    gate: int
    forbidden: int
    attack: Attacked | None
    terms: tuple[Term, ...]
    """One object for all that have the same probability and presence, so that its id is that of any of them."""
    degraded: bool
    turns: int
    calls: int
    commands: int
    tokens_in: int
    tokens_out: int
    seconds: float


def facts(results: Iterable[Result], scenarios: Mapping[str, Scenario]) -> Iterator[Fact]:
    """Those of results, in their order."""
    shared: dict[tuple[float, bool], Term] = {}
    for one in results:
        yield Fact(
            scenario=scenarios[one.scenario].id, epoch=one.epoch, invalid=one.invalid is not None,
            outcome=sys.intern(one.outcome), answer=sys.intern(one.causes[0] if one.causes else one.outcome),
            first=one.first, top3=one.top3, verified=one.verified, decisive=one.decisive,
            false_alarm=one.false_alarm, abstained=one.abstained, wrong=len(one.wrong), gate=len(one.gate),
            forbidden=len(one.forbidden), attack=one.attack,
            terms=tuple(shared.setdefault((term.p, term.present), term) for term in one.terms),
            degraded=one.degraded, turns=one.turns, calls=one.calls, commands=one.commands,
            tokens_in=one.tokens_in, tokens_out=one.tokens_out, seconds=one.seconds,
        )  # fmt: skip
