"""What a conversation prints: brief, since the person is in the middle of an incident; commands show the rest."""

from collections.abc import Iterable, Sequence

from rich.markdown import Markdown

from agent.answer.diagnosis import Cause, Diagnosis, Evidence, Step
from agent.chat.changes import Moved
from agent.chat.told import why_not
from agent.report.console import Console
from agent.report.first_screen import END, colophon, first_screen, one_liner
from agent.report.render import printed_value, reading_line, step_lines
from agent.runbooks.library import Library
from tools.records import Reading

IN_CHAT = "/plan shows the steps in full, /readings lists what was read, and /reading r1 shows one reading in full."
"""Where to see more."""
STATES = {"verified": "green", "applied": "yellow", "failed": "red", "refused": "dim", "rolled-back": "yellow"}


def say(console: Console, text: str, style: str | None = None) -> None:
    """Print a line verbatim: nothing in it is markup."""
    console.say(text, style, wrap=console.is_terminal)


def answer(console: Console, diagnosis: Diagnosis) -> None:
    """A diagnosis on one screen, and the plan with one line per step."""
    console.print()
    for line in first_screen(diagnosis, console.width, IN_CHAT):
        say(console, line.text, line.style)
    if diagnosis.plan:
        console.print()
        say(console, "Plan (nothing is changed without your approval)")
        plan(console, diagnosis.plan, len(diagnosis.target.nodes) > 1)


def title(console: Console, diagnosis: Diagnosis) -> None:
    """What it is and who found it, one line each."""
    say(console, one_liner(diagnosis), "bold")
    say(console, f"{END} {colophon(diagnosis)}", "dim")


def plan(console: Console, steps: Iterable[Step], several: bool) -> None:
    """A line for each step, with what to type for it."""
    for step in steps:
        at = f" on {step.node}" if several and step.needs_approval else ""
        how = f"{step.risk}; /approve {step.id}" if step.needs_approval and step.is_open else "by hand"
        line = f"  {step.id} {step.action}{at}"
        say(console, f"{line} ({how if step.is_open else step.state})", STATES.get(step.state))


def steps(console: Console, plan_steps: Sequence[Step], several: bool) -> None:
    """The plan in full: why, the current value, the undo, and what shows that it worked."""
    last_avoid = ""
    for step in plan_steps:
        for number, line in enumerate(step_lines(step, several)):
            say(console, line, STATES.get(step.state) if number == 0 else None)
        if step.avoid and step.avoid != last_avoid:
            last_avoid = step.avoid
            say(console, f"     don't: {step.avoid}")


def parting(console: Console, plan_steps: Iterable[Step]) -> None:
    """What was changed and remains so when the conversation ends."""
    for step in plan_steps:
        if step.state in ("applied", "verified") and step.rollback:
            say(
                console, f"{step.id} {step.action} is in effect until the next restart; undo: {step.rollback}", "yellow"
            )


def readings(console: Console, taken: Sequence[Reading]) -> None:
    """A line for each reading, node by node if there are several."""
    nodes = list(dict.fromkeys(reading.node for reading in taken))
    for node in nodes:
        if len(nodes) > 1:
            say(console, f" {node or 'the deployment'}", "bold")
        for reading in (one for one in taken if one.node == node):
            say(console, reading_line(reading, console.is_terminal), "red" if reading.unavailable else None)


def reading(console: Console, one: Reading, fields: Sequence[str], causes: Iterable[Cause]) -> None:
    """A whole reading, or the fields whose names contain one of these words, with what cites them."""
    at = f" of {one.node}" if one.node else ""
    args = " ".join(f"{name}={given}" for name, given in one.args.items() if name != "node")
    took = f", {one.ms:.1f} ms" if one.ms is not None else ""
    say(console, f"{one.id} {one.tool}{at} at {one.at}{took}{f' ({args})' if args else ''}", "bold")
    if one.unavailable:
        say(console, f"  unavailable = {one.unavailable.kind}: {one.unavailable.detail}", "red")
    by = {evidence.field: cause.id for cause in causes for evidence in cause.evidence if evidence.reading == one.id}
    chosen = {
        field: of for field, of in (one.values or {}).items() if not fields or any(word in field for word in fields)
    }
    width = max((len(field) for field in chosen), default=0)
    for field, of in chosen.items():
        whose = f"   <- {by[field]}" if field in by else ""
        say(console, f"  {field:<{width}} = {printed_value(of)}{whose}", "bold" if whose else None)
    if not chosen:
        say(console, f"  no field matches {', '.join(fields)}" if fields else "  no values", "dim")


def citations(console: Console, cited_: Sequence[Evidence], taken: Sequence[Reading]) -> None:
    """Whether the readings have what an answer cites."""
    by_id = {one.id: one for one in taken}
    for one in cited_:
        if one.verified:
            continue
        why = why_not(by_id.get(one.reading), one.field)
        say(console, f"wrong: {one.reading} {one.field}={printed_value(one.value)} ({why})", "bold yellow")
    good = sum(one.verified for one in cited_)
    if good:
        say(console, f"checked: {good} of {len(cited_)} cited values match their readings", "dim")
    elif not cited_:
        say(console, "this answer cites no reading: treat it as an opinion", "yellow")


def moves(console: Console, found: Sequence[Moved], causes: Sequence[str], several: bool) -> None:
    """What changed between two looks."""
    for line in causes:
        say(console, f"  {line}", "bold")
    for move in found:
        at = f"{move.node} " if several and move.node else ""
        field = "" if move.field == "unavailable" else f" {move.field}"
        nothing = "answers" if move.field == "unavailable" else "-"
        was, now = (nothing if one is None else printed_value(one) for one in (move.was, move.now))
        line = f"  {at}{move.tool}{field}: {was} -> {now} ({move.reading})"
        say(console, line, "bold" if move.cited else None)
    if not found:
        say(console, "  no vital sign changed by more than 10 %", "dim")


def runbooks(console: Console, library: Library, shown: Sequence[str]) -> None:
    """The runbooks by name, first those for the findings."""
    books = sorted(library.runbooks, key=lambda book: not set(book.causes) & set(shown))
    for book in books:
        say(console, f"  {book.name}: {book.title}", "bold" if set(book.causes) & set(shown) else None)


def runbook(console: Console, text: str) -> None:
    """A runbook's text."""
    console.print(Markdown(text, hyperlinks=False))
