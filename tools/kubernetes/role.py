"""The rights that reading takes in a cluster, as manifests: exactly the resources and verbs that are asked for."""

from collections.abc import Iterator
from itertools import groupby

from tools.kubernetes.requests import RESOURCES, Resource

NAME = "rediagnose-reader"


def manifests(namespace: str) -> str:
    """A service account, a role for one namespace bound to it, and the role for nodes, which have no namespace."""
    spaced = [one for one in RESOURCES if one.namespaced]
    everywhere = [one for one in RESOURCES if not one.namespaced]
    subject = ("subjects:", "  - kind: ServiceAccount", f"    name: {NAME}", f"    namespace: {namespace}")
    parts = (
        ("apiVersion: v1", "kind: ServiceAccount", "metadata:", f"  name: {NAME}", f"  namespace: {namespace}"),
        (*_role(NAME), *_rules(spaced)),
        (*_binding("RoleBinding", NAME), f"  namespace: {namespace}", *_of(NAME), *subject),
        (*_role(f"{NAME}-nodes"), *_rules(everywhere)),
        (*_binding("ClusterRoleBinding", f"{NAME}-nodes"), *_of(f"{NAME}-nodes"), *subject),
    )
    return "\n---\n".join("\n".join(part) for part in parts)


def _role(name: str) -> tuple[str, ...]:
    return "apiVersion: rbac.authorization.k8s.io/v1", "kind: ClusterRole", "metadata:", f"  name: {name}"


def _binding(kind: str, name: str) -> tuple[str, ...]:
    return "apiVersion: rbac.authorization.k8s.io/v1", f"kind: {kind}", "metadata:", f"  name: {name}"


def _of(role: str) -> tuple[str, ...]:
    return "roleRef:", "  apiGroup: rbac.authorization.k8s.io", "  kind: ClusterRole", f"  name: {role}"


def _rules(resources: list[Resource]) -> Iterator[str]:
    yield "rules:"
    ordered = sorted(resources, key=lambda one: (one.group, one.verbs))
    for (group, verbs), alike in groupby(ordered, key=lambda one: (one.group, one.verbs)):
        together = list(alike)
        yield f'  - apiGroups: ["{group}"]'
        yield "    resources:"
        yield from (f"      - {one.plural}  # {one.why}" for one in together)
        yield f"    verbs: [{', '.join(verbs)}]"
