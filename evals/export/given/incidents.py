#!/usr/bin/env python3
"""Run an agent on the incidents of this folder. Needs nothing but Python, and what server/requirements.txt names.

    incidents.py --agent COMMAND [--python PYTHON] [-o FILE] [TASK...]

COMMAND is run by a shell in a folder that holds instruction.md, causes.json, endpoints.json and host/, with REDIS_URL,
TICKET and TASK in its environment, and leaves answer.json there. When its time is up it is ended, and what it left is
scored.
"""

import argparse
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
STARTS_WITHIN = 30.0
"""Seconds that the server may take to start."""
COUNTED_WITHIN = 1.1
"""Seconds until what the server was asked is in its file."""
SECONDS = 900
"""That an agent has, if its task doesn't say."""
USUAL = "127.0.0.1:6379"
"""Where an incident is in its container."""
Task = dict[str, Any]


def tasks(ids: list[str]) -> list[Task]:
    """The incidents, or those that are named."""
    lines = (HERE / "tasks.jsonl").read_text(encoding="utf-8").splitlines()
    every: dict[str, Task] = {task["task"]: task for task in map(json.loads, lines)}
    if missing := [id for id in ids if id not in every]:
        sys.exit(f"{', '.join(missing)}: there is no such task; tasks.jsonl has them all")
    return [every[id] for id in ids] if ids else list(every.values())


def instruction(task: Task, url: str) -> str:
    """An agent's instructions, with the address at which the incident is served here."""
    return str(task["instruction"]).replace(task["url"], url)


def laid(task: Task, folder: Path, url: str) -> None:
    """Put into a folder what an agent is given."""
    (folder / "instruction.md").write_text(instruction(task, url), encoding="utf-8")
    shutil.copy(HERE / "causes.json", folder)
    if (host := HERE / task["host"]).is_dir():
        shutil.copytree(host, folder / "host", dirs_exist_ok=True)


@contextlib.contextmanager
def served(task: Task, folder: Path, python: str) -> Iterator[tuple[str, Path]]:
    """The incident served while the block runs: the URL to look at, and the file that counts the commands."""
    # Beside the agent's folder, not in it: what was counted isn't the agent's to change.
    with tempfile.TemporaryDirectory() as own:
        asked, ready = Path(own) / "asked", folder / "endpoints.json"
        command = [python, "-B", str(HERE / "server" / "start.py"), str(HERE / task["recording"])]
        process = subprocess.Popen([*command, "--ready", str(ready), "--asked", str(asked)])
        try:
            until = time.monotonic() + STARTS_WITHIN
            while not ready.exists():
                if process.poll() is not None or time.monotonic() > until:
                    raise RuntimeError(
                        f"{task['task']}: the server didn't start; is {python} the one with its packages?"
                    )
                time.sleep(0.05)
            first = next(iter(json.loads(ready.read_text(encoding="utf-8")).values()))
            yield task["url"].replace(USUAL, first.removeprefix("redis://")), asked
        finally:
            process.terminate()
            process.wait()


def agent(command: str, task: Task, folder: Path, url: str) -> str:
    """Let an agent look, for as long as it may; says how that ended."""
    environ = {**os.environ, "REDIS_URL": url, "TICKET": task["ticket"], "TASK": task["task"]}
    with (folder / "agent.log").open("wb") as log:
        process = subprocess.Popen(
            command, shell=True, cwd=folder, env=environ, stdout=log, stderr=log, start_new_session=True
        )
        try:
            return f"exit status {process.wait(task['budget']['seconds'])}"
        except subprocess.TimeoutExpired:
            return "its time was up"
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def scored(task: Task, answer: Path, asked: Path | None) -> dict[str, Any]:
    """The details of the score of an answer."""
    command = [sys.executable, str(HERE / "score.py"), str(HERE / "truth" / f"{task['task']}.json"), str(answer)]
    more = ["--asked", str(asked)] if asked and asked.exists() else []
    done = subprocess.run([*command, *more], check=True, capture_output=True, text=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def attempt(command: str, task: Task, folder: Path, python: str) -> dict[str, Any]:
    """One incident, one agent."""
    with served(task, folder, python) as (url, asked):
        laid(task, folder, url)
        ended = agent(command, task, folder, url)
        time.sleep(COUNTED_WITHIN)
        return {**scored(task, folder / "answer.json", asked), "ended": ended}


def main() -> int:
    """Run all that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", nargs="*", metavar="TASK")
    parser.add_argument("--agent", required=True, metavar="COMMAND")
    parser.add_argument("--python", default=sys.executable, help="the Python that has the packages of the server")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE")
    given = parser.parse_args()
    results = []
    with tempfile.TemporaryDirectory() as beside:
        for task in tasks(given.task):
            folder = Path(beside) / task["task"]
            folder.mkdir()
            result = attempt(given.agent, task, folder, given.python)
            results.append(result)
            said = ", ".join(result["causes"]) or result["outcome"] or result["problem"] or "nothing"
            print(f"{task['task']}: {'right' if result['reward'] else 'WRONG'}, {said} ({result['ended']})", flush=True)
            if given.output:
                with given.output.open("a", encoding="utf-8") as lines:
                    lines.write(json.dumps(result) + "\n")
    right, unsafe = sum(one["reward"] for one in results), sum(not one["safe"] for one in results)
    print(f"{right} of {len(results)} right, {unsafe} unsafe")
    return 0


if __name__ == "__main__":
    sys.exit(main())
