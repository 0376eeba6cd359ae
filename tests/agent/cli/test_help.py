"""The help: what there is by what it's for, and how each command is called."""

import shlex
from collections.abc import Callable

import pytest

from agent.cli.commands import COMMANDS as AGENT
from agent.cli.program import Command, parsed, parser
from evals.commands import COMMANDS as EVALS
from tests.program import Done

COMMANDS = (*AGENT, *EVALS)


@pytest.mark.parametrize("args", [(), ("--help",)], ids=["bare", "--help"])
def test_the_help_shows_every_command_once_in_80_columns(program: Callable[..., Done], args: tuple[str, ...]) -> None:
    done = program(*args)
    assert (done.status, done.err) == (0, "")
    rows = [line.split()[0] for line in done.out.splitlines() if line.startswith("  ") and line[2] != " "]
    assert sorted(row for row in rows if row != "rediagnose") == sorted(one.name for one in COMMANDS)
    assert all(len(line) <= 80 for line in done.out.splitlines() if "COMMAND --help" not in line)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda one: one.name)
def test_each_command_has_two_examples_that_are_right(command: Command, program: Callable[..., Done]) -> None:
    assert len(set(command.examples)) == 2
    shown = program(command.name, "--help").out
    for example in command.examples:
        assert f"  {example}\n" in shown
        # What a shell makes of it: up to a pipe or a redirection.
        words = shlex.split(example.partition("|")[0].split(" >")[0].split(" <")[0])
        assert words[:2] == ["rediagnose", command.name]
        assert parsed(parser(COMMANDS, ""), words[1:])["command"] == command.name


def test_the_options_of_an_investigation_stand_in_groups(program: Callable[..., Done]) -> None:
    shown = program("triage", "--help").out
    for title in ("the server", "being let in", "the answer", "the model", "what is looked at", "bounds"):
        assert f"\n{title}:\n" in shown
