"""The options of `rediagnose apply` and `rollback`; light, so that --help is quick."""

import argparse

from agent.cli.options import connection


def audit(parser: argparse.ArgumentParser) -> None:
    """Add the option that says where changes are written down."""
    told = "where changes are written down before they're made (~/.local/state/rediagnose/audit.jsonl)"
    parser.add_argument("--audit", metavar="FILE", help=told)


def configure_change(parser: argparse.ArgumentParser) -> None:
    """Add all their arguments."""
    add = parser.add_argument
    add("file", metavar="FILE", help="a recording, as triage --record wrote it")
    add("step", metavar="STEP", help="the step's id in its plan, such as s1")
    add("--url", metavar="URL", help="of the deployment; else $REDIS_URL")
    add("--confirm", metavar="ACTION", help="the exact action, as the yes of somebody who has no terminal")
    add("--format", choices=("text", "json"), default="text", help="of the outcome on stdout (text)")
    add("--window", type=_window, default=2.0, metavar="SECONDS", help="of each look before and after (2)")
    audit(parser)
    connection(parser)


def _window(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = 0
    if not 0.2 <= number <= 60:
        raise argparse.ArgumentTypeError(f"{text!r}: give 0.2 to 60 seconds")
    return number
