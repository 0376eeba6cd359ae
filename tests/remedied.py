"""What every step and every remedy has to be for a person on call: filled in, fit for a shell, and a change."""

import re
import shlex
from collections.abc import Iterable, Iterator, Mapping

from agent.answer.diagnosis import Step
from agent.evidence.view import View
from agent.runbooks.remedy import Remedy
from agent.runbooks.wording import unfilled
from tools.gate.equality import equal_values

_SET = re.compile(r"CONFIG SET (?P<name>\S+) (?P<value>.+)")
_SYSCTL = re.compile(r"sysctl -w (?:vm|net\.core)\.(?P<name>\w+)=(?P<value>\S+)")
HANDLE = re.compile(r"\b[a-z]+#[0-9]+\b")
"""What stands for text that isn't shown, which no server would find."""


def faults(one: Step | Remedy, view: View) -> Iterator[str]:
    """What is wrong with a step, or with a remedy that was filled in."""
    texts = [text for text in (one.action, one.why, one.rollback, one.verify) if text]
    for text in (*texts, *one.paste, *one.shown_by):
        if found := unfilled(text):
            yield f"{found!r} in {text!r}"
    for line in (*one.paste, *one.shown_by):
        if handle := HANDLE.search(line):
            yield f"{handle[0]!r} in {line!r}"
        if not shlex.split(line) or "\n" in line:
            yield f"{line!r} is no line for a shell"
    yield from (f"{line!r} sets what stands" for line in one.paste if stands(line, view))


def stands(line: str, view: View) -> bool:
    """Whether a line sets the value that was read."""
    if match := _SYSCTL.search(line):
        return match["value"] in (view.text("machine", match["name"]), view.text("sockets", match["name"]))
    if (match := _SET.search(line)) is None:
        return False
    name, value = match["name"], shlex.split(match["value"])[0]
    read = (view.get("config_get", name), view.get("persistence", f"config.{name}"), view.get("replication", name))
    return any(equal_values(name, value, str(one)) for one in read if one is not None)


def all_faults(steps: Iterable[Step], views: Mapping[str, View]) -> list[str]:
    """What is wrong with the steps of an answer; each is looked at with its own node's readings."""
    nowhere = View([], None)
    return [fault for step in steps for fault in faults(step, views.get(step.node or "", nowhere))]
