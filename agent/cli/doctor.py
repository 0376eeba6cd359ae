"""`rediagnose doctor`: what can be reached, read and asked from here, and which settings apply."""

import asyncio
import json
import os
import shutil
import sys
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from agent.cli.hard_stop import GRACE, hard_stop
from agent.cli.machine import cluster_of, machine_facts
from agent.cli.origins import Origin, origins
from agent.cli.other_inputs import DoctorInputs
from agent.cli.place import REMEDY
from agent.cli.program import ANSWERED, FAILED, INTERRUPTED, NOTHING
from agent.doctor.check import Check
from agent.doctor.kubernetes import checked_kubernetes
from agent.doctor.mcp import checked_mcp
from agent.doctor.model import checked_model
from agent.doctor.prometheus import checked_prometheus
from agent.doctor.server import checked_machine, checked_server, deployment_of
from agent.model.selection import choose
from tools.clock import Clock, SystemClock
from tools.connection.target import Target
from tools.errors import RediagnoseError, Unlogged, UsageError
from tools.gate.ledger import audit_path
from tools.host.facts import load_facts
from tools.past.history import History
from tools.settings.file import load_settings
from tools.text import one_line

DEADLINE = 90.0
MARKS = {"ok": "ok", "warning": "warning", "failed": "FAILED", "unset": "-"}


async def doctor(inputs: DoctorInputs) -> int:
    """Examine each part and print the results; 1 if something that is named can't be used.

    Raises `UsageError` for options and files that can't be used.
    """
    target, clock = inputs.named_or_environment(inputs.what), SystemClock()
    settings, past = origins(inputs, target), inputs.history(target, clock)
    inputs.library()
    seconds = inputs.deadline or DEADLINE

    def give(ended: bool) -> int:
        why = "interrupted" if ended else f"no answer within {seconds:g} s"
        print(one_line(f"rediagnose doctor: {why}; nothing was changed"), file=sys.stderr)
        return INTERRUPTED if ended else NOTHING

    with hard_stop(seconds + GRACE, give):
        try:
            async with asyncio.timeout(seconds):
                checks = await _checks(inputs, target, past, clock, seconds)
        except ExceptionGroup as failed:
            # The parts are examined together, and an option that one of them can't use is no bug.
            if wrong := failed.subgroup(UsageError):
                raise wrong.exceptions[0] from None
            raise
        except TimeoutError:
            raise RediagnoseError(f"no answer within {seconds:g} s; nothing was changed") from None
    if inputs.format == "json":
        print(json.dumps(_json(checks, settings), indent=2))
    else:
        print("\n".join(_text(checks, settings)))
    return FAILED if any(one.state == "failed" for one in checks) else ANSWERED


async def _checks(
    inputs: DoctorInputs, target: Target | None, past: History, clock: Clock, seconds: float
) -> list[Check]:
    use = choose(inputs.model)
    extras = inputs.extras(use)
    # Slow endpoints exist, and the server check doesn't wait for one.
    async with asyncio.TaskGroup() as group:
        model = group.create_task(
            checked_model(
                use, timeout=min(inputs.model_timeout, seconds), max_tokens=inputs.max_tokens, extras=extras
            )
        )  # fmt: skip
        asked = group.create_task(checked_mcp(load_settings().mcp))
        others = group.create_task(_servers(inputs, target, past, clock))
    return [*others.result(), model.result(), *asked.result(), _kept(inputs.audit)]


async def _servers(inputs: DoctorInputs, target: Target | None, past: History, clock: Clock) -> list[Check]:
    if target is None:
        unset = Check(name="server", state="unset", line=f"none is named; {REMEDY}")
        return [unset, await checked_prometheus(past, None)]
    cluster = cluster_of(inputs, target, "")
    facts = await machine_facts(inputs, target) or (load_facts(inputs.host_facts) if inputs.host_facts else None)
    async with deployment_of(target, clock) as deployment:
        server, rights = await checked_server(deployment)
        machine, kubernetes = await checked_machine(deployment, facts), await checked_kubernetes(cluster, target)
        prometheus = await checked_prometheus(past, deployment.entry)
        return [one for one in (server, rights, machine, kubernetes, prometheus) if one]


def _kept(audit: Path | None) -> Check:
    """Whether changes could be logged, without which none are made."""
    try:
        path = audit or audit_path()
    except Unlogged as error:
        return Check(name="audit log", state="failed", line=str(error))
    there = next(one for one in (path, *path.absolute().parents) if os.path.lexists(one))
    if os.access(there, os.W_OK) and (there.is_file() if there == path else there.is_dir()):
        return Check(name="audit log", state="ok", line=f"{path} can be written")
    return Check(name="audit log", state="failed", line=f"{path} can't be written, so no step could be applied")


def _text(checks: Sequence[Check], settings: Sequence[Origin]) -> Iterator[str]:
    width = max(len(one.name) for one in checks)
    for one in checks:
        yield from _wrapped(f"{MARKS[one.state]:<8} {one.name:<{width}}  ", one.line)
        for detail in one.details:
            yield from _wrapped(" " * (width + 11), detail)
    yield "\nSettings"
    width = max(len(one.name) for one in settings)
    for setting in settings:
        value = f"{setting.value} ({setting.source})" if setting.value else f"- ({setting.source})"
        yield from _wrapped(f"  {setting.name:<{width}}  ", value)


def _wrapped(head: str, text: str) -> list[str]:
    room = shutil.get_terminal_size().columns - len(head)
    first, *rest = textwrap.wrap(one_line(text), max(room, 40), break_on_hyphens=False) or [""]
    return [head + first, *(" " * len(head) + line for line in rest)]


def _json(checks: Sequence[Check], settings: Sequence[Origin]) -> dict[str, Any]:
    return {
        "schema": 1, "checks": [one.model_dump(mode="json") for one in checks],
        "settings": [one.model_dump(mode="json") for one in settings],
    }  # fmt: skip
