"""Recordings of many minutes: taken for the same incident at each of them, and what a history adds."""

import pytest

from agent.answer.diagnosis import Diagnosis
from agent.recordings.replay import case, on_virtual_time
from evals.lasting import asked
from evals.scoring.scenario import BUNDLED, Scenario, load
from tools.record.load import Recording
from tools.record.load import load as recording
from tools.record.refusals import Refusals
from tools.record.schema import Seen
from tools.record.tape import Tape

LONG = [one for one in load(BUNDLED) if one.minutes and not one.past]
WATCHED = [one for one in load(BUNDLED) if one.past]
SECONDS = (1.0, 30.0, 300.0, 590.0)


def answered(scenario: Scenario, *, history: bool, host: bool = True) -> Diagnosis:
    """The checks' answer, with the history that was recorded or as if nobody had watched."""
    whole = recording(BUNDLED / scenario.file)
    if not history:
        lines = [line for line in whole.lines if not (isinstance(line, Seen) and line.reading.tool == "history")]
        whole = Recording(whole.path, whole.head.model_copy(update={"history": False}), lines, cut=False)

    async def look() -> Diagnosis:
        async with case(Tape(whole), scenario.ticket, refusals=Refusals(without_host=not host)) as incident:
            return incident.answer()

    return on_virtual_time(look())


@pytest.mark.parametrize("scenario", LONG, ids=lambda one: one.id)
def test_the_first_cause_is_the_same_in_the_tenth_minute(scenario: Scenario) -> None:
    found = asked(scenario, seconds=SECONDS)
    assert found.lasts, found.said


@pytest.mark.parametrize("scenario", LONG, ids=lambda one: one.id)
def test_what_was_recorded_lasts_as_long_as_the_index_says(scenario: Scenario) -> None:
    assert scenario.minutes
    tape = Tape(recording(BUNDLED / scenario.file))
    assert tape.ends >= 60 * scenario.minutes


def test_the_name_of_a_long_recording_is_no_short_ones() -> None:
    files = [one.file for one in load(BUNDLED) if one.minutes or one.past]
    short = {one.file for one in load(BUNDLED) if not one.minutes and not one.past}
    assert files and not short & {*files}


@pytest.mark.parametrize("scenario", WATCHED, ids=lambda one: one.fault)
def test_with_its_history_an_incident_is_understood(scenario: Scenario) -> None:
    answer = answered(scenario, history=True)
    assert [one.id for one in answer.causes[:1]] == ([] if scenario.benign else [scenario.cause])
    assert not scenario.benign or answer.outcome == "no-fault"


@pytest.mark.parametrize("scenario", [one for one in WATCHED if not one.benign], ids=lambda one: one.fault)
def test_without_it_the_cause_is_neither_claimed_nor_called_well(scenario: Scenario) -> None:
    # Whoever can read the server's log finds there that maxmemory was lowered.
    answer = answered(scenario, history=False, host=False)
    first = answer.causes[0] if answer.causes else None
    assert first is None or first.id != scenario.cause or first.probability < 0.7
    assert answer.outcome != "no-fault"
