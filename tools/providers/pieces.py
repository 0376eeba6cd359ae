"""What a resource is read in: parts that are asked for at the same time, each of which may be refused."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import NamedTuple, TypeVar

from tools.errors import Unanswered
from tools.providers.found import Event, Figure, Found, Logged, Part, Refused, Setting
from tools.records import Scalar
from tools.tasks import in_thread

T = TypeVar("T")
LEAST = 0.2
"""Seconds of a look that are left for putting together what was found."""


class Piece(NamedTuple):
    """What a part brings."""

    facts: Mapping[str, Scalar] = {}
    figures: tuple[Figure, ...] = ()
    events: tuple[Event, ...] = ()
    settings: tuple[Setting, ...] = ()
    logged: tuple[Logged, ...] = ()
    refused: tuple[Refused, ...] = ()


class Job(NamedTuple):
    """A part, the permission that it takes, and what reads it, which raises `Unanswered`."""

    part: Part
    permission: str
    read: Callable[[], Awaitable[Piece]]


def blocking(part: Part, permission: str, read: Callable[[], Piece]) -> Job:
    """A part that is read by blocking work."""
    return Job(part, permission, partial(in_thread, read))


def end_of(seconds: float) -> float:
    """When the loop's clock says that the parts of a look have to be there."""
    return asyncio.get_running_loop().time() + max(LEAST, seconds - LEAST)


async def found(work: Awaitable[T], ends: float, silent: str) -> T:
    """The resource itself, without which there is nothing to ask for. Raises `Unanswered`, `silent` if late."""
    try:
        async with asyncio.timeout_at(ends):
            return await work
    except TimeoutError:
        raise Unanswered("timeout", silent) from None


async def done(jobs: Sequence[Job], ends: float) -> list[Piece]:
    """What the parts bring until a moment of the loop's clock; each is there, or refused."""
    return list(await asyncio.gather(*(_done(job, ends) for job in jobs)))


async def _done(job: Job, ends: float) -> Piece:
    try:
        async with asyncio.timeout_at(ends):
            return await job.read()
    except TimeoutError:
        return Piece(refused=(Refused(job.part, "timeout"),))
    except Unanswered as error:
        return Piece(refused=(Refused(job.part, error.kind, job.permission if error.kind == "denied" else ""),))


def together(source: str, service: str, resource: str, pieces: Sequence[Piece]) -> Found:
    """The parts as what a provider says."""
    facts: dict[str, Scalar] = {}
    for piece in pieces:
        facts |= {field: value for field, value in piece.facts.items() if value not in (None, "")}
    return Found(
        source, service, resource, facts,
        figures=tuple(one for piece in pieces for one in piece.figures),
        events=tuple(dict.fromkeys(one for piece in pieces for one in piece.events)),
        settings=tuple(one for piece in pieces for one in piece.settings),
        logged=tuple(one for piece in pieces for one in piece.logged),
        refused=tuple(dict.fromkeys(one for piece in pieces for one in piece.refused)),
    )  # fmt: skip


def once(ask: Callable[[], str]) -> Callable[[], Awaitable[str]]:
    """What blocking work answers, asked for once by all requests of a look."""
    held: list[asyncio.Task[str]] = []

    async def answer() -> str:
        if not held:
            held.append(asyncio.ensure_future(in_thread(ask)))
        return await asyncio.shield(held[0])

    return answer
