"""The commands of the lab and of the evaluation; light, so that --help is quick."""

import argparse
import re

from agent.cli.argument_types import whole
from agent.cli.parsing import Parser
from agent.cli.program import AT_BOOT, Command

MOST_MINUTES = 45.0
"""Minutes that a fault's traffic lasts after it came up, less the time that it takes."""


def _demo(parser: Parser) -> None:
    parser.add_argument("--approve", choices=("ask", "never"), help="ask about each change (ask)")
    parser.add_argument("--format", choices=("text", "json", "markdown"), help="of the answer (text)")


def seed(text: str) -> int:
    """A whole number, 0 among them."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r}: give a whole number, 0 or more")
    return int(text)


def minutes(text: str) -> float:
    """How long a recording is: as long as a fault's traffic lasts at most."""
    try:
        given = float(text)
    except ValueError:
        given = 0.0
    if not 0 < given <= MOST_MINUTES:
        raise argparse.ArgumentTypeError(f"{text!r}: give minutes, up to {MOST_MINUTES:g}")
    return given


def _lab(parser: Parser) -> None:
    verbs = parser.add_subparsers(
        dest="verb", metavar="VERB", prog=parser.prog, required=True, parser_class=type(parser)
    )
    shown = verbs.add_parser("list", help="the faults, and which can be reproduced here")
    shown.add_argument(
        "fault", nargs="?", metavar="FAULT", help="one fault: its tickets, its causes, the servers that can have it"
    )
    _format(shown)
    start = verbs.add_parser("start", help="reproduce one until Ctrl-C; its traffic stops by itself after 50 minutes",
                             allow_abbrev=False)  # fmt: skip
    start.add_argument("fault", metavar="FAULT", help="an id from `lab list`")
    start.add_argument("--kind", metavar="KIND", help="the server, such as redis-7.0 (the first that can)")
    start.add_argument("--seed", type=seed, metavar="N", help="varies sizes, names and timing (0)")
    _world(start)
    run = verbs.add_parser("run", help="reproduce faults, triage them, and score the answers")
    add = run.add_argument
    add("faults", nargs="+", metavar="FAULT", help="ids or families from `lab list`, or all")
    add("--model", metavar="NAME", help="what answers; `offline` for the checks alone (offline)")
    add(
        "--seeds",
        type=whole,
        metavar="N",
        help="runs of each fault; in the first its twin gets the same ticket (1)",
    )
    add("--first-seed", type=seed, metavar="S", help="the first of them (0)")
    add("--kind", metavar="KIND", help="a server, `all`, or each in turn (rotate)")
    add("--jobs", type=whole, metavar="N", help="runs in parallel (2)")
    _world(run)
    add("-o", "--output", metavar="FILE", help="a file with a line of JSON per run; runs already in it aren't repeated")
    _format(run)
    record = verbs.add_parser("record", help="reproduce faults and record them for evaluation")
    record.add_argument("folder", metavar="DIR", help="folder for the recordings and their index")
    record.add_argument("faults", nargs="+", metavar="FAULT", help="ids or families from `lab list`, or all")
    record.add_argument("--kinds", type=whole, metavar="N", help="servers that each fault is recorded on (2)")
    record.add_argument("--first-seed", type=seed, metavar="S", help="of the first server (0)")
    record.add_argument("--jobs", type=whole, metavar="N", help="recordings in parallel (2)")
    record.add_argument("--minutes", type=minutes, metavar="N",
                        help="record each for so long, its counters every second (a few seconds)")  # fmt: skip
    record.add_argument("--past", type=minutes, metavar="N",
                        help="watch each for so long before the look, and record that history (none)")  # fmt: skip
    record.add_argument(
        "--on", action="append", metavar="KIND", help="a server that may be taken, may be given several times (any)"
    )
    _world(record)
    task = verbs.add_parser("task", help="reproduce a fault, have an agent repair it, and judge what it did")
    add = task.add_argument
    add("fault", nargs="?", metavar="FAULT", help="a task of --list")
    add("--list", action="store_true", help="the tasks, and what each may change")
    add("--agent", metavar="COMMAND", help="the agent; {url}, {ticket}, {task}, {seconds} and {commands} are filled in")
    add("--direct", action="store_true", help="give it the server's own address: nothing is counted")
    add("--kind", metavar="KIND", help="the server, such as redis-7.0 (the first that can)")
    add("--seed", type=seed, metavar="N", help="varies sizes, names and timing (0)")
    _world(task)
    add("--seconds", type=whole, metavar="N", help="time for the agent (the task's own)")
    add("--commands", type=whole, metavar="N", help="commands that it may send (the task's own)")
    add("--format", choices=("text", "json"), help="output format (json; of --list text)")


def _world(parser: Parser) -> None:
    parser.add_argument(
        "--world", action="append", metavar="NAME",
        help="what is around it, may be given several times: cluster6, replicas12, million-keys, clients5000, tls, acl",
    )  # fmt: skip


def price(text: str) -> float:
    """Of a million tokens."""
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number < 1e6:
        raise argparse.ArgumentTypeError(f"{text!r}: give a price per million tokens, such as 2.5")
    return number


def cluster(text: str) -> str:
    """The address of a scheduler."""
    if not re.fullmatch(r"dask://[^/\s]+:\d+", text):
        raise argparse.ArgumentTypeError(
            f"{text!r}: give a Dask scheduler as dask://HOST:PORT, such as dask://10.0.0.5:8786"
        )
    return text


def configure_eval(parser: Parser) -> None:
    """The arguments of `rediagnose eval`."""
    add = parser.add_argument
    add(
        "--arm",
        action="append",
        metavar="NAME",
        help="offline, a model's name, or `model` for $REDIAGNOSE_MODEL; NAME-bare gets only the tools, "
        "NAME-without-host and others do without something (offline)",
    )
    add(
        "-k",
        metavar="EXPR",
        help="scenarios whose id, fault, family, cause or server contains a word; and, or, not, ()",
    )
    add("--scenarios", metavar="DIR", help="a folder with an index.json (the bundled recordings)")
    add(
        "--epochs",
        type=whole,
        metavar="N",
        help="runs of each scenario (1); with 4 or 8 the report says how often all are right",
    )
    add("--jobs", type=whole, metavar="N", help="processes in parallel (one per core)")
    add("--on", type=cluster, metavar="dask://HOST:PORT", help="a Dask scheduler whose workers run it instead")
    add(
        "-o",
        "--output",
        metavar="FILE",
        help="a file with a line of JSON per run; what is in it of the same recording and program isn't run again",
    )
    add("--format", choices=("text", "json", "html"), help="output format (text)")
    add(
        "--gate",
        metavar="FILE",
        help="the scenarios known to be missed; exit status 1 if any other is missed or a wrong remedy is proposed",
    )
    add("--price-in", type=price, metavar="PRICE", help="price per million input tokens")
    add("--price-out", type=price, metavar="PRICE", help="price per million output tokens")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", prog=parser.prog, parser_class=type(parser))
    both = verbs.add_parser("compare", help="what changed between two JSON reports")
    both.add_argument("before", metavar="A")
    both.add_argument("after", metavar="B")
    _format(both)
    _export(verbs.add_parser("export", help="write recorded incidents as a data set for any agent"))


def _export(parser: Parser) -> None:
    add = parser.add_argument
    add("folder", metavar="DIR", help="a new folder")
    add(
        "ids",
        nargs="*",
        metavar="WORD",
        help="ids, faults, families, causes or servers (all); of the private split faults or families",
    )
    add(
        "--form",
        choices=("harbor", "inspect", "json"),
        help="Harbor's tasks, one of inspect_ai, or lines of JSON (json)",
    )
    add(
        "--split",
        choices=("public", "private"),
        help="the recorded incidents, or the same faults from another seed (public)",
    )
    add("--seed", type=seed, metavar="N", help="what draws those of --limit (0), or makes the private ones")
    add("--limit", type=whole, metavar="N", help="at most so many tasks")
    add("--kinds", type=whole, metavar="N", help="private: servers that each fault is recorded on (1)")
    add("--jobs", type=whole, metavar="N", help="private: recordings in parallel (2)")
    add(
        "--scenarios",
        metavar="DIR",
        help="a folder with an index.json; private: where they are recorded (DIR.recorded)",
    )


def _format(parser: Parser) -> None:
    parser.add_argument("--format", choices=("text", "json"), help="output format (text)")


_TRY = "Try and measure"
COMMANDS = (
    Command("demo", "", "one incident end to end, on a server of its own", _demo,
            "evals.inputs:DemoInputs", "evals.demo:demo", _TRY,
            ("rediagnose demo", "rediagnose demo --approve never --format json")),
    Command("lab", "list [FAULT]|start FAULT|run FAULT...|record DIR FAULT...|task FAULT",
            "real servers with real faults, and how well they are diagnosed", _lab,
            "evals.inputs:LabInputs", "evals.lab_verbs:lab", _TRY,
            ("rediagnose lab list connection-leak", "rediagnose lab start connection-leak"),
            AT_BOOT),
    Command("eval", "[compare A B|export DIR]", "score arms over recorded incidents; compare scores; export incidents",
            configure_eval, "evals.inputs:EvalInputs", "evals.eval_verbs:evaluate", _TRY,
            ("rediagnose eval -k clients --format json >now.json", "rediagnose eval export incidents --form harbor"),
            AT_BOOT),
)  # fmt: skip
