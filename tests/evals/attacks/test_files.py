"""A few of the files of `make attack`."""

import random
import sys

import pytest

from evals.attacks.files import attempts

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux'")


async def test_a_server_does_not_choose_what_is_read() -> None:
    made = [one async for one in attempts(38, random.Random(1))]
    assert len(made) >= 35 and not [one for one in made if not one.held]
