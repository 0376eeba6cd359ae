"""The table as text for a terminal or a cron mail, and as Markdown."""

from collections.abc import Iterator

from agent.fleet.records import LEVELS, MEANS, Level, Line, Report
from agent.report.markup import in_markdown
from agent.report.quantities import seconds_text
from agent.report.sections import Styled
from agent.report.wrapping import cells, wrapped
from tools.text import one_line

WIDTH, LEAST_WIDTH = 80, 40
MOST_NAME = 24
"""Columns of a name; a longer one is truncated."""
STYLES: dict[Level, str] = {"incident": "bold red", "unanswered": "yellow", "preventive": "yellow", "healthy": "green"}
COUNTED: dict[Level, str] = {
    "incident": "faulty", "unanswered": "unknown", "preventive": "need attention soon", "healthy": "healthy",
}  # fmt: skip


def headline(found: Report) -> str:
    """How many targets are at each level, in one line."""
    parts = [f"{found.counts[level]} {COUNTED[level]}" for level in LEVELS if found.counts[level]]
    total = len(found.targets)
    cut = "; not all were examined" if not found.complete else ""
    return f"{total} target{'' if total == 1 else 's'}: {', '.join(parts)} ({seconds_text(found.seconds)}{cut})"


def table(found: Report, *, width: int = WIDTH, detail: int = 0, quiet: bool = False) -> Iterator[Styled]:
    """The lines of the table, worst first. `detail` adds details, `quiet` omits healthy targets."""
    width = max(width, LEAST_WIDTH)
    shown = [one for one in found.targets if not (quiet and one.level == "healthy")]
    if not quiet or shown:
        yield from (Styled(line, "bold") for line in wrapped(headline(found), width))
    names = [_cut(one_line(one.name), MOST_NAME) for one in shown]
    column = max(map(cells, names), default=0)
    marks = max((len(MEANS[one.level]) for one in shown), default=0)
    for one, name in zip(shown, names, strict=True):
        head = f"{MEANS[one.level]:<{marks}}  {name}{' ' * (column - cells(name))}  "
        yield Styled(_cut(head + one_line(one.said), width), STYLES[one.level])
        for line in _details(one, detail) if detail else ():
            yield from (Styled(f"    {part}") for part in wrapped(line, width - 4))
    if any(one.level == "incident" for one in shown) and not quiet:
        worst = next(one for one in shown if one.level == "incident")
        yield Styled(_cut(f"rediagnose triage {_asked(worst)} says what to do", width))


def _asked(one: Line) -> str:
    """The target as a command-line argument; text that could mean something to a shell is never suggested."""
    url = (one.url or "").replace("***@", "")
    asked = one.name if one.configured else url
    return asked if asked and all(letter in _PLAIN for letter in asked) else "TARGET"


_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:/._-+[]@,")


def _details(one: Line, detail: int) -> list[str]:
    about = f"{one.server} {one.version}, {one.topology}, {one.nodes} answered" if one.server else ""
    lines = [", ".join(filter(None, (one.url, about)))]
    lines += [f"{cause.id}, {cause.probability:.0%} sure, at {cause.where}: {cause.why}" for cause in one.causes]
    lines += [f"{each.node}: {each.what} ({each.id})" for each in one.preventive]
    lines += [f"Couldn't be seen: {each}" for each in one.unseen] if detail > 1 else []
    return [one_line(line) for line in lines if line]


def _cut(line: str, width: int) -> str:
    """The line, truncated to this many columns; some letters take two."""
    if cells(line) <= width:
        return line
    while cells(line) > width - 1:
        line = line[: -max(1, (cells(line) - width) // 2)]
    return f"{line}…"


def as_markdown(found: Report, *, quiet: bool = False) -> str:
    """A Markdown table, for a ticket or a CI summary."""
    rows = ["| | target | what |", "|---|---|---|"]
    rows += [
        f"| {MEANS[one.level]} | {in_markdown(one.name)} | {in_markdown(one.said)} |"
        for one in found.targets if not (quiet and one.level == "healthy")
    ]  # fmt: skip
    return "\n".join([f"**{headline(found)}**", "", *rows]) + "\n"
