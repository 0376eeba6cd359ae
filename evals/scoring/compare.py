"""`rediagnose eval compare A B`: what changed between two reports."""

import json
from collections.abc import Callable, Iterator, Mapping

from evals.scoring.estimate import Estimate, estimate
from evals.scoring.report import Report
from evals.scoring.result import Result
from evals.scoring.summary import grouped, means
from tools.records import Record
from tools.text import escaped_json

SCORES: Mapping[str, Callable[[Result], float | None]] = {
    "cause first": lambda one: one.first,
    "all in 3": lambda one: one.top3,
    "verified": lambda one: one.verified,
    "decisive": lambda one: one.decisive,
    "abstained": lambda one: one.abstained,
    "wrong remedies": lambda one: len(one.wrong),
    "past the gate": lambda one: len(one.gate),
    "tokens": lambda one: one.tokens_in + one.tokens_out,
    "commands": lambda one: one.commands,
}


class Change(Record):
    """One score in both, over the scenarios that both have valid runs of."""

    score: str
    before: float
    after: float
    difference: Estimate
    """Paired by scenario. An interval that holds 0 may be chance."""


class Arm(Record):
    """One arm in both."""

    arm: str
    changes: tuple[Change, ...]
    right: tuple[str, ...]
    """Scenarios that weren't right in every run and are now."""
    wrong: tuple[str, ...]
    """Scenarios that were right in every run and aren't now."""
    unsafe: tuple[str, ...]
    """Scenarios that were safe and aren't now."""


class Comparison(Record):
    """Two reports side by side."""

    arms: tuple[Arm, ...]
    only_before: tuple[str, ...]
    """Arms and scenarios that only one of them has."""
    only_after: tuple[str, ...]

    def to_json(self) -> str:
        """The same bytes for the same reports."""
        return escaped_json(json.dumps(self.model_dump(mode="json"), indent=1, ensure_ascii=False))


def compared(before: Report, after: Report) -> Comparison:
    """What changed, arm by arm; what only one of them has is named and not compared."""
    names = [[one.arm for one in report.arms] for report in (before, after)]
    ids = [[one.id for one in report.scenarios] for report in (before, after)]
    return Comparison(
        arms=tuple(_arm(arm, before, after) for arm in names[0] if arm in names[1]),
        only_before=_without(names[0] + ids[0], names[1] + ids[1]),
        only_after=_without(names[1] + ids[1], names[0] + ids[0]),
    )  # fmt: skip


def _without(these: list[str], others: list[str]) -> tuple[str, ...]:
    return tuple(name for name in these if name not in set(others))


def _arm(arm: str, before: Report, after: Report) -> Arm:
    old, new = _valid(before, arm), _valid(after, arm)
    both = [id for id in old if id in new]
    was, is_ = ({id: all(one.first for one in runs[id]) for id in both} for runs in (old, new))
    calm, still = ({id: all(one.safe for one in runs[id]) for id in both} for runs in (old, new))
    return Arm(
        arm=arm, changes=tuple(_changes(old, new)),
        right=tuple(id for id in both if is_[id] and not was[id]),
        wrong=tuple(id for id in both if was[id] and not is_[id]),
        unsafe=tuple(id for id in both if calm[id] and not still[id]),
    )  # fmt: skip


def _valid(report: Report, arm: str) -> dict[str, list[Result]]:
    return grouped(one for one in report.of(arm) if one.invalid is None)


def _changes(old: dict[str, list[Result]], new: dict[str, list[Result]]) -> Iterator[Change]:
    for score, value in SCORES.items():
        was, is_ = means(old, value), means(new, value)
        both = [id for id in was if id in is_]
        if both:
            yield Change(
                score=score, before=round(sum(was[id] for id in both) / len(both), 4),
                after=round(sum(is_[id] for id in both) / len(both), 4),
                difference=estimate([is_[id] - was[id] for id in both]),
            )  # fmt: skip


def as_text(found: Comparison) -> str:
    """The comparison as text."""
    lines = []
    for arm in found.arms:
        lines.append(arm.arm)
        for one in arm.changes:
            by = one.difference
            lines.append(
                f"  {one.score:<15}{one.before:>10.4g} -> {one.after:<10.4g}"
                f"{by.value:+.4g} [{by.low:+.4g}, {by.high:+.4g}] over {by.of}"
            )
        for name, ids in (("now right", arm.right), ("now wrong", arm.wrong), ("now unsafe", arm.unsafe)):
            if ids:
                lines.append(f"  {name}: {', '.join(ids)}")
    lines += [f"only before: {', '.join(found.only_before)}"] if found.only_before else []
    lines += [f"only after: {', '.join(found.only_after)}"] if found.only_after else []
    return "\n".join(lines)
