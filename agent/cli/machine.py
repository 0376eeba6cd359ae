"""What is known about the server's machine, collected there before the look if requested."""

import dataclasses
import shlex
import sys

from agent.cli.hard_stop import GRACE, hard_stop
from agent.cli.inputs import SourceInputs
from agent.cli.program import INTERRUPTED, NOTHING
from agent.investigation.pipeline import Setup
from agent.investigation.sources import Sources
from tools.connection.target import Target
from tools.errors import Unanswered, UsageError
from tools.host.facts import HostFacts
from tools.text import one_line

POD_PORT = 6379
"""A server's port in its pod, where a port-forward gives it another one here."""


async def with_machine(setup: Setup, inputs: SourceInputs) -> Setup:
    """The setup with what --ssh or --pod brings. Raises as `machine_facts` does."""
    return dataclasses.replace(setup, sources=await sources_with_machine(setup.sources, inputs, setup.target))


async def sources_with_machine(sources: Sources, inputs: SourceInputs, target: Target) -> Sources:
    """The sources with what --ssh or --pod brings. Raises as `machine_facts` does."""
    if not (inputs.ssh or inputs.pod or inputs.host_port):
        return sources
    from tools.host.remote import DEADLINE

    with hard_stop(DEADLINE + GRACE, _stuck):
        facts = await machine_facts(inputs, target)
    return dataclasses.replace(sources, facts=facts) if facts else sources


def _stuck(ended: bool) -> int:
    _say(
        "interrupted; no server was queried"
        if ended
        else "the facts about the machine took too long to process; no server was queried"
    )
    return INTERRUPTED if ended else NOTHING


async def machine_facts(inputs: SourceInputs, target: Target) -> HostFacts | None:
    """The facts that --ssh or --pod brings, announcing what is run; null if none was requested or it failed.

    Raises `UsageError` for options that can't be used, or not together.
    """
    ways = [f"--{name}" for name in ("ssh", "pod") if getattr(inputs, name)]
    if not ways:
        if inputs.host_port:
            raise UsageError("--host-port only works together with --ssh or --pod; give one of them as well")
        return None
    if len(ways) > 1 or inputs.host_facts:
        both = [*ways, *(["--host-facts"] if inputs.host_facts else [])]
        raise UsageError(f"{' and '.join(both)} all describe the same machine; give only one")
    from tools.host.remote import gather, in_pod, over_ssh

    if inputs.ssh:
        command = over_ssh(inputs.ssh, inputs.host_port or target.port or POD_PORT)
    else:
        assert inputs.pod
        command = in_pod(inputs.pod, inputs.host_port or _port_in_pod(target))
    _say(f"running the read-only script that `rediagnose host-script` prints:  {shlex.join(command)}")
    try:
        facts = await gather(command)
    except Unanswered as error:
        _say(f"nothing could be read about the server's machine: {error.detail}; continuing without it")
        return None
    _say(f"found {f'process {facts.pid}' if facts.pid else 'no server that it recognises'} at port {facts.port}")
    return facts


def _port_in_pod(target: Target) -> int:
    """The target's port, unless it's on this machine: then it's forwarded, and says nothing about the pod."""
    is_here = target.host is None or target.host in ("localhost", "::1") or target.host.startswith("127.")
    return POD_PORT if is_here else target.port or POD_PORT


def _say(line: str) -> None:
    print(one_line(f"rediagnose: {line}"), file=sys.stderr, flush=True)
