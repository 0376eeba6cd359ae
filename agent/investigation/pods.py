"""The pods of a deployment's nodes: where the named server runs in Kubernetes, and the pods of the others."""

from typing import TYPE_CHECKING

from agent.investigation.equipment import Equipment
from tools.clock import SystemClock
from tools.connection.target import Target
from tools.errors import Unanswered
from tools.kubernetes.place import ServiceName, service_in, service_of
from tools.records import Values
from tools.settings.file import settings_for
from tools.toolbox import bind

if TYPE_CHECKING:
    from tools.kubernetes.reading import Cluster, Login

SHOWN = 20
"""Nodes up to which each gets its reading; of more, those whose pod is in trouble."""


def cluster_by_settings(
    target: Target, symptom: str = "", service: ServiceName | None = None, login: "Login | None" = None
) -> "Cluster | None":
    """Where the target runs, if its settings say that Kubernetes is asked, or `service` was found there; else null.

    A Service that the report names counts, too. One of whom it isn't known which pod it is gets a reading that says
    so. Raises `UsageError` if an untrusted file says it.
    """
    known = settings_for(target).in_kubernetes
    if known is None and service is None:
        return None
    # Most targets aren't asked about there.
    from tools.kubernetes.reading import Cluster

    pod, context = known or (None, None)
    service = service or service_of(target.host) or service_in(symptom)
    shared = login if login is not None and login.context == context else None
    return Cluster(SystemClock(), pod, service, context, login=shared)


async def find_pods(equipment: Equipment) -> tuple[str, ...]:
    """Give the deployment's other nodes the reading of their pods; returns the nodes that have got it.

    The pods and their events are listed once, however many nodes there are.
    """
    cluster, replay, named = equipment.sources.kubernetes, equipment.sources.replay, equipment.node.name
    if replay:
        return tuple(name for name in equipment.nodes if name != named and equipment.toolbox.has("pod", name))
    own = named if equipment.toolbox.has("pod", named) else None
    others = {name: node.target for name, node in equipment.nodes.items() if name != own and node.target.host}
    if cluster is None or not others:
        return ()
    from tools.kubernetes.reading import Neighbour, Wanted, pod

    wanted = {name: Wanted(name, one.host or "", one.port or 0) for name, one in others.items()}
    try:
        found = await cluster.around(list(wanted.values()))
    except Unanswered:
        # The named server's own reading says why.
        return ()
    shown = found if len(found) <= SHOWN else {name: one for name, one in found.items() if _is_in_trouble(one)}
    equipment.toolbox.add(
        bind(pod, Neighbour(cluster, wanted[name], values), node=name) for name, values in shown.items()
    )
    theirs = frozenset(str(one["pod"]) for one in found.values())
    if own and cluster.pod is None and equipment.view().text("pod", "pod") in theirs:
        # Behind a Service it was only taken for the named one's.
        cluster.others = theirs
        return (own, *shown)
    return tuple(shown)


def _is_in_trouble(pod: Values) -> bool:
    return (
        pod.get("pod_ready") is not True or pod.get("last_end_recent") is True
        or any(field.startswith("event.") for field in pod)
    )  # fmt: skip
