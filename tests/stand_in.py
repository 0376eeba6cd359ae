"""Scenarios, and answers to them, made by hand: what stands in for an investigation of a recording."""

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, get_args

from agent.answer.diagnosis import Cause, Diagnosis, Evidence, ModelUse, Outcome, Step, TargetInfo
from agent.answer.events import Event
from agent.cli.inputs import typed
from agent.cli.parsing import Parser
from evals.commands import configure_eval
from evals.inputs import EvalInputs
from evals.scoring.answered import Answered, Investigate
from evals.scoring.arm import Arm
from evals.scoring.scenario import Scenario
from tools.records import Footprint, Reading, Unavailable

BUSY = Reading(
    id="r1", tool="connect", args={}, node="127.0.0.1:6379", at="", ms=1, values={"stage": "ping"},
    unavailable=Unavailable(kind="busy", detail="BUSY"),
)  # fmt: skip
INFO = Reading(
    id="r2", tool="info", args={}, node="127.0.0.1:6379", at="", ms=1,
    values={"connected_clients": 64, "maxclients": 64, "rejected_connections.delta": 5}, unavailable=None,
)  # fmt: skip
REPORT = Reading(id="r0", tool="symptom", args={}, node=None, at="", ms=None, values={"text": "slow"}, unavailable=None)
FULL = Evidence(reading="r2", field="rejected_connections.delta", value=5, verified=True)
IDLE = Evidence(reading="r1", field="stage", value="ping", verified=True)


def scenario(id: str, cause: str = "maxclients-exhausted", **more: Any) -> Scenario:
    """A recorded incident; of no fault it's benign."""
    also = more.get("also", ())
    given = {
        "id": id, "file": f"{id}.jsonl.gz", "fault": cause, "family": "clients", "kind": "redis-7.0", "seed": 0,
        "cause": cause, "expected": (cause, *also), "ticket": "checkout times out", "benign": cause == "no-fault",
    }  # fmt: skip
    return Scenario.model_validate({**given, **more})


def step(action: str, kind: Any = "config_set", **more: Any) -> Step:
    """A step of a plan, which asks for approval unless a person carries it out."""
    needs = more.pop("needs_approval", kind != "outside")
    return Step(id="s1", kind=kind, node="127.0.0.1:6379", action=action, why="", risk="risky", needs_approval=needs,
                **more)  # fmt: skip


def answer(
    *said: str, cited: Sequence[Evidence] = (FULL,), found: Sequence[str] = (), plan: Iterable[Step] = (),
    commands: int = 20, seconds: float = 1.0, probability: float = 0.9, use: ModelUse | None = None,
) -> Diagnosis:  # fmt: skip
    """An answer: causes, or one outcome; `found` are the checks' own."""
    outcome: Outcome = next((one for one in get_args(Outcome) if said and one == said[0]), "diagnosed")
    causes = [_cause(id, cited, probability) for id in said if outcome == "diagnosed"]
    return Diagnosis(
        symptom="slow", target=TargetInfo(url=""), outcome=outcome, causes=tuple(causes),
        findings=tuple(_cause(id, cited, probability) for id in found), ruled_out=(), unknown=(), plan=tuple(plan),
        readings=(REPORT, BUSY, INFO), footprint=Footprint(commands=commands, pings=0, bytes=0),
        model=use or ModelUse(name="offline"), seconds=seconds,
    )  # fmt: skip


def _cause(id: str, cited: Sequence[Evidence], probability: float) -> Cause:
    return Cause(id=id, probability=probability, where=None, why="why", evidence=tuple(cited))


def done(given: Diagnosis | None, *events: Event, **more: Any) -> Answered:
    """What an investigation came to."""
    return Answered(answer=given, events=events, **more)


def always(given: Callable[[Scenario, Arm], Answered]) -> Investigate:
    """An investigation that comes to what a function says."""

    async def investigate(one: Scenario, arm: Arm) -> Answered:
        return given(one, arm)

    return investigate


async def right(one: Scenario, arm: Arm) -> Answered:
    """Tells everything: a function of a module, so that other processes find it."""
    return done(answer(*one.expected))


def written(folder: Path, *scenarios: Scenario) -> Path:
    """A folder with an index of scenarios."""
    told = [one.model_dump(mode="json") for one in scenarios]
    (folder / "index.json").write_text(json.dumps({"schema": 1, "scenarios": told}))
    return folder


def options(*args: str) -> EvalInputs:
    """The options of `rediagnose eval`, one process unless more are asked for."""
    parser = Parser()
    configure_eval(parser)
    return typed(EvalInputs, vars(parser.parse_args(["--jobs", "1", *args])))
