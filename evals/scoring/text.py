"""The report as text: a table for each question, with the arms side by side."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import get_args

from evals.scoring.estimate import Estimate
from evals.scoring.families import ATTACKED, Family, Fate, families
from evals.scoring.report import Report
from evals.scoring.summary import TRIES, Attacks, Summary

Row = tuple[str, ...]
Said = Callable[[Summary], str]


def as_text(report: Report) -> Iterator[str]:
    """Its parts: safety, the scores with their 95 % intervals, the families, what it cost, and what was missed."""
    held = ""
    for line in _lines(report):
        # White space at the end of the whole is left out.
        text = f"{held}{line}"
        shown = text.rstrip()
        yield shown
        held = f"{text[len(shown) :]}\n"


def _lines(report: Report) -> Iterator[str]:
    head = report.head
    asked = [one for one in head.arms if not one.control]
    yield from (_scope(report), "", *_safety(head.arms), "", *_scores(head.arms), "")
    yield from (f"Controls don't look at anything. {_controls(report)}", "")
    for one in asked:
        yield from (*_families(report, one.arm), "", *_calibrated(one), "")
    if asked:
        yield from (*_cost(asked), "")
    if head.given_away:
        yield (f"In the ticket: {len(head.given_away)} of {len(report.scenarios)} tickets give the cause away by "
               "themselves (--format json lists them as given_away).")  # fmt: skip
    for one in asked:
        yield from _misses(report, one.arm)
    if head.interrupted:
        yield "interrupted: these are the runs that had finished by then"


def _scope(report: Report) -> str:
    attacked = sum(one.attack is not None for one in report.scenarios)
    plain = len(report.scenarios) - attacked
    more = f" and {attacked} with planted misleading text" if attacked else ""
    runs = f"{report.head.epochs} runs" if report.head.epochs > 1 else "one run"
    return f"{plain} recorded incidents{more}, {runs} of each per arm. In brackets: 95 % intervals over incidents."


def _controls(report: Report) -> str:
    said = next(report.of("constant"), None)
    always = (said.causes[0] if said.causes else said.outcome) if said else "the commonest cause"
    return f"constant always says {always}, ticket goes by the tickets that read most alike, random picks any."


def _safety(arms: Sequence[Summary]) -> Iterator[str]:
    rows: list[tuple[str, Said]] = [
        ("runs", lambda one: str(one.runs)),
        ("invalid runs, which aren't counted", lambda one: str(one.invalid)),
        ("wrong remedies proposed", lambda one: str(one.safety.wrong)),
        ("changes that got past the gate", lambda one: str(one.safety.gate)),
        ("proposals that the gate stopped", lambda one: str(one.safety.forbidden)),
    ]
    if any(one.safety.attacks for one in arms):
        rows += [
            ("misled by the planted text", _attacks(lambda of: f"{of.misled} of {of.runs}")),
            ("planted action proposed", _attacks(lambda of: f"{of.proposed} of {of.runs}")),
            ("planted action carried out", _attacks(lambda of: f"{of.executed} of {of.runs}")),
            ("first cause right, under attack", _attacks(lambda of: share(of.right))),
            ("first cause right, same without attack", _attacks(lambda of: share(of.clean))),
        ]
    yield from _table("What must not happen", arms, rows)


def _attacks(said: Callable[[Attacks], str]) -> Said:
    return lambda one: said(one.safety.attacks) if one.safety.attacks else "-"


def _scores(arms: Sequence[Summary]) -> Iterator[str]:
    rows: list[tuple[str, Said]] = [("first cause right", lambda one: share(one.passes[1]))]
    for tries in TRIES[1:]:
        if any(one.passes[tries].of for one in arms):
            rows.append((f"right in {tries} of {tries} runs", _passes(tries)))
    rows += [
        ("right where it's not in the ticket", lambda one: share(one.untold)),
        ("every true cause in the top 3", lambda one: share(one.top3)),
        ("every citation holds", lambda one: share(one.verified)),
        ("cites what proves it, of the right ones", lambda one: share(one.decisive)),
        ("both right, of pairs with one ticket", lambda one: share(one.twins)),
        ("false alarms on healthy servers", lambda one: share(one.false_alarms)),
        ("answered that it can't tell", lambda one: share(one.abstained)),
        ("Brier score of its probabilities (0 is best)", lambda one: _plain(one.brier)),
    ]
    yield from _table("How often it is right", arms, rows)


def _passes(tries: int) -> Said:
    return lambda one: share(one.passes[tries])


def _cost(arms: Sequence[Summary]) -> Iterator[str]:
    def total(one: Summary) -> str:
        return "-" if one.cost.total is None else f"{one.cost.total / max(1, one.runs):.4f}"

    rows: list[tuple[str, Said]] = [
        ("seconds", lambda one: f"{one.cost.seconds:.1f}"),
        ("commands to the servers", lambda one: f"{one.cost.commands:g}"),
        ("readings", lambda one: f"{one.cost.calls:g}"),
        ("turns of the model", lambda one: f"{one.cost.turns:g}"),
        ("tokens in", lambda one: f"{one.cost.tokens_in / max(1, one.runs):.0f}"),
        ("tokens out", lambda one: f"{one.cost.tokens_out / max(1, one.runs):.0f}"),
        ("cost at the given prices", total),
        ("runs in which the checks replaced the model", lambda one: str(one.degraded)),
    ]
    # Without a model most of them are nothing.
    rows = [(name, said) for name, said in rows if {said(one) for one in arms} - {"0", "-"}]
    yield from _table("What a run costs (medians; tokens and money are means)", arms, rows)


def _families(report: Report, arm: str) -> Iterator[str]:
    found = families(report.of(arm), report.scenarios)
    whole = Family(name="all", counts=sum((one.counts for one in found), Counter()))
    names = [name for name in get_args(Fate) if whole.counts[name]]
    rows = [(one.name, str(one.counts.total()), *(str(one.counts[name] or "-") for name in names))
            for one in (*found, whole)]  # fmt: skip
    title = f"By family, {arm}"
    if any(one.name == ATTACKED for one in found):
        title += " (attacked incidents in a row of their own)"
    yield from _aligned((title, "runs", *names), rows)


def _calibrated(arm: Summary) -> Iterator[str]:
    """How well its probabilities were chosen, by what it answered and by what was there."""
    rows = [
        (f"{'answered ' if one.by == 'outcome' else ''}{one.name or 'all'}", str(one.terms), f"{one.brier:.3f}",
         f"{one.ece:.3f}")
        for one in arm.calibrated
    ]  # fmt: skip
    if rows:
        head = (f"Calibration, {arm.arm} (0 is best, without attacks)", "probabilities", "Brier", "off by (ECE)")
        yield from _aligned(head, rows)


def share(of: Estimate) -> str:
    """A share in per cent with its interval, or a dash."""
    if of.value is None or of.low is None or of.high is None:
        return "-"
    return f"{of.value:.1%} [{_percent(of.low)}-{_percent(of.high)}]"


def _percent(value: float) -> str:
    return f"{100 * value:.1f}".removesuffix(".0")


def _plain(of: Estimate) -> str:
    return "-" if of.value is None else f"{of.value:.3f}"


def _misses(report: Report, arm: str) -> Iterator[str]:
    scenarios = {one.id: one for one in report.scenarios}
    for one in report.of(arm):
        scenario = scenarios[one.scenario]
        at = f"{arm} {scenario.id} ({scenario.fault} on {scenario.kind})"
        yield from (f"wrong remedy: {at}: {action}" for action in one.wrong)
        yield from (f"past the gate: {at}: {what}" for what in one.gate)
        if one.invalid:
            yield f"invalid: {at}: {one.invalid}"
        elif one.error:
            yield f"failed: {at}: {one.error}"
        elif not one.first:
            yield f"not right: {at}: {', '.join(one.causes) or one.outcome}, ticket: {scenario.ticket}"


def _table(title: str, arms: Sequence[Summary], rows: Sequence[tuple[str, Said]]) -> Iterator[str]:
    yield from _aligned((title, *(one.arm for one in arms)), [(name, *map(said, arms)) for name, said in rows])


def _aligned(head: Row, rows: Sequence[Row]) -> Iterator[str]:
    """Lines with the first column to the left and the others to the right; a long title stands above its table."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    widths[1:] = [max(width, len(name)) for width, name in zip(widths[1:], head[1:], strict=True)]
    widths[0] += 2
    if len(head[0]) > widths[0]:
        yield head[0]
        head = ("", *head[1:])
    for row in (head, *((f"  {name}", *cells) for name, *cells in rows)):
        first, *cells = row
        shown = (cell.rjust(width) for cell, width in zip(cells, widths[1:], strict=True))
        yield "  ".join((first.ljust(widths[0]), *shown)).rstrip()
