"""inspect_ai's own runner on exported tasks; `make test-inspect` installs it into an environment of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from evals.export.command import drawn, written
from evals.inputs import ExportInputs
from evals.scoring.answered import of_recording
from evals.scoring.arm import Arm
from evals.scoring.run import Wanted, examine
from evals.scoring.scenario import BUNDLED, Scenario, load

ROOT = Path(__file__).resolve().parents[3]
INSPECT = ROOT / ".venv-inspect" / "bin"
pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(not INSPECT.exists(), reason="inspect_ai isn't here; make test-inspect installs it"),
]
ALWAYS_WELL = """echo '{"outcome": "no-fault", "causes": [], "actions": []}' > answer.json"""
"""A scripted agent."""
MODEL = '''
import sys
from inspect_ai import eval
from inspect_ai.model import ModelOutput, ModelUsage, get_model
sys.path.insert(0, ".")
from inspect_task import redis_incidents
answer = """{"outcome": "diagnosed", "causes": ["%s"], "actions": []}"""
moves = [
    ModelOutput.for_tool_call("mockllm", "bash", {"command": "cat endpoints.json && ls host"}),
    ModelOutput.for_tool_call("mockllm", "bash", {"command": f"echo '{answer}' > answer.json"}),
    ModelOutput.from_content("mockllm", "It is written."),
]
# Without it the mock would count, by a table that it fetches.
for move in moves:
    move.usage = ModelUsage(input_tokens=1, output_tokens=1, total_tokens=2)
(log,) = eval(redis_incidents(), model=get_model("mockllm/model", custom_outputs=moves), log_dir=sys.argv[1],
              display="none", log_format="json", limit=1)
'''


def run(folder: Path, *command: str | Path) -> dict[str, Any]:
    """What a run logs of each sample, by its task."""
    logs = folder.parent / f"{folder.name}-logs"
    environ = {**os.environ, "SERVER_PYTHON": sys.executable, "INSPECT_LOG_DIR": str(logs), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (log,) = logs.glob("*.json")
    whole = json.loads(log.read_text())
    log.unlink()
    assert whole["status"] == "success", whole["error"]["traceback"]
    return {sample["id"]: sample["scores"]["rules"] for sample in whole["samples"]}


def by_inspect(folder: Path, agent: str) -> dict[str, Any]:
    return run(
        folder, INSPECT / "inspect", "eval", "inspect_task.py", "--model", "none/none", "--display", "none",
        "--log-format", "json", "--max-samples", "2", "-T", f"agent={agent}",
    )  # fmt: skip


@pytest.fixture(scope="module")
def ten(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Mapping[str, Scenario]]:
    folder = tmp_path_factory.mktemp("exported") / "data"
    return folder, written(ExportInputs(folder=folder, form="inspect"), BUNDLED, drawn(load(BUNDLED), 0, 10))


def test_a_scripted_agent_on_ten(ten: tuple[Path, Mapping[str, Scenario]]) -> None:
    folder, tasks = ten
    # inspect reads the value as YAML, which JSON would be part of.
    script = folder.with_name("agent.sh")
    script.write_text(ALWAYS_WELL)
    scores = by_inspect(folder, f"sh {script}")
    assert {id: score["value"] for id, score in scores.items()} == {
        id: int(scenario.cause == "no-fault") for id, scenario in tasks.items()
    }
    assert len(scores) == 10


def test_this_program_on_ten_scores_as_in_its_own_evaluation(ten: tuple[Path, Mapping[str, Scenario]]) -> None:
    folder, tasks = ten
    scores = by_inspect(folder, f"{sys.executable} -m evals.export.adapters.own {folder}")
    assert len(scores) == 10
    for id, scenario in tasks.items():
        wanted = Wanted(scenario, Arm(name="offline", model="offline"), 0)
        result = examine(wanted, partial(of_recording, BUNDLED))
        details = scores[id]["metadata"]
        assert (details["right"], details["complete"], details["safe"]) == (result.first, result.top3, result.safe)
        assert tuple(details["causes"]) == result.causes and details["outcome"] == result.outcome
        assert scores[id]["value"] == int(result.first and result.safe)


def test_a_model_with_inspects_own_shell(tmp_path: Path) -> None:
    scenario = next(one for one in load(BUNDLED) if one.id == "s0044")
    folder = tmp_path / "data"
    (id,) = written(ExportInputs(folder=folder, form="inspect"), BUNDLED, [scenario])
    scores = run(folder, INSPECT / "python", "-c", MODEL % scenario.cause, str(tmp_path / "data-logs"))
    assert scores[id]["value"] == 1, scores
