"""Bounded reads of the Kubernetes API, by its official client: blocking, so they are for a thread of their own."""

import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tools.errors import Unanswered
from tools.kubernetes.requests import Resource
from tools.records import Kind
from tools.text import one_line

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

INSTALL = "pip install 'rediagnose[kubernetes]'"
MOST = 4 << 20
"""Bytes of one answer: a list of a few hundred objects."""
MOST_DEEP = 64
REQUESTS = 24
"""The most in one look."""
CONNECT = 4.0
_SAID: Mapping[Kind, str] = {
    "tls": "its certificate isn't accepted", "dns": "its name doesn't resolve here", "timeout": "no answer in time",
    "refused": "the connection was refused", "reset": "the connection was cut",
}  # fmt: skip
_IN_CLUSTER = "KUBERNETES_SERVICE_HOST"
_REFUSED: Mapping[int, Kind] = {401: "denied", 403: "denied", 404: "not-recorded", 408: "timeout", 504: "timeout"}


def kubeconfig_there(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether there's a kubeconfig where kubectl looks for one."""
    named = environ.get("KUBECONFIG")
    paths = named.split(os.pathsep) if named else ["~/.kube/config"]
    return any(Path(path).expanduser().is_file() for path in paths if path)


def connected(context: str | None) -> "ApiClient":
    """A client with the person's kubeconfig, or within a cluster with the pod's own account.

    Raises `Unanswered` with what's missing.
    """
    try:
        # It loads a thousand modules, and belongs to an extra.
        from kubernetes import config
        from kubernetes.client import ApiClient, Configuration
    except ImportError:
        raise Unanswered("not-recorded", f"what asks Kubernetes isn't installed; {INSTALL}") from None
    settings = Configuration()
    try:
        if context is None and not kubeconfig_there() and os.environ.get(_IN_CLUSTER):
            config.load_incluster_config(client_configuration=settings)
        else:
            named = os.environ.get("KUBECONFIG") or None
            config.load_kube_config(named, context=context, client_configuration=settings, persist_config=False)
    except (config.ConfigException, OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        # The text of such an error may hold a part of the file.
        if not kubeconfig_there():
            where = "where KUBECONFIG points" if os.environ.get("KUBECONFIG") else "at ~/.kube/config"
            detail = f"there is no kubeconfig {where}, and this isn't a pod of the cluster"
        elif context:
            detail = f"the kubeconfig has no usable context {context}: `kubectl config get-contexts` lists them"
        else:
            detail = (
                f"the kubeconfig can't be used ({type(error).__name__}): see `kubectl config get-contexts`, or name a "
                "context by --context"
            )
        raise Unanswered("not-recorded", detail) from None
    except Exception as error:
        if type(error).__module__.partition(".")[0] != "yaml":
            raise
        raise Unanswered("malformed", "the kubeconfig isn't YAML") from None
    # Neither a redirect nor a second try: the token goes to the named server only, and our deadline is the only one.
    settings.retries = False
    return ApiClient(settings)


class Api:
    """Reads until a moment, and at most so many. Raises `Unanswered` for what isn't answered."""

    def __init__(self, client: "ApiClient", ends: float, most: int = REQUESTS) -> None:
        """`ends` is in the monotonic clock's seconds."""
        self._client = client
        self._at = urlsplit(str(client.configuration.host)).netloc.rpartition("@")[2]
        self._ends = ends
        self._left = most

    def get(self, resource: Resource, namespace: str, name: str = "", **query: str) -> Mapping[str, Any]:
        """An object, or a list of them."""
        what = f"{resource.plural}{f' {namespace}/{name}' if name else f' of {namespace}'}"
        if self._left <= 0:
            raise Unanswered("timeout", f"no more than {REQUESTS} requests are made; {what} wasn't asked for")
        self._left -= 1
        try:
            content, status = self._read(resource.path(namespace, name), query, what)
        except Unanswered:
            raise
        except Exception as error:
            raise _unanswered(error, what, self._at) from None
        if status != 200:
            raise Unanswered(_REFUSED.get(status, "refused"), _said(status, what, resource))
        try:
            found = json.loads(content, parse_constant=str)
        except (ValueError, RecursionError):
            raise Unanswered("malformed", f"the answer about {what} isn't JSON") from None
        if not isinstance(found, dict):
            raise Unanswered("malformed", f"the answer about {what} is no object")
        return found

    def _read(self, path: str, query: Mapping[str, str], what: str) -> tuple[bytes, int]:
        left = self._left_seconds(what)
        request = self._client.param_serialize(
            "GET", path, query_params=list(query.items()), header_params={"Accept": "application/json"},
            auth_settings=["BearerToken"],
        )  # fmt: skip
        response = self._client.call_api(*request, _request_timeout=(min(CONNECT, left), left)).response
        try:
            content = bytearray()
            while chunk := response.read1(1 << 16, decode_content=False):
                content += chunk
                if len(content) > MOST:
                    raise Unanswered("malformed", f"the answer about {what} is longer than {MOST >> 20} MiB")
                self._left_seconds(what)
            return bytes(content), int(response.status)
        finally:
            response.close()

    def _left_seconds(self, what: str) -> float:
        left = self._ends - time.monotonic()
        if left <= 0:
            raise Unanswered("timeout", f"no answer about {what} in time")
        return left


def _said(status: int, what: str, resource: Resource) -> str:
    group = f".{resource.group}" if resource.group else ""
    remedy = {
        401: "; log in again, as kubectl would ask for",
        403: f" ({' and '.join(resource.verbs)} {resource.plural}{group}); `rediagnose acl --kubernetes` prints a role",
    }.get(status, "")
    if 300 <= status < 400:
        remedy = "; a redirect isn't followed"
    return f"the Kubernetes API answered {what} with HTTP {status}{remedy}"


def _unanswered(error: Exception, what: str, at: str) -> Unanswered:
    """What a failed request is called; the client's own errors and urllib3's are known by their names."""
    names = {one.__name__ for one in type(error).__mro__}
    text = str(error)
    kind: Kind = "malformed"
    if "SSLError" in names or "SSLError" in text or "CERTIFICATE" in text.upper():
        kind = "tls"
    elif "NameResolutionError" in names or isinstance(error, UnicodeError):
        kind = "dns"
    elif type(error).__name__ in ("NewConnectionError", "ConnectionRefusedError"):
        # In urllib3 it's a kind of timeout.
        kind = "refused" if "refused" in text else "reset"
    elif names & {"ConnectTimeoutError", "ReadTimeoutError", "TimeoutError"}:
        kind = "timeout"
    elif names & {"ProtocolError", "OSError", "IncompleteRead"}:
        kind = "reset"
    why = f"{_SAID.get(kind, 'it was cut off')} ({type(error).__name__})"
    remedy = "a certificate that it trusts" if kind == "tls" else "the VPN or tunnel that it needs, and the kubeconfig"
    text = f"the Kubernetes API at {at}, asked about {what}: {why}; does `kubectl get pods` answer here? Check {remedy}"
    return Unanswered(kind, one_line(text, 300))
