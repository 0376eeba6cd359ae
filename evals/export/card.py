"""What a data set says of itself: its README, with what it holds and how it's run, and how it's cited."""

from collections import Counter
from collections.abc import Iterable, Sequence
from string import Template

from evals.export.bundle import given, version
from evals.export.task import CANARY, Task
from evals.export.tree import Files
from evals.inputs import ExportInputs
from evals.scoring.scenario import Scenario

LONG = 300.0
"""Seconds from which a recording is named among those that last."""


def card(inputs: ExportInputs, exported: Sequence[tuple[Task, Scenario]]) -> Files:
    """The pages about exported scenarios."""
    scenarios = [scenario for _, scenario in exported]
    readme = Template(given("README.md").decode()).substitute(
        count=len(scenarios), faults=len({one.fault for one in scenarios}), split=inputs.split, drawn=_drawn(inputs),
        servers=_counted(one.kind for one in scenarios), commonest=_commonest(scenarios), version=version(),
        canary=CANARY, lasting=lasting([task for task, _ in exported]),
        running=given(f"running-{inputs.form}.md").decode().strip(),
    )  # fmt: skip
    citation = Template(given("CITATION.cff").decode()).substitute(version=version())
    return {"README.md": readme.encode(), "CITATION.cff": citation.encode()}


def _drawn(inputs: ExportInputs) -> str:
    """Which of the incidents they are. The seed of a private split is as secret as its answers."""
    some = " ".join(inputs.ids) or "all"
    if inputs.limit is None:
        return some
    seed = f" by seed {inputs.seed or 0}" if inputs.split == "public" else ""
    return f"{inputs.limit} of {some}, drawn{seed}"


def _commonest(scenarios: Sequence[Scenario]) -> str:
    """What the same answer to all of them would get."""
    found = Counter(one.expected[0] for one in scenarios).most_common(1)
    return "".join(f"`{answer}` to all is right in {count} of {len(scenarios)}" for answer, count in found)


def _counted(names: Iterable[str]) -> str:
    return ", ".join(f"{name} ({count})" for name, count in sorted(Counter(names).items()))


def lasting(tasks: Sequence[Task]) -> str:
    """How long each was recorded for: those that last with their time, the others together."""
    long = [one for one in tasks if one.seconds >= LONG]
    short = sorted(one.seconds for one in tasks if one.seconds < LONG)
    rows = (
        ["| incident | seconds |", "|---|--:|", *(f"| {one.id} | {one.seconds:.0f} |" for one in long)] if long else []
    )
    rest = f"{'The others' if long else 'All'} were recorded for {short[0]:.0f} to {short[-1]:.0f} s." if short else ""
    return "\n".join((*rows, *([""] if rows and rest else []), *([rest] if rest else [])))
