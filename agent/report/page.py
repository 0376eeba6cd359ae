"""The answer as one HTML file that loads nothing: to look at, and to attach to a ticket."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from agent.answer.diagnosis import Cause, Diagnosis, Evidence, RuledOut, Step
from agent.report import charts
from agent.report.deployment import tree
from agent.report.elements import Markup, joined, tag
from agent.report.first_screen import about, capitalized, do_now, stopped
from agent.report.render import (
    cost_line,
    notices,
    only_reported,
    printed_value,
    reading_line,
    shown_evidence,
)
from agent.report.sections import COMMAND
from agent.report.summary import explanation, headline, sentence, what_not_to_do
from tools.records import Reading, Scalar
from tools.text import one_line

STYLE = Path(__file__).with_name("page.css")
POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
"""The browser enforces that it loads and sends nothing, whatever a server's text contains."""
TONES = {"diagnosed": "bad", "no-fault": "good"}
"""The colour of an outcome; those not listed are uncertain."""


def html(answer: Diagnosis) -> str:
    """The whole page."""
    steps = list(do_now(answer))
    words = " ".join(line for line in steps if not line.startswith(COMMAND))
    commands = [line.removeprefix(COMMAND) for line in steps if line.startswith(COMMAND)]
    why = " ".join(sentence(part) for part in (stopped(answer), about(answer), explanation(answer)) if part)
    head = tag(
        "head", tag("meta", charset="utf-8"), tag("meta", http_equiv="Content-Security-Policy", content=POLICY),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("title", f"rediagnose: {_name(answer)}"), tag("style", Markup(STYLE.read_text(encoding="utf-8"))),
    )  # fmt: skip
    dont = capitalized(what_not_to_do(answer))
    top = tag(
        "header", tag("p", _name(answer), class_=f"badge {TONES.get(answer.outcome, 'unsure')}"),
        tag("h1", _words(sentence(headline(answer)))), tag("p", _words(why)),
        tag("p", f"Reported: {_words(answer.symptom or 'nothing in particular')}", class_="soft"),
        tag("p", _target(answer), class_="soft"),
    )  # fmt: skip
    advice = tag(
        "div", tag("section", tag("h2", "Do now"), tag("p", _words(words)),
            *(tag("p", tag("code", _words(line))) for line in commands), class_="card good-edge"),
        tag("section", tag("h2", "Don't"), tag("p", _words(dont)), class_="card bad-edge"),
        class_="pair",
    )  # fmt: skip
    parts = (
        top, advice, *(tag("p", _words(line), class_="notice") for line in notices(answer)), _nodes(answer),
        _blind(answer), _causes("Causes", answer.causes), _plan(answer.plan), *_looks(answer),
        _causes("Less likely", _rest(answer)), _ruled_out(answer.ruled_out), _readings(answer),
        tag("p", _words(cost_line(answer)), class_="soft"),
    )  # fmt: skip
    return f"<!doctype html>\n{tag('html', head, tag('body', tag('main', *parts)), lang='en')}\n"


def _words(text: str) -> str:
    """Text on one line, without control or invisible characters: somebody may print the file in a terminal."""
    return one_line(text)


def _name(answer: Diagnosis) -> str:
    return answer.causes[0].id if answer.causes else answer.outcome


def _target(answer: Diagnosis) -> str:
    target, began = answer.target, next((one.at for one in answer.readings), "")
    met = any(one.tool in ("connect", "ping") and one.values and not one.unavailable for one in answer.readings)
    unknown = "it answered but didn't say what it is" if met else "it didn't answer"
    what = f"{target.server} {target.version}, {target.topology}" if target.server else unknown
    seen = target.looked_at
    extent = f", {seen.answered} of {seen.known} nodes answered" if seen and seen.known > 1 else ""
    return _words(f"{target.url} ({what}{extent}), looked at {began or 'without a reading'}")


def _rest(answer: Diagnosis) -> Sequence[Cause]:
    shown = [cause.id for cause in answer.causes]
    return [cause for cause in answer.findings if cause.id not in shown]


def _section(title: str, *children: Markup, about: str | None = None) -> Markup:
    return tag("section", tag("h2", title), tag("p", about, class_="soft") if about else None, *children)


def _blind(answer: Diagnosis) -> Markup:
    if not answer.unknown:
        return Markup("")
    return _section("Couldn't be seen", tag("ul", *(tag("li", _words(line)) for line in answer.unknown), class_="card"))


def _nodes(answer: Diagnosis) -> Markup:
    drawn = tree(answer)
    return _section("Nodes", tag("pre", "\n".join(map(_words, drawn)), class_="card")) if drawn else Markup("")


def _causes(title: str, causes: Sequence[Cause]) -> Markup:
    return _section(title, *(_cause(cause) for cause in causes)) if causes else Markup("")


def _cause(cause: Cause) -> Markup:
    share = f"{cause.probability:.0%}"
    line = tag(
        "p", tag("strong", cause.id), f" {share}", tag("span", f" at {_words(cause.where)}", class_="soft")
        if cause.where else None,
    )  # fmt: skip
    why = tag("p", _words(f"{cause.why}{only_reported(cause)}"))
    return tag("article", line, charts.meter(cause.probability), why, _evidence(cause.evidence), class_="card")


def _evidence(evidence: Sequence[Evidence]) -> Markup:
    cited = shown_evidence(evidence)
    if not cited:
        return Markup("")
    items = (tag("li", _citation(one)) for one in cited)
    return tag("details", tag("summary", f"Evidence: {len(cited)} value{'s' * (len(cited) != 1)}"), tag("ul", *items))


def _citation(one: Evidence) -> Markup:
    value = tag("code", _words(f"{one.field} = {printed_value(one.value)}"))
    mark = None if one.verified else tag("strong", " not verified", class_="bad")
    return joined(tag("a", one.reading, href=f"#{anchor(one.reading, one.field)}"), " ", value, mark)


def anchor(reading: str, field: str) -> str:
    """The id of a cited value's row."""
    return f"{reading}-{''.join(letter if letter.isalnum() and letter.isascii() else '_' for letter in field)}"


def _plan(plan: Sequence[Step]) -> Markup:
    about = "Nothing is changed until a person approves the exact command."
    return _section("Plan", tag("ol", *(_step(step) for step in plan)), about=about) if plan else Markup("")


def _step(step: Step) -> Markup:
    action = tag("code", _words(step.action)) if step.needs_approval else _words(step.action)
    who = f"{step.risk}, needs approval" if step.needs_approval else "by hand"
    at = f" on {step.node}" if step.node else ""
    facts = (
        ("Why", step.why), ("Now", step.before), ("Undo", step.rollback), ("Check", step.verify),
        ("Not instead", step.avoid),
    )  # fmt: skip
    rows = (joined(tag("dt", name), tag("dd", _words(text))) for name, text in facts if text)
    lines = [joined(tag("dt", "Command"), tag("dd", tag("code", _words(line)))) for line in step.paste]
    shown = [joined(tag("dt", "Shown by"), tag("dd", tag("code", _words(line)))) for line in step.shown_by]
    state = f", {step.state}" if step.state != "proposed" else ""
    return tag(
        "li", tag("p", tag("strong", step.id), " ", action), tag("p", _words(f"{who}{at}{state}"), class_="soft"),
        tag("dl", *lines, *rows, *shown), class_="card",
    )  # fmt: skip


def _looks(answer: Diagnosis) -> Iterator[Markup]:
    """What is drawn: the newest figure of each node that has one."""
    newest = {(one.tool, one.node): one for one in answer.readings if one.values}
    for title, drawn in (
        ("Latency of the connection from here", charts.latency), ("Memory by owner", charts.memory),
        ("What changed", charts.changes),
    ):  # fmt: skip
        figures = [
            tag("figure", tag("figcaption", tag("a", reading.id, href=f"#{reading.id}"), f" {_words(node or '')}"),
                figure)
            for (_, node), reading in newest.items() if (figure := drawn(reading)) is not None
        ]  # fmt: skip
        if figures:
            yield _section(title, tag("div", *figures, class_="figures"))


def _ruled_out(ruled_out: Sequence[RuledOut]) -> Markup:
    if not ruled_out:
        return Markup("")
    items = (tag("li", tag("strong", out.id), f": {_words(out.because)}", _evidence(out.evidence)) for out in ruled_out)
    return _section("Ruled out", tag("details", tag("summary", f"{len(ruled_out)} look-alikes"), tag("ul", *items)))


def _readings(answer: Diagnosis) -> Markup:
    cited = {(one.reading, one.field) for one in _all_cited(answer)}
    taken = (reading for reading in answer.readings if reading.tool != "symptom")
    return _section("Readings", *(_reading(reading, cited) for reading in taken), about="The cited values are marked.")


def _all_cited(answer: Diagnosis) -> Iterable[Evidence]:
    for cause in (*answer.causes, *answer.findings):
        yield from cause.evidence
    for out in answer.ruled_out:
        yield from out.evidence


def _reading(reading: Reading, cited: set[tuple[str, str]]) -> Markup:
    lost = reading.unavailable
    why = tag("p", _words(f"{lost.kind}: {lost.detail}"), class_="bad") if lost else None
    rows = [_row(reading.id, field, value, cited) for field, value in (reading.values or {}).items()]
    if lost:
        rows.insert(0, _row(reading.id, "unavailable", lost.kind, cited))
    of = tag("span", f" {_words(reading.node)}", class_="soft") if reading.node else None
    # A link to a row opens the fold it is in.
    table = tag("div", tag("table", tag("tbody", *rows)), id=reading.id)
    head = tag("summary", tag("code", _words(reading_line(reading, spark=False))), of)
    return tag("details", head, tag("p", f"{reading.at}, {_words(_arguments(reading))}", class_="soft"), why, table)


def _arguments(reading: Reading) -> str:
    given = ", ".join(f"{name}={value}" for name, value in reading.args.items())
    return f"{reading.tool} with {given}" if given else reading.tool


def _row(reading: str, field: str, value: Scalar, cited: set[tuple[str, str]]) -> Markup:
    is_cited = (reading, field) in cited
    return tag(
        "tr", tag("th", _words(field), scope="row"), tag("td", _words(printed_value(value))),
        id=anchor(reading, field) if is_cited else None, class_="cited" if is_cited else None,
    )  # fmt: skip
