"""The tables of the docs and of ARCHITECTURE, written from the program: `python -m evals.readme`; a test compares."""

import argparse
from collections.abc import Callable, Mapping
from itertools import groupby
from pathlib import Path

from agent.answer.taxonomy import CAUSES
from agent.cli.commands import COMMANDS as AGENT
from agent.cli.program import parser
from agent.runbooks.library import load
from evals.commands import COMMANDS as EVALS
from evals.house import ARCHITECTURE, drawn
from evals.live_tasks.tasks import TASKS

ROOT = Path(__file__).resolve().parent.parent
README, DOCS = ROOT / "README.md", ROOT / "docs"
COMMANDS = (*AGENT, *EVALS)


def commands() -> str:
    """The commands, a row each."""
    usages = {one: f"{one.name} {one.usage}".strip().replace("|", "\\|") for one in COMMANDS}
    rows = [f"| `rediagnose {usage}` | {one.help} |" for one, usage in usages.items()]
    return "\n".join(["| command | what it does |", "|---|---|", *rows])


def options() -> str:
    """The options of triage, and of each other command those that it has besides, as --help prints them."""
    (subparsers,) = [action for action in parser(COMMANDS, "")._actions if action.dest == "command"]
    assert isinstance(subparsers.choices, dict)
    common = _options(subparsers.choices["triage"].configured())
    parts = [_table(common)]
    for name, command in subparsers.choices.items():
        if own := {option: help for option, help in _options(command.configured()).items() if option not in common}:
            parts += [f"### {name}", _table(own)]
    return "\n\n".join(parts)


def _options(command: argparse.ArgumentParser) -> dict[str, str]:
    return {
        f"`{', '.join(action.option_strings)}{f' {action.metavar}' if action.metavar else ''}`": str(action.help)
        for action in command._actions
        if action.option_strings and action.dest != "help"
    }


def _table(rows: Mapping[str, str]) -> str:
    lines = (f"| {_cell(option)} | {_cell(help)} |" for option, help in rows.items())
    return "\n".join(["| option | meaning |", "|---|---|", *lines])


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def causes() -> str:
    """The causes that a runbook has a remedy for, by family."""
    homes = {cause: book.name for book in load().runbooks for cause in book.causes}
    known = [cause for cause in CAUSES.values() if cause.id in homes]
    parts = []
    for family, members in groupby(known, key=lambda cause: cause.family):
        rows = (f"| `{cause.id}` | {_cell(cause.sign)} | {homes[cause.id]} |" for cause in members)
        parts.append("\n".join([f"## {family}", "", "| cause | what decides | runbook |", "|---|---|---|", *rows]))
    return "\n\n".join(parts)


def tasks() -> str:
    """The live tasks, a row each."""
    rows = []
    for one in TASKS.values():
        settings = [*one.parameters, *(name.replace("|", " ").upper() for name in one.commands)]
        rows.append(
            f"| `{one.fault}` | {one.of.family} | {', '.join(settings)} | {one.seconds} s, {one.limit} commands |"
        )
    return "\n".join(["| task | about | may be changed | budget |", "|---|---|---|---|", *rows])


GENERATED: Mapping[Path, Mapping[str, Callable[[], str]]] = {
    DOCS / "options.md": {"commands": commands, "options": options}, DOCS / "causes.md": {"causes": causes},
    DOCS / "live-tasks.md": {"tasks": tasks},
}  # fmt: skip
"""What is generated into which page."""


def between(text: str, name: str, made: str) -> str:
    """The text with a generated part regenerated. Raises `ValueError` where it has no place for one."""
    head, begin, rest = text.partition(f"<!-- {name} -->\n")
    _, end, tail = rest.partition(f"<!-- /{name} -->")
    if not (begin and end):
        raise ValueError(f"there is no place for {name}: <!-- {name} --> and <!-- /{name} -->")
    return f"{head}{begin}{made}\n{end}{tail}"


def written(page: Path) -> str:
    """A page with its generated parts regenerated. Raises `ValueError` where it has no place for one."""
    text = page.read_text(encoding="utf-8")
    for name, make in GENERATED[page].items():
        text = between(text, name, make())
    return text


def architecture(text: str) -> str:
    """ARCHITECTURE with the arrows of the house as the code has them. Raises `ValueError` as `written` does."""
    for building in ("agent", "tools"):
        text = between(text, f"rooms of {building}", drawn(building))
    return text


if __name__ == "__main__":
    for page in GENERATED:
        page.write_text(written(page), encoding="utf-8")
    ARCHITECTURE.write_text(architecture(ARCHITECTURE.read_text(encoding="utf-8")), encoding="utf-8")
