"""The forms in which tasks are laid down: for Harbor a folder each, for inspect_ai and for others one folder of all."""

from collections.abc import Callable, Mapping, Sequence
from string import Template
from typing import Literal

from evals.export.bundle import given, server
from evals.export.task import CANARY, COMMANDS, SECONDS, Task, causes
from evals.export.tree import Files, as_json, as_lines, packed

Form = Literal["harbor", "inspect", "json"]
ORGANISATION = "redis-incidents"
"""Of the tasks' names in Harbor's registry."""
HIDDEN = ("tests/", "solution/", "truth/")
"""Folders that an agent never sees."""
_TASK_TOML = Template("""\
schema_version = "1.1"

[task]
name = "$organisation/$id"
description = "A page about a Redis deployment: find out what is wrong, if anything is"
keywords = ["redis", "valkey", "sre", "incident", "diagnosis"]

[metadata]
category = "operations"

[agent]
timeout_sec = $seconds.0
user = "oncall"

[verifier]
timeout_sec = 60.0
user = "root"

[environment]
build_timeout_sec = 600.0
cpus = 1
memory_mb = 1024
storage_mb = 2048
workdir = "/app"

[environment.healthcheck]
command = "test -s /app/endpoints.json"
interval_sec = 1.0
timeout_sec = 5.0
start_period_sec = 20.0
start_interval_sec = 0.5
retries = 10
""")


def instruction(task: Task) -> str:
    """An agent's instructions."""
    encrypted = " Its clients use TLS (`rediss://`), without which it's served here." if task.encrypted else ""
    return Template(given("instruction.md").decode()).substitute(
        encrypted=encrypted,
        ticket=task.ticket.replace("\n", "\n> "),
        url=task.url,
        minutes=SECONDS // 60,
        commands=COMMANDS,
    )


def harbor(tasks: Sequence[Task]) -> Files:
    """Harbor's task format: a folder for each, complete by itself."""
    files: dict[str, bytes] = {}
    server_ = packed(server())
    taxonomy = as_json(causes())
    for task in tasks:
        at = f"tasks/{task.id}"
        files |= {
            f"{at}/instruction.md": instruction(task).encode(),
            f"{at}/task.toml": _TASK_TOML.substitute(
                organisation=ORGANISATION, id=task.id, seconds=SECONDS
            ).encode(),
            f"{at}/environment/Dockerfile": given("Dockerfile"),
            f"{at}/environment/entrypoint.sh": given("entrypoint.sh"),
            f"{at}/environment/server.tar.gz": server_,
            f"{at}/environment/incident.jsonl.gz": task.recording,
            f"{at}/environment/app/causes.json": taxonomy,
            f"{at}/tests/test.sh": given("test.sh"), f"{at}/tests/score.py": given("score.py"),
            f"{at}/tests/truth.json": as_json(task.truth),
            f"{at}/solution/solve.sh": _solution(task).encode(),
        }  # fmt: skip
        files |= {f"{at}/environment/app/host/{name}": content for name, content in task.host.items()}
    return files


def _solution(task: Task) -> str:
    truth = task.truth
    answer = {
        "outcome": truth["outcome"] or "diagnosed", "causes": [] if truth["outcome"] else truth["expected"],
        "actions": [],
    }  # fmt: skip
    return f"#!/bin/sh\n# {CANARY}\ncat >\"${{APP:-/app}}/answer.json\" <<'END'\n{as_json(answer).decode()}END\n"


def plain(tasks: Sequence[Task]) -> Files:
    """Lines of JSON, a recording each, and a runner that needs nothing but Python."""
    lines = [
        {"task": task.id, "ticket": task.ticket, "url": task.url, "instruction": instruction(task),
         "recording": f"recordings/{task.id}.jsonl.gz", "host": f"host/{task.id}", "budget": task.budget}
        for task in tasks
    ]  # fmt: skip
    files: dict[str, bytes] = {
        "tasks.jsonl": as_lines(lines), "causes.json": as_json(causes()), "score.py": given("score.py"),
        "incidents.py": given("incidents.py"),
    }  # fmt: skip
    files |= {f"server/{name}": content for name, content in server().items()}
    for task in tasks:
        files[f"recordings/{task.id}.jsonl.gz"] = task.recording
        files[f"truth/{task.id}.json"] = as_json(task.truth)
        files |= {f"host/{task.id}/{name}": content for name, content in task.host.items()}
    return files


def inspect(tasks: Sequence[Task]) -> Files:
    """The same with a task of inspect_ai over it."""
    return {**plain(tasks), "inspect_task.py": given("inspect_task.py")}


FORMS: Mapping[Form, Callable[[Sequence[Task]], Files]] = {"harbor": harbor, "inspect": inspect, "json": plain}
"""How each is laid down."""
