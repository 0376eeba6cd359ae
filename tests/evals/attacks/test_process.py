"""A few of the attacks on the process, as `make attack` makes many."""

import random

import pytest

from evals.attacks import process


@pytest.mark.parametrize("seed", [1])
async def test_an_answer_comes_whatever_becomes_of_the_process(seed: int) -> None:
    made = [one async for one in process.attempts(4, random.Random(seed))]
    assert len(made) == 4
    assert [one for one in made if not one.held] == []
