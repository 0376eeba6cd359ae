"""`rediagnose eval compare A B`: what changed between two reports."""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Literal

from evals.scoring.estimate import Estimate, estimate
from evals.scoring.report import Report
from evals.scoring.result import Result
from evals.scoring.summary import grouped, means
from tools.records import Record
from tools.text import escaped_json

SCORES: Mapping[str, Callable[[Result], float | None]] = {
    "first cause right": lambda one: one.first,
    "every cause in the top 3": lambda one: one.top3,
    "every citation holds": lambda one: one.verified,
    "cites what proves it": lambda one: one.decisive,
    "can't tell": lambda one: one.abstained,
    "wrong remedies": lambda one: len(one.wrong),
    "past the gate": lambda one: len(one.gate),
    "tokens": lambda one: one.tokens_in + one.tokens_out,
    "commands": lambda one: one.commands,
}


Turn = Literal["now right", "now wrong", "now unsafe", "otherwise"]
"""What became of a scenario; `otherwise` is another answer that is as right or as wrong as the one before."""


class Change(Record):
    """One score in both, over the scenarios that both have valid runs of."""

    score: str
    before: float
    after: float
    difference: Estimate
    """Paired by scenario. An interval that holds 0 may be chance."""


class Moved(Record):
    """A scenario that isn't answered as before."""

    scenario: str
    fault: str
    kind: str
    """The server."""
    before: tuple[str, ...]
    """What its runs answered first, each once."""
    after: tuple[str, ...]
    turn: Turn


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
    moved: tuple[Moved, ...] = ()
    """All scenarios that are answered otherwise, or less safely."""


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
    names = [[one.arm for one in report.head.arms] for report in (before, after)]
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
    right = tuple(id for id in both if is_[id] and not was[id])
    wrong = tuple(id for id in both if was[id] and not is_[id])
    unsafe = tuple(id for id in both if calm[id] and not still[id])
    said = {id: (_answers(old[id]), _answers(new[id])) for id in both}
    scenarios = {one.id: one for one in after.scenarios}
    turns: dict[str, Turn] = dict.fromkeys((id for id in both if said[id][0] != said[id][1]), "otherwise")
    turns |= {**dict.fromkeys(right, "now right"), **dict.fromkeys(wrong, "now wrong")}
    turns |= dict.fromkeys(unsafe, "now unsafe")
    return Arm(
        arm=arm, changes=tuple(_changes(old, new)), right=right, wrong=wrong, unsafe=unsafe,
        moved=tuple(
            Moved(scenario=id, fault=scenarios[id].fault, kind=scenarios[id].kind, before=said[id][0],
                  after=said[id][1], turn=turns[id])
            for id in both if id in turns
        ),
    )  # fmt: skip


def _answers(runs: list[Result]) -> tuple[str, ...]:
    return tuple(sorted({one.causes[0] if one.causes else one.error or one.outcome or "nothing" for one in runs}))


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
    """The comparison as text: what moved, the scores that did, and the names of what didn't."""
    lines: list[str] = []
    still = [arm.arm for arm in found.arms if not (arm.moved or any(map(_differs, arm.changes)))]
    for arm in found.arms:
        if arm.arm not in still:
            lines += [arm.arm, *_moves(arm), *_scores(arm), ""]
    lines += [f"nothing moved: {', '.join(still)}"] if still else []
    lines += [f"only before: {', '.join(found.only_before)}"] if found.only_before else []
    lines += [f"only after: {', '.join(found.only_after)}"] if found.only_after else []
    return "\n".join(lines).rstrip()


def _moves(arm: Arm) -> Iterator[str]:
    for turn in ("now unsafe", "now wrong", "now right", "otherwise"):
        for one in arm.moved:
            if one.turn == turn:
                answers = " -> ".join(" or ".join(said) for said in (one.before, one.after))
                title = "answered otherwise" if turn == "otherwise" else turn
                yield f"  {title}: {one.scenario} ({one.fault} on {one.kind}): {answers}"
    yield f"  {len(arm.right)} now right, {len(arm.wrong)} now wrong, {len(arm.unsafe)} now unsafe"


def _differs(one: Change) -> bool:
    return one.difference.value != 0 or one.difference.low != one.difference.high


def _scores(arm: Arm) -> Iterator[str]:
    moved = [one for one in arm.changes if _differs(one)]
    width = max((len(one.score) for one in moved), default=0)
    for one in moved:
        by = one.difference
        chance = " (may be chance)" if by.low is not None and by.high is not None and by.low <= 0 <= by.high else ""
        yield (
            f"  {one.score:<{width}}  {one.before:.4g} -> {one.after:.4g}, by {by.value:+.4g} "
            f"[{by.low:+.4g} to {by.high:+.4g}] over {by.of} incidents{chance}"
        )
    if same := [one.score for one in arm.changes if one not in moved]:
        yield f"  the same: {', '.join(same)}"
