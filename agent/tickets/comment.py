"""The comment: an answer as somebody needs it who knows nothing of the incident and has a minute."""

import hashlib
import re
from collections.abc import Iterator, Sequence

from agent.diagnosis import Cause, Diagnosis, Evidence, RuledOut, Step
from agent.report import beside, cost, figures, value
from agent.tickets.document import Block, Code, Comment, Fold, Items, Line, Para, Part, Text, words
from agent.tickets.meanings import MEANINGS
from tools.records import Reading, Scalar
from tools.server.target import Target

SYMPTOM = "r0"
_FIELD = re.compile(r"\b(?:[a-z]+[0-9]+|[a-z0-9]+(?:_[a-z0-9]+)+|[a-z0-9_]+\.[a-z_]+)(?:\.[a-z_]+)?\b")
"""What in a step's words may be a field's name."""
_MOST_FIGURES = 6


def marker_of(target: Target) -> str:
    """What tells a comment about this server from one about another, on the same ticket."""
    place = target.url.rpartition("@")[2] if target.watched else target.node
    return f"rediagnose:{hashlib.sha256(place.lower().encode()).hexdigest()[:16]}"


def comment(answer: Diagnosis, marker: str) -> Comment:
    """The comment of an answer."""
    return Comment((*_top(answer),), tuple(fold for fold in _folds(answer) if fold.parts), marker)


def headline(answer: Diagnosis) -> str:
    """What it is, in a line of plain words, without markup or a full stop."""
    if answer.causes:
        top = answer.causes[0]
        return MEANINGS.get(top.id, top.id)
    if answer.outcome == "no-fault":
        return "Redis is fine: nothing was found that explains this"
    if answer.outcome == "outside-redis":
        return "Redis is fine; the trouble is outside of it"
    return "Not enough could be read to name a cause"


def explained(answer: Diagnosis) -> str:
    """What was seen that says so."""
    if answer.causes:
        top = answer.causes[0]
        only = " It was only reported: nothing that was measured shows it." if top.only_reported else ""
        return top.why + only
    if answer.outcome == "no-fault":
        return f"It does what it should; what was reported doesn't show here now.{_seen(answer)}"
    if answer.outcome == "outside-redis":
        return next((cause.why for cause in answer.findings if cause.id == "outside-redis"), "")
    return answer.unknown[0] if answer.unknown else "The readings don't point anywhere."


def do_first(answer: Diagnosis) -> str:
    """The first thing to do, with a command in backticks."""
    if answer.plan:
        step = answer.plan[0]
        risky = " (risky)" if step.risk == "risky" else ""
        return f"`{step.action}` on `{step.node}`{risky}." if step.needs_approval else _ended(step.action)
    if answer.outcome == "no-fault":
        return (
            "Look at the application that reported it: its connection pool, its time-outs, its host and network. "
            "If it comes and goes, run this again while it happens."
        )
    if answer.outcome == "outside-redis":
        return "Mend what is named above, then run this again."
    return "Make readable what is listed as unknown below, then run this again."


def dont(answer: Diagnosis) -> str:
    """What tempts now and is wrong."""
    if avoid := next((step.avoid for step in answer.plan if step.avoid), None):
        return _ended(avoid)
    if answer.outcome in ("no-fault", "outside-redis"):
        return "restart or tune Redis: nothing that was read speaks for it."
    return "restart Redis before what it still knows was read: a restart wipes it."


def said_by(answer: Diagnosis) -> str:
    """Who says so."""
    model = answer.model
    if model.degraded:
        return f"rediagnose's checks ({_ended(model.degraded).removesuffix('.')})"
    alone = "rediagnose's checks, without a language model"
    return alone if model.alone else f"the model {model.name}, its evidence checked by code"


def measured_at(answer: Diagnosis) -> str:
    """When the last reading was taken; empty without any."""
    return max((reading.at for reading in answer.readings if reading.tool != "symptom"), default="")


def meant(step: Step, answer: Diagnosis) -> tuple[str, ...]:
    """The figures that a step done by hand speaks of by their fields' names, as TOOL FIELD=VALUE."""
    if step.needs_approval:
        return ()
    names = dict.fromkeys(_FIELD.findall(step.action))
    # `disk has dir` is a field of disk, and `o1 in clients` all that's told of one.
    named = {tool: field for tool, field in re.findall(r"\b(\w+) has (\w+)", step.action)}
    node = step.node or next((cause.where for cause in answer.causes), None)
    found: dict[str, str] = {}
    for reading in reversed([one for one in answer.readings if one.node == node or node is None]):
        values = reading.values or {}
        wanted = {*names, *([named[reading.tool]] if reading.tool in named else [])}
        for field, scalar in values.items():
            group = field.partition(".")[0]
            of_group = group in names and field.partition(".")[2] in ("name", "address", "count", "port")
            if scalar not in (None, "") and (field in wanted or of_group) and field not in found:
                found[field] = f"{reading.tool} {field}={value(scalar)}"
    return tuple(found[field] for field in sorted(found, key=step.action.find))[:_MOST_FIGURES]


def _seen(answer: Diagnosis) -> str:
    """What was measured of a server that is well, in a few figures of the named node."""
    node = answer.target.nodes[0] if answer.target.nodes else None
    values = {one.tool: one.values for one in answer.readings if one.node == node and one.values}
    told = []
    latency, info, memory = (values.get(tool, {}) for tool in ("latency_sample", "info", "memory"))
    if latency.get("median_ms") is not None:
        told.append(f"a PING takes {value(latency['median_ms'])} ms (the slowest {value(latency.get('max_ms'))} ms)")
    if info.get("connected_clients") is not None and info.get("maxclients"):
        told.append(f"{value(info['connected_clients'])} of {value(info['maxclients'])} clients are connected")
    if info.get("rejected_connections.delta") == 0:
        told.append("none was turned away")
    if memory.get("used_memory") is not None:
        bound = memory.get("maxmemory")
        of = f", the limit is {_mib(bound)}" if bound else ""
        told.append(f"{_mib(memory['used_memory'])} of memory are used{of}")
    return f" Measured: {', '.join(told)}." if told else ""


def _mib(scalar: Scalar) -> str:
    return f"{float(scalar) / 2**20:.1f} MiB" if isinstance(scalar, int | float) else "-"


def _top(answer: Diagnosis) -> Iterator[Part]:
    yield Para((*words(headline(answer), bold=True), *_which(answer), Text(" "), *words(_ended(explained(answer)))))
    if rest := answer.causes[1:]:
        yield Para((*words("Also there:", bold=True), *_others(rest, len(answer.target.nodes) > 1)))
    yield Para((*words("Do first:", bold=True), Text(" "), *words(do_first(answer)), *_how(answer)))
    yield Para((*words("Don't:", bold=True), Text(" "), *words(_small(dont(answer)))))
    if told := beside(answer):
        yield Items(tuple(words(line) for line in told))
    yield Para(words(_source(answer)))
    if answer.interrupted:
        yield Para(words("The investigation was interrupted: this is what was known by then."))


def _which(answer: Diagnosis) -> Line:
    if not answer.causes:
        return (Text(" ("), Code(answer.outcome), Text(")."))
    top = answer.causes[0]
    at = (Text(", at "), Code(top.where)) if top.where else ()
    return (Text(" ("), Code(top.id), Text(f", {top.probability:.0%} sure"), *at, Text(")."))


def _others(causes: Sequence[Cause], several: bool) -> Iterator[Text | Code]:
    for number, cause in enumerate(causes):
        at = f" at `{cause.where}`" if several and cause.where else ""
        meaning = MEANINGS.get(cause.id, cause.id)
        line = f"{meaning} (`{cause.id}`, {cause.probability:.0%}{at})"
        yield from (Text(" " if not number else "; "), *words(line))
    yield Text(".")


def _how(answer: Diagnosis) -> Line:
    """Why this step, how it's taken back, and who may carry it out."""
    if not answer.plan:
        return ()
    step = answer.plan[0]
    lines = [_ended(step.why)]
    if step.rollback:
        undo = f"`{step.rollback}`" if step.needs_approval else step.rollback
        lines.append(_ended(f"Undo: {undo}"))
    if step.needs_approval:
        url = _address(answer)
        lines.append(
            f"Nothing does it by itself: `rediagnose triage {url}` in a terminal asks for your yes, makes the change, "
            "and measures whether it helped."
        )
    if told := meant(step, answer):
        lines.append(f"Here: {', '.join(f'`{figure}`' for figure in told)}.")
    return (Text(" "), *words(" ".join(lines)))


def _address(answer: Diagnosis) -> str:
    """The URL as a command can have it: without credentials, also without their stars."""
    return answer.target.url.replace("***@", "")


def _source(answer: Diagnosis) -> str:
    target = answer.target
    server = f" ({target.server} {target.version})" if target.server else f", which {_silence(answer)},"
    more = len(target.nodes) - 1
    several = f" and {more} more node{'s' * (more > 1)}" if more > 0 else ""
    at = f" at {measured_at(answer)}" if measured_at(answer) else ""
    return (
        f"Looked at `{_address(answer)}`{server}{several}{at}. Found by {said_by(answer)}. "
        "Nothing was changed: rediagnose only read."
    )


def _silence(answer: Diagnosis) -> str:
    """How a server that didn't say what it is behaved."""
    kinds = [one.unavailable.kind for one in answer.readings if one.tool == "connect" and one.unavailable]
    if answer.target.url.startswith("redis+sentinel:"):
        return "has no master that was reached"
    if "noauth" in kinds or "wrongpass" in kinds:
        return "refused rediagnose's own login"
    stages = [one.get("stage") for one in answer.readings if one.tool == "connect"]
    if not stages or stages[-1] in (None, "dns", "tcp"):
        return "wasn't reached"
    return "was reached and didn't say what it is"


def _folds(answer: Diagnosis) -> Iterator[Fold]:
    tools = {reading.id: reading.tool for reading in answer.readings}
    shown = [cause.id for cause in answer.causes]
    rest = [cause for cause in answer.findings if cause.id not in shown]
    evidence = [part for cause in (*answer.causes, *rest) for part in _cause(cause, tools)]
    yield Fold("Evidence", tuple(evidence))
    if answer.plan:
        title = f"Plan, {len(answer.plan)} steps" if len(answer.plan) > 1 else "Plan, one step"
        yield Fold(title, (Items(tuple(_step(step) for step in answer.plan)),))
    yield Fold("Ruled out and unknown", tuple(_else(answer.ruled_out, answer.unknown, tools)))
    taken = [reading for reading in answer.readings if reading.tool != "symptom"]
    several = len({reading.node for reading in taken}) > 1
    lines = tuple(_reading(one, several=several) for one in taken)
    yield Fold("Readings", (*([Block(lines)] if lines else []), Para(words(cost(answer)))))


def _reading(one: Reading, *, several: bool) -> str:
    node = f"{one.node or 'all nodes':<22} " if several else ""
    return f"{one.id:<4} {node}{one.tool:<14} {figures(one)}".rstrip()


def _cause(cause: Cause, tools: dict[str, str]) -> Iterator[Part]:
    at = f" at `{cause.where}`" if cause.where else ""
    yield Para(words(f"`{cause.id}` {cause.probability:.0%}{at}: {cause.why}"))
    if cause.evidence:
        yield Items(tuple(_cited(one, tools) for one in cause.evidence))


def _cited(one: Evidence, tools: dict[str, str]) -> Line:
    mark = () if one.verified else (Text(" (UNVERIFIED)"),)
    if one.reading == SYMPTOM:
        # A ticket isn't read out to those who wrote it.
        return (Text("what was reported"), *mark)
    return (
        Code(f"{one.reading} {tools.get(one.reading, '?')}"),
        Text(" "),
        Code(f"{one.field}={value(one.value)}"),
        *mark,
    )


def _step(step: Step) -> Line:
    action: Line = (Code(step.action), Text(".")) if step.needs_approval else words(_ended(step.action))
    how = f"{step.risk}, needs a yes" if step.needs_approval else f"{step.risk}, by hand"
    at = f", on `{step.node}`" if step.node and step.needs_approval else ""
    lines = [_ended(step.why)]
    if step.rollback:
        lines.append(_ended(f"Undo: {f'`{step.rollback}`' if step.needs_approval else step.rollback}"))
    if step.verify:
        lines.append(_ended(f"It worked if: {step.verify}"))
    if step.unchecked:
        lines.append(_ended(f"Not checked: {step.unchecked}"))
    return (*words(f"{step.id} ({how}{at}):"), Text(" "), *action, Text(" "), *words(" ".join(lines)))


def _else(out: Sequence[RuledOut], unknown: Sequence[str], tools: dict[str, str]) -> Iterator[Part]:
    if out:
        yield Items(tuple(_not(one, tools) for one in out))
    if unknown:
        yield Para(words("Unknown:"))
        yield Items(tuple(words(line) for line in unknown))


def _not(one: RuledOut, tools: dict[str, str]) -> Line:
    cites = [part for evidence in one.evidence for part in (Text(" "), *_cited(evidence, tools))]
    return (*words(f"not `{one.id}`: {one.because}"), *cites)


def _ended(text: str) -> str:
    """A sentence with its full stop."""
    text = text.strip()
    return text if not text or text[-1] in ".!?" else f"{text}."


def _small(text: str) -> str:
    """Text that goes on after a word: its first letter small, unless it's a command's or a name's."""
    head = text.split(" ", 1)[0]
    plain = head == "A" or (head[:1].isupper() and head[1:].islower())
    return text[:1].lower() + text[1:] if plain else text
