"""Hasty, narrow, lying and failing models on a few recorded incidents; `make attack` has all of them on all."""

import random

from evals.attacks import models


async def test_no_model_makes_the_answer_worse() -> None:
    tried = [attempt async for attempt in models.attempts(10, random.Random(5))]
    assert len(tried) == 10
    assert [attempt for attempt in tried if not attempt.held] == []
