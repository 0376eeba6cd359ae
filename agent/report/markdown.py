"""The answer as Markdown: the same short top, with the evidence below."""

from collections.abc import Iterator

from agent.answer.diagnosis import Diagnosis
from agent.report.changes import changes, silent_sources
from agent.report.deployment import tree
from agent.report.first_screen import END, about, also, colophon, do_now, not_seen, stopped
from agent.report.markup import code_in_markdown, in_markdown, without_list_mark
from agent.report.render import (
    citation_text,
    cost_line,
    failover_lines,
    figures_text,
    notices,
    only_reported,
    shown_evidence,
)
from agent.report.sections import COMMAND
from agent.report.summary import explanation, headline, seen_evidence, sentence, what_not_to_do
from agent.report.words import all_in_words
from tools.text import one_line


def markdown(answer: Diagnosis) -> str:
    """The answer as Markdown: the same short top, with the evidence below."""
    lines = [*_top(answer)]
    if happened := failover_lines(answer):
        lines += [f"- {_item(line.strip())}" for line in happened[1:] if line] + [""]
    if answer.causes:
        lines += ["| cause | where | probability | evidence |", "|---|---|---|---|"]
        lines += [
            f"| {_code_cell(c.id)} | {in_markdown(c.where or '-')} | {c.probability:.0%} | "
            f"{'; '.join(_code_cell(citation_text(e)) for e in shown_evidence(c.evidence))}{only_reported(c)} |"
            for c in answer.causes
        ] + [""]
    shown = [cause.id for cause in answer.causes]
    if not answer.model.alone and (rest := [cause for cause in answer.findings if cause.id not in shown]):
        lines += ["What else the checks found:", ""]
        lines += [
            f"- {code_in_markdown(cause.id)} {cause.probability:.0%}: {in_markdown(cause.why)}" for cause in rest
        ] + [""]
    if answer.plan:
        lines += ["| step | action | risk | undo |", "|---|---|---|---|"]
        lines += [
            f"| {in_markdown(s.id)} | {_code_cell(s.action) if s.needs_approval else in_markdown(s.action)} "
            f"| {s.risk}{', needs approval' if s.needs_approval else ', by hand'}, {s.state} "
            f"| {_code_cell(s.rollback) if s.rollback and s.needs_approval else in_markdown(s.rollback or '-')} |"
            for s in answer.plan
        ] + [""]
    lines += ["<details><summary>Readings</summary>", "", "| reading | node | tool | figures |", "|---|---|---|---|"]
    lines += [
        f"| {' | '.join(map(in_markdown, (r.id, r.node or '-', r.tool, figures_text(r))))} |"
        for r in answer.readings if r.tool != "symptom"
    ]  # fmt: skip
    lines += ["", "</details>", ""]
    return "\n".join([*lines, in_markdown(f"{END} {colophon(answer)}"), "", in_markdown(cost_line(answer))])


def _top(answer: Diagnosis) -> Iterator[str]:
    why = " ".join(sentence(part) for part in (stopped(answer), about(answer), explanation(answer)) if part)
    yield from (f"**{in_markdown(sentence(headline(answer)))}** {in_markdown(why)}", "")
    if nodes := tree(answer):
        yield from (*(f"- {_item(line.lstrip('├└ '))}" for line in nodes), "")
    if seen := all_in_words(seen_evidence(answer), answer.readings):
        yield from (f"**Seen:** {in_markdown(sentence('; '.join(seen)))}", "")
    if changed := changes(answer):
        yield from (f"**Changed:** {in_markdown(sentence('; '.join(changed)))}", "")
    steps = list(do_now(answer))
    words = [line for line in steps if not line.startswith(COMMAND)]
    yield from (f"**Do now:** {in_markdown(' '.join(words))}", "")
    if commands := [line.removeprefix(COMMAND) for line in steps if line.startswith(COMMAND)]:
        # No genuine command contains a fence.
        yield from ("```sh", *(one_line(line).replace("```", "` ` `") for line in commands), "```", "")
    yield from (f"**Don't:** {in_markdown(what_not_to_do(answer))}", "")
    if others := list(also(answer)):
        yield from (f"**Also:** {in_markdown(' '.join(others))}", "")
    if notes := notices(answer):
        yield from (*(f"- {_item(line)}" for line in notes), "")
    if unseen := [*silent_sources(answer), *not_seen(answer)]:
        yield from ("**Not seen:**", "", *(f"- {_item(line)}" for line in unseen), "")


def _item(line: str) -> str:
    return without_list_mark(in_markdown(line))


def _code_cell(text: str) -> str:
    """A code span in a table, where a bar ends the cell even within code."""
    return code_in_markdown(text).replace("|", "\\|")
