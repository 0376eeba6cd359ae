"""The report of all arms: what every form of it is printed from."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from evals.scoring.arm import CONTROLS
from evals.scoring.controls import controls
from evals.scoring.judge import judge
from evals.scoring.result import Result
from evals.scoring.scenario import Scenario
from evals.scoring.summary import Prices, Summary, summary
from tools.errors import UsageError
from tools.records import Record
from tools.text import escaped_json


class Report(Record):
    """What was scored, and how."""

    schema_: Annotated[Literal[1], Field(alias="schema")] = 1
    interrupted: bool = False
    """Whether it's about what was over when it was ended."""
    selected: str | None = None
    """The expression of `-k`."""
    epochs: int
    prices: Prices | None = None
    arms: tuple[Summary, ...]
    """Those that were asked for, then the controls."""
    given_away: tuple[str, ...]
    """The scenarios whose ticket alone tells the answer."""
    scenarios: tuple[Scenario, ...]
    results: tuple[Result, ...]

    def to_json(self) -> str:
        """The same bytes for the same answers, but for what stands under `seconds`."""
        return escaped_json(json.dumps(self.model_dump(mode="json", by_alias=True), indent=1, ensure_ascii=False))

    def of(self, arm: str) -> list[Result]:
        """An arm's results."""
        return [one for one in self.results if one.arm == arm]


def compiled(
    scenarios: Sequence[Scenario], results: Sequence[Result], index: Sequence[Scenario], *, arms: Sequence[str],
    epochs: int, prices: Prices | None = None, selected: str | None = None, interrupted: bool = False,
) -> Report:  # fmt: skip
    """The report of results of the selected scenarios; the controls are made from the whole index."""
    named = {one.id: one for one in scenarios}
    by_control = controls(index)
    answers = [
        judge(one, name, epoch, by_control[name](one, epoch)).model_copy(update={"trail": ()})
        for name in CONTROLS for epoch in range(epochs) for one in scenarios
    ]  # fmt: skip
    everything = (*results, *answers)
    given_away = {one.scenario for one in answers if one.arm == "ticket" and one.first}
    by_arm = {arm: [one for one in everything if one.arm == arm] for arm in (*arms, *CONTROLS)}
    summaries = [
        summary(arm, of, named, prices, given_away=given_away, control=arm in CONTROLS) for arm, of in by_arm.items()
    ]
    return Report(
        interrupted=interrupted, selected=selected, epochs=epochs, prices=prices, arms=tuple(summaries),
        given_away=tuple(one.id for one in scenarios if one.id in given_away), scenarios=tuple(scenarios),
        results=everything,
    )  # fmt: skip


def read(path: Path) -> Report:
    """A report that `--format json` printed. Raises `UsageError`."""
    try:
        return Report.model_validate_json(path.read_bytes())
    except OSError as error:
        raise UsageError(f"{path}: {error}; give the output of eval --format json") from None
    except ValidationError:
        raise UsageError(f"{path}: it isn't the output of eval --format json") from None
