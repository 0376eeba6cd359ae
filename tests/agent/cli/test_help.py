"""The help: what there is by what it's for, and how each command is called."""

import json
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.cli.commands import COMMANDS as AGENT
from agent.cli.program import Command, parsed, parser
from evals.commands import COMMANDS as EVALS
from tests.program import SCHEMA, Done
from tools.text import did_you_mean

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
    for title in ("the server", "connecting and logging in", "the answer", "the model", "what is looked at", "bounds"):
        assert f"\n{title}:\n" in shown


def test_the_schema_is_the_one_that_answers_are_held_to(program: Callable[..., Done]) -> None:
    assert json.loads(program("schema").out) == SCHEMA


@pytest.mark.parametrize(
    ("typed", "completed"),
    [
        (("tri",), ["triage"]),
        (("triage", "--form"), ["--format"]),
        (("triage", "--format", ""), ["text", "json", "markdown", "html"]),
        (("lab", "sta"), ["start"]),
        (("replay", "inc"), ["incident.rec"]),
    ],
    ids=lambda value: " ".join(value),
)
def test_bash_completes(
    typed: tuple[str, ...], completed: list[str], program: Callable[..., Done], tmp_path: Path
) -> None:
    (tmp_path / "incident.rec").touch()
    (tmp_path / "script").write_text(program("completion", "bash").out)
    words = f"COMP_WORDS=({shlex.join(('rediagnose', *typed))}) COMP_CWORD={len(typed)}"
    ask = f'source ./script; {words}; _shtab_rediagnose; printf "%s\\n" "${{COMPREPLY[@]}}"'
    done = subprocess.run(["bash", "-c", ask], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert [word.rstrip() for word in done.stdout.splitlines()] == completed


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_have_all_commands(shell: str, program: Callable[..., Done]) -> None:
    script = program("completion", shell).out
    for command in COMMANDS:
        assert command.name in script
    assert program("completion", "dash").status == 2


@pytest.mark.parametrize(
    ("word", "names", "said"),
    [
        ("Ordrs", ["orders", "orders-eu", "cart"], "; did you mean orders?"),
        ("order-eu", ["orders-eu", "orders-us"], "; did you mean orders-eu?"),
        ("cache", ["cache-1", "cache-2"], "; did you mean cache-1 or cache-2?"),
        ("zzz", ["orders"], ""),
        ("zzz", [], ""),
    ],
)
def test_what_a_word_may_mean_is_the_closest_alone(word: str, names: list[str], said: str) -> None:
    assert did_you_mean(word, names) == said
