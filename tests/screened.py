"""What holds of every answer's screens, whatever was found."""

import re

from agent.answer.diagnosis import Diagnosis
from agent.evidence.known import fields
from agent.evidence.view import CLIENT_ERRORS
from agent.report.deployment import tree
from agent.report.detail import READINGS
from agent.report.first_screen import LINES, LINES_OF_SEVERAL, also
from agent.report.sections import COMMAND
from agent.report.text import text
from agent.report.words import OWNED, SYMPTOM, all_in_words
from agent.report.wrapping import cells

WIDTHS = (80, 120, 200)
_WORD = re.compile(r"[a-z0-9]+(?:[._-][a-z0-9_.-]+)*", re.IGNORECASE)
_PLACEHOLDER = re.compile(r"\{[a-z]\w*\}|\bNone\b(?! of)|…")


def sound_screens(answer: Diagnosis) -> None:
    """It's short, nothing is wider than the terminal, nothing is cut, and whoever was read is named."""
    several = len(answer.target.nodes) > 1
    for width in WIDTHS:
        lines = text(answer, width=width).splitlines()
        assert [line for line in lines if cells(line) > width] == []
        assert len(lines) <= (LINES_OF_SEVERAL if several else LINES), "\n".join(lines)
    assert [line for line in text(answer, detail=READINGS).splitlines() if cells(line) > WIDTHS[0]] == []
    screen = text(answer)
    assert not screen.startswith(("REDIAGNOSE", "OPENAI", "--", "checks alone"))
    assert not (found := _PLACEHOLDER.search(screen)), found
    told = [*all_in_words([cause.evidence for cause in answer.causes], answer.readings), *tree(answer), *also(answer)]
    assert [name for line in told for name in _field_names(line, answer)] == []
    flat = " ".join(screen.split())
    for owner in owners(answer):
        assert owner in flat, f"{owner!r} isn't named in\n{screen}"
    first = next((one for one in answer.own_plan if one.is_open), None)
    for line in first.paste[:1] if first else ():
        assert line in re.sub(r" \\\s+", " ", screen), f"{COMMAND}{line}"


def owners(answer: Diagnosis) -> set[str]:
    """The names and addresses of clients that the first cause cites, or that stand beside what it cites."""
    found: set[str] = set()
    readings = {reading.id: reading for reading in answer.readings}
    for one in answer.causes[0].evidence if answer.causes else ():
        if one.reading == SYMPTOM or one.reading not in readings or readings[one.reading].tool == CLIENT_ERRORS:
            continue
        values = readings[one.reading].values or {}
        is_owned = one.field in OWNED and bool(one.value)
        rows = [one.field] if is_owned else [one.field.rpartition(".")[0]] if re.match(r"[oge]\d+\.", one.field) else []
        named = [values.get(f"{row}.{end}") for row in rows for end in ("name", "client")]
        named = [name for name in named if name] or [values.get(f"{row}.address") for row in rows]
        found |= {str(name) for name in named if name}
    return found


def _field_names(line: str, answer: Diagnosis) -> list[str]:
    """Names of readings' fields in a line, those aside that stand in a value or are a setting's."""
    values = {
        str(one) for reading in answer.readings for one in (reading.values or {}).values() if isinstance(one, str)
    }
    within = " ".join(values)
    names = {field for known in fields().values() for field in known if "_" in field}
    return [word for word in _WORD.findall(line) if word in names and word not in within]
