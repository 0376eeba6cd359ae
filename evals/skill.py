"""The skill for coding assistants, written from the runbooks: `python -m evals.skill`; a test compares."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from string import Template

from agent.answer.taxonomy import CAUSES, RootCause
from agent.runbooks.library import CauseNotes, Library, load

SKILL = Path(__file__).resolve().parent.parent / "skills" / "rediagnose"
TEMPLATE = Path(__file__).with_name("skill.md")
INTRODUCTION = (
    "What the runbooks of rediagnose say about these causes. `$name` in a step stands for a value that rediagnose "
    "takes from its readings. A step without its value isn't offered, so take steps from its plan and not from here."
)


def written(library: Library | None = None) -> Mapping[str, str]:
    """The files of the skill, by their path in it."""
    known = library or load()
    families: dict[str, list[RootCause]] = {}
    for one in CAUSES.values():
        families.setdefault(one.family, []).append(one)
    lines = [
        f"- [{family}](references/{_slug(family)}.md): {', '.join(f'`{one.id}`' for one in causes)}"
        for family, causes in families.items()
    ]
    skill = Template(TEMPLATE.read_text(encoding="utf-8")).substitute(families="\n".join(lines))
    return {
        "SKILL.md": skill,
        **{f"references/{_slug(family)}.md": reference(family, causes, known) for family, causes in families.items()},
    }


def reference(family: str, causes: Sequence[RootCause], library: Library) -> str:
    """What the runbooks say about the causes of a family."""
    parts = [f"# {family.capitalize()}", INTRODUCTION]
    for cause in causes:
        parts.append(f"## {cause.id}\n\n**Sign:** {cause.sign}.")
        if (notes := library.notes(cause.id)) is not None:
            parts += _notes(notes)
    return "\n\n".join(parts) + "\n"


def _notes(notes: CauseNotes) -> list[str]:
    parts = [f"**Evidence.** {_line(notes.evidence)}"]
    if notes.unlike:
        rows = "\n".join(f"- `{name}`: {_line(why)}" for name, why in notes.unlike.items())
        parts.append(f"**Looks like it:**\n\n{rows}")
    steps = "\n".join(
        f"{number}. {_action(one.action, one.kind)} {_line(one.why)}" for number, one in enumerate(notes.remedies, 1)
    )
    return [*parts, f"**What to do:**\n\n{steps}", f"**Not:** {_line(notes.avoid)}"]


def _action(action: str, kind: str) -> str:
    return _line(action) if kind == "outside" else f"`{_line(action)}` (a person approves it)."


def _line(text: str) -> str:
    return " ".join(text.split())


def _slug(family: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", family.lower()).strip("-")


if __name__ == "__main__":
    files = written()
    for name, text in files.items():
        path = SKILL / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    for path in SKILL.rglob("*.md"):
        if path.relative_to(SKILL).as_posix() not in files:
            path.unlink()
