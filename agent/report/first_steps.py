"""What to do first about something that is wrong and that no known cause explains."""

import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

from agent.answer.diagnosis import Diagnosis
from agent.answer.open_points import Complained
from tools.patterns import deferred

COMMANDS = 3
"""So many commands are shown."""
_PLACE = deferred(r"(?:\[[0-9a-fA-F:.]{2,45}\]|[\w.-]{1,253}):\d{1,5}")


class FirstStep(NamedTuple):
    """What decides, for a person."""

    say: str
    paste: tuple[str, ...]
    """Commands that show it."""


class _Entry(NamedTuple):
    fields: re.Pattern[str]
    tool: re.Pattern[str] | None
    step: FirstStep


def unexplained(answer: Diagnosis) -> tuple[Complained, ...]:
    """What servers complain of and no cause of the answer explains."""
    return tuple(one for one in answer.complaints if one.explained_by is None)


def remedy(answer: Diagnosis) -> str | None:
    """What to do about the first complaint of which that is known."""
    return next((one.remedy for one in unexplained(answer) if one.remedy), None)


def first_step(answer: Diagnosis) -> FirstStep | None:
    """What to do first about the first complaint for which something decides; None if there is none."""
    tools = {reading.id: reading.tool for reading in answer.readings}
    if known := remedy(answer):
        return FirstStep(known, ())
    for one in unexplained(answer):
        for each in one.evidence[:1]:
            if (step := step_for(each.field, tools.get(each.reading, ""))) is not None:
                return step._replace(paste=tuple(_filled(step.paste, answer, one)))
    return None


def step_for(field: str, tool: str) -> FirstStep | None:
    """What decides about a complaint that was read from this field."""
    return next(
        (one.step for one in _entries() if one.fields.fullmatch(field) and (not one.tool or one.tool.fullmatch(tool))),
        None,
    )


def _filled(lines: tuple[str, ...], answer: Diagnosis, about: Complained) -> Iterator[str]:
    """The commands with the server's address, as far as it is known."""
    unnamed = answer.pasted is not None and answer.pasted.node is None
    cli = "redis-cli"
    if about.node and not unnamed and _PLACE.fullmatch(about.node):
        host, _, port = about.node.rpartition(":")
        cli = f"redis-cli -h {host.strip('[]')} -p {port}"
    elif about.node and about.node.startswith("unix:") and re.fullmatch(r"[\w./-]{1,200}", about.node[5:]):
        cli = f"redis-cli -s {about.node[5:]}"
    yield from (line.replace("$cli", cli) for line in lines[:COMMANDS])


@cache
def _entries() -> tuple[_Entry, ...]:
    data = tomllib.loads((Path(__file__).parent / "first_steps.toml").read_text(encoding="utf-8"))
    return tuple(
        _Entry(
            re.compile(one["fields"]), re.compile(one["tool"]) if "tool" in one else None,
            FirstStep(one["say"], tuple(one.get("paste", ()))),
        )
        for one in data["steps"]
    )  # fmt: skip
