"""A service in memory, its pages by HTTP, and an answer to show on them."""

from collections.abc import Iterator

import pytest

from agent.answer.diagnosis import Diagnosis
from evals.scoring.scenario import BUNDLED, load
from tests.agent.web.pages.memory import Memory, investigated, served

FULL = "s0257"


@pytest.fixture(scope="session")
def full() -> Diagnosis:
    """The answer about a server that is full."""
    return investigated(next(one for one in load(BUNDLED) if one.id == FULL))[0]


@pytest.fixture
def service() -> Memory:
    return Memory()


@pytest.fixture
def base(service: Memory) -> Iterator[str]:
    with served(service) as url:
        yield url
