"""One plan from the runbooks' steps and a model's: its order, and no step that contradicts another."""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Literal

from agent.answer.diagnosis import Action, Dropped
from agent.plan.drafts import Draft
from agent.plan.warned import warned
from tools.gate.advice import repeats
from tools.gate.equality import equal_values
from tools.gate.policy import canonical_name
from tools.patterns import deferred

_SETS = deferred(r"\bCONFIG\s+SET\s+([A-Za-z0-9-]{1,64})\s+(\"[^\"]*\"|'[^']*'|\S+)", re.IGNORECASE)
Placed = tuple[Action, Draft | None]
"""What a model says about a step of the plan, and its own step if it added one; null if it means a runbook's."""


def ordered(
    drafts: Sequence[Draft], said: Sequence[Placed], clean: Callable[[str], str]
) -> tuple[list[Draft], list[Dropped]]:
    """The runbooks' steps in a model's order, with its own steps among them, and the steps it drops.

    Steps it doesn't name follow in their original order. `clean` removes from a reason what nobody should be told. At
    least one of the runbooks' steps always stays.
    """
    left, placed, dropped = list(drafts), list[Draft](), list[Dropped]()
    names_any = False
    for action, own in said:
        found = meant(action, left) if own is None else None
        if found is None:
            placed += [own] if own else []
            names_any |= own is None
            continue
        names_any = True
        why = clean(action.why)
        if action.drop and why and sum(bool(one.ref) for one in (*left, *placed)) > 1:
            dropped.append(_dropped(found, why, "model"))
        elif action.drop:
            # Without a reason it stays where it is.
            continue
        else:
            placed.append(found)
        left.remove(found)
    return ([*placed, *left] if names_any else [*left, *placed]), dropped


def meant(action: Action, drafts: Sequence[Draft]) -> Draft | None:
    """The step that a model means, by its reference or its wording; null if there is no such step."""
    named, text = (action.step or "").strip().lower(), _plain(action.action)
    by_ref = next((one for one in drafts if one.ref and one.ref == named), None)
    return by_ref or next((one for one in drafts if text and _plain(one.step.action) == text), None)


def _plain(action: str) -> str:
    return re.sub(r"\W+", " ", action).strip().lower()


def consistent(drafts: Iterable[Draft]) -> tuple[list[Draft], list[Dropped]]:
    """The steps that don't contradict each other (the earlier one stays), and those that would have."""
    drafts = list(drafts)
    kept, dropped = list[Draft](), list[Dropped]()
    for one in drafts:
        if any(_same(one, other) for other in kept):
            continue
        why = _contradicted(one, kept, drafts) if one.change or one.is_own else None
        if why is None:
            kept.append(one)
        else:
            dropped.append(_dropped(one, why, "plan"))
    return kept, dropped


def _same(one: Draft, other: Draft) -> bool:
    """Whether both do the same, however they are written."""
    if one.step.node != other.step.node:
        return False
    if one.step.action == other.step.action:
        return True
    mine, theirs = _settings(one), _settings(other)
    alike = bool(mine) and mine.keys() == theirs.keys()
    return bool(one.change and other.change) and alike and all(equal_values(k, v, theirs[k]) for k, v in mine.items())


def _settings(draft: Draft) -> dict[str, str]:
    """The parameters that a step sets, including those it tells a person to set."""
    if draft.change:
        return {canonical_name(draft.change.parameter): draft.change.args[3]} if draft.change.parameter else {}
    return {canonical_name(name): value.strip("\"'.,;") for name, value in _SETS.findall(draft.step.action)}


def _contradicted(one: Draft, kept: Sequence[Draft], drafts: Sequence[Draft]) -> str | None:
    """What in the plan contradicts a step; null if nothing does."""
    for other in kept:
        if other.step.node == one.step.node:
            theirs = _settings(other)
            for name, value in _settings(one).items():
                # Each command for output limits sets one class of clients.
                is_set = name in theirs and _part(name, value) == _part(name, theirs[name])
                if is_set and not equal_values(name, value, theirs[name]):
                    return f"another step sets {name} to {theirs[name]}"
    # A model's step is checked against all warnings, a runbook's against those of the causes before its own.
    warners = drafts if one.is_own else [other for other in kept if other.cause != one.cause]
    for other in warners:
        avoid = other.step.avoid
        if avoid and other is not one and other.ref and _warns(avoid, one):
            return f"the plan warns of it: {re.split('[;:]', avoid)[0]}"
    return None


def _part(name: str, value: str) -> list[str]:
    return value.split()[:1] if name == "client-output-buffer-limit" else []


def _warns(avoid: str, draft: Draft) -> bool:
    if draft.change:
        return warned(draft.change, avoid)
    return draft.is_own and repeats(draft.step.action, avoid)


def _dropped(draft: Draft, why: str, by: Literal["model", "plan"]) -> Dropped:
    step = draft.step
    return Dropped(action=step.action, node=step.node, why=why, by=by, avoid=step.avoid)
