"""Whether Kubernetes answers about the server's pod, and what it refuses."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from agent.doctor.check import Check
from tools.connection.target import Target
from tools.errors import Unanswered
from tools.kubernetes.api import kubeconfig_there
from tools.kubernetes.place import service_of
from tools.records import Values
from tools.text import one_line

if TYPE_CHECKING:
    from tools.kubernetes.reading import Cluster

NAME = "kubernetes"
PARTS = ("events", "owner", "claims", "machine", "services", "endpoints")
"""What is read beside the pod itself, each with rights of its own."""


async def checked_kubernetes(cluster: "Cluster | None", target: Target) -> Check | None:
    """Whether it's asked and what it says of the pod; null where nothing points to a cluster."""
    if cluster is None:
        if not (kubeconfig_there() or service_of(target.host)):
            return None
        line = (
            "it isn't asked; with --pod NAMESPACE/POD or --kubernetes, or pod= or kubernetes= in rediagnose.toml, an "
            "answer shows restarts, limits, events and Services"
        )
        return Check(name=NAME, state="unset", line=line)
    at = f"context {cluster.context}" if cluster.context else "the kubeconfig's current context"
    try:
        found = await cluster.look()
    except Unanswered as error:
        line = f"it can't be asked about {cluster.what or target.node} ({error.kind}, {at}): {error.detail}"
        return Check(name=NAME, state="failed", line=one_line(line, 500), facts={"kind": error.kind})
    if found.get("exists") is False or not found.get("pod"):
        line = f"{at}: there is no pod behind {cluster.what}"
        return Check(name=NAME, state="failed", line=line, facts=found)
    denied = [part for part in PARTS if found.get(f"{part}.unavailable")]
    line = f"{at}: {', '.join(_told(found))}"
    if denied:
        line += f"; it didn't answer about {', '.join(denied)}: `rediagnose acl --kubernetes` prints the role that does"
    return Check(name=NAME, state="warning" if denied else "ok", line=line, facts=found)


def _told(found: Values) -> Iterator[str]:
    by = f" ({found['deployed_by']})" if found.get("deployed_by") else ""
    owner = f" of the {found['owner.kind']} {found['owner.name']}{by}" if found.get("owner.name") else by
    yield f"pod {found['namespace']}/{found['pod']}{owner}"
    ready = "ready" if found.get("pod_ready") else "not ready"
    yield f"{str(found.get('state') or found.get('status') or 'in an unknown state').lower()}, {ready}"
    if (again := found.get("restart_count")) is not None:
        yield f"{again} restart{'' if again == 1 else 's'}"
