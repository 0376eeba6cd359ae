"""The report of all arms: what every form of it is printed from."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

from pydantic import Field, ValidationError

from evals.scoring.arm import CONTROLS
from evals.scoring.controls import Control, controls
from evals.scoring.judge import judge
from evals.scoring.result import Anew, Result
from evals.scoring.scenario import Scenario
from evals.scoring.summary import Prices, Summary, summary
from tools.errors import UsageError
from tools.records import Record
from tools.text import escaped_json


class Head(Record):
    """What was scored, and how, and what the runs come to."""

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


class Written(Head):
    """The whole, as `--format json` prints it."""

    scenarios: tuple[Scenario, ...]
    results: tuple[Result, ...]
    """Of the arms that were asked for, then of the controls."""


class Report(NamedTuple):
    """What every form is printed from. Results are read one after another: there may be more than memory holds."""

    head: Head
    scenarios: Sequence[Scenario]
    results: Iterable[Result]
    controls: Mapping[str, Iterable[Result]]
    """By name; of a report that was read they are among the results."""

    def of(self, arm: str) -> Iterator[Result]:
        """An arm's results."""
        return iter(self.controls[arm]) if arm in self.controls else _of(self.results, arm)

    def to_json(self) -> Iterator[str]:
        """The parts of its JSON: the same bytes for the same answers, but for what stands under `seconds`."""
        yield _json(self.head).removesuffix("\n}")
        yield from _json_list("scenarios", self.scenarios)
        yield from _json_list("results", (one for of in (self.results, *self.controls.values()) for one in of))
        yield "\n}"


def _json(record: Record) -> str:
    return escaped_json(json.dumps(record.model_dump(mode="json", by_alias=True), indent=1, ensure_ascii=False))


def _json_list(name: str, records: Iterable[Record]) -> Iterator[str]:
    """A list within an object, as `indent=1` lays it out: no string holds a newline."""
    yield f',\n "{name}": ['
    before, after = "", ""
    for one in records:
        yield f"{before}\n  " + _json(one).replace("\n", "\n  ")
        before, after = ",", "\n "
    yield f"{after}]"


def compiled(
    scenarios: Sequence[Scenario], results: Iterable[Result], index: Sequence[Scenario], *, arms: Sequence[str],
    epochs: int, prices: Prices | None = None, selected: str | None = None, interrupted: bool = False,
) -> Report:  # fmt: skip
    """The report of results of the selected scenarios; the controls are made from the whole index."""
    named = {one.id: one for one in scenarios}
    guesses = {
        name: Anew(partial(_guesses, name, control, scenarios, epochs)) for name, control in controls(index).items()
    }
    given_away = {named[one.scenario].id for one in guesses["ticket"] if one.first}
    by_arm = {arm: _of(results, arm) for arm in arms} | guesses
    summaries = [
        summary(arm, of, named, prices, given_away=given_away, control=arm in CONTROLS) for arm, of in by_arm.items()
    ]
    head = Head(
        interrupted=interrupted, selected=selected, epochs=epochs, prices=prices, arms=tuple(summaries),
        given_away=tuple(one.id for one in scenarios if one.id in given_away),
    )  # fmt: skip
    return Report(head, scenarios, results, guesses)


def _guesses(name: str, control: Control, scenarios: Sequence[Scenario], epochs: int) -> Iterator[Result]:
    for epoch in range(epochs):
        for one in scenarios:
            yield judge(one, name, epoch, control(one, epoch)).model_copy(update={"trail": ()})


def _of(results: Iterable[Result], arm: str) -> Iterator[Result]:
    return (one for one in results if one.arm == arm)


def read(path: Path) -> Report:
    """A report that `--format json` printed. Raises `UsageError`."""
    try:
        whole = Written.model_validate_json(path.read_bytes())
    except OSError as error:
        raise UsageError(f"{path}: {error}; give the output of eval --format json") from None
    except ValidationError:
        raise UsageError(f"{path}: it isn't the output of eval --format json") from None
    return Report(whole, whole.scenarios, whole.results, {})
