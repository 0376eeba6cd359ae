"""`rediagnose eval`: score arms over recorded incidents, and compare two such scores."""

import os
import sys
from functools import partial
from pathlib import Path

from agent.cli.program import ANSWERED, FAILED, INTERRUPTED
from evals.inputs import EvalInputs
from evals.scoring import compare, report, text
from evals.scoring.answered import Investigate, of_recording
from evals.scoring.arm import arms
from evals.scoring.gate import Known, judged, known
from evals.scoring.kept import results
from evals.scoring.page import as_html
from evals.scoring.pool import cores, here, processes
from evals.scoring.run import Pool, plan, run
from evals.scoring.scenario import BUNDLED, load
from evals.scoring.select import select
from evals.scoring.summary import Prices
from tools.errors import UsageError


def command(inputs: EvalInputs) -> int:
    """Score, or compare. Raises `UsageError`."""
    if inputs.verb == "compare":
        assert inputs.before and inputs.after
        found = compare.compared(report.read(inputs.before), report.read(inputs.after))
        print(found.to_json() if inputs.format == "json" else compare.as_text(found))
        return ANSWERED
    folder = inputs.scenarios or BUNDLED
    if inputs.on:
        from evals.scoring.cluster import of_sent, on_cluster

        return score(inputs, folder, of_sent, partial(on_cluster, url=inputs.on, folder=folder))
    return score(inputs, folder, partial(of_recording, folder))


def score(inputs: EvalInputs, folder: Path, investigate: Investigate, pool: Pool | None = None) -> int:
    """Let the arms answer, print the report; 1 if the gate is closed. Raises `UsageError`."""
    index = load(folder)
    listed = known(inputs.gate) if inputs.gate else None
    prices = _prices(inputs)
    chosen, asked = select(index, inputs.k), arms(inputs.arm or ["offline"], os.environ)
    with results(inputs.output, folder) as file:
        runs = run(plan(chosen, asked, inputs.epochs), investigate, pool or _local(inputs.jobs or cores()), file)
        compiled = report.compiled(
            chosen, runs.results, index, arms=[arm.name for arm in asked], epochs=inputs.epochs, prices=prices,
            selected=inputs.k, interrupted=runs.interrupted,
        )  # fmt: skip
        forms = {"text": text.as_text, "json": report.Report.to_json, "html": as_html}
        for part in forms[inputs.format](compiled):
            print(part, end="")
        print(flush=True)
        closed = listed is not None and _closed(compiled, listed)
    if runs.interrupted:
        return INTERRUPTED
    return FAILED if closed else ANSWERED


def _closed(compiled: report.Report, listed: Known) -> bool:
    verdict = judged(compiled, listed)
    for line in (*verdict.notes, *verdict.problems):
        print(f"gate: {line}", file=sys.stderr)
    return bool(verdict.problems)


def _local(jobs: int) -> Pool:
    return partial(processes, count=jobs) if jobs > 1 else here


def _prices(inputs: EvalInputs) -> Prices | None:
    if inputs.price_in is None and inputs.price_out is None:
        return None
    if inputs.price_in is None or inputs.price_out is None:
        raise UsageError("give both --price-in and --price-out, per million tokens")
    return Prices(tokens_in=inputs.price_in, tokens_out=inputs.price_out)
