"""A replica's own settings, a sentinel's file and what a cluster announces: the cause comes first, the twin is well."""

import random

import pytest

from evals.lab.catalogue import FAULTS
from evals.lab.faults.node_settings import FAULTS as FAMILY
from tests.rotation import right, told

pytestmark = pytest.mark.live


@pytest.mark.parametrize("id", FAMILY)
async def test_the_cause_comes_first(id: str) -> None:
    right(FAULTS[id], await told(id, random.Random(id).randrange(1000, 2000)))
