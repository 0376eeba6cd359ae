"""Texts of runbooks by name."""

from agent.runbooks.library import load


def test_a_cause_that_a_runbook_is_named_after_gives_its_own_paragraph_first() -> None:
    text = load().text("client-errors")
    assert text and text.startswith("### client-errors\n") and "# One application" in text
