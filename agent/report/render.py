"""The answer for people as text. The first three lines are what it is, what to do, what not to do."""

from collections.abc import Mapping, Sequence

from agent.answer.diagnosis import NAMELESS, Cause, Diagnosis, Evidence, Step
from agent.evidence.fields import FIGURES
from tools.records import Reading, Scalar
from tools.text import one_line

LATE_MS = 10
"""Milliseconds from which on it's said how late this program was."""
SPARKS = "▁▂▃▄▅▆▇█"


def headline(answer: Diagnosis) -> tuple[str, str, str]:
    """What it is, what to do now, what not to do: a line each."""
    model = answer.model
    by = f"checks alone: {model.degraded or model.why}" if model.alone else f"model {model.name}: {model.why}"
    what = _what_it_is(answer)
    first = next((step for step in answer.own_plan if step.is_open), None)
    do = f"{first.action}{_approval_note(first)}" if first else _advice_without_plan(answer)
    avoid = next((step.avoid for step in answer.plan if step.avoid and step.is_open), None)
    dont = avoid or _default_warning(answer)
    return f"What it is ({by}): {what}", f"Do now: {do}", f"Don't: {dont}"


def _what_it_is(answer: Diagnosis) -> str:
    if answer.causes:
        top = answer.causes[0]
        others = (
            f" Also {', '.join(f'{c.id} {c.probability:.0%}' for c in answer.causes[1:])}." if answer.causes[1:] else ""
        )
        at = f" at {top.where}" if len(answer.target.nodes) > 1 and top.where else ""
        return f"{top.id}{at}, {top.probability:.0%}.{only_reported(top)} {top.why}{others}"
    if answer.outcome == "no-fault" and answer.failover and answer.failover.asked:
        return f"no-fault. Redis was measured and works now. {answer.failover.told}"
    if answer.outcome == "no-fault":
        return "no-fault. Redis was measured and does what it should; what was reported isn't visible here now."
    if answer.outcome == "outside-redis":
        outside = next((cause.why for cause in answer.findings if cause.id == "outside-redis"), "")
        return f"outside-redis. {outside}".strip()
    lack = answer.unknown[0] if answer.unknown else "The readings don't point anywhere."
    if answer.failover and answer.failover.asked and lack.startswith(NAMELESS):
        # What is wrong now is more than what happened then.
        return f"insufficient-evidence. {lack} {answer.failover.told}"
    if answer.failover and answer.failover.asked:
        return f"insufficient-evidence. {answer.failover.told} Whether all is well now isn't certain: {lack}"
    return f"insufficient-evidence. {lack}"


def only_reported(cause: Cause) -> str:
    """What is added to a cause that only the report supports."""
    return " (Only reported: nothing that was measured shows it.)" if cause.only_reported else ""


def _approval_note(step: Step) -> str:
    return f" on {step.node}, after a yes ({step.risk})" if step.needs_approval else ""


def _advice_without_plan(answer: Diagnosis) -> str:
    if answer.outcome == "no-fault" and answer.failover and answer.failover.asked:
        unsure = answer.failover.unsure
        return f"nothing to Redis. To learn more, find out {unsure[0]}." if unsure else "nothing to Redis."
    if answer.outcome == "no-fault":
        return "look at the client: its pool, its own time-outs, its network; run this again while it happens."
    if answer.outcome == "outside-redis":
        return "fix what is named above, then run this again."
    return "read what is listed as unknown below, then run this again."


def _default_warning(answer: Diagnosis) -> str:
    if answer.outcome in ("no-fault", "outside-redis"):
        return "restart or tune Redis: nothing here points to it."
    return "restart the server before its evidence was read."


def printed_value(scalar: Scalar) -> str:
    """A value as it's printed."""
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
    """The evidence that a person is shown: a value that the server didn't have is of no use."""
    return tuple(one for one in evidence if one.value is not None or not one.verified)


def figures_text(reading: Reading) -> str:
    """A reading in a line: the figures to look at first, or why there are none."""
    values = reading.values or {}
    picked = [
        f"{field}={printed_value(values[field])}"
        for field in FIGURES.get(reading.tool, ())
        if values.get(field) is not None
    ]
    if reading.unavailable:
        picked.insert(0, f"unavailable={reading.unavailable.kind}")
    return " ".join(picked)


def sparkline(series: str) -> str:
    """A latency sample's series as one line of blocks, scaled to its largest."""
    numbers = [float(part) for part in series.split()]
    top = max(numbers, default=0) or 1
    return "".join(SPARKS[min(len(SPARKS) - 1, int(number / top * len(SPARKS)))] for number in numbers)


def text(answer: Diagnosis, *, spark: bool = False, revealed: Mapping[str, str] | None = None) -> str:
    """The answer as plain text."""
    several = len(answer.target.nodes) > 1
    lines = [*headline(answer), ""]
    lines += [f"Server   {_server(answer)}", f"Symptom  {answer.symptom or '(none given)'}", ""]
    if notes := notices(answer):
        lines += [*notes, ""]
    # What is to be done now comes before what is over.
    lines += [] if answer.causes else failover_lines(answer)
    lines += _causes("Causes", answer.causes, several)
    shown = [cause.id for cause in answer.causes]
    rest = [cause for cause in answer.findings if cause.id not in shown]
    lines += _causes("Less likely" if answer.model.alone else "What the checks found besides", rest, several)
    lines += baseline_lines(answer)
    if answer.plan:
        lines.append("Plan (nothing is changed without a yes)")
        lines += [line for step in answer.plan for line in step_lines(step, several)] + [""]
    lines += failover_lines(answer) if answer.causes else []
    if answer.ruled_out:
        lines.append("Ruled out")
        lines += [f"  {out.id}: {out.because} {_brackets(out.evidence)}".rstrip() for out in answer.ruled_out] + [""]
    if answer.unknown:
        lines += ["Unknown", *(f"  {line}" for line in answer.unknown), ""]
    lines += ["Readings", *_readings(answer, spark), ""]
    if revealed:
        lines += ["Handles", *(f"  {handle} = {text!r}" for handle, text in revealed.items()), ""]
    lines.append(cost_line(answer))
    # A line end in a value would begin a line that reads as ours.
    return "\n".join(map(one_line, lines))


def _server(answer: Diagnosis) -> str:
    target = answer.target
    if target.server is None:
        return f"{target.url} (never reached)"
    return f"{target.url} ({target.server} {target.version}, {target.topology}{_extent(answer)})"


def _extent(answer: Diagnosis) -> str:
    """How much of the deployment was looked at: of a small one the nodes' names, of a large one how many."""
    nodes, seen = answer.target.nodes, answer.target.looked_at
    if len(nodes) < 2:
        return ""
    if seen is None or not seen.glanced:
        return f", {len(nodes)} nodes: {', '.join(nodes)}"
    return f", looked at {seen.answered} of {seen.known} nodes, {len(seen.in_depth)} in depth"


def _causes(title: str, causes: Sequence[Cause], several: bool) -> list[str]:
    if not causes:
        return []
    lines = [title]
    for cause in causes:
        at = f" at {cause.where}" if several and cause.where else ""
        lines.append(f"  {cause.probability:>4.0%} {cause.id}{at}: {cause.why}{only_reported(cause)}")
        if cause.evidence:
            lines.append(f"       {_brackets(cause.evidence)}")
    return [*lines, ""]


def failover_lines(answer: Diagnosis) -> list[str]:
    """What is known of the newest failover, where the report asks for it."""
    if (past := answer.failover) is None or not past.asked:
        return []
    lines = ["What happened", f"  {past.told}"]
    if cited := shown_evidence(past.evidence):
        lines.append(f"       {_brackets(cited)}")
    return [*lines, *(f"  Not known: {line}" for line in past.unsure), ""]


def baseline_lines(answer: Diagnosis) -> list[str]:
    """What changed most since the good day, of each node that was compared with one."""
    compared = [reading for reading in answer.readings if reading.tool == "baseline"]
    newest = {reading.node: reading for reading in compared}.values()
    return [line for reading in newest for line in _baseline_changes(reading, len(newest) > 1)] + [""] * bool(compared)


def _baseline_changes(reading: Reading, several: bool) -> list[str]:
    values, at = reading.values or {}, f" at {reading.node}" if several else ""
    if reading.unavailable:
        return [f"Against the baseline{at}: {reading.unavailable.detail}"]
    other = f", there {values['other_name']}" if values.get("other_name") else ""
    lines = [f"Against the baseline{at} ({printed_value(values['age_days'])} days old{other}) [{reading.id}]"]
    if values.get("found"):
        lines.append(f"  not all was well on that day: {values['found']}")
    names = [str(values[f"changed{n}.field"]) for n in range(1, 6) if f"changed{n}.field" in values]
    for name in names or ("ops_per_second",):
        before, now, ratio = (values.get(f"{name}.{part}") for part in ("before", "now", "ratio"))
        by = f" ({printed_value(ratio)} times)" if ratio else ""
        lines.append(
            f"  {'' if names else 'nothing changed much: '}{name} {printed_value(before)} -> {printed_value(now)}{by}"
        )
    return lines


def _brackets(evidence: Sequence[Evidence]) -> str:
    return f"[{'; '.join(map(citation_text, shown_evidence(evidence)))}]" if shown_evidence(evidence) else ""


def step_lines(step: Step, several: bool) -> list[str]:
    """A step with what a person has to know to decide on it."""
    state = "" if step.state == "proposed" else f" [{step.state}]"
    who = f"{step.risk}, asks for a yes" if step.needs_approval else "by hand"
    at = f" on {step.node}" if several and step.needs_approval else ""
    lines = [f"  {step.id} {step.action}{at}{state}", f"     {who}. {step.why}"]
    lines += [f"     $ {line}" for line in step.paste]
    if step.kind == "config_set":
        lines.append(
            f"     now {step.before!r}; undo: {step.rollback}; lost at the next restart unless the file has it"
        )
    elif step.rollback:
        lines.append(f"     undo: {step.rollback}")
    if step.verify:
        lines.append(f"     verify: {step.verify}")
    lines += [f"     $ {line}" for line in step.shown_by]
    if step.login and (step.paste or step.shown_by):
        lines.append("     The password isn't in these lines: put it into REDISCLI_AUTH first.")
    return lines


def _readings(answer: Diagnosis, spark: bool) -> list[str]:
    """A line each, node by node where there are several."""
    taken = [reading for reading in answer.readings if reading.tool != "symptom"]
    nodes = list(dict.fromkeys(reading.node for reading in taken))
    if len(answer.target.nodes) < 2:
        return [reading_line(reading, spark) for reading in taken]
    lines = []
    for node in sorted(nodes, key=lambda name: answer.target.nodes.index(name) if name in answer.target.nodes else -1):
        lines += [f" {node or 'the deployment'}"]
        lines += [reading_line(reading, spark) for reading in taken if reading.node == node]
    if untold := len(set(answer.target.nodes) - set(nodes)):
        lines += [f" {untold} nodes more, at which nothing was found; --all-readings lists theirs as well"]
    return lines


def reading_line(reading: Reading, spark: bool) -> str:
    """A reading in a line, with its series drawn if `spark`."""
    series = (reading.values or {}).get("series_ms")
    drawn = f" {sparkline(str(series))}" if spark and series else ""
    ms = f"{reading.ms:.1f} ms" if reading.ms is not None else "-"
    return f"  {reading.id:<4} {reading.tool:<14} {ms:>10}  {figures_text(reading)}{drawn}".rstrip()


def notices(answer: Diagnosis) -> list[str]:
    """What a reader must not miss: where model and checks disagree, and what was proposed and refused."""
    lines = []
    if one := answer.model.disagrees:
        whose = "the checks'" if one.stands == "checks" else "the model's"
        cites = f" {_brackets(one.evidence)}" if one.evidence else ""
        other = "the model" if one.stands == "checks" else "the checks"
        cites += (
            f" Against it {other} cite{'s' * (one.stands == 'checks')} {_brackets(one.other)}." if one.other else ""
        )
        lines.append(
            f"Disagreement: the model says {one.model}, the checks say {one.checks}; "
            f"{whose} answer stands. {one.why}{cites}"
        )
    lines += [f"Refused: {one.action} ({one.why})" for one in answer.refused]
    return lines


def cost_line(answer: Diagnosis) -> str:
    """What the investigation cost."""
    print_, bound = answer.footprint, answer.footprint.budget
    model = answer.model
    money = f", cost {model.cost:g}" if model.cost is not None else ""
    about = "about " if model.estimated else ""
    tokens = f"{about}{model.tokens_in}+{model.tokens_out} tokens"
    spent = f"; model {model.turns} turns, {tokens}{money}" if model.turns else ""
    of_time = f" of {bound.seconds:g}" if bound.seconds else ""
    delays = [one.get("own_delay_max_ms") for one in answer.readings if one.tool == "latency_sample"]
    late = max((delay for delay in delays if isinstance(delay, int | float)), default=0)
    own = f" This program itself was late by up to {late:.0f} ms, which is in no latency." if late >= LATE_MS else ""
    cut = " INTERRUPTED: this is what was known by then." if answer.interrupted else ""
    return (
        f"Cost to the server: {print_.commands} of at most {bound.commands} commands, {print_.pings} of {bound.pings} "
        f"pings, {print_.bytes} of {bound.bytes} bytes, in {answer.seconds:.1f}{of_time} s{spent}.{own}{cut}"
    )
