"""Agents for exported tasks, each held to what it does on a real task with a scripted model or none."""

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import pytest

from evals.endpoint import Call, Endpoint, Move, Say, endpoint
from evals.export.adapters import sre_scenarios
from evals.export.adapters.sre_agent import OPERATIONS
from evals.export.adapters.sre_agent import said as answer_in
from evals.export.command import written
from evals.inputs import ExportInputs
from evals.scoring.scenario import BUNDLED, load
from tools.record.load import load as recording
from tools.record.tape import Tape

ROOT = Path(__file__).resolve().parents[3]
LEAK = next(one for one in load(BUNDLED) if one.id == "s0044")
RIGHT = '{"outcome": "diagnosed", "causes": ["connection-leak"], "actions": []}'


@contextlib.asynccontextmanager
async def run(
    adapter: str, moves: Iterable[Move], folder: Path
) -> AsyncIterator[tuple[Endpoint, str, dict[str, object]]]:
    """An adapter on one incident: the endpoint, what the runner printed, and the result."""
    (id,) = written(ExportInputs(folder=folder / "data", form="json"), BUNDLED, [LEAK])
    async with endpoint(moves) as at:
        environ = {**os.environ, "OPENAI_BASE_URL": at.url, "OPENAI_API_KEY": "sk-none", "PYTHONPATH": str(ROOT)}
        agent = f"{sys.executable} -m evals.export.adapters.{adapter}"
        process = await asyncio.create_subprocess_exec(
            sys.executable, str(folder / "data/incidents.py"), "--agent", agent, "-o", str(folder / "out"), id,
            env=environ, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out, _ = await process.communicate()
        yield at, out.decode(), json.loads((folder / "out").read_text())


async def test_a_model_with_a_shell(tmp_path: Path) -> None:
    look = (
        "cat /dev/zero | head -c 30000 | tr '\\\\0' x; python3 -c 'import os; print(os.environ[\"REDIS_URL\"])'; false"
    )
    moves = [
        Say(calls=(Call(name="shell", arguments={"command": look}), Call(name="shell", arguments="[" * 50_000))),
        Say(calls=(Call(name="rm", arguments={}), Call(name="shell", arguments={"cmd": "ls"}))),
        Say(calls=(Call(name="shell", arguments={"command": f"echo '{RIGHT}' > answer.json"}),)),
        Say(text="It is written."),
    ]
    async with run("shell m", moves, tmp_path) as (at, out, result):
        assert result["reward"] == 1, (out, result)
        said = [message["content"] for message in at.requests[-1]["messages"] if message["role"] == "tool"]
        assert said[0].endswith("[status 1]") and "redis://127.0.0.1:" in said[0] and "bytes are left out" in said[0]
        assert len(said[0]) < 13_000
        assert said[1].startswith("the arguments aren't JSON") and said[2] == "there is no tool 'rm'"
        assert said[3].startswith("the arguments of shell are command") and said[4] == "[no output]"
        assert LEAK.ticket in at.requests[0]["messages"][1]["content"]


async def test_a_model_that_never_ends_is_ended(tmp_path: Path) -> None:
    moves = [Say(calls=(Call(name="shell", arguments={"command": "true"}),))] * 3
    async with run("shell m --turns 2", moves, tmp_path) as (at, _out, result):
        assert len(at.requests) == 2 and result["reward"] == 0
        assert str(result["problem"]).startswith("answer.json: ")


async def test_a_model_with_the_tools_of_another_agent(tmp_path: Path) -> None:
    calls = [Call(name="redis_command_info", arguments={"section": "clients"}), Call(name="redis_command_client_list"),
             Call(name="redis_command_config_get", arguments={"pattern": "maxclients"}),
             Call(name="redis_command_slowlog", arguments={"count": 5}), Call(name="redis_command_replication_info"),
             Call(name="redis_command_slowlog", arguments={"count": "5"})]  # fmt: skip
    moves = [Say(calls=tuple(calls)), Say(text=f"This is it:\n```json\n{RIGHT}\n```")]
    async with run("sre_agent m", moves, tmp_path) as (at, out, result):
        assert result["reward"] == 1, (out, result)
        said = [message["content"] for message in at.requests[-1]["messages"] if message["role"] == "tool"]
        assert "connected_clients:" in said[0] and "maxclients" in said[2]
        assert said[5] == "count has to be of type integer"
        assert len(at.requests[0]["tools"]) == len(OPERATIONS)


@pytest.mark.parametrize("text", ["", "no idea", '{"a": 1} {', '{"a": {"b": 2}}'])
def test_a_last_message_without_an_answer(text: str) -> None:
    assert answer_in(text) is None


def test_another_agents_own_incidents_as_recordings(tmp_path: Path) -> None:
    sre_scenarios.write(tmp_path)
    scenarios = load(tmp_path)
    assert [one.cause for one in scenarios] == ["eviction-churn", "slow-on-command", "no-fault"]
    for scenario in scenarios:
        tape = Tape(recording(tmp_path / scenario.file))
        assert tape.head.pasted and tape.head.symptom == scenario.ticket
    (node,) = Tape(recording(tmp_path / scenarios[1].file)).nodes.values()
    slow = next(outcomes[0].reply for asked, outcomes in node.outcomes.items() if asked[:2] == ("SLOWLOG", "GET"))
    assert isinstance(slow, list) and [entry[3][0] for entry in slow] == ["ZRANGE", "HGETALL"]


async def test_this_program(tmp_path: Path) -> None:
    async with run(f"own {tmp_path / 'data'}", [], tmp_path) as (_, out, result):
        assert (result["reward"], result["causes"], result["asked"]) == (1, ["connection-leak"], 0), (out, result)
