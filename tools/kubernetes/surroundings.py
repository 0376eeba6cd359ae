"""What a pod stands on: its owner, its volumes' claims and its node."""

from collections.abc import Iterator, Mapping
from typing import Any

from tools.kubernetes import words
from tools.kubernetes.api import Api
from tools.kubernetes.pods import amount, mapping, some
from tools.kubernetes.requests import CLAIMS, DEPLOYMENTS, NODES, REPLICA_SETS, STATEFUL_SETS
from tools.records import Values

MOST_CLAIMS = 3
_KINDS = {"StatefulSet": STATEFUL_SETS, "ReplicaSet": REPLICA_SETS, "Deployment": DEPLOYMENTS}
_PRESSURES = {
    "MemoryPressure": "memory_pressure", "DiskPressure": "disk_pressure", "PIDPressure": "pid_pressure",
    "NetworkUnavailable": "network_unavailable",
}  # fmt: skip


def controller(one: Mapping[str, Any]) -> tuple[str, str, str]:
    """Kind, name and API group of what controls an object; empty for none."""
    owners = [mapping(each) for each in some(mapping(one.get("metadata")).get("ownerReferences"))]
    owner = next((each for each in owners if each.get("controller") is True), owners[0] if owners else {})
    group = str(owner.get("apiVersion")).partition("/")[0]
    return words.reason(owner.get("kind")), words.name(owner.get("name")), words.name(group)


def owner_of(api: Api, namespace: str, pod: Mapping[str, Any]) -> tuple[Values, list[Mapping[str, Any]]]:
    """The owner's figures, and the objects up to it: their labels say who deployed them.

    Raises `Unanswered`.
    """
    kind, name, group = controller(pod)
    chain: list[Mapping[str, Any]] = []
    values: Values = {}
    while kind in _KINDS and name and len(chain) < 2:
        one = api.get(_KINDS[kind], namespace, name)
        chain.append(one)
        values = {"owner.kind": kind, "owner.name": name, **_rollout(one)}
        kind, name, group = controller(one)
    if kind and name:
        values |= {"controller.kind": kind, "controller.name": name, "controller.group": group}
    return values, chain


def _rollout(one: Mapping[str, Any]) -> Values:
    spec, status = mapping(one.get("spec")), mapping(one.get("status"))
    wanted, there = words.whole(spec.get("replicas")), words.whole(status.get("readyReplicas")) or 0
    updated = words.whole(status.get("updatedReplicas")) or 0
    values: Values = {"owner.replicas": wanted, "owner.ready_replicas": there}
    if wanted is not None:
        current, new = status.get("currentRevision"), status.get("updateRevision")
        values["owner.updating"] = updated < wanted and (new is None or current != new)
    if headless := words.name(spec.get("serviceName")):
        values["owner.headless_service"] = headless
    return values


def claims_of(api: Api, namespace: str, pod: Mapping[str, Any]) -> Values:
    """The pod's claims of volumes. Raises `Unanswered`."""
    values: Values = {}
    unbound = 0
    for number, name in enumerate(list(_claims(pod))[:MOST_CLAIMS], 1):
        one = api.get(CLAIMS, namespace, name)
        spec, status = mapping(one.get("spec")), mapping(one.get("status"))
        phase = words.reason(status.get("phase"))
        unbound += phase in ("Pending", "Lost")
        asked = mapping(mapping(spec.get("resources")).get("requests")).get("storage")
        values |= {
            f"claim{number}.name": name, f"claim{number}.phase": phase,
            f"claim{number}.storage_class": words.name(spec.get("storageClassName")) or None,
            f"claim{number}.requested": amount(str(asked)) if asked is not None else None,
        }  # fmt: skip
    return {"claims_unbound": unbound, **values} if values else {}


def _claims(pod: Mapping[str, Any]) -> Iterator[str]:
    for volume in some(mapping(pod.get("spec")).get("volumes")):
        if name := words.name(mapping(mapping(volume).get("persistentVolumeClaim")).get("claimName")):
            yield name


def node_of(api: Api, name: str) -> Values:
    """The node's conditions. Raises `Unanswered`."""
    one = api.get(NODES, "", name)
    values: Values = {"machine.unschedulable": mapping(one.get("spec")).get("unschedulable") is True}
    for condition in map(mapping, some(mapping(one.get("status")).get("conditions"))):
        kind, status = condition.get("type"), condition.get("status")
        if kind == "Ready":
            values["machine.ready"] = status == "True"
        elif kind in _PRESSURES:
            values[f"machine.{_PRESSURES[kind]}"] = status == "True"
    return values
