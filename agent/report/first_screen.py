"""The answer on one screen: what it is, what proves it, what to do now, what not to do, and where to see more."""

from collections.abc import Iterator

from agent.answer.diagnosis import NAMELESS, Cause, Diagnosis, Step
from agent.answer.open_points import CANT_TELL, KUBERNETES_SILENT
from agent.evidence.managed import SILENT
from agent.report.changes import changes, silent_sources
from agent.report.deployment import tree
from agent.report.meanings import meaning_of
from agent.report.render import left_out, notices
from agent.report.sections import COMMAND, Section, Styled, laid_out
from agent.report.summary import (
    LIKELY,
    author,
    do_first,
    explanation,
    headline,
    nameless_step,
    seen_evidence,
    sentence,
    what_not_to_do,
)
from agent.report.words import all_in_words
from agent.report.wrapping import wrapped
from tools.connection.managed import services
from tools.patterns import deferred

LINES, LINES_OF_SEVERAL = 23, 40
"""At 80 columns; one less than a small terminal, to leave room for the prompt."""
END = "By"
"""Printed before the name of the arm that answered."""
WORTH_A_LINE = 0.15
"""Least probability at which another finding is shown without -v."""
HIDDEN_MOST = 4
"""The most causes named among those a missing reading hides."""
PASTED_MOST = 3
"""The most commands to paste that are shown for a step."""
OWN_STAGES = ("pool", "send", "reply")
"""How far a command got that the client itself held up."""
_READ_AS = {
    "latency_sample": "the PINGs' latency", "slowlog": "the slow log", "config_get": "the configuration",
    "info": "INFO", "clients": "the list of clients", "log": "the log", "disk": "the disk", "process": "the process",
    "sockets": "the sockets", "machine": "the machine",
    "kernel_log": "the kernel's log", "latency_events": "the latency events", "config_drift": "the file's settings",
}  # fmt: skip
"""Plain words for readings whose names don't say what they read."""
_READ = deferred(rf"(?:(?<=^)|(?<=, ))(?:{'|'.join(_READ_AS)})(?=[ ,])")
_KIND = deferred(r"(?<= \()[a-z]+(?:-[a-z]+)*: (?=.*\) can't be read)")
"""The kind of unavailability; the text after it says the same in words."""
_COMMAND_LINE = deferred(r"-\w|[0-7]{3,4}\b")
"""What follows the name of a shell command: an option or a file mode."""
_SENTENCE_END = deferred(r"(?<=[.!?]) (?=[A-Z0-9])")


def first_screen(answer: Diagnosis, width: int, more: str = "") -> list[Styled]:
    """The default form of the answer; `more` says where to see more, if not with the options of `triage`."""
    head = [Styled(line, _style(answer)) for line in wrapped(sentence(headline(answer)), width)]
    several = len(answer.target.nodes) > 1
    most = (LINES_OF_SEVERAL if several else LINES) - len(head)
    return [*head, *laid_out([section for section in _sections(answer, more) if section.pieces], width, most)]


def whole_screen(answer: Diagnosis, width: int) -> list[Styled]:
    """The same with nothing left out and without the last lines, since more follows."""
    head = [Styled(line, _style(answer)) for line in wrapped(sentence(headline(answer)), width)]
    sections = [one for one in _sections(answer) if one.pieces and one.label not in ("Then", "More", "Note", END)]
    return [*head, *laid_out(sections, width)]


def one_liner(answer: Diagnosis) -> str:
    """What it is, how sure and where, in one line."""
    about_it = about(answer)
    return f"{headline(answer)}{f' ({about_it})' if about_it else ''}."


def _sections(answer: Diagnosis, more: str = "") -> Iterator[Section]:
    yield Section("", _paragraph(answer), least=2, rank=1, left_out="(More: -v.)")
    yield Section("", (" ",), least=1, rank=0)
    yield Section("Nodes", tree(answer), least=2, rank=0, joint="\n", left_out="and {} more (-v)")
    yield Section("Note", tuple(_notes(answer)), least=2, rank=2, left_out="(More: -v.)", style="yellow")
    # A value that is present proves more than one that is absent.
    seen = sorted(all_in_words(seen_evidence(answer), answer.readings), key=lambda one: one.startswith("0 "))
    yield Section(
        "Seen", [*map(capitalized, seen[:1]), *seen[1:]], least=1, rank=4, joint="; ", left_out="{} more (-v)"
    )
    yield Section("Client", _clients(answer), least=4, rank=2, left_out="And {} more (-v).")
    yield Section("Changed", changes(answer), least=1, rank=5, joint="; ", left_out="{} more (-v)")
    if answer.then:
        told = [answer.then.told, *(sentence(capitalized(line)) for line in answer.then.changed)]
        yield Section("Paste", told, least=2, rank=4, left_out="And {} more (-v).")
    yield Section("Do now", tuple(do_now(answer)), least=3, rank=0, joint="\n", style="bold green")
    # A managed service's first step is often to look; what is done about it comes second.
    managed = answer.target.service is not None
    yield Section("Then", tuple(_then(answer)), least=int(managed), rank=2 if managed else 8, left_out="(More: -v.)")
    planned = answer.model_copy(update={"dropped": tuple(one for one in answer.dropped if one.by == "plan")})
    yield Section("Left out", left_out(planned, cited=False), least=0, rank=9, left_out="And {} more (-v).")
    yield Section("Don't", _sentences(capitalized(what_not_to_do(answer))), least=1, rank=3, style="yellow")
    yield Section("Also", tuple(also(answer)), least=1, rank=6, left_out="And {} more (-v).")
    yield Section(
        "Not seen",
        (*map(sentence, silent_sources(answer)), *not_seen(answer)),
        least=1,
        rank=7,
        left_out="And {} more (-v).",
        most=6,
    )
    yield Section("More", (more or _more(answer),), least=1, rank=0, style="dim", whole=True)
    yield Section(END, (colophon(answer),), least=1, rank=0, style="dim", whole=True)


def _clients(answer: Diagnosis) -> list[str]:
    """What clients' errors say that isn't said above already."""
    says = [one for one in answer.client_says if one.told != sentence(headline(answer))]
    if answer.causes:
        # Beside a cause that was measured, what clients got to see of it tells no more.
        cited = {one.reading for one in answer.causes[0].evidence}
        says = [one for one in says if one.side == "client" and one.stage in OWN_STAGES
                and not cited & {each.reading for each in one.evidence}]  # fmt: skip
    return [one.told for one in says]


def _notes(answer: Diagnosis) -> Iterator[str]:
    """Where the model and the checks disagree, and what was refused; with -v in full, with reasons."""
    # What the plan itself leaves out stands below what is to be done.
    dropped = tuple(one for one in answer.dropped if one.by == "model")
    for line in notices(answer.model_copy(update={"refused": (), "dropped": dropped}), cited=False):
        yield from _sentences(line)
    if answer.refused:
        yield f"Refused: {'; '.join(one.action for one in answer.refused)}."


def stopped(answer: Diagnosis) -> str:
    """Says that somebody stopped it before it was complete; empty if nobody did."""
    taken = sum(reading.tool != "symptom" for reading in answer.readings)
    return f"Stopped by you, after {taken} reading{'s' * (taken != 1)}." if answer.interrupted else ""


def _style(answer: Diagnosis) -> str:
    return {"no-fault": "bold green", "insufficient-evidence": "bold yellow"}.get(answer.outcome, "bold red")


def _paragraph(answer: Diagnosis) -> list[str]:
    pasted = answer.pasted.told if answer.pasted else ""
    first = [part for part in (pasted, stopped(answer), sentence(capitalized(about(answer)))) if part]
    return [*first, *_sentences(sentence(explanation(answer)))]


def about(answer: Diagnosis) -> str:
    """How sure it is, which cause, and which server."""
    target, top = answer.target, answer.causes[0] if answer.causes else None
    server = f"{target.server} {target.version}" if target.server else ""
    if target.service is not None and (runs := services().get(target.service)):
        server = f"{server} at {runs.name}".strip()
    if top is None:
        whole = f", {len(target.nodes)} nodes" if len(target.nodes) > 1 else ""
        return ", ".join(part for part in (f"{answer.outcome}: {_address(answer)}{whole}", server) if part)
    where = top.where or _address(answer)
    sure = (
        f"{top.probability:.0%} sure" if not top.only_reported else f"{top.probability:.0%} sure, from the report alone"
    )
    return f"{sure}: {top.id} at {where}{f', {server}' if server else ''}"


def _is_unnamed(answer: Diagnosis) -> bool:
    """Whether it's a paste from which nobody knows the server's address."""
    return answer.pasted is not None and answer.pasted.node is None


def _address(answer: Diagnosis) -> str:
    if _is_unnamed(answer):
        return "the pasted server"
    return answer.target.url.replace("***@", "")


def do_now(answer: Diagnosis) -> Iterator[str]:
    """The first thing to do and the commands for it, which begin with a prompt."""
    step = next((one for one in answer.own_plan if one.is_open), None)
    if step is None:
        yield _plain(do_first(answer))
        decides = nameless_step(answer)
        lines = decides.paste if decides else ()
        if answer.pasted and answer.outcome == "insufficient-evidence":
            # What it takes to be sure, and what hides most.
            lines = tuple(dict.fromkeys((*lines[:2], *answer.pasted.ask_for)))[:PASTED_MOST]
        yield from (f"{COMMAND}{line}" for line in lines)
        return
    yield from _step(step, len(answer.target.nodes) > 1)
    if _is_unnamed(answer) and step.action.split(" ")[0].isupper():
        yield "(Give redis-cli the server's own -h and -p: its address isn't in the paste.)"


def _step(step: Step, several: bool) -> Iterator[str]:
    if step.needs_approval:
        at = f" on {step.node}" if several and step.node else ""
        yield f"{step.action}{at} ({step.risk}; needs your approval)"
    else:
        yield sentence(step.action)
    yield from (f"{COMMAND}{line}" for line in step.paste[:PASTED_MOST])
    if step.paste and step.login:
        yield "(redis-cli reads the password from REDISCLI_AUTH)"


def _then(answer: Diagnosis) -> list[str]:
    steps = [one for one in answer.own_plan if one.is_open][1:2]
    told = [next(iter(_step(step, len(answer.target.nodes) > 1))).removeprefix("Then ") for step in steps]
    return [part for text in told for part in _sentences(text[:1].upper() + text[1:])]


def also(answer: Diagnosis) -> Iterator[str]:
    """What else was found."""
    several = len(answer.target.nodes) > 1
    for cause in answer.causes[1:]:
        yield _other(cause, several)
    if answer.causes and answer.failover and answer.failover.asked:
        yield sentence(answer.failover.told)
    shown = {cause.id for cause in answer.causes}
    if answer.outcome != "outside-redis":
        rest = [cause for cause in answer.findings if cause.id not in shown and cause.probability >= WORTH_A_LINE]
        yield from (_other(cause, several) for cause in rest)


def _other(cause: Cause, several: bool) -> str:
    at = f" at {cause.where}" if several and cause.where else ""
    # A cause outside Redis has only its reason as text.
    meaning = meaning_of(cause) or cause.why.strip().removesuffix(".")
    perhaps = "Perhaps: " if cause.probability < LIKELY else ""
    return f"{perhaps}{meaning} ({cause.id}, {cause.probability:.0%}{at})."


def not_seen(answer: Diagnosis) -> Iterator[str]:
    """What couldn't be read, a sentence each; first what hides a cause that fits the report."""
    said = explanation(answer)
    for one in answer.blind:
        if one.what not in said:
            more = len(one.hides) - HIDDEN_MOST
            hidden = ", ".join(one.hides[:HIDDEN_MOST]) + (f" and {more} more" if more > 0 else "")
            yield sentence(f"{capitalized(one.what)}; it would show {hidden}" if hidden else capitalized(one.what))
    told = tuple(f"{one.reading} (" for one in answer.blind)
    # "Fine" is said only if nothing here hides a cause that fits; listing all it could hide would contradict that.
    fine = answer.outcome == "no-fault"
    for line in answer.unknown:
        # What the answer says first isn't repeated.
        if not line.startswith((NAMELESS, CANT_TELL, KUBERNETES_SILENT, *told)) and line not in said:
            shown = line.partition("; that hides ")[0] if fine else line
            yield sentence(capitalized(_READ.sub(lambda found: _READ_AS[found[0]], _KIND.sub("", shown, count=1))))
    asked_in_vain = any(SILENT in line for line in answer.unknown)
    if fine and not asked_in_vain and any("; that hides " in line for line in answer.unknown):
        yield "None of that hides a cause that fits this report."


def _more(answer: Diagnosis) -> str:
    steps = len(answer.plan) - 1
    parts = [
        *(["the evidence"] if answer.causes or answer.findings else []),
        *(["what was ruled out"] if answer.ruled_out else []),
        *([f"{steps} more step{'s' * (steps > 1)} of the plan"] if steps > 0 else []),
    ]
    if not parts:
        return "-vv shows all readings."
    listed = ", ".join(parts[:-1]) + (" and " if parts[1:] else "") + parts[-1]
    return f"-v shows {listed}, -vv all readings too."


def colophon(answer: Diagnosis) -> str:
    """Which arm answered, and what it cost."""
    model, print_ = answer.model, answer.footprint
    why = "" if model.degraded or not model.why else f" ({model.why})"
    commands = (
        f"{print_.commands} command{'s' * (print_.commands != 1)}" if not answer.pasted else "no server was asked"
    )
    if model.turns:
        commands += f", {model.turns} turn{'s' * (model.turns != 1)} of the model"
    return f"{author(answer)}{why}; {commands} in {answer.seconds:.1f} s."


def _sentences(text: str) -> list[str]:
    return _SENTENCE_END.split(text)


def _plain(text: str) -> str:
    return text.replace("`", "")


def capitalized(text: str) -> str:
    """Capitalise a sentence, unless it begins with a shell command or a name as Redis writes it."""
    head, _, rest = text.partition(" ")
    is_word = head.isalpha() and head.islower() and not _COMMAND_LINE.match(rest)
    return text[:1].upper() + text[1:] if is_word else text
