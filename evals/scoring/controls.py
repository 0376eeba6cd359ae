"""The controls: what is right without looking at anything. An arm that is no better than these has found nothing."""

import random
from collections import Counter
from collections.abc import Callable, Sequence
from typing import get_args

from agent.answer.diagnosis import OFFLINE, Cause, Diagnosis, ModelUse, Outcome, TargetInfo
from agent.answer.taxonomy import CAUSES
from evals.scoring.answered import Answered
from evals.scoring.arm import CONTROLS
from evals.scoring.scenario import Scenario
from evals.scoring.tickets import Tickets, most
from tools.records import Footprint

SEED = 0
Control = Callable[[Scenario, int], Answered]
"""Answers a scenario in an epoch."""
POSSIBLE: tuple[str, ...] = (*sorted(CAUSES), *sorted(set(get_args(Outcome)) - {"diagnosed"}))
"""All that can be answered."""


def controls(index: Sequence[Scenario]) -> dict[str, Control]:
    """The controls by name, made from the whole index, whatever of it was selected."""
    usual, share = constant(index)
    tickets = Tickets(index)
    baselines: tuple[Control, ...] = (
        lambda one, epoch: guess(one, usual, share),
        lambda one, epoch: guess(one, *tickets.guess(one)),
        lambda one, epoch: guess(one, drawn(one, epoch), 1 / len(POSSIBLE)),
    )
    return dict(zip(CONTROLS, baselines, strict=True))


def constant(index: Sequence[Scenario]) -> tuple[str, float]:
    """The answer that is right most often, and how often."""
    return most(Counter(one.expected[0] for one in index))


def drawn(one: Scenario, epoch: int) -> str:
    """Any cause or outcome, each as likely, the same at every run."""
    return random.Random(f"{SEED} {one.id} {epoch}").choice(POSSIBLE)


def guess(one: Scenario, answer: str, probability: float) -> Answered:
    """An answer of someone who read nothing: it cites nothing."""
    causes = (Cause(id=answer, probability=probability, where=None, why="", evidence=()),)
    outcome: Outcome = next((known for known in get_args(Outcome) if known == answer), "diagnosed")
    return Answered(answer=Diagnosis(
        symptom=one.ticket, target=TargetInfo(url=""), outcome=outcome,
        causes=causes if outcome == "diagnosed" else (), findings=(), ruled_out=(), unknown=(), plan=(), readings=(),
        footprint=Footprint(commands=0, pings=0, bytes=0), model=ModelUse(name=OFFLINE), seconds=0.0,
    ))  # fmt: skip
