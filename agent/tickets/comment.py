"""The comment: an answer for somebody who has a minute and knows nothing about the incident."""

import hashlib
from collections.abc import Iterator, Sequence

from agent.answer.diagnosis import Cause, Diagnosis, Evidence, RuledOut, Step
from agent.answer.open_points import Blind
from agent.report.meanings import meaning_of
from agent.report.render import cost_line, figures_text, notices, printed_value, shown_evidence
from agent.report.summary import (
    address_of,
    author,
    do_first,
    explanation,
    headline,
    measured_at,
    sentence,
    step_figures,
    what_not_to_do,
)
from agent.tickets.document import Block, Code, Comment, Fold, Items, Line, Para, Part, Text, words
from tools.connection.target import Target
from tools.records import Reading

SYMPTOM = "r0"
HIDDEN_SHOWN = 4
"""The most causes named among those a missing reading hides."""


def marker_of(target: Target) -> str:
    """Distinguishes this server's comment from that of another server on the same ticket."""
    place = target.url.rpartition("@")[2] if target.watched else target.node
    return f"rediagnose:{hashlib.sha256(place.lower().encode()).hexdigest()[:16]}"


def comment(answer: Diagnosis, marker: str) -> Comment:
    """The comment for an answer."""
    return Comment((*_top(answer),), tuple(fold for fold in _folds(answer) if fold.parts), marker)


def _top(answer: Diagnosis) -> Iterator[Part]:
    yield Para(
        (*words(headline(answer), bold=True), *_cause_note(answer), Text(" "), *words(sentence(explanation(answer))))
    )
    if rest := answer.causes[1:]:
        yield Para((*words("Also there:", bold=True), *_others(rest, len(answer.target.nodes) > 1)))
    yield Para((*words("Do first:", bold=True), Text(" "), *words(do_first(answer)), *_step_note(answer)))
    if next_ := answer.own_plan[1:]:
        yield Para((*words("Then:", bold=True), Text(" "), *_next_step(next_)))
    yield Para((*words("Don't:", bold=True), Text(" "), *words(_uncapitalized(what_not_to_do(answer)))))
    if lines := notices(answer):
        yield Items(tuple(words(line) for line in lines))
    if answer.blind and answer.outcome != "insufficient-evidence":
        # Blind spots aren't folded away: that is where the answer may be wrong.
        yield Para((*words("Couldn't be seen:", bold=True), *_unseen(answer.blind)))
    yield Para(words(_source(answer)))
    if answer.interrupted:
        yield Para(words("The investigation was interrupted; this is what was known at that point."))


def _unseen(blind: Sequence[Blind]) -> Iterator[Text | Code]:
    for number, one in enumerate(blind):
        more = len(one.hides) - HIDDEN_SHOWN
        hides = ", ".join(f"`{id}`" for id in one.hides[:HIDDEN_SHOWN]) + (f" and {more} more" if more > 0 else "")
        yield Text("; " if number else " ")
        yield from words(f"{one.what} (it would show {hides})")
    yield Text(".")


def _cause_note(answer: Diagnosis) -> Line:
    if not answer.causes:
        return (Text(" ("), Code(answer.outcome), Text(")."))
    top = answer.causes[0]
    at = (Text(", at "), Code(top.where)) if top.where else ()
    return (Text(" ("), Code(top.id), Text(f", {top.probability:.0%} sure"), *at, Text(")."))


def _others(causes: Sequence[Cause], several: bool) -> Iterator[Text | Code]:
    for number, cause in enumerate(causes):
        at = f" at `{cause.where}`" if several and cause.where else ""
        meaning = meaning_of(cause) or cause.id
        line = f"{meaning} (`{cause.id}`, {cause.probability:.0%}{at})"
        yield from (Text(" " if not number else "; "), *words(line))
    yield Text(".")


def _step_note(answer: Diagnosis) -> Line:
    """Why this step, how to undo it, and who may carry it out."""
    if not answer.own_plan:
        return ()
    step = answer.own_plan[0]
    lines = [sentence(step.why)]
    if step.rollback:
        undo = f"`{step.rollback}`" if step.needs_approval else step.rollback
        lines.append(sentence(f"Undo: {undo}"))
    if step.needs_approval:
        url = address_of(answer)
        lines.append(
            f"Nothing does this automatically: `rediagnose triage {url}` in a terminal "
            "asks for your approval, makes the change, "
            "and measures whether it helped."
        )
    if figures := step_figures(step, answer):
        lines.append(f"Here: {', '.join(f'`{figure}`' for figure in figures)}.")
    return (Text(" "), *words(" ".join(lines)))


def _next_step(steps: Sequence[Step]) -> Line:
    """The next step, since the first often only buys time."""
    step, more = steps[0], len(steps) - 1
    action: Line = (
        (Code(step.action), Text(" "), *words(f"on `{step.node}`."))
        if step.needs_approval
        else words(sentence(step.action))
    )
    rest = f" ({more} more step{'s' * (more > 1)} in the plan.)" if more else ""
    return (*action, Text(rest))


def _source(answer: Diagnosis) -> str:
    if answer.pasted:
        return f"Found by {author(answer)}. No server was asked, and nothing was changed."
    target = answer.target
    server = f" ({target.server} {target.version})" if target.server else f", which {_silence(answer)}"
    more = len(target.nodes) - 1
    several = f" and {more} more node{'s' * (more > 1)}" if more > 0 else ""
    if (seen := target.looked_at) and seen.glanced:
        several = f" and its deployment, {seen.answered} of {seen.known} nodes, {len(seen.in_depth)} in depth"
    at = f"{'' if target.server else ','} at {measured_at(answer)}" if measured_at(answer) else ""
    return (
        f"Looked at `{address_of(answer)}`{server}{several}{at}. Found by {author(answer)}. "
        "Nothing was changed: rediagnose only read data."
    )


def _silence(answer: Diagnosis) -> str:
    """How a server behaved that didn't identify itself."""
    kinds = [one.unavailable.kind for one in answer.readings if one.tool == "connect" and one.unavailable]
    if answer.target.url.startswith("redis+sentinel:"):
        return "has no master that could be reached"
    if "noauth" in kinds or "wrongpass" in kinds:
        return "refused rediagnose's own login"
    stages = [one.get("stage") for one in answer.readings if one.tool == "connect"]
    if not stages or stages[-1] in (None, "dns", "tcp"):
        return "wasn't reached"
    return "was reached but didn't say what it is"


def _folds(answer: Diagnosis) -> Iterator[Fold]:
    tools = {reading.id: reading.tool for reading in answer.readings}
    shown = [cause.id for cause in answer.causes]
    rest = [cause for cause in answer.findings if cause.id not in shown]
    evidence = [part for cause in (*answer.causes, *rest) for part in _cause(cause, tools)]
    yield Fold("Evidence", tuple(evidence))
    if answer.plan:
        title = f"Plan, {len(answer.plan)} steps" if len(answer.plan) > 1 else "Plan, one step"
        yield Fold(title, (Items(tuple(_step(step) for step in answer.plan)),))
    yield Fold("Ruled out and unknown", tuple(_ruled_out_and_unknown(answer.ruled_out, answer.unknown, tools)))
    taken = [reading for reading in answer.readings if reading.tool != "symptom"]
    several = len(answer.target.nodes) > 1
    lines = tuple(_reading(one, several=several) for one in taken)
    yield Fold("Readings", (*([Block(lines)] if lines else []), Para(words(cost_line(answer)))))


def _reading(one: Reading, *, several: bool) -> str:
    node = f"{one.node or 'all nodes':<22} " if several else ""
    return f"{one.id:<4} {node}{one.tool:<14} {figures_text(one)}".rstrip()


def _cause(cause: Cause, tools: dict[str, str]) -> Iterator[Part]:
    at = f" at `{cause.where}`" if cause.where else ""
    yield Para(words(f"`{cause.id}` {cause.probability:.0%}{at}: {cause.why}"))
    if cause.evidence:
        yield Items(tuple(_citation(one, tools) for one in shown_evidence(cause.evidence)))


def _citation(one: Evidence, tools: dict[str, str]) -> Line:
    mark = () if one.verified else (Text(" (UNVERIFIED)"),)
    if one.reading == SYMPTOM:
        # The ticket isn't quoted back to its authors.
        return (Text("what was reported"), *mark)
    return (
        Code(f"{one.reading} {tools.get(one.reading, '?')}"),
        Text(" "),
        Code(f"{one.field}={printed_value(one.value)}"),
        *mark,
    )


def _step(step: Step) -> Line:
    action: Line = (Code(step.action), Text(".")) if step.needs_approval else words(sentence(step.action))
    how = f"{step.risk}, needs approval" if step.needs_approval else f"{step.risk}, by hand"
    at = f", on `{step.node}`" if step.node and step.needs_approval else ""
    lines = [sentence(step.why)]
    if step.rollback:
        lines.append(sentence(f"Undo: {f'`{step.rollback}`' if step.needs_approval else step.rollback}"))
    if step.verify:
        lines.append(sentence(f"It worked if: {step.verify}"))
    if step.unchecked:
        lines.append(sentence(f"Not checked: {step.unchecked}"))
    pasted = [part for line in step.paste for part in (Text(" "), Code(line))]
    return (*words(f"{step.id} ({how}{at}):"), Text(" "), *action, *pasted, Text(" "), *words(" ".join(lines)))


def _ruled_out_and_unknown(out: Sequence[RuledOut], unknown: Sequence[str], tools: dict[str, str]) -> Iterator[Part]:
    if out:
        yield Items(tuple(_ruled_out(one, tools) for one in out))
    if unknown:
        yield Para(words("Unknown:"))
        yield Items(tuple(words(line) for line in unknown))


def _ruled_out(one: RuledOut, tools: dict[str, str]) -> Line:
    cites = [f"`{tools.get(each.reading, '?')} {each.field}={printed_value(each.value)}`" for each in one.evidence
             if each.reading != SYMPTOM]  # fmt: skip
    citations = f" ({', '.join(cites)})" if cites else ""
    return words(f"not `{one.id}`: {one.because.strip().removesuffix('.')}{citations}.")


def _uncapitalized(text: str) -> str:
    """Text that continues a sentence: it begins in lower case, unless with a command or a name."""
    head = text.split(" ", 1)[0]
    plain = head == "A" or (head[:1].isupper() and head[1:].islower())
    return text[:1].lower() + text[1:] if plain else text
