"""The commands of the lab; light, so that --help is quick."""

import argparse

from agent.commands import whole
from agent.program import Command


def _demo(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--approve", choices=("ask", "never"), default="ask", help="ask about each change (ask)")
    parser.add_argument("--format", choices=("text", "json", "markdown"), default="text", help="of the answer (text)")


def seed(text: str) -> int:
    """A whole number, 0 among them."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r}: give a whole number from 0 on")
    return int(text)


def _lab(parser: argparse.ArgumentParser) -> None:
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True, parser_class=type(parser))
    shown = verbs.add_parser("list", help="the faults, and which can be had here", allow_abbrev=False)
    _format(shown)
    start = verbs.add_parser("start", help="have one until Ctrl-C; its traffic ends by itself after 10 minutes",
                             allow_abbrev=False)  # fmt: skip
    start.add_argument("fault", metavar="FAULT", help="an id of `lab list`")
    start.add_argument("--kind", metavar="KIND", help="the server, such as redis-7.0 (the first that can)")
    start.add_argument("--seed", type=seed, default=0, metavar="N", help="varies sizes, names and timing (0)")
    run = verbs.add_parser("run", help="have faults, triage them, and score the answers", allow_abbrev=False)
    add = run.add_argument
    add("faults", nargs="+", metavar="FAULT", help="ids of `lab list`, families of it, or all")
    add("--model", default="offline", metavar="NAME", help="what answers; `offline` for the checks alone (offline)")
    add(
        "--seeds",
        type=whole,
        default=1,
        metavar="N",
        help="runs of each fault; with the first its twin gets the same ticket (1)",
    )
    add("--first-seed", type=seed, default=0, metavar="S", help="the first of them (0)")
    add("--kind", default="rotate", metavar="KIND", help="a server, `all`, or one in turn (rotate)")
    add("--jobs", type=whole, default=2, metavar="N", help="runs side by side (2)")
    add("-o", "--output", metavar="FILE", help="a line of JSON for each run; runs that are there aren't repeated")
    _format(run)
    record = verbs.add_parser("record", help="have faults and write them down, to be evaluated", allow_abbrev=False)
    record.add_argument("folder", metavar="DIR", help="where the recordings and their index go")
    record.add_argument("faults", nargs="+", metavar="FAULT", help="ids of `lab list`, families of it, or all")
    record.add_argument("--kinds", type=whole, default=2, metavar="N", help="servers that each is recorded on (2)")
    record.add_argument("--first-seed", type=seed, default=0, metavar="S", help="of the first server (0)")
    record.add_argument("--jobs", type=whole, default=2, metavar="N", help="recordings side by side (2)")


def _format(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--format", choices=("text", "json"), default="text", help="of what is printed (text)")


COMMANDS = (
    Command("demo", "", "one incident end to end, on a server of its own", _demo, "evals.extra:demo"),
    Command("lab", "list|start FAULT|run FAULT...|record DIR FAULT...",
            "real servers with real faults, and how well they're told", _lab,
            "evals.extra:lab"),
)  # fmt: skip
