"""A pod's object as flat values, whoever brought it: the API, or a paste of it."""

import re
from collections.abc import Mapping
from typing import Any

from tools.records import Values

_UNITS = {
    "": 1,
    "k": 10**3,
    "M": 10**6,
    "G": 10**9,
    "T": 10**12,
    "Ki": 2**10,
    "Mi": 2**20,
    "Gi": 2**30,
    "Ti": 2**40,
    "m": 0.001,
}
_SHORT = {
    "memory": ("resource: memory",),
    "disk": (
        "ephemeral-storage", "ephemeral local storage", "local ephemeral storage", "DiskPressure", "EmptyDir volume",
    ),
}  # fmt: skip
"""What a node is short of where the kubelet evicts a pod."""
_OWN = re.compile(
    r"Pod ephemeral local storage usage exceeds|Usage of EmptyDir volume|"
    r"Container (?P<name>[a-z0-9-]{1,63}) (?:exceeded its local ephemeral storage limit|was using )"
)
"""What the kubelet says of a pod that itself wrote too much."""
_OURS = re.compile(r"redis|valkey|keydb|dragonfly|sentinel", re.IGNORECASE)
KILLED = 137
"""The status of a container that was ended by SIGKILL."""


def is_ours(name: str) -> bool:
    """Whether a name may be a server's."""
    return _OURS.search(name) is not None


def amount(text: str) -> int | float | str:
    """A quantity of Kubernetes as a number."""
    found = re.fullmatch(r"(\d{1,18}(?:\.\d{1,9})?)([kMGTm]|[KMGT]i)?", text)
    if not found:
        return text[:40]
    number = float(found[1]) * _UNITS[found[2] or ""]
    return int(number) if number.is_integer() else round(number, 3)


def mapping(value: Any) -> Mapping[str, Any]:
    """The value, or an empty mapping for what is none."""
    return value if isinstance(value, dict) else {}


def some(value: Any, most: int = 100) -> list[Any]:
    """The value's first elements, or none for what is no list."""
    return value[:most] if isinstance(value, list) else []


def count(events: dict[str, int], reason: str, rest: str, times: int) -> None:
    """Add an event under its reason, and under what its text says more exactly."""
    kinds = [reason]
    for word in ("Liveness", "Readiness", "Startup"):
        # `failed:`, `errored:`, and its timeouts.
        if reason == "Unhealthy" and f"{word} probe" in rest:
            kinds.append(f"Unhealthy.{word.lower()}")
    if reason == "Evicted":
        kinds += [f"Evicted.{kind}" for kind in evicted_for(rest)]
    if reason == "Failed" and ("ErrImagePull" in rest or "Failed to pull image" in rest):
        kinds.append("ErrImagePull")
    for kind in kinds:
        if kind in events or len(events) < 100:
            events[kind] = events.get(kind, 0) + times


def evicted_for(message: str) -> list[str]:
    """What an eviction was for, by the kubelet's message: memory, disk, and own_disk if the pod itself had filled it.

    Of several containers only a server's counts.
    """
    kinds = [name for name, said in _SHORT.items() if any(word in message for word in said)]
    own = [found["name"] or "redis" for found in _OWN.finditer(message[:2000])] if "disk" in kinds else []
    return [*kinds, *(["own_disk"] if any(map(is_ours, own)) else [])]


def counted(events: Mapping[str, int]) -> Values:
    """The counts as fields."""
    return {f"event.{name}.count": times for name, times in events.items()}


def containers_of(pod: Mapping[str, Any]) -> dict[str, Values]:
    """Each container of a pod: its image, its bounds, its restarts, its state and how it ended before."""
    containers: dict[str, Values] = {}
    spec, status = mapping(pod.get("spec")), mapping(pod.get("status"))
    for one in some(spec.get("containers")):
        resources = mapping(mapping(one).get("resources"))
        containers[str(mapping(one).get("name"))[:253]] = {
            "image": str(mapping(one).get("image"))[:200],
            **{f"{kind}.{name}": amount(str(found))
               for kind in ("limits", "requests") for name, found in mapping(resources.get(kind)).items()
               if name in ("memory", "cpu")},
        }  # fmt: skip
    for one in some(status.get("containerStatuses")):
        here = containers.setdefault(str(mapping(one).get("name"))[:253], {})
        if isinstance(restarts := mapping(one).get("restartCount"), int):
            here["restart_count"] = restarts
        for group, key in (("state", "state"), ("last_state", "lastState")):
            for kind, detail in mapping(mapping(one).get(key)).items():
                here[group] = str(kind).capitalize()[:40]
                for name, field in (("reason", "reason"), ("exitCode", "exit_code"), ("finishedAt", "finished")):
                    if isinstance(found := mapping(detail).get(name), int | str):
                        here[f"{group}.{field}"] = found if isinstance(found, int) else found[:60]
    return containers


def chosen(containers: Mapping[str, Values]) -> Values:
    """The container that runs the server, as far as names tell."""
    named = {name: one for name, one in containers.items() if one}
    if not named:
        return {}
    name = next(
        (name for name, one in named.items() if is_ours(f"{name} {one.get('image', '')}") and "exporter" not in name),
        max(named, key=lambda one: len(named[one])),
    )
    found = dict(named[name])
    if name:
        found = {"container": name[:253], **found}
    found["oom_killed"] = (
        any(value == "OOMKilled" for value in found.values()) or found.get("last_state.exit_code") == KILLED
    )
    return found
