"""The Services in front of a pod: whom their selectors choose, and which of those are ready."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from tools.kubernetes import words
from tools.kubernetes.pods import is_ours, mapping, some
from tools.records import Values

SHOWN = 4
MOST_SLICES = 50
OF_SLICE = "kubernetes.io/service-name"


class Service(NamedTuple):
    """A Service, as far as it decides where a connection goes."""

    name: str
    selector: Mapping[str, str]
    type: str
    headless: bool


class Endpoints(NamedTuple):
    """The addresses behind a Service: all of them, and those that are ready."""

    all: int
    ready: int


def service(one: Any) -> Service | None:
    """A Service's object; None for what is none."""
    spec, name = mapping(mapping(one).get("spec")), words.name(mapping(mapping(one).get("metadata")).get("name"))
    if not name:
        return None
    kind = words.reason(spec.get("type")) or "ClusterIP"
    return Service(name, words.labels(spec.get("selector")), kind, spec.get("clusterIP") == "None")


def selects(one: Service, labels: Mapping[str, str]) -> bool:
    """Whether a Service chooses a pod with these labels."""
    return bool(one.selector) and one.selector.items() <= labels.items()


def nearest(one: Service, pods: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The server's pod that a Service means although it doesn't choose it: most of its selector fits."""
    best: tuple[int, Mapping[str, Any]] | None = None
    for pod in pods:
        labels = words.labels(mapping(pod.get("metadata")).get("labels"))
        fitting = len(one.selector.items() & labels.items())
        images = " ".join(str(mapping(each).get("image")) for each in some(mapping(pod.get("spec")).get("containers")))
        if fitting and is_ours(images) and (best is None or fitting > best[0]):
            best = fitting, pod
    return best[1] if best else None


def endpoints(slices: Iterable[Any]) -> Endpoints:
    """The endpoints in a Service's slices; one without a condition is ready."""
    found: dict[str, bool] = {}
    for each in map(mapping, slices):
        for one in some(each.get("endpoints"), 1000):
            target = words.name(mapping(mapping(one).get("targetRef")).get("name"))
            addresses = some(mapping(one).get("addresses"), 1)
            ready = mapping(mapping(one).get("conditions")).get("ready") is not False
            # A dual-stack Service has the same pod in a slice of each family.
            key = target or str(addresses)[:60]
            found[key] = found.get(key, False) or ready
    return Endpoints(len(found), sum(found.values()))


def values_of(
    number: int, one: Service, behind: Endpoints | None, labels: Mapping[str, str] | None, *, addressed: bool
) -> Values:
    """What is known of a Service, under `service1` and so on."""
    at = f"service{number}"
    values: Values = {
        f"{at}.name": one.name, f"{at}.type": one.type, f"{at}.headless": one.headless, f"{at}.addressed": addressed,
        f"{at}.exists": True,
    }  # fmt: skip
    if behind is not None:
        values |= {f"{at}.endpoints": behind.all, f"{at}.ready_endpoints": behind.ready}
    if labels is not None:
        values[f"{at}.selects_pod"] = selects(one, labels)
        wrong = [(key, text) for key, text in sorted(one.selector.items()) if labels.get(key) != text]
        if one.selector and wrong:
            key, text = wrong[0]
            values |= {f"{at}.selector_label": key, f"{at}.selector_wants": text, f"{at}.pod_has": labels.get(key)}
    return values
