"""Problems in one remedy of a runbook."""

import shlex
from collections.abc import Iterator
from string import Template

from agent.answer.taxonomy import CAUSES
from agent.evidence.fields import FIGURES
from agent.evidence.known import is_known
from agent.runbooks.placeholders import EXAMPLES
from agent.runbooks.remedy import CLI, Remedy
from agent.runbooks.wording import unfilled
from tools.errors import Forbidden
from tools.gate.policy import allowed_change, parse_command, refusal_of_advice


def wrong(remedy: Remedy) -> Iterator[tuple[str, str, str, str]]:
    """The field, its value, what is wrong with it, and how to fix it."""
    if not remedy.verify:
        yield "verify", "", "is missing", "say which reading shows that it worked"
    for goal in remedy.check:
        if goal.tool not in FIGURES:
            yield "check", goal.tool, "isn't a reading tool", f"use one of {', '.join(FIGURES)}"
        elif not is_known(goal.tool, goal.field):
            yield "check", f"{goal.tool} {goal.field}", "isn't a field of that tool", "use a field from its readings"
    for cause in remedy.after:
        if cause not in CAUSES:
            yield "after", cause, "isn't a cause", "use an id from `rediagnose runbooks list`"
    if remedy.kind == "outside" and remedy.check:
        yield "check", remedy.action, "is only read for commands sent from here", "remove it; verify is for a person"
    if remedy.kind == "outside" and remedy.risk == "risky" and not remedy.rollback:
        yield "rollback", "", "is missing from a risky step", "say how to undo it, or that it can't be undone"
    for clue in (*remedy.when, *remedy.unless):
        if clue.tool is not None and not is_known(clue.tool, clue.field):
            yield "when", f"{clue.tool} {clue.field}", "isn't a field of that tool", "use a field from its readings"
    if remedy.kind != "outside" and remedy.paste:
        yield "paste", remedy.paste[0], "is derived from the command that is sent", "remove it"
    texts = (("action", (remedy.action,)), ("why", (remedy.why,)), ("rollback", (remedy.rollback or "",)),
             ("verify", (remedy.verify or "",)), ("paste", remedy.paste), ("shown_by", remedy.shown_by))  # fmt: skip
    unknown = [(field, name) for field, lines in texts for line in lines for name in _unknown_names(line)]
    for field, name in unknown:
        known = ", ".join(f"${known}" for known in EXAMPLES)
        yield field, f"${name}", "isn't filled in by anything", f"use one of {known}, or write out the value"
    for filled in () if unknown else remedy.filled({name: (text,) for name, text in EXAMPLES.items()}, _example_cli):
        yield from _action(remedy, filled.action)
        for line in filled.lines:
            if why := refusal_of_advice(line):
                yield "paste", line, f"never becomes a step: {why}", "propose something else"
            try:
                shlex.split(line)
            except ValueError as error:
                yield "paste", line, f"isn't a valid shell command: {error}", "close its quotes"


def _unknown_names(text: str) -> list[str]:
    names = Template(text).get_identifiers()
    return [name for name in names if name != CLI and name.removesuffix(f"_{CLI}") not in EXAMPLES]


def _example_cli(address: str) -> str:
    return "redis-cli -h 10.0.0.7 -p 6379"


def unreadable(remedy: Remedy) -> Iterator[tuple[str, str]]:
    """The place, and the name that a person couldn't understand there."""
    for field, text in (("action", remedy.action), ("why", remedy.why), ("rollback", remedy.rollback),
                        ("verify", remedy.verify), *(("paste", line) for line in remedy.lines)):  # fmt: skip
        if text and (found := unfilled(Template(text).safe_substitute(_Blank()))):
            yield field, found


class _Blank(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return "it"


def _action(remedy: Remedy, action: str) -> Iterator[tuple[str, str, str, str]]:
    if remedy.kind == "outside":
        if why := refusal_of_advice(action):
            yield "action", action, f"never becomes a step: {why}", "propose something else"
        return
    args = parse_command(action)
    setting = tuple(arg.upper() for arg in args[:2]) == ("CONFIG", "SET")
    if setting != (remedy.kind == "config_set"):
        right = "config_set" if setting else "command"
        yield "kind", remedy.kind, f"doesn't fit {action}", f"write {right}"
        return
    try:
        risk = allowed_change("", args).risk
    except Forbidden as error:
        yield "action", action, f"never becomes a step: {error}", "write kind: outside, and what a person does instead"
        return
    if risk == "risky" and remedy.risk == "safe":
        yield "risk", remedy.risk, f"isn't what policy says about {action}", "write risky"
