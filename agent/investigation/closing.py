"""What an answer says besides its causes: a summary, the servers' complaints, blind spots, and benign explanations."""

from collections.abc import Iterator, Mapping, Sequence

from agent.alerts.ask import alert_answers
from agent.answer.diagnosis import NAMELESS, Cause, Diagnosis, Step, Verdict
from agent.answer.open_points import CANT_TELL, Blind, Pasted
from agent.checks.benign import benign
from agent.checks.client_errors import client_says
from agent.checks.complaints.signs import explained
from agent.evidence.view import View
from agent.investigation.sources import Sources
from agent.report.meanings import meaning_of

HINTED = 0.3
"""Least probability at which a finding is mentioned if no cause is named."""
HOSTLESS = ".invalid"
"""How the host ends that stands for an address which isn't in a paste (RFC 6761): no line for a shell has it."""
ALWAYS = ("slowlog", "clients", "latency_events")
"""Readings that are asked for whatever they hide: they tell of more than a symptom's look-alikes."""
COMMANDS = {
    "info": "INFO everything", "slowlog": "--no-raw SLOWLOG GET 128", "clients": "CLIENT LIST",
    "latency_events": "--no-raw LATENCY LATEST", "config_get": "--no-raw CONFIG GET timeout",
    "latency_sample": "--latency -i 1", "access": "--no-raw ACL LOG", "cluster": "CLUSTER INFO",
    "sentinel": "--no-raw SENTINEL MASTERS",
}  # fmt: skip
"""What prints each of them."""
OF_MACHINE = ("process", "sockets", "machine", "disk", "log")
"""What the host script's output answers, each by itself."""
LINES_MOST = 3
UNREACHED = ("dns", "connect", "tls", "closed")
"""How far a client got that reached no server: then no command on it says why, but its machine does."""


def closed(answer: Diagnosis, checked: Verdict, views: Sequence[View], said: str = "") -> Diagnosis:
    """The answer with all of that; `checked` is the checks' conclusion, whoever answered.

    `said` is the model's summary if the answer is the model's.
    """
    causes = [cause for cause in answer.causes if cause.probability >= 0.5]
    asked = alert_answers(views)
    whole = answer.model_copy(update={
        "alerts": asked,
        "complaints": explained(checked.complaints, causes),
        "blind": tuple(kept for one in checked.blind if (kept := _still_hidden(one, answer.causes)).hides),
        "benign": benign(views) if answer.outcome == "no-fault" else (),
        "client_says": client_says(views[0]) if views else (),
    })  # fmt: skip
    if said and not whole.interrupted:
        return whole.model_copy(update={"summary": said, "summary_by": "model"})
    return whole.model_copy(update={"summary": " ".join((*(one.told for one in asked), summary(whole)))})


def _still_hidden(one: Blind, causes: Sequence[Cause]) -> Blind:
    named = {cause.id for cause in causes}
    return one.model_copy(update={"hides": tuple(id for id in one.hides if id not in named)})


def summary(answer: Diagnosis) -> str:
    """What is wrong, in a sentence or two, for every outcome."""
    past = answer.failover.told if answer.failover and answer.failover.asked else ""
    if answer.causes:
        first, *others = answer.causes
        also = f" Also there: {', '.join(cause.id for cause in others)}." if others else ""
        words = meaning_of(first)
        meaning = f"{words} ({first.id})." if words else f"{first.id}:"
        return f"{meaning} {first.why}{also}"
    if answer.outcome == "no-fault":
        found = " ".join(one.what for one in answer.benign)
        return " ".join(filter(None, ("Redis was measured and works normally.", past, found)))
    if answer.outcome == "outside-redis":
        return next(
            (cause.why for cause in answer.findings if cause.id == "outside-redis"), "The problem is outside Redis."
        )
    if answer.interrupted:
        taken = sum(one.tool != "symptom" for one in answer.readings)
        return f"Stopped by you, after {taken} reading{'' if taken == 1 else 's'}, which is too few to tell."
    lack = answer.unknown[0] if answer.unknown else "The readings don't point to a cause."
    if not lack.startswith(CANT_TELL):
        lack = " ".join([lack, *(line for line in answer.unknown if line.startswith(CANT_TELL))])
    hint = next((one for one in answer.findings if one.probability >= HINTED), None)
    speaks = f" The readings hint at {hint.id} ({hint.probability:.0%}): {hint.why}" if hint else ""
    # What is wrong now matters more than what happened then.
    told = f"{lack} {past}" if lack.startswith(NAMELESS) else f"{past} {lack}"
    says = f"{answer.client_says[0].told} " if answer.client_says and answer.target.server is None else ""
    return f"{says}{told}{speaks}".strip()


def with_paste(answer: Diagnosis, sources: Sources) -> Diagnosis:
    """The answer with what was pasted, and lines that print what hides most of the causes that would fit."""
    if sources.then is not None:
        from agent.investigation.then import with_then

        return with_then(answer, sources.then)
    if (pasted := sources.pasted) is None:
        return answer
    lines = tuple(dict.fromkeys(_lines(answer, pasted)))[:LINES_MOST]
    if pasted.node is None:
        # There is no such host: who reads it would look for one.
        unplaced = {name: tuple(one.model_copy(update={"where": None}) for one in getattr(answer, name))
                    for name in ("causes", "findings")}  # fmt: skip
        answer = answer.model_copy(update=unplaced)
    free = answer.footprint.model_copy(update={"commands": 0, "pings": 0, "bytes": 0})
    return answer.model_copy(update={
        "pasted": pasted.model_copy(update={"ask_for": lines}), "plan": tuple(map(_by_hand, answer.plan)),
        "footprint": free,
    })  # fmt: skip


def _by_hand(step: Step) -> Step:
    """A step that a person carries out elsewhere; no line of it leads to a host that doesn't exist."""
    paste, shown_by = (tuple(one for one in lines if HOSTLESS not in one) for lines in (step.paste, step.shown_by))
    return step.model_copy(update={
        "kind": "outside", "needs_approval": False, "paste": paste, "shown_by": shown_by,
        "node": None if HOSTLESS in (step.node or "") else step.node,
    })  # fmt: skip


def _machine(host: str) -> str:
    """The machine to log in to; a loopback address is of whoever copied it."""
    return "HOST" if not host or host in ("localhost", "::1", "[::1]") or host.startswith("127.") else host


def _asked(missing: Mapping[str, int]) -> Iterator[int]:
    """How many causes each of the other lines would show."""
    return (count for tool, count in missing.items() if tool in COMMANDS)


def _lines(answer: Diagnosis, pasted: Pasted) -> Iterator[str]:
    host, _, port = (pasted.node or "").rpartition(":")
    cli = f"redis-cli -h {host.strip('[]')} -p {port}" if host and port.isdecimal() else "redis-cli"
    script = f"rediagnose host-script | ssh {_machine(host)} sh{f' -s {port}' if port not in ('', '6379') else ''}"
    lost = any(one.stage in UNREACHED and one.side != "client" for one in answer.client_says[:1])
    if "INFO" not in pasted.what:
        yield f"{cli} {COMMANDS['info']}"
        if lost and "the machine's facts" not in pasted.what:
            yield script
    missing = {one.reading: len(one.hides) for one in answer.blind if one.kind == "not-pasted"}
    unseen = {id for one in answer.blind if one.kind == "not-pasted" and one.reading in OF_MACHINE for id in one.hides}
    if "the machine's facts" not in pasted.what and len(unseen) > max([0, *_asked(missing)]):
        yield script
    seen = {one.tool for one in answer.readings if not (one.unavailable and one.unavailable.kind == "not-pasted")}
    first = sorted((tool for tool in COMMANDS if tool in missing), key=lambda tool: -missing[tool])
    yield from (f"{cli} {COMMANDS[tool]}" for tool in (*first, *(tool for tool in ALWAYS if tool not in seen)))
    if pasted.samples == 1:
        # Only growth tells what goes on now.
        yield f"{cli} {COMMANDS['info']}"
