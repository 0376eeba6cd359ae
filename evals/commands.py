"""The commands of the lab; light, so that --help is quick."""

import argparse

from agent.program import Command


def _demo(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--approve", choices=("ask", "never"), default="ask", help="ask about each change (ask)")
    parser.add_argument("--format", choices=("text", "json", "markdown"), default="text", help="of the answer (text)")


COMMANDS = (Command("demo", "", "one incident end to end, on a server of its own", _demo, "evals.demo:demo"),)
