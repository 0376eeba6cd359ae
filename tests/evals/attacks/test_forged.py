"""A few of the attacks by files and folders, as `make attack` makes many."""

import random

from evals.attacks import forged


async def test_forged_files_and_folders_decide_nothing() -> None:
    made = [one async for one in forged.attempts(12, random.Random(1))]
    assert len(made) == 12
    assert [one for one in made if not one.held] == []
