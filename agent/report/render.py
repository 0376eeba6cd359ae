"""Pieces of an answer for people: values, citations, steps and readings, one line each."""

from collections.abc import Mapping, Sequence

from agent.answer.diagnosis import Cause, Diagnosis, Evidence, Step
from agent.evidence.fields import FIGURES
from tools.records import SAID_BY, Reading, Scalar
from tools.text import one_line

LATE_MS = 10
"""Least lateness of this program, in milliseconds, that is mentioned."""
SAID_MOST = 160
"""Characters of what another server said, in a line of a reading."""
SPARKS = "▁▂▃▄▅▆▇█"


def only_reported(cause: Cause) -> str:
    """What is added to a cause that only the report supports."""
    return " (Only reported: no measurement confirms it.)" if cause.only_reported else ""


def printed_value(scalar: Scalar) -> str:
    """A value as printed."""
    if isinstance(scalar, bool):
        return "yes" if scalar else "no"
    if isinstance(scalar, float):
        return f"{scalar:g}"
    return "-" if scalar is None else str(scalar)


def citation_text(evidence: Evidence) -> str:
    """One citation: reading, field, value."""
    mark = "" if evidence.verified else " (UNVERIFIED)"
    return f"{evidence.reading} {evidence.field}={printed_value(evidence.value)}{mark}"


def shown_evidence(evidence: Sequence[Evidence]) -> tuple[Evidence, ...]:
    """The evidence that a person is shown: a value the server didn't have is useless to them."""
    return tuple(one for one in evidence if one.value is not None or not one.verified)


def figures_text(reading: Reading) -> str:
    """A reading in one line: the most important figures, or why there are none."""
    values = reading.values or {}
    picked = [
        f"{field}={printed_value(values[field])}"
        for field in FIGURES.get(reading.tool, ())
        if values.get(field) is not None
    ]
    if reading.said_by:
        picked = [f"said by {reading.said_by}, not measured: {_said(values)}"]
    if reading.unavailable:
        picked.insert(0, f"unavailable={reading.unavailable.kind}")
    return " ".join(picked)


def _said(values: Mapping[str, Scalar]) -> str:
    told = [f"{field}={printed_value(value)}" for field, value in values.items() if field != SAID_BY]
    return one_line("; ".join(told), SAID_MOST) or "nothing"


def sparkline(series: str) -> str:
    """A latency sample as one line of blocks, scaled to its maximum."""
    numbers = [float(part) for part in series.split()]
    top = max(numbers, default=0) or 1
    return "".join(SPARKS[min(len(SPARKS) - 1, int(number / top * len(SPARKS)))] for number in numbers)


def failover_lines(answer: Diagnosis) -> list[str]:
    """What is known about the most recent failover, if the report asks about it."""
    if (past := answer.failover) is None or not past.asked:
        return []
    lines = ["What happened", f"  {past.told}"]
    if cited := shown_evidence(past.evidence):
        lines.append(f"       {brackets(cited)}")
    return [*lines, *(f"  Not known: {line}" for line in past.unsure), ""]


def brackets(evidence: Sequence[Evidence]) -> str:
    """Citations as written after what they support."""
    return f"[{'; '.join(map(citation_text, shown_evidence(evidence)))}]" if shown_evidence(evidence) else ""


def step_lines(step: Step, several: bool) -> list[str]:
    """A step with what a person needs to know to decide on it."""
    state = "" if step.state == "proposed" else f" [{step.state}]"
    who = f"{step.risk}, needs approval" if step.needs_approval else "by hand"
    at = f" on {step.node}" if several and step.needs_approval else ""
    lines = [f"  {step.id} {step.action}{at}{state}", f"     {who}. {step.why}"]
    if step.kind == "config_set":
        lines.append(
            f"     now {step.before!r}; undo: {step.rollback}; lost at the next restart unless it is in the config file"
        )
    elif step.rollback:
        lines.append(f"     undo: {step.rollback}")
    lines += [f"     $ {line}" for line in step.paste]
    if step.verify:
        lines.append(f"     verify: {step.verify}")
    lines += [f"     $ {line}" for line in step.shown_by]
    if step.login and (step.paste or step.shown_by):
        lines.append("     redis-cli reads the password from REDISCLI_AUTH")
    if step.unchecked:
        lines.append(f"     not checked: {step.unchecked}")
    return lines


def reading_parts(reading: Reading, spark: bool) -> tuple[str, str]:
    """A reading's name, time and figures, with its series drawn if `spark`."""
    series = (reading.values or {}).get("series_ms")
    drawn = f" {sparkline(str(series))}" if spark and series else ""
    ms = f"{reading.ms:.1f} ms" if reading.ms is not None else "-"
    return f"  {reading.id:<4} {reading.tool:<14} {ms:>10}  ", f"{figures_text(reading)}{drawn}"


def reading_line(reading: Reading, spark: bool) -> str:
    """A reading in one line."""
    return "".join(reading_parts(reading, spark)).rstrip()


LEFT_OUT_MOST = 70
"""Characters of a step that was left out, on the first screen."""
CLIENTS_MOST = 3
"""The most errors of clients that are shown."""


def notices(answer: Diagnosis, *, cited: bool = True) -> list[str]:
    """What a reader must not miss: where the model and the checks disagree, and what was proposed but refused.

    `cited` says whether to include what the two cite.
    """
    lines = [*([answer.pasted.told] if answer.pasted and cited else []), *_of_paste(answer, cited)]
    lines += [one.told for one in answer.client_says[:CLIENTS_MOST]] if cited else []
    if one := answer.model.disagrees:
        whose = "the checks'" if one.stands == "checks" else "the model's"
        cites = f" {brackets(one.evidence)}" if one.evidence else ""
        other = "the model" if one.stands == "checks" else "the checks"
        cites += f" Against it {other} cite{'s' * (one.stands == 'checks')} {brackets(one.other)}." if one.other else ""
        lines.append(
            f"Disagreement: the model says {one.model}, the checks say {one.checks}; "
            f"{whose} answer stands. {one.why}{cites if cited else ''}"
        )
    lines += [f"Left out: {line}" for line in left_out(answer, cited=cited)]
    lines += [f"Refused: {one.action} ({one.why})" for one in answer.refused]
    return lines


def left_out(answer: Diagnosis, *, cited: bool = True) -> list[str]:
    """The steps that were left out, each with the reason; the beginning of each unless `cited`."""
    return [
        f"{one.action if cited else _briefly(one.action)} "
        f"({'the model leaves it out: ' if one.by == 'model' else ''}{one.why.strip().removesuffix('.')})."
        for one in answer.dropped
    ]


def _briefly(action: str) -> str:
    """The beginning of a step, enough to know it by."""
    return action if len(action) <= LEFT_OUT_MOST else f"{action[:LEFT_OUT_MOST].rsplit(' ', 1)[0].rstrip(',;:.')}…"


def _of_paste(answer: Diagnosis, whole: bool) -> list[str]:
    """What of a paste wasn't used."""
    if answer.pasted is None:
        return ["; ".join((answer.then.told, *answer.then.changed))] if answer.then and whole else []
    lines = [f"Not looked at: {one}, which is in the paste as well." for one in answer.pasted.others]
    if unknown := answer.pasted.unrecognised:
        more = f" and {len(unknown) - 2} more" if len(unknown) > 2 else ""
        lines.append(f"Not recognised: {'; '.join(unknown[:2])}{more}.")
    return lines


def cost_line(answer: Diagnosis) -> str:
    """What the investigation cost."""
    print_, bound = answer.footprint, answer.footprint.budget
    model = answer.model
    money = f", cost {model.cost:g}" if model.cost is not None else ""
    about = "about " if model.estimated else ""
    cached = f" ({model.tokens_cached} of them cached)" if model.tokens_cached else ""
    tokens = f"{about}{model.tokens_in}{cached}+{model.tokens_out} tokens"
    spent = f"; model {model.turns} turns, {tokens}{money}" if model.turns else ""
    of_time = f" of {bound.seconds:g}" if bound.seconds else ""
    delays = [one.get("own_delay_max_ms") for one in answer.readings if one.tool == "latency_sample"]
    late = max((delay for delay in delays if isinstance(delay, int | float)), default=0)
    own = (
        f" rediagnose itself was held up for up to {late:.0f} ms, which isn't counted in any latency."
        if late >= LATE_MS
        else ""
    )
    taken = sum(reading.tool != "symptom" for reading in answer.readings)
    readings = "1 reading" if taken == 1 else f"{taken} readings"
    cut = f" Stopped by you, after {readings}: this is what was known by then." if answer.interrupted else ""
    if answer.pasted:
        return f"No server was asked.{cut}"
    return (
        f"Cost to the server: {print_.commands} of at most {bound.commands} commands, {print_.pings} of {bound.pings} "
        f"pings, {print_.bytes} of {bound.bytes} bytes, in {answer.seconds:.1f}{of_time} s{spent}.{own}{cut}"
    )
