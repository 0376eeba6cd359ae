"""Scheduled checks: the same as `rediagnose check`, with each target's line kept."""

import asyncio
from collections.abc import Callable, Sequence

from agent.fleet.look import BUSY, NOT_BEGUN, Fleet, Member
from agent.fleet.records import Line, Report
from agent.investigation.sources import Options
from agent.runbooks.library import Library
from tools.clock import Clock
from tools.errors import Unanswered
from tools.past.kept import growth
from tools.past.store import Checked, Store
from tools.past.stored import Reader
from tools.records import Record

JOBS = 4
"""Targets that are checked at the same time: there is no hurry."""
SECONDS = 600.0
"""For a check of all of them."""


class Found(Record):
    """The part of a line whose changes are kept."""

    level: str
    causes: tuple[str, ...]
    preventive: tuple[str, ...]


async def check_once(
    members: Sequence[Member], store: Store, clock: Clock, library: Library, *, options: Options | None = None,
    busy: Callable[[str], bool] = lambda target: False, jobs: int = JOBS,
) -> Report:  # fmt: skip
    """Check all members that aren't being investigated, and keep their lines. Raises `Unkept`."""
    now = clock.now().timestamp()
    free = [one for one in members if not _is_busy(one, busy)]
    chosen = await asyncio.to_thread(with_growth, free, store.reader(), now)
    fleet = Fleet(
        members=chosen, library=library, options=options or Options(), jobs=jobs, seconds=SECONDS, clock=clock,
        busy=busy,
    )  # fmt: skip
    found = await fleet.look()
    at = clock.now().timestamp()
    kept = [_checked(one, at) for one in found.targets if one.said not in (NOT_BEGUN, BUSY)]
    await asyncio.to_thread(store.keep_checks, kept)
    return found


def _is_busy(member: Member, busy: Callable[[str], bool]) -> bool:
    return busy(member.name) or (member.target is not None and busy(member.target.url))


def with_growth(members: Sequence[Member], kept: Reader, now: float) -> list[Member]:
    """The members with their memory growth over the last hours, where it's kept and nobody else knows it. It blocks."""
    return [_grown(one, kept, now) for one in members]


def _grown(member: Member, kept: Reader, now: float) -> Member:
    if member.target is None or member.growth is not None:
        return member
    try:
        return member.model_copy(update={"growth": growth(kept, member.target.node, now)})
    except Unanswered:
        return member


def _checked(line: Line, at: float) -> Checked:
    found = Found(
        level=line.level, causes=tuple(sorted(one.id for one in line.causes)),
        preventive=tuple(sorted({one.id for one in line.preventive})),
    )  # fmt: skip
    return Checked(line.name, at, line.level, line.model_dump_json(), found.model_dump_json())
