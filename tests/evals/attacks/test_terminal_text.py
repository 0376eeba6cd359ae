"""Text that tries to steer the terminal: the commands that are quick, in a pseudo-terminal; `make attack` runs all."""

import random

import pytest

from evals.attacks.terminal_text import attempt, payload


@pytest.mark.parametrize("name", ["usage", "option", "runbooks-show", "eval-arm", "replay", "apply", "log", "undone"])
async def test_no_text_of_others_steers_the_terminal(name: str) -> None:
    tried = await attempt(name, payload(random.Random(7)))
    assert tried.held, tried.what
