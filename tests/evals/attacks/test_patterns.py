"""Every pattern in proportion to its text, in short: `make attack` tries more of each."""

import random
import re

import pytest

from evals.attacks.patterns import Named, collected, tried, whole


def test_every_pattern_takes_time_in_proportion() -> None:
    rng = random.Random(1)
    assert [made for one in collected() if not (made := tried(one, rng, 3)).held] == []


def test_so_does_what_they_make_together() -> None:
    assert [made for made in whole(random.Random(2), 8) if not made.held] == []


def test_patterns_are_found_wherever_they_stand() -> None:
    places = {one.where for one in collected()}
    assert {"tools.credentials._FORMS", "tools.server.info.COUNTERS", "tools.host.log_events.PATTERNS"} <= places
    assert any(place.endswith("(inline)") for place in places) and len(collected()) > 200


def test_sequences_that_nobody_ends_take_time_in_proportion() -> None:
    sequence = next(one for one in collected() if one.where == "tools.text._SEQUENCE")
    assert tried(sequence, random.Random(1), 12).held


@pytest.mark.parametrize("pattern", [r"a*b", r"\s*,\s*x", r"(.*?)=(.*?);"])
def test_one_that_does_not_is_seen(pattern: str) -> None:
    assert not tried(Named("here", re.compile(pattern), "search"), random.Random(1), 12).held
