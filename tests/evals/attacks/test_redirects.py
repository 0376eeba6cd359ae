"""A few of the redirects of `make attack`."""

import random

from evals.attacks.redirects import attempts


async def test_no_redirect_is_followed() -> None:
    made = [one async for one in attempts(30, random.Random(1))]
    assert len(made) == 30 and not [one for one in made if not one.held]
