"""What came of many runs, as text and as JSON."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise

from evals.lab.score import BINS, Run, Share, Total, total

_HEAD = ("", "runs", "right", "top 3", "cited right", "wrong remedy", "fixed", "twins", "median s")


def as_text(runs: Sequence[Run], skipped: Mapping[str, str], model: str, *, interrupted: bool) -> str:
    """Tables of the faults and families, and the totals."""
    lines = [*_table(_HEAD, [_row(name, total(some, runs)) for name, some in _by(runs, "fault").items()]), ""]
    lines += _table(
        ("family", *_HEAD[1:]), [_row(name, total(some, runs)) for name, some in _by(runs, "family").items()]
    )
    lines += ["", *_totals(total(runs), model)]
    for one in runs:
        lines += [f"wrong remedy: {_at(one)}: {action}" for action in one.wrong]
        if one.crashed:
            lines.append(f"crashed: {_at(one)}: {one.crashed}")
        elif one.error:
            lines.append(f"lab error: {_at(one)}: {one.error}")
        elif not one.first:
            lines.append(f"not right: {_at(one)}: {', '.join(one.causes) or one.outcome}, ticket: {one.ticket}")
    lines += [f"skipped: {id}: {why}" for id, why in skipped.items()]
    if interrupted:
        lines.append("interrupted: these are the runs that had finished by then")
    return "\n".join(lines)


def as_json(runs: Sequence[Run], skipped: Mapping[str, str], model: str, *, interrupted: bool) -> str:
    """All of it, and each run."""
    return json.dumps({
        "schema": 1, "model": model, "interrupted": interrupted, "total": total(runs).model_dump(),
        "families": {name: total(some, runs).model_dump() for name, some in _by(runs, "family").items()},
        "faults": {name: total(some, runs).model_dump() for name, some in _by(runs, "fault").items()},
        "skipped": dict(skipped), "runs": [one.model_dump(mode="json") for one in runs],
    }, indent=2)  # fmt: skip


def _by(runs: Iterable[Run], field: str) -> dict[str, list[Run]]:
    found: dict[str, list[Run]] = {}
    for one in runs:
        found.setdefault(str(getattr(one, field)), []).append(one)
    return found


def _row(name: str, of: Total) -> tuple[str, ...]:
    seconds = "-" if of.seconds is None else f"{of.seconds:.1f}"
    shares = (of.first, of.top3, of.verified)
    return (name, str(of.runs), *map(_of, shares), str(of.wrong or "-"), _of(of.fixed), _of(of.twins), seconds)


def _of(share: Share) -> str:
    return f"{share.count}/{share.of}" if share.of else "-"


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> Iterator[str]:
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    for row in (head, *rows):
        name, *cells = (cell.rjust(width) for cell, width in zip(row, widths, strict=True))
        yield "  ".join((name.strip().ljust(widths[0]), *cells)).rstrip()


def _totals(of: Total, model: str) -> Iterator[str]:
    yield f"model                 {model}"
    yield f"first cause right     {_percent(of.first)}"
    yield f"every cause in top 3  {_percent(of.top3)}"
    yield f"every citation holds  {_percent(of.verified)}"
    yield f"false alarms          {_percent(of.false_alarms)} on healthy servers"
    yield f"twins both right      {_percent(of.twins)}"
    yield f"wrong remedies        {of.wrong}"
    yield f"remedies that worked  {_percent(of.fixed)}"
    if of.seconds is not None:
        yield f"median                {of.seconds:.1f} s, {of.commands:.0f} commands"
    if of.brier is not None:
        yield f"Brier score           {of.brier:.4f} (0 is best)"
        ends = dict(pairwise((*BINS, 1.0)))
        shares = (f"{one.least:g}-{ends[one.least]:g}: {one.right:.0%} of {one.count}" for one in of.bins)
        yield f"present, by stated probability  {', '.join(shares)}"


def _percent(share: Share) -> str:
    return f"{share.count / share.of:.1%} ({share.count} of {share.of})" if share.of else "-"


def _at(one: Run) -> str:
    twin = "" if one.ticket_of == one.fault else f", ticket of {one.ticket_of}"
    return f"{' in '.join((f'{one.fault} on {one.kind}', *one.worlds))}, seed {one.seed}{twin}"
