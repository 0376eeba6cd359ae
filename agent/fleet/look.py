"""Many targets looked at in one process: some at a time, each within its deadline and all within theirs."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from agent.answer.diagnosis import OFFLINE, ModelUse
from agent.answer.events import Event
from agent.fleet.judgement import line_of, unanswered
from agent.fleet.records import Line, Report, report
from agent.investigation.model_settings import ModelSettings
from agent.investigation.pipeline import Setup, look
from agent.investigation.sources import Options, Sources
from agent.runbooks.library import Library
from tools.clock import Clock, iso_time
from tools.connection.target import Target
from tools.errors import RediagnoseError, bug
from tools.records import Record

LEAST = 1.0
"""Seconds beside the window below which a look isn't begun."""
NOT_BEGUN = "not looked at: the time for all was over (--total-deadline)"


class Member(Record):
    """One target of a fleet."""

    name: str
    target: Target | None
    """Null where it can't be made out, for the reason in `problem`."""
    problem: str = ""
    configured: bool = False
    """Whether its name is that of a target in rediagnose.toml."""
    one_node: bool = False
    growth: float | None = None
    """Bytes a second by which its memory grew over the last hours, where somebody keeps that."""


@dataclass
class Fleet:
    """A look at all of them, and what it has come to so far."""

    members: Sequence[Member]
    library: Library
    options: Options
    """Of each; its deadline is each one's."""
    jobs: int
    """How many are looked at at the same time."""
    seconds: float
    """For all of them."""
    clock: Clock
    heard: Callable[[Line, int], None] = lambda line, left: None
    """Hears of each line as it comes, and how many are to come."""
    lines: dict[int, Line] = field(default_factory=dict)
    """By the member's number, as they come."""
    _began: float = 0.0
    _at: str = ""

    async def look(self) -> Report:
        """Look at all of them."""
        self._began, self._at = self.clock.monotonic(), iso_time(self.clock.now().timestamp())
        left = iter(enumerate(self.members))

        async def work() -> None:
            for number, member in left:
                line = await self._line(member)
                self.lines[number] = line.model_copy(update={"configured": member.configured})
                self.heard(self.lines[number], len(self.members) - len(self.lines))

        async with asyncio.TaskGroup() as group:
            for _ in range(min(self.jobs, len(self.members))):
                group.create_task(work())
        return self.report()

    def report(self) -> Report:
        """What is known so far; those that weren't looked at are lines, too."""
        lines = [
            self.lines.get(number) or unanswered(one.name, one.target.url if one.target else None, NOT_BEGUN)
            for number, one in enumerate(self.members)
        ]
        spent = self.clock.monotonic() - self._began
        return report(lines, self._at, spent, complete=all(line.said != NOT_BEGUN for line in lines))

    async def _line(self, member: Member) -> Line:
        if member.target is None:
            return unanswered(member.name, None, member.problem)
        left = self._began + self.seconds - self.clock.monotonic()
        if left < self.options.window + LEAST:
            return unanswered(member.name, member.target.url, NOT_BEGUN)
        try:
            return await self._looked(member, member.target, min(self.options.deadline, left))
        except RediagnoseError as error:
            return unanswered(member.name, member.target.url, str(error))
        except Exception as error:
            # One target may not end the look at the others.
            return unanswered(member.name, member.target.url, str(bug("the look at a target", error)))

    async def _looked(self, member: Member, target: Target, deadline: float) -> Line:
        update = {"deadline": deadline, "one_node": self.options.one_node or member.one_node}
        model = ModelSettings(use=ModelUse(name=OFFLINE))
        setup = Setup(
            target=target, symptom="", library=self.library, model=model,
            options=self.options.model_copy(update=update), sources=Sources(),
        )  # fmt: skip
        incident = setup.investigation(self.clock, _ignore)
        try:
            # No plan: nothing is done about it here.
            await look(incident, model.use)
            answer = incident.answer()
            weighed = incident.weighed
            views = [
                weighed.view(name) for name, node in incident.nodes.items() if not incident.equipment.is_sentinel(node)
            ]
            return line_of(member.name, answer, views, member.growth)
        finally:
            await incident.close()


def _ignore(event: Event) -> None:
    pass
