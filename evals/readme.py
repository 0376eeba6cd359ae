"""The tables of README, made from the program: `python -m evals.readme` writes them, a test compares."""

import re
from pathlib import Path

from agent.commands import COMMANDS as AGENT
from agent.program import parser
from agent.runbooks import load
from evals.commands import COMMANDS as EVALS

README = Path(__file__).resolve().parent.parent / "README.md"
COMMANDS = (*AGENT, *EVALS)


def commands() -> str:
    """The commands, a row each."""
    rows = [f"| `rediagnose {f'{one.name} {one.usage}'.strip()}` | {one.help} |" for one in COMMANDS]
    return "\n".join(["| command | what it does |", "|---|---|", *rows])


def options() -> str:
    """The options of triage, as --help prints them."""
    shown = parser(COMMANDS, "")
    (subparsers,) = [action for action in shown._actions if action.dest == "command"]
    assert isinstance(subparsers.choices, dict)
    triage = subparsers.choices["triage"]
    rows = [
        f"| `{', '.join(action.option_strings)}{f' {action.metavar}' if action.metavar else ''}` | {action.help} |"
        for action in triage._actions
        if action.option_strings and action.dest != "help"
    ]
    return "\n".join(["| option | meaning |", "|---|---|", *rows])


def causes() -> str:
    """The causes that a runbook has a remedy for."""
    return ", ".join(f"`{cause}`" for book in load().runbooks for cause in book.causes)


def written(text: str) -> str:
    """README with its made parts made anew."""
    for name, made in (("commands", commands()), ("options", options()), ("causes", causes())):
        pattern = rf"(<!-- {name} -->\n).*?(\n<!-- /{name} -->)"
        text = re.sub(pattern, lambda match, made=made: match[1] + made + match[2], text, flags=re.DOTALL)  # type: ignore[misc]
    return text


if __name__ == "__main__":
    README.write_text(written(README.read_text(encoding="utf-8")), encoding="utf-8")
