"""What a runbook's remedy says holds always: what is so now is for the readings to say."""

import re

import pytest

from agent.runbooks.library import load

UNREAD = re.compile(
    r"\b(the|this) (server|primary|process|replica|data|dataset)( in it)? is (well|healthy|fine|whole|up|intact)\b"
    r"|\bslow log is empty\b",
    re.IGNORECASE,
)
"""Claims that a reading may contradict."""
CAUSES = {id: notes for book in load().runbooks for id, notes in book.causes.items()}


@pytest.mark.parametrize("cause", CAUSES)
def test_no_remedy_says_that_something_is_well(cause: str) -> None:
    notes = CAUSES[cause]
    texts = [notes.avoid, *(text for remedy in notes.remedies for text in remedy.texts)]
    assert [text for text in texts if text and UNREAD.search(text) and "Concluding" not in text] == []
