"""`rediagnose completion`: makes a shell complete commands, options, their values and files."""

import argparse
from collections.abc import Iterator

from agent.cli.parsing import Parser
from agent.cli.program import ANSWERED
from agent.cli.setup_inputs import CompletionInputs
from agent.cli.target_completion import TARGETS
from tools.errors import UsageError

_FILES, _FOLDERS = frozenset(("FILE", "TICKET|-", "A", "B")), frozenset(("DIR", "NAME|DIR"))
"""Metavariables that are completed as file names, or as folder names."""
_SERVERS = frozenset(("SERVER", "SERVER|SYMPTOM", "TARGET"))
"""Metavariables that may be the name of a target."""


def completion(inputs: CompletionInputs) -> int:
    """Print the script for a shell. Raises `UsageError` if the library isn't installed."""
    try:
        import shtab
    except ImportError:
        raise UsageError("shtab isn't installed; install it: pip install 'rediagnose[completion]'") from None
    for action in _actions(inputs.root):
        if action.metavar in _FILES | _FOLDERS:
            # The library looks for this attribute.
            setattr(action, "complete", shtab.FILE if action.metavar in _FILES else shtab.DIRECTORY)  # noqa: B010
        elif action.dest == "target_name" or action.metavar in _SERVERS:
            setattr(action, "complete", TARGETS)  # noqa: B010
    print(shtab.complete(inputs.root, shell=inputs.shell))
    return ANSWERED


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """All arguments of all commands, each command's added."""
    for action in parser.configured()._actions if isinstance(parser, Parser) else parser._actions:
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for one in action.choices.values():
                yield from _actions(one)
