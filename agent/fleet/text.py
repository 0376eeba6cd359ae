"""The table on a terminal and in a cron mail, and the same in Markdown."""

from collections.abc import Iterator

from agent.fleet.records import LEVELS, MEANS, Level, Line, Report
from agent.report.markup import in_markdown
from agent.report.quantities import seconds_text
from agent.report.sections import Styled
from agent.report.wrapping import cells, wrapped
from tools.text import one_line

WIDTH, LEAST_WIDTH = 80, 40
MOST_NAME = 24
"""Columns of a name, of which a long one has its end cut."""
STYLES: dict[Level, str] = {"incident": "bold red", "unanswered": "yellow", "preventive": "yellow", "well": "green"}
COUNTED: dict[Level, str] = {
    "incident": "with a fault", "unanswered": "can't be told", "preventive": "to see to", "well": "well",
}  # fmt: skip


def headline(found: Report) -> str:
    """How many there are of each, in a line."""
    parts = [f"{found.counts[level]} {COUNTED[level]}" for level in LEVELS if found.counts[level]]
    total = len(found.targets)
    cut = "; not all were looked at" if not found.complete else ""
    return f"{total} target{'' if total == 1 else 's'}: {', '.join(parts)} ({seconds_text(found.seconds)}{cut})"


def table(found: Report, *, width: int = WIDTH, detail: int = 0, quiet: bool = False) -> Iterator[Styled]:
    """The lines of the table, the worst first. `detail` adds what is known, `quiet` leaves the well ones out."""
    width = max(width, LEAST_WIDTH)
    shown = [one for one in found.targets if not (quiet and one.level == "well")]
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
    """How the target goes on a command line: nothing that others named is offered to a shell."""
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
    """A line that fits into so many columns; some letters take two."""
    if cells(line) <= width:
        return line
    while cells(line) > width - 1:
        line = line[: -max(1, (cells(line) - width) // 2)]
    return f"{line}…"


def as_markdown(found: Report, *, quiet: bool = False) -> str:
    """A table of Markdown, as a ticket or a summary of CI shows it."""
    rows = ["| | target | what |", "|---|---|---|"]
    rows += [
        f"| {MEANS[one.level]} | {in_markdown(one.name)} | {in_markdown(one.said)} |"
        for one in found.targets if not (quiet and one.level == "well")
    ]  # fmt: skip
    return "\n".join([f"**{headline(found)}**", "", *rows]) + "\n"
