"""The current plan: steps by id, the changes they would make, and what was left out."""

import re
from collections.abc import Iterable

from agent.answer.diagnosis import Dropped, Step
from agent.plan.drafts import Draft
from tools.gate.policy import Change

MOST = 8
"""The most steps that a person can take in."""


class Planned:
    """Steps and the changes they would make.

    A plan that replaces another keeps the steps that were acted on, under `done`, and the ids of identical steps.
    """

    def __init__(self, before: "Planned | None" = None) -> None:
        known = [*before.steps, *before.done] if before else []
        self.steps: list[Step] = []
        self.changes: dict[str, Change] = {}
        """The exact change of each step that can be applied from here, by the step's id."""
        self.dropped: list[Dropped] = []
        self.ours: set[tuple[str, tuple[str, ...]]] = set(before.ours) if before else set()
        """Nodes and commands that only the runbooks' steps would send, not proposals."""
        self.done: list[Step] = [step for step in known if not step.is_open]
        self._open = {_same(step): step.id for step in known if step.is_open}
        self._last: int = before._last if before else 0

    def add(self, draft: Draft) -> None:
        """Append a step, up to what a person can take in."""
        step, change = draft.step, draft.change
        if len(self.steps) >= MOST:
            return
        if (id := self._open.get(_same(step))) is None:
            self._last += 1
            id = f"s{self._last}"
        numbered = step.model_copy(update={"id": id})
        self.steps.append(numbered)
        if change is not None:
            self.changes[numbered.id] = change

    def recall(self, steps: Iterable[Step]) -> None:
        """Take over a recorded plan. It permits nothing: none of its steps has a change that could be applied."""
        self.steps = list(steps)
        self._last = max((int(step.id[1:]) for step in self.steps), default=0)


def kept_after(before: Iterable[Step], new: Iterable[Step]) -> tuple[Step, ...]:
    """A plan that replaces another without knowing it, behind what of that one is applied and can still be undone.

    What is applied keeps its id, by which it was logged; the others get ids that none of the two plans had.
    """
    earlier, after = list(before), list(new)
    applied = [step for step in earlier if step.state in ("applied", "verified") and step.rollback]
    if not applied:
        return tuple(after)
    last = max(int(step.id[1:]) for step in earlier)
    fresh = (step.model_copy(update={"id": f"s{last + number}"}) for number, step in enumerate(after, 1))
    return (*fresh, *applied)


def _same(step: Step) -> tuple[str, str | None]:
    """What identifies a step across two plans: for a step that a person does, figures may differ."""
    return (step.action if step.needs_approval else re.sub(r"\d+", "#", step.action)), step.node
