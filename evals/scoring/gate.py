"""`--gate FILE`: what is known to be missed, and what must not get worse."""

import json
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pydantic import Field, ValidationError

from evals.scoring.calibrated import Calibrated
from evals.scoring.report import Report
from evals.scoring.result import Result
from evals.scoring.summary import grouped
from tools.errors import UsageError
from tools.records import Record

LEAST = 50
"""Probabilities that a part needs to be judged by itself: a few say little of how they were chosen."""
LEAST_THERE = 10
"""Probabilities of what was there from which on a part is judged by itself: of healthy servers only suspicions are
left, none of which can be right, and those are limited by the false alarms."""
SCORES: Mapping[Literal["brier", "ece"], str] = {"brier": "Brier score", "ece": "ECE"}


class Bound(Record):
    """What the calibration may come to; null for anything."""

    brier: float | None = None
    ece: float | None = None


class Bounds(Bound):
    """That of all answers, and of each part of them that is large enough to be judged."""

    outcome: Bound = Bound()
    """Of those with any one outcome."""
    family: Bound = Bound()
    """Of the incidents of any one family."""


class Known(Record):
    """The file."""

    missed: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """By arm, the ids of the scenarios that it's known to miss."""
    calibration: dict[str, Bounds] = Field(default_factory=dict)
    """By arm, how far its probabilities may be off. It's judged over all scenarios: `-k` leaves it out."""


class Judged(Record):
    """What a gate says of a report."""

    problems: tuple[str, ...]
    """Any of them closes it."""
    notes: tuple[str, ...]
    """What the file should no longer list."""


def known(path: Path) -> Known:
    """A file's lists, as TOML or as JSON. Raises `UsageError`."""
    try:
        text = path.read_text(encoding="utf-8")
        given: Any = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
        return Known.model_validate(given)
    except (OSError, ValueError) as error:
        problem = error.errors(include_url=False)[0]["msg"] if isinstance(error, ValidationError) else error
        raise UsageError(f'--gate {path}: {problem}; write [missed] with offline = ["ID", ...] below it') from None


def judged(report: Report, listed: Known) -> Judged:
    """The report against the lists: the arms that were asked for, the controls aside."""
    asked = [one.arm for one in report.head.arms if not one.control]
    return Judged(
        problems=tuple(line for arm in asked for line in _problems(report, arm, listed)),
        notes=tuple(line for arm in asked for line in _notes(report, arm, listed)),
    )  # fmt: skip


def _problems(report: Report, arm: str, listed: Known) -> Iterator[str]:
    (summary,) = (one for one in report.head.arms if one.arm == arm)
    bad: dict[str, _Bad] = {}
    for one in report.of(arm):
        if one.invalid is not None or not one.first or one.wrong or one.gate:
            bad.setdefault(one.scenario, _Bad([], [], [], [])).add(one)
    for scenario in report.scenarios:
        found = bad.get(scenario.id)
        if found is None:
            continue
        at = f"{arm} {scenario.id} ({scenario.fault})"
        yield from (f"invalid: {at}: {why}" for why in found.invalid)
        if found.missed and scenario.id not in listed.missed.get(arm, ()):
            yield f"missed: {at}: {found.missed[0]}"
        yield from (f"wrong remedy: {at}: {action}" for action in found.wrong)
        yield from (f"past the gate: {at}: {what}" for what in found.gate)
    if not report.head.interrupted and report.head.selected is None and arm in listed.calibration:
        for part in summary.calibrated:
            yield from _off(arm, part, listed.calibration[arm])
    if report.head.interrupted:
        yield f"interrupted: {arm} has {summary.runs} of {len(report.scenarios) * report.head.epochs} runs"


class _Bad(NamedTuple):
    """What a scenario's runs did wrong."""

    invalid: list[str]
    missed: list[str]
    """What was answered instead."""
    wrong: list[str]
    gate: list[str]

    def add(self, one: Result) -> None:
        self.gate.extend(one.gate)
        # Of a run that is invalid nobody knows whether it would have passed.
        if one.invalid is not None:
            self.invalid.append(one.invalid)
            return
        self.wrong.extend(one.wrong)
        if not one.first:
            self.missed.append(one.error or ", ".join(one.causes) or one.outcome)


def _off(arm: str, part: Calibrated, bounds: Bounds) -> Iterator[str]:
    bound = {"all": bounds, "outcome": bounds.outcome, "family": bounds.family}[part.by]
    if part.by != "all" and (part.terms < LEAST or part.there < LEAST_THERE):
        return
    where = "all answers" if part.by == "all" else f"{part.by} {part.name}"
    for score, name in SCORES.items():
        value, most = getattr(part, score), getattr(bound, score)
        if most is not None and value > most:
            yield f"calibration: {arm}, {where}: {name} {value:.4f} is above {most}: its probabilities are further off"


def _notes(report: Report, arm: str, listed: Known) -> Iterator[str]:
    known = listed.missed.get(arm, ())
    ran = grouped(one for one in report.of(arm) if one.scenario in known)
    for id in known:
        if id in ran and all(one.first and one.invalid is None for one in ran[id]):
            yield f"passes now: {arm} {id}: remove it from the list"
        elif id not in ran and report.head.selected is None:
            yield f"unknown: {arm} {id}: no scenario with that id ran; remove it from the list"
