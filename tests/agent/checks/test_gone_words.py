"""With which words people report that data is gone, and with which that a connection is."""

import pytest

from agent.checks.words import GONE
from agent.evidence.report_words import mention


@pytest.mark.parametrize(
    "report",
    ["all keys are gone since noon", "users are logged out again and again", "the carts were empty after the deploy",
     "sessions lost after the connection dropped"],
)  # fmt: skip
def test_data_that_is_gone(report: str) -> None:
    assert mention(GONE, report)


@pytest.mark.parametrize(
    "report",
    ["all of a sudden the connection between primary and replica is lost", "the redis connection was lost at 3 a.m.",
     "redis: link to the primary lost"],
)  # fmt: skip
def test_a_connection_that_is_lost_is_no_data(report: str) -> None:
    assert not mention(GONE, report)
