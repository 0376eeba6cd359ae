"""Examines many targets in one process: a few at a time, with a deadline for each and one for all."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from agent.answer.diagnosis import OFFLINE, ModelUse
from agent.answer.events import Event
from agent.fleet.judgement import line_of, unanswered
from agent.fleet.records import Line, Report, report
from agent.investigation.model_settings import ModelSettings
from agent.investigation.pipeline import Setup, look
from agent.investigation.pods import cluster_by_settings
from agent.investigation.sources import Options, Sources
from agent.runbooks.library import Library
from agent.tracing.listener import Listen, untraced
from tools.clock import Clock, iso_time
from tools.connection.target import Target
from tools.errors import RediagnoseError, bug
from tools.kubernetes.place import ServiceName
from tools.kubernetes.reading import Login
from tools.records import Record

LEAST = 1.0
"""Seconds beyond the window without which a target isn't started."""
NOT_BEGUN = "not examined: the time for all targets was up (--total-deadline)"
BUSY = "not examined: it's being investigated"


class Member(Record):
    """One target of a fleet."""

    name: str
    target: Target | None
    """Null if it couldn't be determined, for the reason in `problem`."""
    problem: str = ""
    configured: bool = False
    """Whether its name is a target of rediagnose.toml."""
    one_node: bool = False
    growth: float | None = None
    """Memory growth over the last hours, in bytes per second; null if unknown."""
    service: ServiceName | None = None
    """The Service by which it was found in Kubernetes, which is asked about its pods then; null for another way."""


@dataclass
class Fleet:
    """A check of all members, and its results so far."""

    members: Sequence[Member]
    library: Library
    options: Options
    """For each member, including its deadline."""
    jobs: int
    """How many are examined at the same time."""
    seconds: float
    """For all of them."""
    clock: Clock
    heard: Callable[[Line, int], None] = lambda line, left: None
    """Called with each line as it arrives and the number still to come."""
    listen: Listen = untraced
    """Who else receives each investigation's events."""
    busy: Callable[[str], bool] = lambda name: False
    """Whether the member of a name or URL is being investigated: it's left alone then."""
    lines: dict[int, Line] = field(default_factory=dict)
    """By member number, as they arrive."""
    _login: Login = field(default_factory=Login)
    """To the cluster of the kubeconfig's current context, for all members in it."""
    _began: float = 0.0
    _at: str = ""

    async def look(self) -> Report:
        """Examine all members."""
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
        """The report so far; members that weren't examined have lines too."""
        lines = [
            self.lines.get(number) or unanswered(one.name, one.target.url if one.target else None, NOT_BEGUN)
            for number, one in enumerate(self.members)
        ]
        spent = self.clock.monotonic() - self._began
        return report(lines, self._at, spent, complete=all(line.said != NOT_BEGUN for line in lines))

    async def _line(self, member: Member) -> Line:
        if member.target is None:
            return unanswered(member.name, None, member.problem)
        if self.busy(member.name) or self.busy(member.target.url):
            return unanswered(member.name, member.target.url, BUSY)
        left = self._began + self.seconds - self.clock.monotonic()
        if left < self.options.window + LEAST:
            return unanswered(member.name, member.target.url, NOT_BEGUN)
        try:
            return await self._looked(member, member.target, min(self.options.deadline, left))
        except RediagnoseError as error:
            return unanswered(member.name, member.target.url, str(error))
        except Exception as error:
            # One target mustn't end the check of the others.
            return unanswered(member.name, member.target.url, str(bug("the check of a target", error)))

    async def _looked(self, member: Member, target: Target, deadline: float) -> Line:
        update = {"deadline": deadline, "one_node": self.options.one_node or member.one_node}
        model = ModelSettings(use=ModelUse(name=OFFLINE))
        setup = Setup(
            target=target, symptom="", library=self.library, model=model,
            options=self.options.model_copy(update=update), listen=self.listen,
            sources=Sources(kubernetes=cluster_by_settings(target, service=member.service, login=self._login)),
        )  # fmt: skip
        incident = setup.investigation(self.clock, _ignore)
        try:
            # No plan is needed: nothing is changed here.
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
