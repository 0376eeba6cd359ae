"""The report as one HTML file that loads nothing."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from agent.report.elements import Child, Markup, joined, tag
from evals.scoring import plots
from evals.scoring.estimate import Estimate
from evals.scoring.report import Report
from evals.scoring.result import Result
from evals.scoring.scenario import Scenario
from evals.scoring.summary import Summary

STYLE = Path(__file__).with_name("page.css")
POLICY = "default-src 'none'; style-src 'unsafe-inline'"
"""The browser holds it to loading nothing, whatever a recording brought in."""
MISSES = Markup("<!-- misses -->")
"""Where the misses come: no text on the page can hold it, since text is escaped."""


def as_html(report: Report) -> Iterator[str]:
    """The parts of the page: safety first. A miss is as long as what happened, so each is a part of its own."""
    asked = [one for one in report.head.arms if not one.control]
    unit, dots = plots.cost(report.head.arms)
    head = tag(
        "head", tag("meta", charset="utf-8"), tag("meta", http_equiv="Content-Security-Policy", content=POLICY),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("title", "rediagnose eval"), tag("style", Markup(STYLE.read_text(encoding="utf-8"))),
    )  # fmt: skip
    body = tag(
        "main", tag("h1", "rediagnose eval"), tag("p", _scope(report), class_="soft"),
        tag("p", "Interrupted: these are the runs that had finished by then.", class_="notice")
        if report.head.interrupted else None,
        _section("Safety", "What must not happen, over all runs.", _safety(report.head.arms)),
        _section("Scores", "Shares of incidents with 95 % intervals. The last arms are controls: they look at nothing.",
                 _scores(report.head.arms)),
        _section("Cost", "Medians of one run; tokens and cost are means.", _cost(asked)),
        tag("h2", "Cost and calibration"),
        tag("div", _figure(f"Cause first against {unit}", dots),
            _figure("Calibration", plots.calibration(asked)), class_="plots"),
        *(_calibrated(one) for one in asked if one.calibrated), *(_confusion(one) for one in asked),
        _given_away(report), *_misses_around(report),
    )  # fmt: skip
    start, _, end = f"<!doctype html>\n{tag('html', head, tag('body', body), lang='en')}\n".partition(MISSES)
    yield start
    yield from (_miss(one, scenario) for one, scenario in _missed(report))
    yield end


def _scope(report: Report) -> str:
    text = f"{len(report.scenarios)} scenarios, {report.head.epochs} runs of each per arm"
    return text + (f", selected by {report.head.selected}" if report.head.selected else "")


def _section(title: str, about: str, table: Markup) -> Markup:
    return joined(tag("h2", title), tag("p", about, class_="soft"), tag("div", table, class_="card"))


def _figure(caption: str, plot: Markup) -> Markup:
    return tag("figure", tag("figcaption", caption), plot, class_="card")


def _table(head: Sequence[str], rows: Sequence[Markup], class_: str | None = None) -> Markup:
    heads = tag("thead", tag("tr", *(tag("th", name, scope="col") for name in head)))
    return tag("table", heads, tag("tbody", *rows), class_=class_)


def _row(one: Summary, *cells: Child) -> Markup:
    shown = (cell if isinstance(cell, Markup) else tag("td", cell) for cell in cells)
    return tag("tr", tag("th", one.arm, scope="row"), *shown, class_="control" if one.control else None)


def _harm(count: int, of: int | None = None) -> Markup:
    return tag("td", str(count) if of is None else f"{count} of {of}", class_="bad" if count else "good")


def _share(of: Estimate) -> Markup:
    if of.value is None or of.low is None or of.high is None:
        return tag("td", "-")
    return tag("td", f"{of.value:.1%}", tag("small", f"{100 * of.low:.1f}-{100 * of.high:.1f}"), title=f"over {of.of}")


def _safety(arms: Sequence[Summary]) -> Markup:
    head = ("arm", "runs", "invalid", "wrong remedies", "past the gate", "stopped by policy", "misled",
            "planted action proposed", "executed", "right under attack", "right without")  # fmt: skip
    rows = []
    for one in arms:
        safe, attacks = one.safety, one.safety.attacks
        cells: list[Child] = [one.runs, one.invalid, _harm(safe.wrong), _harm(safe.gate), safe.forbidden]
        if attacks is None:
            cells += ["-"] * 5
        else:
            cells += [_harm(count, attacks.runs) for count in (attacks.misled, attacks.proposed, attacks.executed)]
            cells += [_share(attacks.right), _share(attacks.clean)]
        rows.append(_row(one, *cells))
    return _table(head, rows)


def _scores(arms: Sequence[Summary]) -> Markup:
    head = ("arm", "first cause right", "4 of 4 runs right", "8 of 8 runs right", "right where it's not in the ticket",
            "every cause in the top 3", "every citation holds", "cites what proves it", "both right, of pairs with "
            "one ticket", "false alarms", "can't tell", "Brier score (0 is best)")  # fmt: skip
    rows = []
    for one in arms:
        shares = (one.untold, one.top3, one.verified, one.decisive, one.twins, one.false_alarms, one.abstained)
        brier = "-" if one.brier.value is None else f"{one.brier.value:.3f}"
        rows.append(_row(one, *map(_share, (*one.passes.values(), *shares)), brier))
    return _table(head, rows)


def _cost(arms: Sequence[Summary]) -> Markup:
    head = ("arm", "turns", "readings", "commands", "seconds", "tokens in", "tokens out", "cost", "checks stood in")
    rows = []
    for one in arms:
        cost, runs = one.cost, max(1, one.runs)
        total = "-" if cost.total is None else f"{cost.total / runs:.4f}"
        tokens = (f"{count / runs:.0f}" for count in (cost.tokens_in, cost.tokens_out))
        figures = (f"{figure:g}" for figure in (cost.turns, cost.calls, cost.commands, cost.seconds))
        rows.append(_row(one, *figures, *tokens, total, one.degraded))
    return _table(head, rows)


def _calibrated(one: Summary) -> Markup:
    rows = [
        tag("tr", tag("th", f"{'answered ' if part.by == 'outcome' else ''}{part.name or 'all'}", scope="row"),
            *(tag("td", text) for text in (str(part.terms), f"{part.brier:.3f}", f"{part.ece:.3f}")))
        for part in one.calibrated
    ]  # fmt: skip
    return _section(
        f"Calibration: {one.arm}", "By what was answered and by family, attacked incidents left out; 0 is best.",
        _table(("", "probabilities", "Brier", "off by (ECE)"), rows),
    )  # fmt: skip


def _confusion(one: Summary) -> Markup:
    counts = {(cell.expected, cell.answered): cell.count for cell in one.confusion}
    expected = sorted({row for row, _ in counts})
    answered = sorted({column for _, column in counts})
    rows = []
    for row in expected:
        total = sum(counts.get((row, column), 0) for column in answered)
        cells = (_heat(counts.get((row, column), 0), total, right=row == column) for column in answered)
        rows.append(tag("tr", tag("th", row, scope="row"), *cells, tag("td", str(total))))
    whole = [sum(counts.get((row, column), 0) for row in expected) for column in answered]
    sums = (tag("td", str(count)) for count in (*whole, sum(whole)))
    rows.append(tag("tr", tag("th", "all", scope="row"), *sums))
    return _section(
        f"Families: {one.arm}", "Rows are the true causes, columns the first answers; attacked incidents are left out.",
        _table(("", *answered, "all"), rows, "confusion"),
    )  # fmt: skip


def _heat(count: int, total: int, *, right: bool) -> Markup:
    if not count:
        return tag("td", "")
    style = f"background: rgba(var(--heat), {0.08 + 0.5 * count / total:.2f})"
    return tag("td", str(count), style=style, class_=None if right else "bad")


def _given_away(report: Report) -> Markup:
    if not report.head.given_away:
        return Markup("")
    about = "The ticket alone gives these away: being right on them proves little."
    return joined(tag("h2", "Given away by the ticket alone"), tag("p", about, class_="soft"),
                  tag("p", ", ".join(report.head.given_away)))  # fmt: skip


def _misses_around(report: Report) -> Iterator[Markup]:
    count = sum(1 for _ in _missed(report))
    yield tag("h2", f"Misses ({count})" if count else "Misses")
    yield tag("div", MISSES, class_="card") if count else tag("p", "None.")


def _missed(report: Report) -> Iterator[tuple[Result, Scenario]]:
    controls = {one.arm for one in report.head.arms if one.control}
    scenarios = {one.id: one for one in report.scenarios}
    for one in report.results:
        if one.arm not in controls and (one.invalid or not one.first or not one.safe):
            yield one, scenarios[one.scenario]


def _miss(one: Result, scenario: Scenario) -> Markup:
    answer = ", ".join(one.causes) or one.outcome or "nothing"
    truth = ", ".join(scenario.expected)
    head = tag("summary", tag("b", scenario.id), f" {one.arm}: {answer} instead of {truth} ", *_verdicts(one))
    about = f"{scenario.fault} on {scenario.kind}, seed {scenario.seed}, run {one.epoch + 1}. Ticket: {scenario.ticket}"
    lines = [*one.wrong, *one.gate, *((one.invalid,) if one.invalid else ())]
    return tag(
        "details", head, tag("p", about, class_="soft"), *(tag("p", line, class_="bad") for line in lines),
        tag("pre", "\n".join(one.trail) or "nothing happened"),
    )  # fmt: skip


def _verdicts(one: Result) -> Iterator[Markup]:
    wrongs = {
        "invalid": one.invalid, "wrong remedy": one.wrong, "past the gate": one.gate, "failed": one.error,
        "misled": one.attack and one.attack.misled, "planted action": one.attack and one.attack.proposed,
    }  # fmt: skip
    for name, is_so in wrongs.items():
        if is_so:
            yield tag("span", f"{name} ", class_="bad")
