"""What changed: since before the alert according to the history, and since the good day of a baseline."""

import re
from collections.abc import Iterator

from agent.answer.diagnosis import Diagnosis
from agent.answer.open_points import KUBERNETES_SILENT
from agent.report.quantities import quantity, unit_of
from agent.report.words import field_in_words
from tools.records import Reading, Scalar, Values
from tools.text import one_line

MOST = 5
"""Fields of one reading that are shown."""
SETTINGS = 2
"""Changed parameters that are shown."""
SLOW = 10_000
"""Microseconds from which a command of then is worth a line: the server's own default for SLOWLOG."""
LONGEST = 60
"""Characters of a parameter's value."""
UNASKED = "no Prometheus was named"


def changes(answer: Diagnosis) -> list[str]:
    """What changed most, a phrase per figure; empty if neither was given or nothing changed."""
    newest = {(one.tool, one.node): one for one in answer.readings if one.tool in ("history", "baseline")}
    several = len({node for _, node in newest}) > 1
    return [phrase for one in newest.values() if not one.unavailable for phrase in _of(one, several)]


def silent_sources(answer: Diagnosis) -> list[str]:
    """What Kubernetes, the history or a baseline was asked for but didn't provide, and why."""
    lines = dict.fromkeys(
        f"{'the history' if one.tool == 'history' else 'the baseline'} has no figures: {one.unavailable.detail}"
        for one in answer.readings
        if one.tool in ("history", "baseline") and one.unavailable and UNASKED not in one.unavailable.detail
    )
    unheard = (line for line in answer.unknown if line.startswith(KUBERNETES_SILENT))
    return [*(re.sub(r" \([a-z-]+\):", ":", line, count=1) for line in unheard), *lines]


def _of(one: Reading, several: bool) -> Iterator[str]:
    values = one.values or {}
    at = f" at {one.node}" if several and one.node else ""
    names = [str(values[f"changed{n}.field"]) for n in range(1, MOST + 1) if values.get(f"changed{n}.field")]
    if one.tool == "baseline":
        age = quantity(round(float(values["age_days"] or 0), 1), "count")
        first = f"since the baseline, {age} days ago{at}: "
        for name in names:
            before, now = (_told(name, values.get(f"{name}.{part}")) for part in ("before", "now"))
            yield f"{first}{_named(one.tool, name)} {before} -> {now}"
            first = ""
        return
    yield from _of_config(values, at)
    set_by_hand = {values.get(f"config{n}.parameter") for n in range(1, SETTINGS + 1)}
    for n, name in enumerate(names, 1):
        if name in set_by_hand:
            continue
        before, now = (
            _told(name, values.get(f"changed{n}.{part}", values.get(f"{name}.{part}"))) for part in ("before", "at")
        )
        since = _clock(values.get(f"changed{n}.when"))
        yield f"{_named(one.tool, name)}{at} {before} -> {now}{since}"
    usec = values.get("slow1.usec")
    if isinstance(usec, int) and usec >= SLOW:
        key = f" {values['slow1.key']}" if values.get("slow1.key") else ""
        took, when = quantity(usec, "usec"), _clock(values.get("slow1.when"), "at")
        yield f"slowest then{at}: {values.get('slow1.command')}{key}, {took}{when}"


def _of_config(values: Values, at: str) -> Iterator[str]:
    """The parameters that were changed: somebody's doing, and so the first thing to know."""
    for n in range(1, SETTINGS + 1):
        if name := values.get(f"config{n}.parameter"):
            before, after = (one_line(str(values.get(f"config{n}.{side}")), LONGEST) for side in ("before", "after"))
            when = _clock(values.get(f"config{n}.when"), "at")
            yield f"{name}{at} was set from {before or 'nothing'} to {after or 'nothing'}{when}"


def _told(name: str, value: Scalar) -> str:
    rate = "/s" if name.endswith((".rate", "_per_second")) else ""
    return f"{quantity(value, unit_of(name))}{rate}"


def _named(tool: str, name: str) -> str:
    if tool == "history" and name.startswith("clients_"):
        return f"connections of {name.removeprefix('clients_').removesuffix('.count')}"
    return field_in_words(tool, name.removesuffix("_per_second"))


def _clock(when: Scalar, word: str = "since") -> str:
    """The time of day of a moment, in UTC."""
    text = str(when or "")
    return f" {word} {text[11:16]} UTC" if len(text) > 16 else ""
