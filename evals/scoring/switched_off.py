"""What is answered where the check that knows the cause is switched off: as a cause that nobody thought of.

`python -m evals.scoring.switched_off` does it for every recorded fault and prints how often a sick server is called
well, and how often another cause is named above 50 %.
"""

import functools
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor

from agent.answer.diagnosis import Diagnosis, Verdict
from agent.answer.taxonomy import CAUSES
from agent.checks import CHECKS
from agent.checks.types import Check, Found, Limits
from agent.checks.verdict import PRESENT, conclude
from agent.evidence.view import View
from agent.recordings.replay import case, on_virtual_time
from agent.runbooks.library import load as runbooks
from evals.scoring.scenario import BUNDLED, Scenario, load
from tools.record.load import load as recording
from tools.record.tape import Tape


def without(causes: Sequence[str]) -> tuple[Check, ...]:
    """All checks, none of which finds these causes."""

    def silenced(check: Check) -> Check:
        @functools.wraps(check)
        def found(view: View, limits: Limits) -> Found:
            yield from (one for one in check(view, limits) if one.id not in causes)

        return found

    return tuple(map(silenced, CHECKS))


def unnamed(scenario: Scenario, answered: Diagnosis, limits: Limits) -> Verdict | None:
    """The verdict on a recorded incident if nobody knew its causes; None where it isn't a known fault."""
    found = {cause.id for cause in answered.findings if cause.probability >= PRESENT}
    # What the checks don't find with all of them on shows nothing.
    if scenario.cause not in CAUSES or scenario.cause not in found:
        return None
    return conclude(answered.readings, answered.target.nodes, limits, without((scenario.cause, *scenario.also)))


def _verdict(scenario: Scenario) -> Verdict | None:
    library = runbooks()

    async def investigate() -> Diagnosis:
        async with case(Tape(recording(BUNDLED / scenario.file)), scenario.ticket, library=library) as investigation:
            return investigation.answer()

    return unnamed(scenario, on_virtual_time(investigate()), library.thresholds)


def main() -> None:
    """Print it."""
    scenarios = load(BUNDLED)
    with ProcessPoolExecutor() as pool:
        verdicts = list(zip(scenarios, pool.map(_verdict, scenarios, chunksize=8), strict=True))
    judged = [(scenario, verdict) for scenario, verdict in verdicts if verdict is not None]
    outcomes = Counter(verdict.outcome for _, verdict in judged)
    print(f"{len(judged)} recorded faults, each without the check of its own cause:")
    for outcome, count in outcomes.most_common():
        print(f"  {outcome:<22} {count:>4}  {count / len(judged):.1%}")
    pairs = Counter((scenario.cause, verdict.causes[0].id) for scenario, verdict in judged if verdict.causes)
    print("Another cause was named above 50 %:")
    for (cause, named), count in pairs.most_common():
        print(f"  {count:>3}  {cause}: {named}")


if __name__ == "__main__":
    main()
