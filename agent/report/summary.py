"""An answer in a few sentences, for tickets and webhooks alike."""

import re
from collections.abc import Sequence

from agent.answer.diagnosis import NAMELESS, Diagnosis, Evidence, Step
from agent.answer.open_points import CANT_TELL, PASTED_THEN
from agent.report.first_steps import FirstStep, first_step, remedy, unexplained
from agent.report.meanings import meaning_of
from agent.report.quantities import quantity
from agent.report.render import printed_value
from tools.patterns import deferred

_FIELD = deferred(r"\b(?:[a-z]+[0-9]+|[a-z0-9]+(?:_[a-z0-9]+)+|[a-z0-9_]+\.[a-z_]+)(?:\.[a-z_]+)?\b")
"""Words of a step that may be field names."""
_MOST_FIGURES = 6
SURE, LIKELY, HINTED = 0.9, 0.6, 0.3
"""Least probabilities at which a cause is stated as a fact, as probable, and at which the readings hint at it."""


def headline(answer: Diagnosis) -> str:
    """What it is, in plain words without markup or a full stop: the model's if its answer was accepted.

    What an alert asks is answered before that.
    """
    return " ".join((*(one.told for one in answer.alerts), _headline(answer)))


def _headline(answer: Diagnosis) -> str:
    if answer.summary_by == "model" and answer.summary:
        return answer.summary.strip().removesuffix(".")
    if answer.causes:
        top = answer.causes[0]
        sure = "" if top.probability >= SURE else "Probably: " if top.probability >= LIKELY else "Perhaps: "
        return sure + (meaning_of(top) or top.id)
    if answer.outcome == "no-fault" and answer.failover and answer.failover.asked:
        return "Redis works now; this is what is known about the failover"
    if answer.outcome == "no-fault" and answer.alerts:
        true = any(one.state == "now" for one in answer.alerts)
        return "Nothing else is wrong with Redis" if true else "Redis is fine: nothing was found wrong now"
    if answer.outcome == "no-fault":
        return f"Redis is fine: nothing was found {'that explains the report' if answer.symptom.strip() else 'wrong'}"
    if answer.outcome == "outside-redis":
        if answer.target.server:
            return "Redis is fine; the problem is elsewhere"
        kinds = {reading.unavailable.kind for reading in answer.readings if reading.unavailable}
        return (
            "The server's name doesn't resolve" if "dns" in kinds else "The problem lies between the clients and Redis"
        )
    if answer.then and answer.unknown and answer.unknown[0].startswith(PASTED_THEN):
        return f"What was pasted doesn't show any more: {answer.then.meaning}"
    if answer.unknown and answer.unknown[0].startswith(NAMELESS):
        return _nameless(answer)
    if answer.unknown and answer.unknown[0].startswith(CANT_TELL):
        # Blind spots are the answer here, and are never folded or cut.
        return answer.unknown[0].strip().removesuffix(".")
    if answer.pasted and answer.client_says and answer.target.server is None:
        # There is nothing else to go by.
        return answer.client_says[0].told.removesuffix(".")
    return "Not enough could be read to name a cause"


def _nameless(answer: Diagnosis) -> str:
    """What is wrong, first of all, where that is all that is known."""
    found = unexplained(answer)
    if not found:
        return NAMELESS
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    what = found[0].what
    # A field's name stays as Redis writes it.
    what = what[:1].upper() + what[1:] if what.partition(" ")[0].isalpha() else what
    if answer.pasted or answer.blind or any(one.probability >= HINTED for one in answer.findings):
        # Another look may well find a cause that is known.
        return f"{what}{more}; what was read doesn't show why"
    return f"{what}{more}; no known cause explains {'them' if more else 'it'}"


def explanation(answer: Diagnosis) -> str:
    """Why: what was seen."""
    if answer.summary_by == "model" and answer.outcome != "diagnosed":
        # It gives the reason itself; it must not leave out blind spots or what happened.
        lacks = [line for line in answer.unknown if line.startswith((NAMELESS, CANT_TELL))]
        told = [answer.failover.told] if answer.failover and answer.failover.asked else []
        return " ".join(sentence(line) for line in (*told, *lacks[:2]))
    if answer.causes:
        top = answer.causes[0]
        if answer.summary_by == "model" and top.why.strip(" .") in answer.summary:
            return ""
        only = " It was only reported; no measurement confirms it." if top.only_reported else ""
        return top.why + only
    if answer.outcome == "no-fault" and answer.failover and answer.failover.asked:
        return answer.failover.told
    if answer.outcome == "no-fault":
        found = "".join(f" {one.what}" for one in answer.benign)
        reported = "; the reported problem isn't visible from here right now" if answer.symptom.strip() else ""
        reported = "" if answer.alerts else reported
        return f"It works normally{reported}.{found or _measured(answer)}"
    if answer.outcome == "outside-redis":
        return next((cause.why for cause in answer.findings if cause.id == "outside-redis"), "")
    if not answer.unknown:
        return "What was read in that time doesn't point to a cause."
    # The headline already has what the alerts ask.
    said = answer.summary.removeprefix(" ".join(one.told for one in answer.alerts)).strip()
    if answer.unknown[0].startswith(CANT_TELL):
        # And that.
        return said.replace(answer.unknown[0], "", 1).strip()
    # The summary also has what the readings hint at; that nothing explains it stands above.
    whole = said if answer.unknown[0] in said else answer.unknown[0]
    return whole.replace(f"{NAMELESS}: ", "Seen: ", 1) if unexplained(answer) else whole


def seen_evidence(answer: Diagnosis) -> list[Sequence[Evidence]]:
    """The first evidence for the answer: that of the most likely cause, or a model's for its outcome."""
    return [cause.evidence for cause in answer.causes[:1]] or [answer.evidence]


def do_first(answer: Diagnosis) -> str:
    """The first thing to do, with a command in backticks."""
    if answer.own_plan:
        step = answer.own_plan[0]
        risky = " (risky)" if step.risk == "risky" else ""
        return f"`{step.action}` on `{step.node}`{risky}." if step.needs_approval else sentence(step.action)
    if answer.outcome == "no-fault" and answer.failover and answer.failover.asked:
        unsure = answer.failover.unsure
        return f"Leave Redis alone. To learn more, find out {sentence(unsure[0])}" if unsure else "Leave Redis alone."
    if answer.outcome == "no-fault":
        return "Leave Redis alone. If the problem comes and goes, run this again while it happens."
    if answer.outcome == "outside-redis":
        return "Fix the problem named above, then run this again."
    if known := remedy(answer):
        return known
    if answer.then and answer.unknown and answer.unknown[0].startswith(PASTED_THEN):
        return "Leave Redis alone for now. Run this again while it happens, or look into what ended it."
    if decides := nameless_step(answer):
        return decides.say
    if answer.pasted and answer.pasted.samples == 1 and len(answer.pasted.ask_for) == 1:
        return "Paste INFO once more, a minute later: only a second sample shows what goes on now."
    if answer.pasted and not answer.pasted.ask_for:
        return "Run this again against the server itself: what is missing can't be pasted."
    if answer.pasted:
        return "Paste what is missing as well, what hides most first."
    if answer.unknown:
        return "Run this again on the server's own host, or allow access to what is listed as unknown below."
    return "Run this again with a longer --deadline, on the server's own host if you can."


def nameless_step(answer: Diagnosis) -> FirstStep | None:
    """What decides, where something is wrong and no cause was found."""
    nameless = answer.outcome == "insufficient-evidence" and any(line.startswith(NAMELESS) for line in answer.unknown)
    return first_step(answer) if nameless and not answer.interrupted else None


def what_not_to_do(answer: Diagnosis) -> str:
    """The tempting mistake."""
    # A step that was left out still leaves its warning.
    warnings = (*(step.avoid for step in answer.own_plan), *(one.avoid for one in answer.dropped))
    if avoid := next(filter(None, warnings), None):
        return sentence(avoid)
    if answer.outcome in ("no-fault", "outside-redis"):
        return "restart or tune Redis: no reading points to it."
    return "restart Redis before its counters and logs have been read: a restart wipes them."


def author(answer: Diagnosis) -> str:
    """Who found it."""
    model = answer.model
    if model.degraded:
        return f"rediagnose's checks ({sentence(model.degraded).removesuffix('.')})"
    alone = "rediagnose's checks, without a language model"
    return alone if model.alone else f"the model {model.name}, with its evidence checked by code"


def measured_at(answer: Diagnosis) -> str:
    """When the last reading was taken; empty if there is none."""
    return max((reading.at for reading in answer.readings if reading.tool != "symptom"), default="")


def step_figures(step: Step, answer: Diagnosis) -> tuple[str, ...]:
    """The figures that a manual step mentions by field name, as TOOL FIELD=VALUE."""
    if step.needs_approval:
        return ()
    names = dict.fromkeys(_FIELD.findall(step.action))
    # `disk has dir` is a field of disk, and `o1 in clients` is everything known about one owner.
    named = {tool: field for tool, field in re.findall(r"\b(\w+) has (\w+)", step.action)}
    node = step.node or next((cause.where for cause in answer.causes), None)
    found: dict[str, str] = {}
    for reading in reversed([one for one in answer.readings if one.node == node or node is None]):
        values = reading.values or {}
        asked = {*names, *([named[reading.tool]] if reading.tool in named else [])}
        for field, scalar in values.items():
            group = field.partition(".")[0]
            of_group = group in names and field.partition(".")[2] in ("name", "address", "count", "port")
            if scalar not in (None, "") and (field in asked or of_group) and field not in found:
                found[field] = f"{reading.tool} {field}={printed_value(scalar)}"
    return tuple(found[field] for field in sorted(found, key=step.action.find))[:_MOST_FIGURES]


def _measured(answer: Diagnosis) -> str:
    """What was measured on a healthy server, in a few figures of the named node."""
    node = answer.target.nodes[0] if answer.target.nodes else None
    values = {one.tool: one.values for one in answer.readings if one.node == node and one.values}
    figures = []
    latency, info, memory = (values.get(tool, {}) for tool in ("latency_sample", "info", "memory"))
    if latency.get("median_ms") is not None:
        median, slowest = (quantity(latency.get(field), "ms") for field in ("median_ms", "max_ms"))
        figures.append(f"a PING takes {median} (the slowest {slowest})")
    if info.get("connected_clients") is not None and info.get("maxclients"):
        connected, most = (quantity(info.get(field), "count") for field in ("connected_clients", "maxclients"))
        figures.append(f"{connected} of at most {most} clients are connected")
    if info.get("rejected_connections.delta") == 0:
        figures.append("none was turned away")
    if memory.get("used_memory") is not None:
        of = f", the limit is {quantity(memory['maxmemory'], 'bytes')}" if memory.get("maxmemory") else ""
        figures.append(f"{quantity(memory['used_memory'], 'bytes')} of memory is used{of}")
    return f" Measured: {', '.join(figures)}." if figures else ""


def address_of(answer: Diagnosis) -> str:
    """The URL as usable in a command: without credentials, and without the stars that mask them."""
    return answer.target.url.replace("***@", "")


def sentence(text: str) -> str:
    """A sentence with its full stop."""
    text = text.strip()
    return text if not text or text[-1] in ".!?" else f"{text}."
