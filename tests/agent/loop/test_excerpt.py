"""A runbook for a model: one part at a time, and code in one piece."""

import pytest

from agent.loop.excerpt import excerpt, sections

CODE = "```\nredis-cli INFO\n## no heading\n\nredis-cli SLOWLOG GET 10\n```"
TEXT = f"""# Title

The lead.

## First minute

By hand:

{CODE}

After it.

## Causes

In general.

### big-key

Its own.

### small-key

Its own too.

## Emergency response

Call somebody.
"""


def test_the_beginning_and_what_else_there_is() -> None:
    assert excerpt(TEXT) == (
        "# Title\n\nThe lead.\n\nSections (`section`): First minute, Causes, big-key, small-key, Emergency response"
    )
    assert sections(TEXT) == ["Title", "First minute", "Causes", "big-key", "small-key", "Emergency response"]


def test_a_cause_comes_first_where_it_was_asked_for() -> None:
    own = excerpt(f"### big-key\n\nIts own.\n\n{TEXT}") or ""
    assert own.startswith("### big-key\n\nIts own.\n\nSections") and "Title" in own


@pytest.mark.parametrize("name", ["Causes", "causes", "## Causes", "`Causes`"])
def test_a_section_holds_what_is_below_it(name: str) -> None:
    shown = excerpt(TEXT, name) or ""
    assert "small-key" in shown and "Call somebody" not in shown and "The lead" not in shown


def test_there_is_no_such_section() -> None:
    assert excerpt(TEXT, "Nosuch") is None


@pytest.mark.parametrize("most", range(20, 160, 7))
def test_code_is_whole_or_left_out(most: int) -> None:
    shown = (excerpt(TEXT, "First minute", most) or "").partition("\n\nSections")[0]
    assert ("```" in shown) == (CODE in shown)
    assert "After it." in shown or "more bytes in the runbook" in shown
    assert all(line in TEXT.splitlines() for line in shown.splitlines() if "more bytes" not in line)


@pytest.mark.parametrize("text", ["", "words", "```\nnever closed\n# no heading", "~~~\n```\n~~~\n# Head\n"])
def test_any_text_can_be_read(text: str) -> None:
    assert excerpt(text) is not None
    assert sections(text) == (["Head"] if "Head" in text else [])
