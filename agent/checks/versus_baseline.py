"""A finding weighed against the good day: what is unchanged says nothing, what changed supports it."""

from collections.abc import Callable, Sequence
from functools import wraps

from agent.answer.diagnosis import Cause, RuledOut
from agent.checks.types import Check, Found, Limits
from agent.evidence.view import Cited, View

FLOORS: dict[str, float] = {
    "ops_per_second": 20, "connections_per_second": 2, "rejected_per_second": 0.5, "errors_per_second": 0.5,
    "connected_clients": 5, "blocked_clients": 3, "used_memory": 2**20, "keys": 100, "kept_keys_per_second": 5,
    "expires_share": 0.1, "hit_ratio": 0.1, "cpu_share": 0.1, "busy_share": 0.1, "output_kbps": 20, "input_kbps": 20,
    "latency_min_ms": 0.5, "latency_p50_ms": 1, "latency_p99_ms": 3, "evicted_per_second": 5, "expired_per_second": 10,
}  # fmt: skip
"""What is added to both sides of a ratio, so that nearly nothing versus nothing isn't a change."""
OTHER_FLOOR, OWNER_FLOOR = 0.5, 6.0
"""Added for errors of one kind per second, and for one owner's clients."""
RAISED, LOWERED, AT_MOST = 0.5, 0.5, 0.4
"""How far towards certainty a change takes a finding; what is left of an unchanged one, and its maximum."""


def floor(figure: str) -> float:
    """What is added to both sides of a figure's ratio."""
    return OWNER_FLOOR if figure.startswith("o") and figure.endswith("_clients") else FLOORS.get(figure, OTHER_FLOOR)


def times(view: View, figure: str) -> float | None:
    """Roughly how many times the good day's figure it is now; None if either is unknown."""
    before, now = (view.number("baseline", f"{figure}.{when}") for when in ("before", "now"))
    if before is None or now is None:
        return None
    return (now + floor(figure)) / (before + floor(figure))


def risen(view: View, limits: Limits, figure: str) -> bool:
    """Whether it's far above the good day's."""
    ratio = times(view, figure)
    return ratio is not None and ratio >= limits["baseline_changed_ratio"]


def fallen(view: View, limits: Limits, figure: str) -> bool:
    """Whether it's far below the good day's."""
    ratio = times(view, figure)
    return ratio is not None and ratio <= 1 / limits["baseline_changed_ratio"]


def as_ever(view: View, limits: Limits, figure: str) -> bool:
    """Whether it's about the good day's, within normal variation."""
    ratio, same = times(view, figure), limits["baseline_same_ratio"]
    return ratio is not None and 1 / same <= ratio <= same


def cited(*figures: str) -> tuple[Cited, ...]:
    """The fields to cite of some figures."""
    return tuple(("baseline", f"{figure}.{part}") for figure in figures for part in ("before", "now"))


def compared(view: View, figures: Sequence[str]) -> str:
    """Some figures of that day and now, in words."""
    return ", ".join(
        f"{figure} {view.number('baseline', f'{figure}.before'):g} then and "
        f"{view.number('baseline', f'{figure}.now'):g} now"
        for figure in figures
    )


def weigh(
    view: View, limits: Limits, cause: Cause, rises: Sequence[str], falls: Sequence[str] = (), *, out: bool = False
) -> Cause | RuledOut:
    """A finding weighed by the figures that would rise or fall with it: raised by a change, lowered without one.

    With `out`, unchanged figures rule it out. Without a baseline it's returned unchanged.
    """
    known = [figure for figure in (*rises, *falls) if times(view, figure) is not None]
    changed = [figure for figure in rises if risen(view, limits, figure)]
    changed += [figure for figure in falls if fallen(view, limits, figure)]
    if changed:
        likely = round(min(0.97, cause.probability + RAISED * (1 - cause.probability)), 3)
        why = f"{cause.why.rstrip('.')}. Unlike in the baseline: {compared(view, changed)}."
        likely = max(likely, cause.probability)
    elif known and all(as_ever(view, limits, figure) for figure in known):
        changed, same = known, f"As in the baseline: {compared(view, known)}."
        if out:
            return view.not_(cause.id, same, *cited(*known))
        likely, why = min(AT_MOST, LOWERED * cause.probability), f"{cause.why.rstrip('.')}. {same}"
    else:
        return cause
    evidence = (*cause.evidence, *view.cite(*cited(*changed)))
    return cause.model_copy(update={"probability": likely, "why": why, "evidence": evidence})


def against(*rises: str, falls: Sequence[str] = (), out: bool = False) -> Callable[[Check], Check]:
    """A check whose findings are weighed by these figures."""

    def of(check: Check) -> Check:
        @wraps(check)
        def weighing(view: View, limits: Limits) -> Found:
            for found in check(view, limits):
                yield weigh(view, limits, found, rises, falls, out=out) if isinstance(found, Cause) else found

        return weighing

    return of
