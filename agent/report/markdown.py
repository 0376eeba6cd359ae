"""The answer as Markdown, and how words of others stand in Markdown: as text, never as markup, a link or a mention."""

import re

from agent.answer.diagnosis import Diagnosis
from agent.report.render import (
    baseline_lines,
    citation_text,
    cost_line,
    figures_text,
    headline,
    notices,
    only_reported_note,
    shown_evidence,
)
from tools.terminal import clean

_BREAK = "<!-- -->"
"""Is seen by nobody, and parts what would be a mention, a reference or a link."""
_LIVE = re.compile(r"@(?=\w)|#(?=\d)|(?<=GH-)(?=\d)|(?<=http)(?=s?://)|(?<=ftp)(?=://)|(?<=mailto)(?=:)|(?<=xmpp)(?=:)|(?<=www)(?=\.)",
                   re.IGNORECASE)  # fmt: skip
_LIST = re.compile(r"^(\d+)([.)])|^([-+=#>])")


def flat(text: str) -> str:
    """A text of others in one line."""
    return clean(text).replace("\n", " ").replace("\t", " ")


def in_markdown(text: str) -> str:
    """A text as Markdown shows it letter by letter."""
    text = re.sub(r"([\\`*\[\]~|])", r"\\\1", flat(text))
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    text = re.sub(r"(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])", r"\\_", text)
    return _LIVE.sub(lambda found: found[0] + _BREAK, text)


def code_span(text: str) -> str:
    """A text as a code span, whatever backticks are in it; nothing for nothing."""
    text = flat(text).strip()
    fence = "`" * (max((len(run) for run in re.findall("`+", text)), default=0) + 1)
    pad = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{pad}{text}{pad}{fence}" if text else ""


def list_item(line: str) -> str:
    """A line of a list that begins no list or heading of its own."""
    return _LIST.sub(r"\1\\\2\3", line)


def markdown(answer: Diagnosis) -> str:
    """The answer as Markdown: the same short top, the evidence below."""
    what, do, dont = headline(answer)
    lines = [f"**{_bold_label(what)}", "", f"**{_bold_label(do)}", "", f"**{_bold_label(dont)}", ""]
    if notes := notices(answer):
        lines += [*(f"- {list_item(in_markdown(line))}" for line in notes), ""]
    if answer.causes:
        lines += ["| cause | where | probability | evidence |", "|---|---|---|---|"]
        lines += [
            f"| `{c.id}` | {in_markdown(c.where or '-')} | {c.probability:.0%} | "
            f"{'; '.join(_code_cell(citation_text(e)) for e in shown_evidence(c.evidence))}{only_reported_note(c)} |"
            for c in answer.causes
        ] + [""]
    if compared := baseline_lines(answer):
        lines += [f"- {in_markdown(line.strip())}" if line.startswith(" ") else in_markdown(line) for line in compared]
    shown = [cause.id for cause in answer.causes]
    if not answer.model.alone and (rest := [cause for cause in answer.findings if cause.id not in shown]):
        lines += ["What the checks found besides:", ""]
        lines += [f"- `{cause.id}` {cause.probability:.0%}: {in_markdown(cause.why)}" for cause in rest] + [""]
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
        lines += ["Unknown:", "", *(f"- {list_item(in_markdown(line))}" for line in answer.unknown), ""]
    return "\n".join([*lines, in_markdown(cost_line(answer))])


def _bold_label(line: str) -> str:
    head, _, rest = line.partition(": ")
    return f"{in_markdown(head)}:** {in_markdown(rest)}"


def _code_cell(text: str) -> str:
    """A code span within a table, where a bar would end the cell."""
    return code_span(text).replace("|", "\\|")
