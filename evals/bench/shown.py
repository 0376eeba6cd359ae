"""A run of the bench as text, and its growth table in Markdown."""

from collections.abc import Iterable, Iterator, Sequence

from evals.bench.records import Gate, Part, Report, Row

COLUMNS = ("size", "way", "CPU s", "wall s", "MB", "commands", "served ms", "longest ms", "cycle ms", "answer")


def as_text(report: Report) -> str:
    """Part by part, and what it comes to in the last line."""
    lines = [_head(report)]
    for part in report.parts:
        lines += ["", f"{part.name} ({part.seconds:.0f} s)", *_part(part)]
    return "\n".join([*lines, "", conclusion(report)])


def conclusion(report: Report) -> str:
    """What it comes to, in a line."""
    gates = [gate for part in report.parts for gate in part.gates]
    counts = {
        outcome: sum(gate.outcome == outcome for gate in gates) for outcome in ("held", "broken", "can't tell here")
    }
    said = ", ".join(f"{count} {outcome}" for outcome, count in counts.items() if count) or "nothing was measured"
    return f"{'interrupted: ' if report.interrupted else ''}{said}"


def growth(report: Report) -> str:
    """The growth tables in Markdown, with the machine and the day that they're of."""
    lines = [_head(report)]
    for part in report.parts:
        if part.rows:
            lines += ["", f"| {' | '.join(COLUMNS)} |", f"|---|---|{'--:|' * (len(COLUMNS) - 3)}---|"]
            lines += [f"| {' | '.join(_cells(row))} |" for row in part.rows]
        lines += (
            [line for gate in part.gates for line in ("", f"{_gate(gate)}.")] if part.name.startswith("beside") else []
        )
    return "\n".join(lines)


def _head(report: Report) -> str:
    return (
        f"{report.at[:10]}, {report.server}, on {report.machine}, with a load of {report.load:.1f} when it began and "
        f"{report.yardstick:.0f} ms of CPU for `python -c pass`."
    )


def _part(part: Part) -> Iterator[str]:
    if part.rows:
        yield from (f"  {line}" for line in aligned([COLUMNS, *map(_cells, part.rows)]))
    yield from (f"  {_gate(gate)}" for gate in part.gates)
    yield from (f"  {note}" for note in part.notes)


def _gate(gate: Gate) -> str:
    unit = f" {gate.unit}" if gate.unit else ""
    line = f"{gate.outcome}: {gate.name}"
    if gate.value is None:
        return f"{line}: not measured: {gate.why}"
    measured = f"{_figure(gate.value)}{unit}"
    if gate.low is not None and gate.high is not None and gate.low != gate.high:
        measured += f" ({_figure(gate.low)} to {_figure(gate.high)})"
    bound = f"at most {_figure(gate.limit)}" + ("" if gate.exact else f", held up to {_figure(gate.line)}")
    return f"{line}: {measured}, {bound}{f'; {gate.why}' if gate.why else ''}"


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.4g}"


def _cells(row: Row) -> tuple[str, ...]:
    return (
        row.size, row.way, f"{row.cpu:.2f}", f"{row.wall:.2f}", _some(row.memory, ".0f"), _some(row.commands, "d"),
        _some(row.served, ".1f"), _some(row.longest, ".2f"), _some(row.cycle, ".2f"), row.answer or "-",
    )  # fmt: skip


def _some(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)


def aligned(rows: Iterable[Sequence[str]]) -> list[str]:
    """Rows of cells as lines whose columns stand below each other; figures to the right."""
    rows = list(rows)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    left = (0, 1, len(widths) - 1)
    return [
        "  ".join(
            cell.ljust(width) if at in left else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
