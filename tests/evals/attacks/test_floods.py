"""Floods and endpoints without an end, a few of them: `make attack` tries all."""

import random

from evals.attacks import endpoints, floods
from evals.attacks.floods import FLOODS, LARGE, servers


async def test_two_floods() -> None:
    assert [one async for one in floods.attempts(2, random.Random(2)) if not one.held] == []


async def test_an_endpoint_without_an_end() -> None:
    assert [one async for one in endpoints.attempts(1, random.Random(3)) if not one.held] == []


def test_every_flood_is_tried() -> None:
    names = {name for name, _ in servers(random.Random(1))}
    assert len(names) == 6 * len(FLOODS) + 2 * len(LARGE)
    count = len(endpoints.floods())
    assert len(dict(endpoints.chosen(count, random.Random(1)))) == count
