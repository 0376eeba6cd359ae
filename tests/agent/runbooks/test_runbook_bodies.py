"""The bundled bodies: one form for all, and the same remedies as in the front matter, of which the plan is made."""

import re

import pytest

from agent.evidence.known import fields, is_known
from agent.loop.tool_calls import RUNBOOK_MOST
from agent.runbooks.library import BUNDLED, CauseNotes, Runbook, load
from agent.runbooks.lint import SECTIONS

BOOKS = {book.name: book for book in load().runbooks}
CAUSES = {cause: book for book in BOOKS.values() for cause in book.causes}
SAID = {"kill_command": "SCRIPT KILL"}
"""What a body writes for a placeholder; the others' values are this server's, so it says them in words."""
LEADS = ("**Do**", "**Check**", "**Don't**")


def told(cause: str) -> tuple[str, CauseNotes]:
    book = CAUSES[cause]
    return " ".join(book.paragraph(cause).split()), book.causes[cause]


@pytest.mark.parametrize("book", BOOKS.values(), ids=BOOKS)
def test_a_body_has_the_form_of_the_first(book: Runbook) -> None:
    heads = [head for head in re.findall(r"^## (.+)$", book.body, re.MULTILINE) if head in SECTIONS]
    assert heads == list(SECTIONS)
    assert re.findall(r"^### (.+)$", book.body, re.MULTILINE) == list(book.causes)
    _, _, minute = book.body.partition("## First minute\n")
    command = re.search(r"^```\n(.+)$", minute, re.MULTILINE)
    assert command is not None and command[1].startswith("rediagnose triage redis")


@pytest.mark.parametrize("book", BOOKS.values(), ids=BOOKS)
def test_the_causes_are_within_what_a_model_is_given(book: Runbook) -> None:
    assert 0 < book.body.lstrip().index("## Application side") <= RUNBOOK_MOST


@pytest.mark.parametrize("book", BOOKS.values(), ids=BOOKS)
def test_a_body_leads_to_runbooks_that_there_are(book: Runbook) -> None:
    for name, file in re.findall(r"\[([^\]]+)\]\((\S+?)\)", book.body):
        assert (BUNDLED / file).is_file()
        assert file == f"{name}.md"
    for causes, name in re.findall(r"\| ([a-z, -]+): \[([a-z-]+)\]", book.body):
        assert {CAUSES[cause].name for cause in causes.split(", ") if cause in CAUSES} <= {name}


@pytest.mark.parametrize("cause", CAUSES)
def test_a_cause_is_told_in_one_form(cause: str) -> None:
    text, notes = told(cause)
    assert [text.count(lead) for lead in LEADS] == [1, 1, 1]
    assert sorted(LEADS, key=text.index) == list(LEADS)
    evidence, doing = text.split("**Do**")
    assert set(re.findall(r"\*[Nn]ot\* ([a-z0-9-]+)", evidence)) <= notes.unlike.keys()
    assert ("*Not*" in evidence) == bool(notes.unlike)
    doing = doing.split("**Check**")[0]
    risks = {remedy.risk for remedy in notes.remedies}
    assert {risk for risk in ("safe", "risky") if re.search(rf"\([^)]*\b{risk}\b", doing)} == risks


@pytest.mark.parametrize("cause", CAUSES)
def test_a_body_says_what_the_plan_does(cause: str) -> None:
    text, notes = told(cause)
    doing, checking = text.split("**Do**")[1].split("**Check**")
    said = doing.replace('"', "")
    back = set[str]()
    for remedy in notes.remedies:
        if remedy.kind != "outside":
            action = re.sub(r"\$(\w+)", lambda name: SAID.get(name[1], ""), remedy.action).replace('"', "").strip()
            assert action in said
        elif remedy.risk == "risky" and remedy.rollback:
            # Forms of one cause may be taken back in the same way.
            back |= {remedy.rollback} if not remedy.rollback.startswith("None") else set()
    assert doing.count("undo: ") >= len(back)
    verified = " ".join(text for one in notes.remedies for text in (one.verify or "", *one.shown_by))
    named = re.findall(r"`([^`]+)`", checking.split("**Don't**")[0])
    assert [name for name in named if name not in verified and not is_read(name)] == []


def is_read(name: str) -> bool:
    """Whether a name that a body gives is a tool's, or a field of one's readings: there the model looks it up."""
    return name in fields() or any(is_known(tool, of) for tool in fields() for of in (name, f"*{name}"))
