"""A few of the neighbours of `make attack`."""

import random

from evals.attacks.neighbours import attempts


async def test_no_credentials_go_where_a_server_points() -> None:
    made = [one async for one in attempts(12, random.Random(1))]
    assert len(made) == 12 and not [one for one in made if not one.held]
