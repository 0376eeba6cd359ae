"""Nothing is ruled out by a reading that isn't there: recordings with each of their readings taken away in turn."""

import pytest

from agent.checks.verdict import conclude
from evals.scoring.scenario import BUNDLED, Scenario, load
from tests.golden.entries import answer, library

SAMPLE = [one for one in load(BUNDLED) if one.attack is None][::60]


@pytest.mark.parametrize("scenario", SAMPLE, ids=lambda one: one.id)
def test_what_is_ruled_out_cites_what_was_read(scenario: Scenario) -> None:
    answered = answer(scenario)
    for removed in answered.readings:
        left = [one for one in answered.readings if one is not removed]
        by_id = {one.id: one for one in left}
        for out in conclude(left, answered.target.nodes, library().thresholds).ruled_out:
            cited = [one for one in out.evidence if one.value is not None]
            assert cited, (removed.tool, out.id)
            assert all(by_id[one.reading].get(one.field) == one.value for one in cited), (removed.tool, out.id)
