"""The pods of a deployment's other nodes: of a namespace one list of pods and one of events, however many nodes."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from tools.errors import Unanswered
from tools.kubernetes import words
from tools.kubernetes.api import Api
from tools.kubernetes.deployed import deployed
from tools.kubernetes.events import MOST, events_of
from tools.kubernetes.look import images_of, or_why, standing_of, state_of
from tools.kubernetes.pods import is_ours, mapping, some
from tools.kubernetes.requests import EVENTS, PODS
from tools.kubernetes.surroundings import claims_of, controller, node_of, owner_of
from tools.records import Values

PAGE, PAGES = 100, 5
"""Pods of a part of the list, which is bounded in bytes, and the most parts."""


class Wanted(NamedTuple):
    """A node of the deployment, as others name it."""

    node: str
    host: str
    port: int


class _Once:
    """What several pods share is read once: their owner, and their node."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, ...], Any] = {}

    def read(self, key: tuple[str, ...], ask: Callable[[], Any]) -> Any:
        """What is known by that key. Raises `Unanswered`, again for what wasn't answered."""
        if key not in self._known:
            try:
                self._known[key] = ask()
            except Unanswered as error:
                self._known[key] = error
        if isinstance(found := self._known[key], Unanswered):
            raise found
        return found


def neighbours(api: Api, space: str, wanted: Sequence[Wanted], now: float) -> Mapping[str, Values]:
    """What is known of each node's pod, by the node's name; a node that's no pod of the namespace is left out.

    Raises `Unanswered` if the pods can't be listed.
    """
    pods = list(_listed(api, space))
    found = {one.node: pod for one in wanted if (pod := pod_of(one, pods)) is not None}
    if not found:
        return {}
    try:
        listed = api.get(EVENTS, space, limit=str(MOST), fieldSelector="involvedObject.kind=Pod")
        events, lost = some(listed.get("items"), MOST), ""
    except Unanswered as error:
        events, lost = [], error.kind
    once, ports = _Once(), {one.node: one.port for one in wanted}
    values: dict[str, Values] = {}
    for node, pod in found.items():
        name = _name(pod)
        own = [one for one in events if mapping(mapping(one).get("involvedObject")).get("name") == name]
        said: Values = {"events.unavailable": lost} if lost else events_of(own, standing_of(pod), now)
        values[node] = {
            "source": "kubernetes", "namespace": space, "pod": name, "exists": True,
            **state_of(pod, container_at(pod, ports[node]), now), **said, **_around(api, space, pod, once),
        }  # fmt: skip
    return values


def _listed(api: Api, space: str) -> Iterator[Mapping[str, Any]]:
    """The namespace's pods, as many as are asked for."""
    more: dict[str, str] = {}
    for _ in range(PAGES):
        listed = api.get(PODS, space, limit=str(PAGE), **more)
        yield from (one for each in some(listed.get("items"), PAGE) if (one := mapping(each)))
        token = mapping(listed.get("metadata")).get("continue")
        if not isinstance(token, str) or not token or len(token) > 4096:
            return
        more = {"continue": token}


def _name(pod: Mapping[str, Any]) -> str:
    return words.name(mapping(pod.get("metadata")).get("name"))


def pod_of(one: Wanted, pods: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The pod at a node's address, or of the name that its host begins with."""
    host = one.host.lower().strip("[]")
    named = [pod for pod in pods if _name(pod) and host.partition(".")[0] == _name(pod)]
    if named and not host.replace(".", "").isdecimal():
        return named[0]
    at = [pod for pod in pods if host in _addresses(pod) and _is_ours(pod)]
    exact = [pod for pod in at if container_at(pod, one.port)]
    return exact[0] if exact else at[0] if len(at) == 1 else None


def _addresses(pod: Mapping[str, Any]) -> Iterator[str]:
    status = mapping(pod.get("status"))
    if mapping(status).get("phase") in ("Succeeded", "Failed"):
        # Its address is somebody else's by now.
        return
    yield str(status.get("podIP"))
    yield from (str(mapping(each).get("ip")) for each in some(status.get("podIPs"), 4))


def _containers(pod: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    return map(mapping, some(mapping(pod.get("spec")).get("containers")))


def _is_ours(pod: Mapping[str, Any]) -> bool:
    return any(is_ours(f"{one.get('name')} {one.get('image')}") for one in _containers(pod))


def container_at(pod: Mapping[str, Any], port: int) -> str:
    """The container that declares a port: beside a server there may be a sentinel; empty for none."""
    for one in _containers(pod):
        if any(mapping(each).get("containerPort") == port for each in some(one.get("ports"))):
            return words.name(one.get("name"))
    return ""


def _around(api: Api, space: str, pod: Mapping[str, Any], once: _Once) -> Values:
    """Who deployed it; and if it isn't ready, what it stands on."""
    machine = words.name(mapping(pod.get("spec")).get("nodeName"))
    labels = words.labels(mapping(pod.get("metadata")).get("labels"))

    def owner() -> Values:
        values: Values
        values, chain = once.read(controller(pod), lambda: owner_of(api, space, pod))
        return values | deployed(labels, chain, values, images_of(pod))

    found = or_why("owner", owner)
    if standing_of(pod).ready:
        return found
    found |= or_why("claims", lambda: claims_of(api, space, pod))
    if machine:
        found |= or_why("machine", lambda: once.read(("machine", machine), lambda: node_of(api, machine)))
    return found
