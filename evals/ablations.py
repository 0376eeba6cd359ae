"""What each part of the program, and of what can be seen, is worth: the checks' answers without it, side by side.

`python -m evals.ablations` lets the checks answer every recorded incident with less (`evals/scoring/less.py`) and tells
apart what is right, honestly not known, wrong, and called well although it isn't. `--write` puts the table into
docs/accuracy.md.
"""

import argparse
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Literal

from agent.answer.diagnosis import OFFLINE
from agent.answer.taxonomy import CAUSES
from agent.checks.ranking import PRESENT
from agent.cli.argument_types import whole
from agent.cli.program import ANSWERED, INTERRUPTED
from evals.readme import DOCS, between
from evals.scoring.answered import of_recording
from evals.scoring.arm import Less, arms
from evals.scoring.estimate import Estimate, clustered
from evals.scoring.kept import results
from evals.scoring.pool import cores, here, processes
from evals.scoring.result import Result
from evals.scoring.run import plan, run
from evals.scoring.scenario import BUNDLED, Scenario, load
from evals.scoring.switched_off import BROUGHT_ABOUT

PAGE, PLACE = DOCS / "accuracy.md", "ablations"
Sort = Literal["right", "can't tell", "also there", "wrong", "called well"]
SICK: Mapping[Sort, str] = {
    "right": "right", "can't tell": "honestly can't tell", "also there": "only what it brought about",
    "wrong": "another cause", "called well": "called well",
}  # fmt: skip
SOUND: Mapping[Sort, str] = {"right": "right", "can't tell": "honestly can't tell", "wrong": "a false alarm"}
"""The columns of the two tables."""
TITLES: Mapping[Less | None, str] = {
    None: "everything",
    "one-sample": "one sample: no deltas, rates or shares of a window",
    "without-runbooks": "no runbooks: nothing that needs a threshold of theirs",
    "without-checks": "no checks: only what the servers themselves complain of",
    "without-host": "nothing of the machine",
    "ping-and-info": "a user who may only PING and INFO",
    "ping-and-info-remotely": "the same, and nothing of the machine",
    "info-only": "a user who may only INFO",
    "pasted": "a paste of one sample, no server",
    "pasted-info": "a paste of INFO alone",
}
"""The rows: first what the program does without, then what can't be seen."""


def sort(one: Result, scenario: Scenario) -> Sort:
    """What came of a run: a first cause below 50 % is no answer, it only says what to look at."""
    if one.first:
        return "right"
    if one.error is not None:
        return "wrong"
    if one.outcome == "no-fault":
        return "called well" if scenario.cause in CAUSES else "wrong"
    said = next((term.p for term in one.terms if one.causes[:1] == (term.id,)), 1.0)
    if one.outcome == "insufficient-evidence" or said < PRESENT:
        return "can't tell"
    brought = any((cause, one.causes[0]) in BROUGHT_ABOUT for cause in scenario.expected) if one.causes else False
    return "also there" if brought else "wrong"


def shares(found: Sequence[tuple[Scenario, Sort]], names: Iterable[Sort]) -> Iterator[Estimate]:
    """The share of each sort, with an interval over the faults that the recordings are of."""
    for name in names:
        by_fault: dict[str, list[float]] = {}
        for scenario, said in found:
            by_fault.setdefault(scenario.fault, []).append(float(said == name))
        yield clustered(by_fault)


def table(results: Sequence[Result], scenarios: Sequence[Scenario]) -> list[str]:
    """Two tables in Markdown: of the faults, and of the servers that were well."""
    plain = [one for one in scenarios if one.attack is None]
    sick = {one.id: one for one in plain if one.cause in CAUSES}
    sound = {one.id: one for one in plain if one.cause == "no-fault"}
    return [
        *_table("of the faults, with", SICK, results, sick), "",
        *_table("of the healthy servers, with", SOUND, results, sound),
    ]  # fmt: skip


def _table(
    title: str, columns: Mapping[Sort, str], results: Sequence[Result], scenarios: Mapping[str, Scenario]
) -> Iterator[str]:  # fmt: skip
    yield f"| {title} | recordings | {' | '.join(columns.values())} |"
    yield f"|---|{'--:|' * (1 + len(columns))}"
    for less, name in TITLES.items():
        arm = f"{OFFLINE}-{less}" if less else OFFLINE
        runs = [one for one in results if one.arm == arm and one.scenario in scenarios and one.invalid is None]
        if runs:
            said = [(scenarios[one.scenario], sort(one, scenarios[one.scenario])) for one in runs]
            yield f"| {name} | {len(runs)} | {' | '.join(map(_cell, shares(said, columns)))} |"


def _cell(of: Estimate) -> str:
    assert of.value is not None and of.low is not None and of.high is not None
    return f"{of.value:.1%} ({100 * of.low:.0f}-{100 * of.high:.0f})"


def main(argv: Sequence[str] | None = None) -> int:
    """Print the tables; half a minute of a core for each row. What was interrupted isn't written."""
    parser = argparse.ArgumentParser(prog="python -m evals.ablations", description=__doc__)
    parser.add_argument("--write", action="store_true", help=f"write them into {PAGE.name}")
    parser.add_argument("--jobs", type=whole, metavar="N", default=cores(), help="processes (one per core)")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="keep results, as eval does")
    given = parser.parse_args(argv)
    scenarios = load(BUNDLED)
    asked = arms([f"{OFFLINE}-{less}" if less else OFFLINE for less in TITLES], {})
    pool = partial(processes, count=given.jobs) if given.jobs > 1 else here
    with results(given.output, BUNDLED) as file:
        runs = run(plan(scenarios, asked, 1), partial(of_recording, BUNDLED), pool, file)
        lines = "\n".join(table(list(runs.results), scenarios))
    print(lines)
    if runs.interrupted:
        print("interrupted: the tables are of the runs that had finished by then", file=sys.stderr)
        return INTERRUPTED
    if given.write:
        PAGE.write_text(between(PAGE.read_text(encoding="utf-8"), PLACE, lines), encoding="utf-8")
    return ANSWERED


if __name__ == "__main__":
    sys.exit(main())
