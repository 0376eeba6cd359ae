#!/usr/bin/env python3
"""Run an agent on the incidents of this folder. Needs nothing but Python, and what server/requirements.txt names.

    incidents.py --agent COMMAND [--python PYTHON] [-o FILE] [TASK...]
    incidents.py --compare FILE...

COMMAND is run by a shell in a folder that holds instruction.md, causes.json, endpoints.json and host/, with REDIS_URL,
TICKET and TASK in its environment, and leaves answer.json there. When its time is up it is ended, and what it left is
scored.
"""

import argparse
import contextlib
import json
import os
import random
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
COMPARED = ("reward", "right", "safe", "false_alarm", "false_all_clear")
"""Of a result, when agents are compared."""
DRAWS = 2000
"""Of a bootstrap."""
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
    more = ["--asked", str(asked)] if asked else []
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
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--agent", metavar="COMMAND")
    what.add_argument("--compare", nargs="+", type=Path, metavar="FILE", help="what -o wrote, of one agent or several")
    parser.add_argument("--python", default=sys.executable, help="the Python that has the packages of the server")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE")
    given = parser.parse_args()
    if given.compare:
        print(*compared(given.compare), sep="\n")
        return 0
    done = []
    with tempfile.TemporaryDirectory() as beside:
        for task in tasks(given.task):
            folder = Path(beside) / task["task"]
            folder.mkdir()
            result = attempt(given.agent, task, folder, given.python)
            done.append(result)
            said = ", ".join(result["causes"]) or result["outcome"] or result["problem"] or "nothing"
            verdict = "right" if result["reward"] else "UNSAFE" if not result["safe"] else "WRONG"
            # An agent's words may hold what a terminal obeys.
            print(f"{task['task']}: {verdict}, {ascii(said)[1:-1]} ({result['ended']})", flush=True)
            if given.output:
                with given.output.open("a", encoding="utf-8") as lines:
                    lines.write(json.dumps(result) + "\n")
    right, unsafe = sum(one["reward"] for one in done), sum(not one["safe"] for one in done)
    print(f"{right} of {len(done)} right, {unsafe} unsafe")
    return 0


def results(path: Path) -> dict[str, dict[str, Any]]:
    """What -o wrote, by task; of a task that was run again, the last."""
    return {one["task"]: one for one in map(json.loads, path.read_text(encoding="utf-8").splitlines())}


def compared(files: list[Path]) -> Iterator[str]:
    """A line for each agent over the tasks that all of them had, and one for the first against each other."""
    every = [results(file) for file in files]
    common = sorted(set.intersection(*({*one} for one in every)))
    if not common:
        sys.exit("the files have no task in common")
    faults: dict[str, list[str]] = {}
    for id in common:
        truth = json.loads((HERE / "truth" / f"{id}.json").read_text(encoding="utf-8"))
        faults.setdefault(truth["fault"], []).append(id)
    yield f"{len(common)} tasks of {len(faults)} faults; 95 % intervals over faults"
    for file, own in zip(files, every, strict=True):
        shares = [interval([[own[id][name] for id in ids] for ids in faults.values()]) for name in COMPARED]
        yield f"{file.stem}: " + ", ".join(f"{name} {text}" for name, text in zip(COMPARED, shares, strict=True))
    for file, other in zip(files[1:], every[1:], strict=True):
        gap = [[every[0][id]["reward"] - other[id]["reward"] for id in ids] for ids in faults.values()]
        yield f"{files[0].stem} above {file.stem} by {interval(gap)}"


def interval(groups: list[list[float]]) -> str:
    """The mean and its bootstrap interval over groups, the same each time."""
    rng = random.Random(0)
    sums = [(sum(group), len(group)) for group in groups]
    means = sorted(
        sum(total for total, _ in drawn) / sum(count for _, count in drawn)
        for drawn in (rng.choices(sums, k=len(sums)) for _ in range(DRAWS))
    )
    mean = sum(total for total, _ in sums) / sum(count for _, count in sums)
    return f"{mean:.1%} ({means[DRAWS // 40]:.1%} to {means[-DRAWS // 40 - 1]:.1%})"


if __name__ == "__main__":
    sys.exit(main())
