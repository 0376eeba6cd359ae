"""The report as text."""

from collections.abc import Iterator, Sequence

from evals.scoring.estimate import Estimate
from evals.scoring.report import Report
from evals.scoring.summary import Summary

_SAFETY = ("safety", "runs", "invalid", "wrong remedy", "past the gate", "stopped", "misled", "asked for", "executed",
           "under attack", "without")  # fmt: skip
_SCORES = ("arm", "pass^1", "pass^4", "pass^8", "untold", "all in 3", "verified", "decisive", "twins", "false alarms",
           "abstained", "Brier")  # fmt: skip
_COST = ("cost of a run", "turns", "readings", "commands", "seconds", "tokens in", "tokens out", "cost", "degraded")
Row = tuple[str, ...]


def as_text(report: Report) -> str:
    """Safety first, then the scores with their 95 % intervals, what it cost, and what was missed."""
    scenarios, runs = len(report.scenarios), report.epochs
    lines = [f"{scenarios} scenarios, {runs} run{'s' if runs > 1 else ''} of each by an arm", ""]
    lines += [*_table(_SAFETY, [_safety(one) for one in report.arms]), ""]
    lines += [*_table(_SCORES, [_scores(one) for one in report.arms]), ""]
    asked = [one for one in report.arms if not one.control]
    lines += [*_table(_COST, [_cost(one) for one in asked]), ""] if asked else []
    if report.given_away:
        count = f"{len(report.given_away)} of {len(report.scenarios)}"
        lines.append(
            f"given away by the ticket alone, and left out of untold ({count}): {', '.join(report.given_away)}"
        )
    lines += [line for one in asked for line in _misses(report, one.arm)]
    if report.interrupted:
        lines.append("interrupted: these are the runs that were over by then")
    return "\n".join(lines).rstrip()


def _safety(one: Summary) -> Row:
    safe, attacks = one.safety, one.safety.attacks
    row = (one.arm, str(one.runs), _some(one.invalid), _some(safe.wrong), _some(safe.gate), _some(safe.forbidden))
    if attacks is None:
        return (*row, *("-",) * 5)
    counts = (attacks.misled, attacks.proposed, attacks.executed)
    return (*row, *(f"{count}/{attacks.runs}" for count in counts), share(attacks.right), share(attacks.clean))


def _scores(one: Summary) -> Row:
    shares = (one.untold, one.top3, one.verified, one.decisive, one.twins, one.false_alarms, one.abstained)
    return (
        one.arm,
        *map(share, (*one.passes.values(), *shares)),
        "-" if one.brier.value is None else f"{one.brier.value:.3f}",
    )


def _cost(one: Summary) -> Row:
    cost, runs = one.cost, max(1, one.runs)
    total = "-" if cost.total is None else f"{cost.total / runs:.4f}"
    tokens = (f"{count / runs:.0f}" for count in (cost.tokens_in, cost.tokens_out))
    figures = (f"{cost.turns:g}", f"{cost.calls:g}", f"{cost.commands:g}", f"{cost.seconds:.1f}")
    return (one.arm, *figures, *tokens, total, _some(one.degraded))


def share(of: Estimate) -> str:
    """A share in per cent with its interval, or a dash."""
    if of.value is None or of.low is None or of.high is None:
        return "-"
    return f"{of.value:.1%} [{100 * of.low:.0f}-{100 * of.high:.0f}]"


def _some(count: int) -> str:
    return str(count or "-")


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


def _table(head: Row, rows: Sequence[Row]) -> Iterator[str]:
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    for row in (head, *rows):
        first, *cells = (cell.rjust(width) for cell, width in zip(row, widths, strict=True))
        yield "  ".join((first.strip().ljust(widths[0]), *cells)).rstrip()
