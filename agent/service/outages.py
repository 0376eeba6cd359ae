"""The database goes away and comes back: how that is recognised, and how work outlives it."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import ParamSpec, TypeVar

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, SQLAlchemyError, TimeoutError

from agent.service.journal import why
from tools.patterns import deferred

P = ParamSpec("P")
T = TypeVar("T")
PAUSE = 1.0
"""Seconds between two attempts."""
_OUTAGE = deferred(r"psycopg\.OperationalError|psycopg\.errors\.\w*Shutdown|closed the connection|connection failed")


def is_outage(error: BaseException) -> bool:
    """Whether the database is away, or can't do at the moment what it's otherwise able to do."""
    if isinstance(error, DBAPIError):
        return error.connection_invalidated or isinstance(error, OperationalError | InterfaceError)
    return isinstance(error, TimeoutError)


def is_no_outage(record: logging.LogRecord) -> bool:
    """Whether a line of the engine's is about anything else: of an outage it writes hundreds a second, with
    tracebacks."""
    return record.levelno > logging.WARNING or not _OUTAGE.search(record.getMessage())


def reason(error: BaseException) -> str:
    """Why it doesn't answer, without its address: anybody may ask whether the service is ready."""
    said = why(getattr(error, "orig", None) or error)
    return said.rpartition("failed: ")[2].removeprefix("FATAL:").strip()


async def patiently(call: Callable[P, T], *args: P.args, **named: P.kwargs) -> T:
    """What a call returns that uses the database and blocks, once the database answers."""
    while True:
        try:
            return await asyncio.to_thread(call, *args, **named)
        except SQLAlchemyError as error:
            if not is_outage(error):
                raise
        await asyncio.sleep(PAUSE)


async def enduring(step: Callable[P, Awaitable[T]], *args: P.args, **named: P.kwargs) -> T:
    """What a step comes to. If the database goes away meanwhile, the step runs again afterwards, as after a crash."""
    while True:
        try:
            return await step(*args, **named)
        except SQLAlchemyError as error:
            if not is_outage(error):
                raise
        await asyncio.sleep(PAUSE)
