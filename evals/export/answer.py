"""This program's diagnosis in the form that an exported task asks for."""

import json
from pathlib import Path
from typing import Any

from agent.answer.diagnosis import Diagnosis

ANSWER = "answer.json"


def answer_of(diagnosis: Diagnosis) -> dict[str, Any]:
    """Outcome, causes and the plan's actions."""
    return {
        "outcome": diagnosis.outcome, "causes": [cause.id for cause in diagnosis.causes],
        "actions": [step.action for step in diagnosis.plan],
    }  # fmt: skip


def write(folder: Path, answer: dict[str, Any]) -> None:
    """Leave an answer where it's looked for."""
    (folder / ANSWER).write_text(f"{json.dumps(answer, indent=1)}\n", encoding="utf-8")
