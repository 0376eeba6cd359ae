"""One look at a server's pod and what is around it, as flat values."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from tools.errors import Unanswered
from tools.kubernetes import words
from tools.kubernetes.api import Api
from tools.kubernetes.deployed import deployed
from tools.kubernetes.events import MOST, Standing, events_of
from tools.kubernetes.place import PodName, ServiceName
from tools.kubernetes.pods import KILLED, chosen, containers_of, evicted_for, mapping, some
from tools.kubernetes.requests import EVENTS, PODS, SERVICES, SLICES
from tools.kubernetes.services import (
    MOST_SLICES,
    OF_SLICE,
    SHOWN,
    Service,
    endpoints,
    nearest,
    selects,
    service,
    values_of,
)
from tools.kubernetes.surroundings import claims_of, node_of, owner_of
from tools.records import Values

MOST_PODS, MOST_SERVICES = 200, 300
RECENT, DAY, OFTEN = 3600.0, 86400.0, 3
"""Seconds for which a container's end counts, and those for which several do."""
_UNSCHEDULABLE = {
    "memory": "Insufficient memory", "cpu": "Insufficient cpu", "volume": "PersistentVolumeClaim",
    "zone": "volume node affinity", "taint": "untolerated taint", "affinity": "affinity", "pods": "Too many pods",
}  # fmt: skip
"""What the scheduler writes, and what was missing."""


def look(
    api: Api, pod: PodName | None, addressed: ServiceName | None, now: float, others: Collection[str] = ()
) -> Values:  # fmt: skip
    """The pod that is named, or else the one behind a Service that is most in trouble. Raises `Unanswered`.

    `others` are pods of other nodes, which it isn't if there is one beside them.
    """
    space = pod.namespace if pod else addressed.namespace if addressed else ""
    values: Values = {"source": "kubernetes", "namespace": space}
    services, lost = _services(api, space)
    values |= lost
    found: Mapping[str, Any] | None
    if pod:
        found = _pod(api, pod)
        values |= {"pod": pod.name, "exists": found is not None}
    else:
        assert addressed
        found, pods = _behind(api, addressed, services, others)
        values |= {"pods": len(pods), "pods_ready": sum(standing_of(one).ready for one in pods)}
    labels = words.labels(mapping(mapping(found).get("metadata")).get("labels")) if found else None
    # One of another namespace is none of this pod's.
    named = addressed.name if addressed and addressed.namespace == space else None
    values |= _in_front(api, space, services, labels, named, read=not lost)
    if found is None:
        return values
    name = words.name(mapping(found.get("metadata")).get("name"))
    values["pod"] = name
    values |= state_of(found, pod.container if pod else "", now)
    parts: Sequence[tuple[str, Callable[[], Values]]] = (
        ("events", lambda: _events(api, space, name, found, now)),
        ("owner", lambda: _owner(api, space, found, labels or {})),
        ("claims", lambda: claims_of(api, space, found)),
        ("machine", lambda: node_of(api, machine) if (machine := str(values.get("machine.name") or "")) else {}),
    )
    for part, read in parts:
        values |= or_why(part, read)
    return values


def or_why(part: str, read: Callable[[], Values]) -> Values:
    """A part's values, or that it couldn't be read: the others stand without it."""
    try:
        return read()
    except Unanswered as error:
        return {f"{part}.unavailable": error.kind}


def _services(api: Api, space: str) -> tuple[dict[str, Service], Values]:
    try:
        listed = api.get(SERVICES, space, limit=str(MOST_SERVICES))
    except Unanswered as error:
        if error.kind not in ("denied", "not-recorded", "malformed"):
            raise
        return {}, {"services.unavailable": error.kind}
    found = [one for each in some(listed.get("items"), MOST_SERVICES) if (one := service(each))]
    return {one.name: one for one in found}, {}


def _pod(api: Api, pod: PodName) -> Mapping[str, Any] | None:
    """The pod; None if there's none of that name."""
    try:
        return api.get(PODS, pod.namespace, pod.name)
    except Unanswered as error:
        if error.kind == "not-recorded":
            return None
        raise


def _behind(
    api: Api, addressed: ServiceName, services: Mapping[str, Service], others: Collection[str]
) -> tuple[Mapping[str, Any] | None, list[Mapping[str, Any]]]:
    """The pod that deserves the look, and all those that the Service chooses."""
    if addressed.pod:
        one = _pod(api, PodName(addressed.namespace, addressed.pod))
        return one, [one] if one else []
    front = services.get(addressed.name)
    if front is None or not front.selector:
        return None, []
    wanted = ",".join(f"{key}={text}" for key, text in sorted(front.selector.items()))
    pods = _listed(api, addressed.namespace, labelSelector=wanted)
    if pods:
        own = [one for one in pods if mapping(one.get("metadata")).get("name") not in others]
        return min(own or pods, key=_health), pods
    return nearest(front, _listed(api, addressed.namespace)), []


def _listed(api: Api, space: str, **query: str) -> list[Mapping[str, Any]]:
    listed = api.get(PODS, space, limit=str(MOST_PODS), **query)
    return [one for each in some(listed.get("items"), MOST_PODS) if (one := mapping(each))]


def _health(pod: Mapping[str, Any]) -> tuple[bool, int]:
    """What sorts the pod that is most in trouble first."""
    restarts = chosen(containers_of(pod)).get("restart_count")
    return standing_of(pod).ready, -(restarts if isinstance(restarts, int) else 0)


def standing_of(pod: Mapping[str, Any]) -> Standing:
    status = mapping(pod.get("status"))
    ready = next((one for one in map(mapping, some(status.get("conditions"))) if one.get("type") == "Ready"), {})
    here = chosen(containers_of(pod))
    is_ready = ready.get("status") == "True"
    since = words.moment(ready.get("lastTransitionTime")) if is_ready else None
    return Standing(is_ready, since, here.get("state") == "Running")


def images_of(pod: Mapping[str, Any]) -> str:
    """The images of its containers."""
    return " ".join(str(mapping(one).get("image"))[:200] for one in some(mapping(pod.get("spec")).get("containers")))


def state_of(pod: Mapping[str, Any], container: str, now: float) -> Values:
    """How the pod and the server's container stand, and how the last one ended."""
    spec, status, standing = mapping(pod.get("spec")), mapping(pod.get("status")), standing_of(pod)
    every = containers_of(pod)
    here = chosen({container: every[container]} if container in every else every)
    values: Values = {
        "status": words.reason(status.get("phase")), "reason": words.reason(status.get("reason")) or None,
        "pod_ready": standing.ready, "machine.name": words.name(spec.get("nodeName")) or None,
        "deleting": mapping(pod.get("metadata")).get("deletionTimestamp") is not None,
    }  # fmt: skip
    if values["reason"] == "Evicted":
        # Its events are kept for an hour, the pod's own status for as long as the pod.
        values |= {f"evicted.{kind}": True for kind in evicted_for(str(status.get("message"))[:2000])}
    if standing.ready_since is not None:
        values["ready_for_seconds"] = round(max(0.0, now - standing.ready_since), 1)
    for condition in map(mapping, some(status.get("conditions"))):
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            text = str(condition.get("message"))[:2000]
            values["unschedulable"] = words.reason(condition.get("reason")) or "Unschedulable"
            lacks = next((lack for lack, said in _UNSCHEDULABLE.items() if said in text), None)
            values["unschedulable.lacks"] = lacks
    for field, value in here.items():
        kept = _kept(field, value)
        if kept is not None:
            values[field] = kept
    # That of a paste knows no time: an end of last week is none of today's.
    values["last_end_recent"] = recent = _is_recent(values, now)
    killed = "OOMKilled" in (values.get("last_state.reason"), values.get("state.reason"))
    values["oom_killed"] = killed and recent
    values["killed"] = recent and KILLED in (values.get("last_state.exit_code"), values.get("state.exit_code"))
    return values


def _kept(field: str, value: object) -> str | int | float | None:
    if field == "container":
        return words.name(value) or None
    if field == "image":
        return words.image(value) or None
    if field in ("state", "last_state") or field.endswith(".reason"):
        return words.reason(value) or None
    if field.endswith(".finished"):
        return value if isinstance(value, str) and words.moment(value) is not None else None
    if field == "restart_count" or field.endswith(".exit_code"):
        return words.whole(value)
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _is_recent(values: Values, now: float) -> bool:
    if values.get("state") != "Running":
        return True
    at = words.moment(values.get("last_state.finished"))
    if at is None:
        return False
    values["last_state.age"] = age = round(max(0.0, now - at), 1)
    restarts = values.get("restart_count")
    return age <= RECENT or (age <= DAY and isinstance(restarts, int) and restarts >= OFTEN)


def _events(api: Api, space: str, name: str, pod: Mapping[str, Any], now: float) -> Values:
    listed = api.get(
        EVENTS, space, limit=str(MOST), fieldSelector=f"involvedObject.kind=Pod,involvedObject.name={name}"
    )
    return events_of(some(listed.get("items"), MOST), standing_of(pod), now)


def _owner(api: Api, space: str, pod: Mapping[str, Any], labels: Mapping[str, str]) -> Values:
    values, chain = owner_of(api, space, pod)
    return values | deployed(labels, chain, values, images_of(pod))


def _in_front(
    api: Api, space: str, services: Mapping[str, Service], labels: Mapping[str, str] | None, addressed: str | None, *,
    read: bool,
) -> Values:  # fmt: skip
    """The Service that is addressed, and those that choose the pod."""
    shown = [services[addressed]] if addressed and addressed in services else []
    shown += [one for one in services.values() if labels and selects(one, labels) and one.name != addressed]
    values: Values = {}
    if addressed and read and addressed not in services:
        values = {"service0.name": addressed, "service0.addressed": True, "service0.exists": False}
    for number, one in enumerate(shown[:SHOWN], 1):
        behind = None
        try:
            slices = api.get(SLICES, space, labelSelector=f"{OF_SLICE}={one.name}", limit=str(MOST_SLICES))
            behind = endpoints(some(slices.get("items"), MOST_SLICES))
        except Unanswered as error:
            values["endpoints.unavailable"] = error.kind
        values |= values_of(number, one, behind, labels, addressed=one.name == addressed)
    return values
