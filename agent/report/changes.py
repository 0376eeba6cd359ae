"""What changed: since before the alert according to Prometheus, and since the good day of a baseline."""

from collections.abc import Iterator

from agent.answer.diagnosis import Diagnosis
from agent.report.quantities import quantity, unit_of
from agent.report.words import field_in_words
from tools.records import Reading, Scalar

MOST = 5
"""Fields of one reading that are shown."""
UNASKED = "no Prometheus was named"


def changes(answer: Diagnosis) -> list[str]:
    """What changed most, a phrase per figure; empty if neither was given or nothing changed."""
    newest = {(one.tool, one.node): one for one in answer.readings if one.tool in ("history", "baseline")}
    several = len({node for _, node in newest}) > 1
    return [phrase for one in newest.values() if not one.unavailable for phrase in _of(one, several)]


def silent_sources(answer: Diagnosis) -> list[str]:
    """What Prometheus or a baseline was asked for but didn't provide, and why."""
    lines = dict.fromkeys(
        f"{'Prometheus' if one.tool == 'history' else 'the baseline'} has no figures: {one.unavailable.detail}"
        for one in answer.readings
        if one.tool in ("history", "baseline") and one.unavailable and UNASKED not in one.unavailable.detail
    )
    return list(lines)


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
    for n, name in enumerate(names, 1):
        before, now = (
            _told(name, values.get(f"changed{n}.{part}", values.get(f"{name}.{part}"))) for part in ("before", "at")
        )
        since = _clock(values.get(f"changed{n}.when"))
        yield f"{_named(one.tool, name)}{at} {before} -> {now}{since}"


def _told(name: str, value: Scalar) -> str:
    rate = "/s" if name.endswith((".rate", "_per_second")) else ""
    return f"{quantity(value, unit_of(name))}{rate}"


def _named(tool: str, name: str) -> str:
    return field_in_words(tool, name.removesuffix("_per_second"))


def _clock(when: Scalar) -> str:
    """The time of day of a moment, in UTC."""
    text = str(when or "")
    return f" since {text[11:16]} UTC" if len(text) > 16 else ""
