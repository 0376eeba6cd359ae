"""A Kubernetes API of a test's own: real objects over real TLS, reached by a kubeconfig with its own CA."""

import contextlib
import datetime
import ipaddress
import json
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

TOKEN = "token-of-the-stand-in"
Answer = Callable[[BaseHTTPRequestHandler], None]


def ago(seconds: float, now: datetime.datetime | None = None) -> str:
    """A moment as the API writes it."""
    when = (now or datetime.datetime.now(datetime.UTC)) - datetime.timedelta(seconds=seconds)
    return when.strftime("%Y-%m-%dT%H:%M:%SZ")


class Request(NamedTuple):
    """What the stand-in was asked."""

    verb: str
    group: str
    plural: str
    token: str


class Cluster:
    """The objects that it serves, by path; a list's are chosen by its selectors as the API does."""

    def __init__(self) -> None:
        self.objects: dict[str, dict[str, Any]] = {}
        self.lists: dict[str, list[dict[str, Any]]] = {}
        self.answers: dict[str, Answer] = {}
        """What is answered instead, by the resource's plural, or * for all."""
        self.requests: list[Request] = []
        self.kubeconfig = Path()

    def add(self, path: str, one: Mapping[str, Any]) -> None:
        """Put an object into the collection at a path, such as /api/v1/namespaces/shop/pods."""
        name = one["metadata"]["name"]
        self.objects[f"{path}/{name}"] = dict(one)
        self.lists.setdefault(path, []).append(dict(one))

    def found(self, path: str, query: Mapping[str, list[str]]) -> dict[str, Any] | None:
        """The object or the list at a path."""
        if path in self.objects:
            return self.objects[path]
        if path.rpartition("/")[2] not in PLURALS:
            return None
        items = self.lists.get(path, [])
        for pair in query.get("labelSelector", [""])[0].split(","):
            if pair:
                key, _, text = pair.partition("=")
                items = [one for one in items if one["metadata"].get("labels", {}).get(key) == text]
        for pair in query.get("fieldSelector", [""])[0].split(","):
            if pair.startswith("involvedObject.name="):
                items = [one for one in items if one["involvedObject"]["name"] == pair.partition("=")[2]]
        first = int(query.get("continue", ["0"])[0])
        limit = int(query.get("limit", ["0"])[0]) or len(items)
        more = {"continue": str(first + limit)} if first + limit < len(items) else {}
        return {"kind": "List", "apiVersion": "v1", "metadata": more, "items": items[first : first + limit]}


PLURALS = frozenset({"pods", "events", "services", "endpointslices"})


class _Quiet(ThreadingHTTPServer):
    """A client that doesn't trust the certificate is no error of the server's."""

    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass


def _handler(cluster: Cluster) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            split = urlsplit(self.path)
            parts = split.path.strip("/").split("/")
            group = parts[1] if parts[0] == "apis" else ""
            rest = parts[3 if group else 2 :]
            rest = rest[2:] if rest[0] == "namespaces" and len(rest) > 2 else rest
            verb = "get" if len(rest) > 1 else "list"
            token = self.headers.get("Authorization", "").removeprefix("Bearer ")
            cluster.requests.append(Request(verb, group, rest[0], token))
            instead = cluster.answers.get(rest[0]) or cluster.answers.get("*")
            if instead:
                instead(self)
                return
            found = cluster.found(split.path, parse_qs(split.query))
            give(self, 404 if found is None else 200, found or status(404, "NotFound"))

        def _other(self) -> None:
            cluster.requests.append(Request(self.command, "", self.path, ""))
            give(self, 405, status(405, "MethodNotAllowed"))

        do_POST = do_PUT = do_PATCH = do_DELETE = _other

        def log_message(self, format: str, *args: object) -> None:
            pass

    return Handler


def status(code: int, reason: str) -> dict[str, Any]:
    """What the API answers instead of an object."""
    return {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "code": code,
            "message": f"{reason}: stand-in"}  # fmt: skip


def give(to: BaseHTTPRequestHandler, code: int, content: object, **headers: str) -> None:
    """Answer with JSON, or with bytes as they are."""
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    to.send_response(code)
    for name, value in headers.items():
        to.send_header(name, value)
    to.send_header("Content-Type", "application/json")
    to.send_header("Content-Length", str(len(body)))
    to.end_headers()
    with contextlib.suppress(OSError):
        to.wfile.write(body)


@contextlib.contextmanager
def kubernetes(folder: Path) -> Iterator[Cluster]:
    """The stand-in, with a kubeconfig for it that has two contexts: `here`, and `strange`, which trusts nobody."""
    cluster = Cluster()
    ca, certificate, key = _certificates(folder)
    server = _Quiet(("127.0.0.1", 0), _handler(cluster))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    url = f"https://127.0.0.1:{server.server_address[1]}"
    cluster.kubeconfig = folder / "kubeconfig"
    config = {
        "apiVersion": "v1", "kind": "Config", "current-context": "here",
        "clusters": [{"name": "one", "cluster": {"server": url, "certificate-authority": str(ca)}},
                     {"name": "strange", "cluster": {"server": url}}],
        "users": [{"name": "person", "user": {"token": TOKEN}}],
        "contexts": [{"name": "here", "context": {"cluster": "one", "user": "person"}},
                     {"name": "strange", "context": {"cluster": "strange", "user": "person"}}],
    }  # fmt: skip
    cluster.kubeconfig.write_text(json.dumps(config))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield cluster
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _certificates(folder: Path) -> tuple[Path, Path, Path]:
    """A CA, and a certificate of it for loopback with its key."""
    now = datetime.datetime.now(datetime.UTC)

    def signed(name: str, public: Any, by: Any, issuer: str, *, is_ca: bool) -> x509.Certificate:
        subject, of = (x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, one)]) for one in (name, issuer))
        builder = (
            x509.CertificateBuilder().subject_name(subject).issuer_name(of).public_key(public)
            .serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(by.public_key()), critical=False)
        )  # fmt: skip
        if is_ca:
            usage = dict.fromkeys(
                ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
                 "encipher_only", "decipher_only"), False,
            )  # fmt: skip
            builder = builder.add_extension(x509.KeyUsage(key_cert_sign=True, crl_sign=True, **usage), critical=True)
        else:
            loopback = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
            builder = builder.add_extension(loopback, critical=False)
        return builder.sign(by, hashes.SHA256())

    authority, own = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    paths = folder / "ca.pem", folder / "cert.pem", folder / "key.pem"
    pem = serialization.Encoding.PEM
    root = signed("stand-in CA", authority.public_key(), authority, "stand-in CA", is_ca=True)
    paths[0].write_bytes(root.public_bytes(pem))
    leaf = signed("127.0.0.1", own.public_key(), authority, "stand-in CA", is_ca=False)
    paths[1].write_bytes(leaf.public_bytes(pem))
    paths[2].write_bytes(
        own.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )  # fmt: skip
    return paths


SHOP = "/api/v1/namespaces/shop"
LABELS = {
    "app.kubernetes.io/name": "redis", "app.kubernetes.io/instance": "cache", "app.kubernetes.io/component": "master",
    "app.kubernetes.io/managed-by": "Helm", "helm.sh/chart": "redis-20.6.1",
    "statefulset.kubernetes.io/pod-name": "cache-redis-master-0",
}  # fmt: skip
POD = "cache-redis-master-0"


def pod(*, labels: Mapping[str, str] = LABELS, **changes: Any) -> dict[str, Any]:
    """A pod as the API gives it, of Bitnami's chart; `changes` are of its container's status and of the pod's."""
    ready = changes.pop("ready", True)
    since = changes.pop("since", 90_000)
    condition = {"status": "True" if ready else "False", "lastTransitionTime": ago(since), "lastProbeTime": None}
    container = {
        "name": "redis", "ready": ready, "started": ready, "restartCount": 0, "lastState": {},
        "image": "docker.io/bitnami/redis:7.4.2", "imageID": "docker.io/bitnami/redis@sha256:" + "0" * 64,
        "containerID": "containerd://" + "0" * 64, "state": {"running": {"startedAt": ago(since)}},
        **changes.pop("container", {}),
    }  # fmt: skip
    state = {
        "phase": "Running", "podIP": "10.42.0.17", "hostIP": "10.0.0.5", "qosClass": "Burstable",
        "conditions": [
            {"type": "Initialized", **condition, "status": "True"}, {"type": "Ready", **condition},
            {"type": "ContainersReady", **condition}, {"type": "PodScheduled", **condition, "status": "True"},
        ],
        "containerStatuses": [container],
        **changes.pop("status", {}),
    }  # fmt: skip
    return {
        "kind": "Pod", "apiVersion": "v1",
        "metadata": {
            "name": POD, "generateName": "cache-redis-master-", "namespace": "shop", "labels": dict(labels),
            "uid": "7f6a3c1e-0000-4000-8000-000000000001", "creationTimestamp": ago(90_000),
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "cache-redis-master",
                                 "uid": "u", "controller": True, "blockOwnerDeletion": True}],
        },
        "spec": {
            "nodeName": "worker-3", "serviceAccountName": "cache-redis-master", "subdomain": "cache-redis-headless",
            "volumes": [{"name": "redis-data", "persistentVolumeClaim": {"claimName": f"redis-data-{POD}"}}],
            "containers": [{
                "name": "redis", "image": "docker.io/bitnami/redis:7.4.2",
                "env": [{"name": "REDIS_PASSWORD", "value": "hunter2-in-the-clear"}],
                "resources": {"limits": {"memory": "192Mi", "cpu": "150m"},
                              "requests": {"memory": "128Mi", "cpu": "100m"}},
            }],
            **changes.pop("spec", {}),
        },
        "status": state,
    }  # fmt: skip


def event(reason: str, message: str, age: float, count: int = 1, of: str = POD) -> dict[str, Any]:
    """A warning about the pod, or another."""
    return {
        "kind": "Event", "apiVersion": "v1", "type": "Warning", "reason": reason, "message": message, "count": count,
        "metadata": {"name": f"{of}.{reason.lower()}.{age:.0f}", "namespace": "shop"}, "eventTime": None,
        "involvedObject": {"kind": "Pod", "namespace": "shop", "name": of},
        "firstTimestamp": ago(age + 60), "lastTimestamp": ago(age), "source": {"component": "kubelet"},
    }  # fmt: skip


def at(one: dict[str, Any], name: str, address: str, port: int) -> dict[str, Any]:
    """A pod of that name, at an address, with the port in its first container."""
    first, *others = one["spec"]["containers"]
    return {
        **one, "metadata": {**one["metadata"], "name": name},
        "spec": {**one["spec"], "volumes": [], "containers": [{**first, "ports": [{"containerPort": port}]}, *others]},
        "status": {**one["status"], "podIP": address, "podIPs": [{"ip": address}]},
    }  # fmt: skip


def service(name: str, selector: Mapping[str, str]) -> dict[str, Any]:
    """A Service."""
    return {
        "kind": "Service", "apiVersion": "v1", "metadata": {"name": name, "namespace": "shop"},
        "spec": {"type": "ClusterIP", "clusterIP": "10.43.7.9", "selector": dict(selector),
                 "ports": [{"name": "tcp-redis", "protocol": "TCP", "port": 6379, "targetPort": "redis"}]},
    }  # fmt: skip


def endpoint_slice(of: str, *ready: bool) -> dict[str, Any]:
    """A Service's slice, with an endpoint for each of `ready`."""
    return {
        "kind": "EndpointSlice", "apiVersion": "discovery.k8s.io/v1", "addressType": "IPv4",
        "metadata": {"name": f"{of}-abcde", "namespace": "shop", "labels": {"kubernetes.io/service-name": of}},
        "endpoints": [
            {"addresses": [f"10.42.0.{17 + number}"],
             "conditions": {"ready": one, "serving": one, "terminating": False},
             "targetRef": {"kind": "Pod", "name": POD if number == 0 else f"other-{number}", "namespace": "shop"}}
            for number, one in enumerate(ready)
        ] or None,
        "ports": [{"name": "tcp-redis", "port": 6379, "protocol": "TCP"}],
    }  # fmt: skip


SELECTOR = {"app.kubernetes.io/name": "redis", "app.kubernetes.io/instance": "cache",
            "app.kubernetes.io/component": "master"}  # fmt: skip
SLICES = "/apis/discovery.k8s.io/v1/namespaces/shop/endpointslices"


def furnish(
    cluster: Cluster, one: Mapping[str, Any] | None, *events: Mapping[str, Any], ready: tuple[bool, ...] = (True,),
    selector: Mapping[str, str] = SELECTOR, claim: str = "Bound", pressure: str = "",
) -> None:  # fmt: skip
    """A namespace as Bitnami's chart leaves it, with this pod."""
    if one:
        cluster.add(f"{SHOP}/pods", one)
    for each in events:
        cluster.add(f"{SHOP}/events", each)
    cluster.add(f"{SHOP}/services", service("cache-redis-master", selector))
    cluster.add(SLICES, endpoint_slice("cache-redis-master", *ready))
    cluster.add(f"{SHOP}/persistentvolumeclaims", {
        "kind": "PersistentVolumeClaim", "metadata": {"name": f"redis-data-{POD}", "namespace": "shop"},
        "spec": {"storageClassName": "fast", "resources": {"requests": {"storage": "8Gi"}}},
        "status": {"phase": claim},
    })  # fmt: skip
    cluster.add("/apis/apps/v1/namespaces/shop/statefulsets", {
        "kind": "StatefulSet", "metadata": {"name": "cache-redis-master", "namespace": "shop", "labels": dict(LABELS)},
        "spec": {"replicas": 1, "serviceName": "cache-redis-headless"},
        "status": {"replicas": 1, "readyReplicas": 1, "updatedReplicas": 1,
                   "currentRevision": "a", "updateRevision": "a"},
    })  # fmt: skip
    kinds = ("MemoryPressure", "DiskPressure", "PIDPressure")
    cluster.add("/api/v1/nodes", {
        "kind": "Node", "metadata": {"name": "worker-3"}, "spec": {},
        "status": {"conditions": [
            {"type": "Ready", "status": "True"},
            *({"type": kind, "status": "True" if kind == pressure else "False"} for kind in kinds),
        ]},
    })  # fmt: skip


OOM = {"terminated": {"exitCode": 137, "reason": "OOMKilled", "startedAt": ago(7200), "finishedAt": ago(180),
                      "containerID": "containerd://" + "1" * 64}}  # fmt: skip
