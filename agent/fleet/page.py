"""The table as a single HTML file that loads nothing."""

from pathlib import Path

from agent.fleet.records import MEANS, Level, Line, Report
from agent.fleet.text import headline
from agent.report.elements import Markup, joined, tag
from agent.report.page import POLICY, STYLE
from tools.text import one_line

OWN_STYLE = Path(__file__).with_name("page.css")
TONES: dict[Level, str] = {"incident": "bad", "unanswered": "unsure", "preventive": "unsure", "healthy": "good"}


def html(found: Report) -> str:
    """The whole page."""
    style = STYLE.read_text(encoding="utf-8") + OWN_STYLE.read_text(encoding="utf-8")
    head = tag(
        "head", tag("meta", charset="utf-8"), tag("meta", http_equiv="Content-Security-Policy", content=POLICY),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("title", f"rediagnose check: {headline(found)}"), tag("style", Markup(style)),
    )  # fmt: skip
    names = tag("tr", *(tag("th", name, scope="col") for name in ("", "target", "what")))
    table = tag(
        "table", tag("caption", "All targets, worst first", class_="soft"), tag("thead", names),
        tag("tbody", *(_row(one) for one in found.targets)), class_="fleet",
    )  # fmt: skip
    body = tag("main", tag("h1", headline(found)), tag("p", f"Checked at {found.at}", class_="soft"), table)
    return f"<!doctype html>\n{tag('html', head, tag('body', body), lang='en')}\n"


def _row(one: Line) -> Markup:
    mark = tag("span", MEANS[one.level], class_=f"badge {TONES[one.level]}")
    name = tag("td", tag("strong", one_line(one.name)))
    return tag("tr", tag("td", mark), name, tag("td", tag("div", one_line(one.said)), _details(one)))


def _details(one: Line) -> Markup | None:
    rows = [
        *(f"{cause.id} ({cause.probability:.0%}) at {cause.where}: {cause.why}" for cause in one.causes),
        *(f"{each.node}: {each.what} ({each.id})" for each in one.preventive),
        *(f"couldn't be seen: {each}" for each in one.unseen),
    ]
    if one.server:
        rows.append(f"{one.server} {one.version}, {one.topology}, {one.nodes} answered, {one.seconds:.1f} s")
    rows += [one.url] if one.url else []
    if not rows:
        return None
    listed = joined(*(tag("li", one_line(row)) for row in rows))
    return tag("details", tag("summary", "more", aria_label=f"more about {one_line(one.name)}"), tag("ul", listed))
