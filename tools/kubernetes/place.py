"""What a person names in a cluster: a pod, a Service's DNS name, a context of the kubeconfig."""

import re
from typing import NamedTuple

from tools.errors import UsageError
from tools.text import one_line

_NAME = r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?"
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_POD = re.compile(rf"({_NAME})/({_NAME})(/{_NAME})?")
_DNS = re.compile(
    rf"(?:(?P<pod>{_LABEL})\.)?(?P<service>{_LABEL})\.(?P<namespace>{_LABEL})\.svc(?:\.[a-z0-9.-]{{1,200}}?)?\.?",
    re.IGNORECASE,
)
_WORD = re.compile(r"(?<![\w.-])[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63}){2,8}", re.IGNORECASE)
_CONTEXT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/@+-]{0,252}")
"""Those of EKS are ARNs, those of GKE have underscores, and OpenShift's slashes."""


class PodName(NamedTuple):
    """A pod, and perhaps one of its containers."""

    namespace: str
    name: str
    container: str = ""

    def __str__(self) -> str:
        return "/".join(filter(None, self))


class ServiceName(NamedTuple):
    """A Service, and perhaps the pod of it that a headless Service's DNS names."""

    namespace: str
    name: str
    pod: str = ""

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


def parse_pod(text: str, option: str = "--pod") -> PodName:
    """The pod that a person names. Raises `UsageError` for what names none."""
    match = _POD.fullmatch(text)
    if len(text) > 400 or match is None:
        raise UsageError(f"{option} {one_line(text, 60)!r}: give NAMESPACE/POD, or NAMESPACE/POD/CONTAINER")
    return PodName(*text.split("/"))


def parse_context(text: str, option: str = "--context") -> str:
    """The name of a context. Raises `UsageError` for what can't be one."""
    if not _CONTEXT.fullmatch(text):
        raise UsageError(f"{option} {one_line(text, 60)!r}: give a context that `kubectl config get-contexts` lists")
    return text


def parse_namespace(text: str, option: str = "--namespace") -> str:
    """The name of a namespace. Raises `UsageError`."""
    if not re.fullmatch(_LABEL, text):
        raise UsageError(f"{option} {one_line(text, 60)!r}: give the name of a namespace")
    return text


def service_of(host: str | None) -> ServiceName | None:
    """The Service whose DNS name a host is: NAME.NAMESPACE.svc, with or without the cluster's domain."""
    match = _DNS.fullmatch(host) if host and len(host) <= 253 else None
    if match is None:
        return None
    return ServiceName(match["namespace"].lower(), match["service"].lower(), (match["pod"] or "").lower())


def service_in(text: str) -> ServiceName | None:
    """The first Service whose DNS name a text holds."""
    return next((one for word in _WORD.findall(text[:20_000]) if (one := service_of(word.rstrip(".")))), None)


def only_inside(host: str | None, port: int | None) -> str:
    """Why the name of a Service doesn't resolve, and how to get there from elsewhere; empty for another host."""
    if (found := service_of(host)) is None:
        return ""
    to = f"pod/{found.pod}" if found.pod else f"svc/{found.name}"
    return (
        f"{host} is a name that only resolves inside its Kubernetes cluster, as long as the Service exists. From "
        f"elsewhere run `kubectl -n {found.namespace} port-forward {to} {port or 6379}`, and give "
        f"redis://127.0.0.1:{port or 6379} with --pod {found.namespace}/{found.pod or 'POD'}"
    )


def in_pod(pod: str, port: int, context: str | None = None, program: str = "kubectl") -> tuple[str, ...]:
    """The command that runs the host script in a pod. Raises `UsageError` for what names none."""
    namespace, name, container = parse_pod(pod)
    which = (f"--context={parse_context(context)}",) if context else ()
    where = (f"--container={container}",) if container else ()
    line = ("exec", "-i", f"--namespace={namespace}", *where, name, "--", "sh", "-s", "--", str(port))
    return (program, *which, *line)
