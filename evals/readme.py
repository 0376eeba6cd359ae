"""The tables of README and ARCHITECTURE: `python -m evals.readme` writes them from the program, a test compares."""

from pathlib import Path

from agent.cli.commands import COMMANDS as AGENT
from agent.cli.program import parser
from agent.runbooks.library import load
from evals.commands import COMMANDS as EVALS
from evals.house import ARCHITECTURE, drawn

README = Path(__file__).resolve().parent.parent / "README.md"
COMMANDS = (*AGENT, *EVALS)


def commands() -> str:
    """The commands, a row each."""
    usages = {one: f"{one.name} {one.usage}".strip().replace("|", "\\|") for one in COMMANDS}
    rows = [f"| `rediagnose {usage}` | {one.help} |" for one, usage in usages.items()]
    return "\n".join(["| command | what it does |", "|---|---|", *rows])


def options() -> str:
    """The options of triage, as --help prints them."""
    shown = parser(COMMANDS, "")
    (subparsers,) = [action for action in shown._actions if action.dest == "command"]
    assert isinstance(subparsers.choices, dict)
    triage = subparsers.choices["triage"].configured()
    rows = [
        f"| `{', '.join(action.option_strings)}{f' {action.metavar}' if action.metavar else ''}` | {action.help} |"
        for action in triage._actions
        if action.option_strings and action.dest != "help"
    ]
    return "\n".join(["| option | meaning |", "|---|---|", *rows])


def causes() -> str:
    """The causes that a runbook has a remedy for."""
    return ", ".join(f"`{cause}`" for book in load().runbooks for cause in book.causes)


def between(text: str, name: str, made: str) -> str:
    """The text with a generated part regenerated. Raises `ValueError` where it has no place for one."""
    head, begin, rest = text.partition(f"<!-- {name} -->\n")
    _, end, tail = rest.partition(f"<!-- /{name} -->")
    if not (begin and end):
        raise ValueError(f"there is no place for {name}: <!-- {name} --> and <!-- /{name} -->")
    return f"{head}{begin}{made}\n{end}{tail}"


def written(text: str) -> str:
    """README with its generated parts regenerated. Raises `ValueError` where it has no place for one."""
    for name, made in (("commands", commands()), ("options", options()), ("causes", causes())):
        text = between(text, name, made)
    return text


def architecture(text: str) -> str:
    """ARCHITECTURE with the arrows of the house as the code has them. Raises `ValueError` as `written` does."""
    for building in ("agent", "tools"):
        text = between(text, f"rooms of {building}", drawn(building))
    return text


if __name__ == "__main__":
    README.write_text(written(README.read_text(encoding="utf-8")), encoding="utf-8")
    ARCHITECTURE.write_text(architecture(ARCHITECTURE.read_text(encoding="utf-8")), encoding="utf-8")
