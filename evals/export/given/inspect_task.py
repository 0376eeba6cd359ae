"""The incidents of this folder as a task of inspect_ai.

    inspect eval inspect_task.py --model PROVIDER/MODEL
    inspect eval inspect_task.py --model none/none -T agent='COMMAND'

Without `agent` the model gets a shell. The sandbox is this machine: the container of Harbor's form keeps an agent from
the files of this folder, this task doesn't.
"""

import contextlib
import json
import os
import sys
from pathlib import Path

import anyio
from inspect_ai import Task, task
from inspect_ai.agent import react
from inspect_ai.dataset import Sample
from inspect_ai.scorer import Score, Scorer, Target, accuracy, scorer, stderr
from inspect_ai.solver import Generate, Solver, TaskState, solver
from inspect_ai.tool import bash
from inspect_ai.util import sandbox

sys.path.insert(0, str(Path(__file__).resolve().parent))

import incidents

_OPEN: dict[str, tuple[contextlib.ExitStack, str, Path, Path]] = {}
"""Of each sample that runs: what ends its server, its URL, its folder, and the file that counts the commands."""


@solver
def paged(python: str) -> Solver:
    """Serve the incident, and put the page into the agent's folder."""

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        found = state.metadata["incident"]
        folder = Path((await sandbox().exec(["pwd"])).stdout.strip())
        stack = contextlib.ExitStack()
        url, asked = await anyio.to_thread.run_sync(
            lambda: stack.enter_context(incidents.served(found, folder, python))
        )
        _OPEN[state.uuid] = stack, url, folder, asked
        incidents.laid(found, folder, url)
        state.user_prompt.text = incidents.instruction(found, url)
        return state

    return solve


@solver
def command(agent: str) -> Solver:
    """Any program, run as `incidents.py` runs it."""

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        _, url, folder, _ = _OPEN[state.uuid]
        found = state.metadata["incident"]
        state.output.completion = await anyio.to_thread.run_sync(incidents.agent, agent, found, folder, url)
        return state

    return solve


async def ended(state: TaskState) -> None:
    """End the server."""
    if state.uuid in _OPEN:
        await anyio.to_thread.run_sync(_OPEN.pop(state.uuid)[0].close)


@scorer(metrics=[accuracy(), stderr()])
def rules() -> Scorer:
    """The rules of score.py."""

    async def score(state: TaskState, target: Target) -> Score:
        _, _, folder, asked = _OPEN[state.uuid]
        # The server writes the count down once a second.
        await anyio.sleep(incidents.COUNTED_WITHIN)
        details = await anyio.to_thread.run_sync(
            incidents.scored, state.metadata["incident"], folder / "answer.json", asked
        )
        return Score(value=details["reward"], answer=json.dumps(details["causes"]), metadata=details)

    return score


@task
def redis_incidents(agent: str = "", tasks: str = "", python: str = "") -> Task:
    """All incidents, or those that `tasks` names; `python` is the one that has the packages of the server."""
    ids = tasks.replace(",", " ").split()
    return Task(
        dataset=[
            Sample(id=one["task"], input=one["instruction"], metadata={"incident": one}) for one in incidents.tasks(ids)
        ],
        setup=paged(python or os.environ.get("SERVER_PYTHON", sys.executable)),
        solver=command(agent) if agent else react(tools=[bash(timeout=60)], submit=False),
        cleanup=ended, scorer=rules(), sandbox="local", time_limit=incidents.SECONDS,
    )  # fmt: skip
