"""Libraries in part: the program loads no client of redis-py and no plugin, and who wants a client gets it."""

import subprocess
import sys

import pytest

from agent.cli.commands import COMMANDS as AGENT
from agent.cli.program import Command
from evals.commands import COMMANDS as EVALS

LEAN = "import sys; from agent.cli.lean_imports import without_clients\nwith without_clients(): import {}\n"
ONLY_OTHERS = frozenset((
    "psutil", "tools.settings.tables", "tools.settings.parsing", "agent.cli.unhurried", "agent.remediation.approval",
    "agent.remediation.carry_out", "agent.report.markdown", "agent.report.page", "agent.loop.run", "yaml",
))  # fmt: skip
"""What a triage needs only where a file of settings is there, a step is approved, or another form is asked for."""


def said(program: str) -> str:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_program_loads_no_client_and_looks_for_no_plugin() -> None:
    shown = (
        "import sys; from agent.cli.lean_imports import without_plugins; without_plugins()\n"
        "import tools.errors; from agent.cli.commands import COMMANDS; from agent.cli.program import loading\n"
        "with loading(COMMANDS[0]):\n"
        "    import agent.cli.triage, tools.connection.live as live; seen = sorted(sys.modules)\n"
        "print(live.Wire.__mro__[1].__module__, *(name in seen for name in ('redis.client', 'email', 'zipfile')))\n"
        "import importlib.metadata; print(importlib.metadata.version('pydantic') == __import__('pydantic').VERSION)"
    )
    assert said(shown).split() == ["redis.asyncio.connection", "False", "False", "False", "True"]


def test_redis_py_loads_no_metrics_of_its_own_and_others_can_still_load_them() -> None:
    shown = (
        "print('opentelemetry.sdk' in sys.modules, 'opentelemetry' in sys.modules)\nimport opentelemetry.sdk.metrics"
    )
    assert said(LEAN.format("redis.asyncio.connection") + shown) == "False False"


def test_a_plain_triage_loads_nothing_that_only_others_need() -> None:
    program = (
        "import sys; from agent.cli.lean_imports import without_plugins; without_plugins()\n"
        "from agent.cli.commands import COMMANDS; from agent.cli.program import loading\n"
        "triage = next(one for one in COMMANDS if one.name == 'triage')\n"
        "with loading(triage): import agent.cli.inputs, agent.cli.triage\n"
        f"print(*(set({sorted(ONLY_OTHERS)}) & sys.modules.keys()), 'and', 'tools.settings.file' in sys.modules)"
    )
    assert said(program) == "and True"


@pytest.mark.parametrize("wanted", [
    "from redis import Redis as one", "import redis.asyncio; one = redis.asyncio.Redis",
    "from redis.asyncio import Redis as one", "from redis.cluster import RedisCluster as one",
    "import redis.exceptions; one = redis.exceptions.RedisError", "import redis; one = redis.__version__",
    "from redis.asyncio.connection import AbstractConnection as one",
])  # fmt: skip
def test_what_is_imported_afterwards_is_whole(wanted: str) -> None:
    whole = "import redis.asyncio; print(one is not None, redis.asyncio.connection.Connection, redis.client.Redis)"
    told = said(f"{LEAN.format('tools.connection.live')}{wanted}\n{whole}")
    assert told == "True <class 'redis.asyncio.connection.Connection'> <class 'redis.client.Redis'>"


def test_what_was_imported_before_stays() -> None:
    program = f"import redis; before = redis.Redis\n{LEAN.format('tools.connection.live')}print(redis.Redis is before)"
    assert said(program) == "True"


@pytest.mark.parametrize("command", [*AGENT, *EVALS], ids=lambda command: command.name)
def test_every_command_loads_in_a_process_of_its_own(command: Command) -> None:
    own = (
        "import importlib, rediagnose; from agent.cli.lean_imports import without_plugins; without_plugins()\n"
        "from agent.cli.commands import COMMANDS as AGENT; from evals.commands import COMMANDS as EVALS\n"
        "from agent.cli.program import loading\n"
        f"command = next(one for one in (*AGENT, *EVALS) if one.name == {command.name!r})\n"
        "with loading(command): importlib.import_module(command.run.partition(':')[0])\n"
        "print('loaded')"
    )
    assert said(own) == "loaded"
