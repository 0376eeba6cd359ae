"""One step carried out: read, applied through the gate, read again, and rolled back at once if the server got worse."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from agent.answer.diagnosis import Goal, State, Step
from agent.plan.goals import GUARD, Readings, Seen, brought_about, helped, seen, worse
from agent.report.render import figures_text
from tools.clock import Clock
from tools.connection.node import Node
from tools.errors import GateError, RediagnoseError, ToolError
from tools.gate.apply import Applied, Approval, Gate, Stood, never_stood
from tools.gate.bounds import Room, room_of
from tools.gate.equality import config_lines, equal_values
from tools.gate.ledger import AuditEvent, Log, change_entry
from tools.gate.policy import Change, command_line
from tools.records import Reading, Record
from tools.tasks import at_once
from tools.toolbox import Toolbox

PINGS = 10
"""PINGs per measurement: a plan of eight steps has to fit within the incident's limit."""
GRANTED = {"commands": 60, "pings": 2 * PINGS, "bytes": 8 << 20}
"""What an approved step may cost on top of the incident's limit."""
MORE: dict[str, dict[str, Any]] = {
    "latency_sample": {"count": PINGS}, "info": {"sections": ["clients", "memory", "stats", "errorstats"]},
}  # fmt: skip
"""Extra arguments for some tools."""
LONG = {"idle_probe": 8.0}
"""Seconds for tools that need longer than the window."""
SETTLES = 0.2
"""Seconds between a change and the reading of its effect."""


@dataclass(frozen=True)
class Site:
    """Where a change is made: what can be asked there, and how long it is observed."""

    toolbox: Toolbox
    nodes: Mapping[str, Node]
    clock: Clock
    log: Log
    window: float = 2.0
    stood: Stood = never_stood
    """Vouches for the value that is restored."""

    def gate(self) -> Gate:
        """A gate that logs here and checks the machine as it is at that moment."""
        return Gate(self.clock, self.log, self.room, self.stood)

    async def room(self, node: str) -> Room:
        tools = ("process", "machine", "memory", "info")
        return room_of(list((await self.look(node, tools, window=0.1)).values()), node)

    async def look(self, node: str, tools: Iterable[str], goals: Iterable[Goal] = (), window: float = 0) -> Readings:
        """Some readings of a node, taken together, by tool; those that can't be taken are left out."""
        calls = {**{tool: {} for tool in tools}, **_arguments(goals)}
        taken = await at_once(
            *(self._one(node, tool, args, window or self.window) for tool, args in calls.items())
        )  # fmt: skip
        return {reading.tool: reading for reading in taken if reading is not None}

    async def _one(self, node: str, tool: str, args: dict[str, Any], window: float) -> Reading | None:
        if not self.toolbox.has(tool, node) or self.toolbox.tools[tool].effect != "reads":
            return None
        takes = self.toolbox.tools[tool].adapter.json_schema().get("properties", {})
        args = {**args, "node": node}
        if "window" in takes:
            args["window"] = window
        elif "seconds" in takes:
            args["seconds"] = LONG.get(tool, window)
        args |= MORE.get(tool, {})
        try:
            return await self.toolbox.call(tool, args)
        except ToolError:
            # No budget is left, or the field doesn't exist.
            return None


def _arguments(goals: Iterable[Goal]) -> dict[str, dict[str, Any]]:
    arguments: dict[str, dict[str, Any]] = {}
    for goal in goals:
        args = arguments.setdefault(goal.tool, {})
        if goal.tool == "config_get":
            args["parameters"] = sorted({*args.get("parameters", []), goal.field})
    return arguments


Came = Literal["verified", "not-better", "unmeasured", "worse"]


class Outcome(Record):
    """The outcome of a step."""

    applied: Applied
    came: Came
    """`unmeasured`: no reading shows it, or it was already fine before."""
    goals: tuple[Seen, ...]
    worse: tuple[str, ...]
    taken_back: bool
    """Whether it was rolled back at once."""
    not_undone: str | None
    """Why it wasn't, although the server got worse."""
    before: tuple[Reading, ...]
    after: tuple[Reading, ...]

    @property
    def state(self) -> State:
        """The step's new state."""
        return "rolled-back" if self.taken_back else "verified" if self.came == "verified" else "applied"

    @property
    def summary(self) -> str:
        """In one line, for the step's event."""
        change = self.applied.change
        if change.parameter is None:
            effect = f"{change.action} -> {self.applied.reply}"
        else:
            effect = f"{change.parameter} was {self.applied.read_before} and is now {self.applied.read_after}"
        how = {
            "verified": helped(self.goals), "not-better": "not better",
            "unmeasured": helped(self.goals) if any(one.holds for one in self.goals)
            else "its effect can't be measured within seconds",
            "worse": f"worse: {'; '.join(self.worse)}",
        }[self.came]  # fmt: skip
        back = (
            ", rolled back at once"
            if self.taken_back
            else f", and not rolled back: {self.not_undone}"
            if self.not_undone
            else ""
        )
        return f"{effect}; {how}{back}"


async def carry_out(site: Site, gate: Gate, step: Step, change: Change, approval: Approval) -> Outcome:
    """Make an approved change and report its outcome. Raises `GateError` or `Unanswered` if it wasn't made."""
    node = site.nodes[change.node]
    node.budget.grant(**GRANTED)
    # Slow readings are taken beforehand only if they are compared.
    first = [goal for goal in step.checks if goal.tool not in LONG or goal.op in ("falls", "grows")]
    before = await site.look(change.node, GUARD, first)
    applied = await gate.apply(node, change, approval)
    await site.clock.sleep(SETTLES)
    after = await site.look(change.node, GUARD, step.checks)
    goals = [seen(goal, before, after) for goal in step.checks]
    bad = tuple(worse(before, after))
    taken_back, not_undone = False, None
    if bad and change.undo is not None:
        try:
            await gate.roll_back(node, applied, "; ".join(bad), step=step.id)
            taken_back = True
        except RediagnoseError as error:
            not_undone = str(error)
    elif bad:
        not_undone = "it can't be undone"
    outcome = Outcome(
        applied=applied, came="worse" if bad else _came(applied, goals), goals=tuple(goals), worse=bad,
        taken_back=taken_back, not_undone=not_undone, before=tuple(before.values()), after=tuple(after.values()),
    )  # fmt: skip
    _note(site, outcome, approval)
    return outcome


def _came(applied: Applied, goals: Sequence[Seen]) -> Came:
    change = applied.change
    if change.parameter is not None and not equal_values(change.parameter, change.args[3], applied.read_after):
        return "not-better"
    if any(one.holds is False for one in goals):
        return "not-better"
    return "verified" if brought_about(goals) else "unmeasured"


def _note(site: Site, outcome: Outcome, approval: Approval) -> None:
    event: AuditEvent = outcome.came
    change, after = outcome.applied.change, outcome.applied.read_after
    site.log(
        change_entry(
            site.clock, event, change, why=outcome.summary, step=approval.step, channel=approval.channel, after=after
        )
    )  # fmt: skip


async def roll_back(site: Site, gate: Gate, restored: Change, approval: Approval) -> Applied:
    """Restore the previous value after a separate approval. Raises `GateError` if the value is no longer ours."""
    done = await gate.apply(site.nodes[restored.node], restored, approval)
    if not equal_values(restored.parameter or "", restored.args[3], done.read_after):
        raise GateError(f"{restored.parameter} is {done.read_after!r} after {restored.action}; check it")
    return done


def outcome_lines(outcome: Outcome) -> list[str]:
    """An outcome in words for a person."""
    change = outcome.applied.change
    rows = [f"  {one.text}" for one in outcome.goals]
    tools = {one.goal.tool for one in outcome.goals} or set(GUARD)
    for when, readings in (("before", outcome.before), ("after ", outcome.after)):
        rows += [f"  {when}  {one.id} {one.tool}  {figures_text(one)}" for one in readings if one.tool in tools]
    if change.undo is not None and not outcome.taken_back:
        rows.append(f"  undo    {command_line(change.undo)}")
        rows.append("  A runtime change is lost at the next restart. To keep it, add this to the configuration file:")
        rows += [f"    {line}" for line in file_lines(change)]
    return rows


def file_lines(change: Change) -> list[str]:
    """The lines that make a change survive a restart."""
    return config_lines(change.parameter, change.args[3]) if change.parameter is not None else []
