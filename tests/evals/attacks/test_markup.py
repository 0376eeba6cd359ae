"""Words of others put together at random: never markup, whatever stands beside them."""

import random

from evals.attacks.markup import attempts


async def test_no_word_of_others_is_markup() -> None:
    made = [one async for one in attempts(300, random.Random(3))]
    assert len(made) == 300
    assert [one.what for one in made if not one.held][:3] == []
