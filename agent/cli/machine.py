"""What is known about the server's machine, collected there before the look if requested."""

import dataclasses
import shlex
import sys
from typing import TYPE_CHECKING

from agent.cli.hard_stop import GRACE, hard_stop
from agent.cli.inputs import SourceInputs
from agent.cli.program import INTERRUPTED, NOTHING
from agent.investigation.pipeline import Setup
from agent.investigation.pods import cluster_by_settings
from agent.investigation.sources import Sources
from tools.clock import SystemClock
from tools.connection.target import Target
from tools.errors import Unanswered, UsageError
from tools.host.facts import HostFacts
from tools.settings.file import settings_for
from tools.text import one_line

if TYPE_CHECKING:
    from tools.kubernetes.reading import Cluster
    from tools.providers.reading import Managed

POD_PORT = 6379
"""A server's port in its pod, where a port-forward gives it another one here."""
WHICH = "give NAME.NAMESPACE.svc as the address or in the report, or name the pod by --pod NAMESPACE/POD"


async def with_machine(setup: Setup, inputs: SourceInputs) -> Setup:
    """The setup with what else is asked about the server. Raises as `sources_with_machine` does."""
    sources = await sources_with_machine(setup.sources, inputs, setup.target, setup.symptom)
    return dataclasses.replace(setup, sources=sources)


async def sources_with_machine(sources: Sources, inputs: SourceInputs, target: Target, symptom: str = "") -> Sources:
    """The sources with what --ssh, --pod or --kubernetes brings. Raises as `machine_facts` and `cluster_of` do."""
    if sources.provider is not None:
        from tools.providers.reading import LOGS_IN as FINDS_KEYS

        with hard_stop(FINDS_KEYS + GRACE, _stuck):
            await _ready(sources.provider)
    if (cluster := cluster_of(inputs, target, symptom)) is not None:
        from tools.kubernetes.reading import LOGS_IN

        with hard_stop(LOGS_IN + GRACE, _stuck):
            await _prepared(cluster)
        sources = dataclasses.replace(sources, kubernetes=cluster)
    if not (inputs.ssh or inputs.pod or inputs.host_port):
        return sources
    from tools.host.remote import DEADLINE

    with hard_stop(DEADLINE + GRACE, _stuck):
        facts = await machine_facts(inputs, target)
    return dataclasses.replace(sources, facts=facts) if facts else sources


def cluster_of(inputs: SourceInputs, target: Target, symptom: str) -> "Cluster | None":
    """Where the server runs, if an option or its settings say that Kubernetes is asked; else null.

    A Service that the report names counts, too. Raises `UsageError` if it isn't said what to ask about.
    """
    if not (inputs.pod or inputs.kubernetes or inputs.context):
        found = cluster_by_settings(target, symptom)
        if found is not None and not found.namespace:
            raise UsageError(f"kubernetes: {target.node} isn't the DNS name of a Service; {WHICH}")
        return found
    known = settings_for(target).in_kubernetes
    if not (inputs.pod or inputs.kubernetes or known):
        raise UsageError("--context only works together with --pod or --kubernetes; give one of them as well")
    from tools.kubernetes.place import parse_context, parse_pod, service_in, service_of
    from tools.kubernetes.reading import Cluster

    pod, context = known or (None, None)
    pod = parse_pod(inputs.pod) if inputs.pod else pod
    context = parse_context(inputs.context) if inputs.context else context
    service = service_of(target.host) or service_in(symptom)
    if pod is None and service is None:
        raise UsageError(f"--kubernetes: {target.node} isn't the DNS name of a Service; {WHICH}")
    return Cluster(SystemClock(), pod, service, context)


async def _ready(managed: "Managed") -> None:
    """Credentials are found before anything is measured; what fails is said here and in the reading."""
    _say(f"asking {managed.provider.what}; only reading")
    try:
        await managed.prepare()
    except Unanswered as error:
        _say(f"it can't be asked: {error.detail}; continuing without it (--no-provider doesn't try)")


async def _prepared(cluster: "Cluster") -> None:
    """Logging in is over before anything is measured; what fails is said here and in the reading."""
    at = f"context {cluster.context}" if cluster.context else "the kubeconfig's current context"
    _say(f"asking Kubernetes ({at}) about {cluster.what}; only reading")
    try:
        await cluster.prepare()
    except Unanswered as error:
        _say(f"Kubernetes can't be asked: {error.detail}; continuing without it")


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
    from tools.host.remote import gather, over_ssh
    from tools.kubernetes.place import in_pod

    if inputs.ssh:
        command = over_ssh(inputs.ssh, inputs.host_port or target.port or POD_PORT)
    else:
        assert inputs.pod
        command = in_pod(inputs.pod, inputs.host_port or _port_in_pod(target), inputs.context)
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
