"""What accompanies each question to a model: the current plan, and which of its own citations were wrong."""

from collections.abc import Iterable, Iterator, Sequence

from agent.answer.diagnosis import Dropped, Step
from agent.answer.events import Question, Reply
from agent.report.render import printed_value
from tools.records import Reading

STEPS_MOST, LINE_MOST, ACTION_MOST, WRONG_MOST = 2500, 600, 240, 8
"""Most bytes of the plan, characters of one step and of its action, and wrong citations that are reported."""


def plan_lines(steps: Iterable[Step], dropped: Iterable[Dropped]) -> list[str]:
    """The steps, each with its state and what is needed to decide on it, and what was left out."""
    lines: list[str] = []
    for line in (*map(_step, steps), *(f"left out: {one.action} ({one.why})" for one in dropped)):
        if sum(len(one.encode()) for one in lines) + len(line.encode()) > STEPS_MOST:
            return [*lines, "(more: the person sees them by /plan)"]
        lines.append(line)
    return lines


def _step(step: Step) -> str:
    how = f"{step.risk}, {'needs a yes' if step.needs_approval else 'by hand'}"
    told = (
        f"{step.id} [{step.state}] {_cut(step.action, ACTION_MOST)} on {step.node} ({how})",
        f"now {step.before}" if step.before is not None else "", f"undo: {step.rollback}" if step.rollback else "",
        f"why: {step.why}" if step.why else "", f"not checked: {step.unchecked}" if step.unchecked else "",
        f"warns of: {step.avoid}" if step.avoid else "",
    )  # fmt: skip
    return _cut("; ".join(filter(None, told)), LINE_MOST)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[:most]}\u2026"


def wrong_citations(turns: Sequence[Question | Reply], readings: Iterable[Reading]) -> Iterator[str]:
    """What the last answer cites but the readings don't have, each with what they do have."""
    last = next((one for one in reversed(turns) if isinstance(one, Reply)), None)
    by_id = {one.id: one for one in readings}
    for one in [cited for cited in last.cited if not cited.verified][:WRONG_MOST] if last else ():
        reading = by_id.get(one.reading)
        yield f"{one.reading} {one.field}={printed_value(one.value)}: {why_not(reading, one.field)}"


def why_not(reading: Reading | None, field: str) -> str:
    """What a reading has in place of a wrong citation."""
    return f"it's {printed_value(reading.get(field))}" if reading and reading.has(field) else "there is no such value"
