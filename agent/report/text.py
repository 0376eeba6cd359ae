"""The answer as text: on one screen, with its evidence, or with all readings."""

from collections.abc import Iterator, Mapping, Sequence

from agent.answer.diagnosis import Cause, Diagnosis
from agent.report.detail import QUIET, READINGS, SCREEN
from agent.report.first_screen import END, colophon, first_screen, one_liner, whole_screen
from agent.report.render import brackets, cost_line, failover_lines, notices, only_reported, reading_parts, step_lines
from agent.report.sections import COMMAND, Styled
from agent.report.wrapping import command_lines, wrapped
from tools.text import one_line

WIDTH = 80
"""Columns to assume if their number is unknown."""
HANGS = 2
"""Columns by which continuation lines are indented."""


def text_lines(
    answer: Diagnosis, *, detail: int = SCREEN, width: int = WIDTH, spark: bool = False,
    revealed: Mapping[str, str] | None = None,
) -> list[Styled]:  # fmt: skip
    """The answer's lines, none wider than `width`; a line break in a value would start a line that looks like ours."""
    if detail <= QUIET:
        lines = [Styled(one_liner(answer))]
    elif detail == SCREEN:
        lines = first_screen(answer, width)
    else:
        lines = [*whole_screen(answer, width), *(Styled(row) for row in _below(answer, detail, width, spark))]
    if revealed:
        # This is searched for and copied verbatim, so it isn't wrapped.
        lines += [Styled(""), Styled("Handles"), *(Styled(f"  {name} = {text!r}") for name, text in revealed.items())]
    return [line._replace(text=one_line(line.text)) for line in lines]


def text(
    answer: Diagnosis, *, detail: int = SCREEN, width: int = WIDTH, revealed: Mapping[str, str] | None = None
) -> str:  # fmt: skip
    """The answer as plain text."""
    return "\n".join(line.text for line in text_lines(answer, detail=detail, width=width, revealed=revealed))


def _below(answer: Diagnosis, detail: int, width: int, spark: bool) -> Iterator[str]:
    for line in _evidence(answer):
        yield from _hung(line, width)
    if detail >= READINGS:
        yield "Readings"
        yield from _readings(answer, width, spark)
        yield ""
    yield from wrapped(f"{END} {colophon(answer)}", width)
    yield from wrapped(cost_line(answer), width)


def _evidence(answer: Diagnosis) -> Iterator[str]:
    several = len(answer.target.nodes) > 1
    yield from ["", f"Reported: {one_line(answer.symptom) or '(nothing)'}", ""]
    if notes := notices(answer):
        yield from ["Note", *(f"  {line}" for line in notes), ""]
    if answer.evidence:
        yield from (f"{answer.outcome} rests on", f"       {brackets(answer.evidence)}", "")
    yield from _causes("Evidence", answer.causes, several, is_told=True)
    shown = [cause.id for cause in answer.causes]
    rest = [cause for cause in answer.findings if cause.id not in shown]
    yield from _causes("Less likely" if answer.model.alone else "What else the checks found", rest, several)
    yield from failover_lines(answer)
    if answer.plan:
        yield "Plan (nothing is changed without your approval)"
        for step in answer.plan:
            yield from step_lines(step, several)
        yield ""
    if answer.ruled_out:
        yield "Ruled out"
        yield from (f"  {out.id}: {out.because} {brackets(out.evidence)}".rstrip() for out in answer.ruled_out)
        yield ""


def _causes(title: str, causes: Sequence[Cause], several: bool, *, is_told: bool = False) -> Iterator[str]:
    """Causes with what they cite; `is_told` means that the first one's reason is already given above."""
    if not causes:
        return
    yield title
    for number, cause in enumerate(causes):
        at = f" at {cause.where}" if several and cause.where else ""
        why = "" if is_told and not number else f": {cause.why}{only_reported(cause)}"
        yield f"  {cause.probability:>4.0%} {cause.id}{at}{why}"
        if cause.evidence:
            yield f"       {brackets(cause.evidence)}"
    yield ""


def _readings(answer: Diagnosis, width: int, spark: bool) -> Iterator[str]:
    """One line each, node by node if there are several."""
    taken = [reading for reading in answer.readings if reading.tool != "symptom"]
    nodes = list(dict.fromkeys(reading.node for reading in taken))
    several, known = len(answer.target.nodes) > 1, answer.target.nodes
    for node in sorted(nodes, key=lambda name: known.index(name) if name in known else -1):
        if several:
            yield f" {node or 'the deployment'}"
        for reading in taken:
            if reading.node == node:
                head, figures = reading_parts(reading, spark)
                yield from wrapped(figures, width, head)
    if several and (untold := len(set(known) - set(nodes))):
        yield from wrapped(f"{untold} more nodes on which nothing was found; --all-readings lists them too", width)


def _hung(line: str, width: int) -> list[str]:
    """A line broken into lines with indented continuations; a command stays valid for a shell."""
    line = one_line(line)
    words = line.lstrip(" ")
    lead = " " * (len(line) - len(words))
    if words.startswith(COMMAND):
        return command_lines(words.removeprefix(COMMAND), width, f"{lead}{COMMAND}", f"{lead}    ")
    return wrapped(words, width, lead, lead + " " * HANGS) if words else [""]
