"""A signal ends what it interrupts, and nothing that comes after it."""

import asyncio
import os
import signal

import pytest

from agent.cli.interruption import interruptible


async def test_a_signal_that_comes_at_the_very_end_does_not_break_off_what_closes_the_files() -> None:
    with interruptible() as interruption:
        os.kill(os.getpid(), signal.SIGTERM)
        assert interruption.has_come()
    await asyncio.sleep(0)
    await asyncio.sleep(0)


async def test_a_signal_ends_what_waits() -> None:
    with pytest.raises(asyncio.CancelledError), interruptible():
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.sleep(30)
