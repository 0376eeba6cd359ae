"""`rediagnose eval`: score arms over recorded incidents, and compare two such scores."""

import argparse
import os
import sys
from functools import partial
from pathlib import Path

from agent.cli.program import ANSWERED, FAILED, INTERRUPTED
from evals.scoring import compare, report, text
from evals.scoring.answered import Investigate, of_recording
from evals.scoring.arm import arms
from evals.scoring.gate import judged, known
from evals.scoring.page import as_html
from evals.scoring.run import plan, run
from evals.scoring.scenario import BUNDLED, load
from evals.scoring.select import select
from evals.scoring.summary import Prices
from tools.errors import UsageError


def command(args: argparse.Namespace) -> int:
    """Score, or compare. Raises `UsageError`."""
    if args.verb == "compare":
        found = compare.compared(report.read(Path(args.before)), report.read(Path(args.after)))
        print(found.to_json() if args.format == "json" else compare.as_text(found))
        return ANSWERED
    folder = Path(args.scenarios) if args.scenarios else BUNDLED
    return score(args, folder, partial(of_recording, folder))


def score(args: argparse.Namespace, folder: Path, investigate: Investigate) -> int:
    """Let the arms answer, print the report; 1 if the gate is closed. Raises `UsageError`."""
    index = load(folder)
    listed = known(Path(args.gate)) if args.gate else None
    prices = _prices(args)
    chosen, asked = select(index, args.k), arms(args.arm or ["offline"], os.environ)
    file = Path(args.output) if args.output else None
    runs = run(plan(chosen, asked, args.epochs), investigate, args.jobs, file)
    made = report.compiled(
        chosen, runs.results, index, arms=[arm.name for arm in asked], epochs=args.epochs, prices=prices,
        selected=args.k, interrupted=runs.interrupted,
    )  # fmt: skip
    forms = {"text": text.as_text, "json": report.Report.to_json, "html": as_html}
    print(forms[args.format](made), flush=True)
    closed = False
    if listed is not None:
        verdict = judged(made, listed)
        for line in (*verdict.notes, *verdict.problems):
            print(f"gate: {line}", file=sys.stderr)
        closed = bool(verdict.problems)
    if runs.interrupted:
        return INTERRUPTED
    return FAILED if closed else ANSWERED


def _prices(args: argparse.Namespace) -> Prices | None:
    if args.price_in is None and args.price_out is None:
        return None
    if args.price_in is None or args.price_out is None:
        raise UsageError("give both --price-in and --price-out, of a million tokens each")
    return Prices(tokens_in=args.price_in, tokens_out=args.price_out)
