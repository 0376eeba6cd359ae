"""What an investigation that is interrupted still does."""

import asyncio
import contextlib

from agent.investigation.investigation import Investigation
from agent.investigation.sources import Options as Options
from agent.investigation.sources import Sources as Sources
from tools.errors import RediagnoseError

ROUND_OFF = 1.5
"""Seconds for the plan of an interrupted investigation."""


async def round_off(incident: Investigation) -> None:
    """A plan for what is known, if it can be had at once: the person wants the prompt back."""
    task = asyncio.current_task()
    if task is not None:
        task.uncancel()
    if not incident.planned.steps:
        with contextlib.suppress(TimeoutError, RediagnoseError):
            async with asyncio.timeout(ROUND_OFF):
                await incident.plan(incident.verdict or incident.check())
