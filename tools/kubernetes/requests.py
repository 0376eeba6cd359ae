"""What the Kubernetes API is asked: reads of these resources, and nothing else."""

from typing import Literal, NamedTuple
from urllib.parse import quote

Verb = Literal["get", "list"]


class Resource(NamedTuple):
    """A kind of object, and whether it's read by its name or listed."""

    group: str
    """Empty for the core group."""
    plural: str
    verbs: tuple[Verb, ...]
    why: str
    namespaced: bool = True

    def path(self, namespace: str, name: str = "") -> str:
        """Where it is; a list without a name."""
        root = f"/apis/{self.group}/v1" if self.group else "/api/v1"
        space = f"/namespaces/{quote(namespace, safe='')}" if self.namespaced else ""
        return f"{root}{space}/{self.plural}{'/' + quote(name, safe='') if name else ''}"


PODS = Resource("", "pods", ("get", "list"), "restarts, how containers ended, limits, probes")
EVENTS = Resource("", "events", ("list",), "failed probes, evictions, scheduling, volumes")
SERVICES = Resource("", "services", ("list",), "which Services select the pod")
CLAIMS = Resource("", "persistentvolumeclaims", ("get",), "volumes that aren't bound")
SLICES = Resource("discovery.k8s.io", "endpointslices", ("list",), "Services without a ready endpoint")
STATEFUL_SETS = Resource("apps", "statefulsets", ("get",), "the owner: rollouts, which chart or operator")
REPLICA_SETS = Resource("apps", "replicasets", ("get",), "the owner, between a pod and its Deployment")
DEPLOYMENTS = Resource("apps", "deployments", ("get",), "the owner: rollouts, which chart")
NODES = Resource("", "nodes", ("get",), "a node that isn't ready, or is short of memory or disk", namespaced=False)
RESOURCES = (PODS, EVENTS, SERVICES, CLAIMS, SLICES, STATEFUL_SETS, REPLICA_SETS, DEPLOYMENTS, NODES)
