"""An agent at work, as a process of its own that is ended when its time is up."""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Callable, Sequence
from typing import Literal

STDERR = 2
"""As a file descriptor."""
_EVERY = 0.25
"""Seconds between two looks at what it does to the machine."""
Ended = Literal["by itself", "late", "grown"]


async def acted(command: Sequence[str], seconds: float, grown: Callable[[], bool]) -> tuple[int | None, Ended]:
    """Run the agent until it ends, its time is up, or what it fills has `grown` too far; its status, null if ended."""
    # What it says is for whoever watches; the verdict alone is the answer.
    process = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.DEVNULL, stdout=STDERR, start_new_session=True
    )
    waiting, ends = asyncio.create_task(process.wait()), time.monotonic() + seconds
    try:
        while (left := ends - time.monotonic()) > 0:
            done, _ = await asyncio.wait({waiting}, timeout=min(_EVERY, left))
            if done:
                return waiting.result(), "by itself"
            if grown():
                return None, "grown"
        return None, "late"
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await waiting
