"""What a resource is read in over HTTP: parts that are asked for at the same time, each of which may be refused."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import NamedTuple

from tools.errors import Unanswered
from tools.providers.found import Event, Figure, Found, Part, Refused, Setting
from tools.records import Scalar


class Piece(NamedTuple):
    """What a part brings."""

    facts: Mapping[str, Scalar] = {}
    figures: tuple[Figure, ...] = ()
    events: tuple[Event, ...] = ()
    settings: tuple[Setting, ...] = ()
    refused: tuple[Refused, ...] = ()


class Job(NamedTuple):
    """A part, the permission that it takes, and what reads it, which raises `Unanswered`."""

    part: Part
    permission: str
    read: Callable[[], Awaitable[Piece]]


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
        refused=tuple(dict.fromkeys(one for piece in pieces for one in piece.refused)),
    )  # fmt: skip


def once(ask: Callable[[], Awaitable[str]]) -> Callable[[], Awaitable[str]]:
    """The same answer for all requests of a look that begin together."""
    held: list[asyncio.Task[str]] = []

    async def bearer() -> str:
        if not held:
            held.append(asyncio.ensure_future(ask()))
        return await asyncio.shield(held[0])

    return bearer
