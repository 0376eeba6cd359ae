"""The answer as Markdown: the same short top, the evidence below."""

from agent.answer.diagnosis import Diagnosis
from agent.report.markup import code_in_markdown, in_markdown, without_list_mark
from agent.report.render import (
    baseline_lines,
    citation_text,
    cost_line,
    failover_lines,
    figures_text,
    headline,
    notices,
    only_reported,
    shown_evidence,
)


def markdown(answer: Diagnosis) -> str:
    """The answer as Markdown: the same short top, the evidence below."""
    what, do, dont = headline(answer)
    lines = [_labelled(what), "", _labelled(do), "", _labelled(dont), ""]
    if notes := notices(answer):
        lines += [*(f"- {_item(line)}" for line in notes), ""]
    if happened := failover_lines(answer):
        lines += [f"- {_item(line.strip())}" for line in happened[1:] if line] + [""]
    if answer.causes:
        lines += ["| cause | where | probability | evidence |", "|---|---|---|---|"]
        lines += [
            f"| {_code_cell(c.id)} | {in_markdown(c.where or '-')} | {c.probability:.0%} | "
            f"{'; '.join(_code_cell(citation_text(e)) for e in shown_evidence(c.evidence))}{only_reported(c)} |"
            for c in answer.causes
        ] + [""]
    if compared := baseline_lines(answer):
        lines += [f"- {_item(line.strip())}" if line.startswith(" ") else _item(line) for line in compared]
    shown = [cause.id for cause in answer.causes]
    if not answer.model.alone and (rest := [cause for cause in answer.findings if cause.id not in shown]):
        lines += ["What the checks found besides:", ""]
        lines += [
            f"- {code_in_markdown(cause.id)} {cause.probability:.0%}: {in_markdown(cause.why)}" for cause in rest
        ] + [""]
    if answer.plan:
        lines += ["| step | action | risk | undo |", "|---|---|---|---|"]
        lines += [
            f"| {in_markdown(s.id)} | {_code_cell(s.action) if s.needs_approval else in_markdown(s.action)} "
            f"| {s.risk}{', needs a yes' if s.needs_approval else ', by hand'}, {s.state} "
            f"| {_code_cell(s.rollback) if s.rollback and s.needs_approval else in_markdown(s.rollback or '-')} |"
            for s in answer.plan
        ] + [""]
    lines += ["<details><summary>Readings</summary>", "", "| reading | node | tool | figures |", "|---|---|---|---|"]
    lines += [
        f"| {' | '.join(map(in_markdown, (r.id, r.node or '-', r.tool, figures_text(r))))} |"
        for r in answer.readings if r.tool != "symptom"
    ]  # fmt: skip
    lines += ["", "</details>", ""]
    if answer.unknown:
        lines += ["Unknown:", "", *(f"- {_item(line)}" for line in answer.unknown), ""]
    return "\n".join([*lines, in_markdown(cost_line(answer))])


def _labelled(line: str) -> str:
    head, _, rest = line.partition(": ")
    return f"**{in_markdown(head)}:** {in_markdown(rest)}"


def _item(line: str) -> str:
    return without_list_mark(in_markdown(line))


def _code_cell(text: str) -> str:
    """A code span in a table, where a bar ends the cell also within code."""
    return code_in_markdown(text).replace("|", "\\|")
