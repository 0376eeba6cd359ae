"""Targets that a service names: real HTTP and a real small program stand in for Prometheus and kubectl."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

from agent.cli.check_inputs import CheckInputs
from agent.fleet.discovered import from_kubernetes, from_prometheus
from tools.errors import Unanswered, UsageError
from tools.host.output import without_own


def series(**labels: str) -> dict[str, Any]:
    return {"metric": labels, "value": [0, "1"]}


def scraped(
    instance: str, job: str = "redis", url: str = "http://exporter:9121/metrics", **found: str
) -> dict[str, Any]:
    return {"labels": {"instance": instance, "job": job}, "discoveredLabels": found, "scrapeUrl": url}


@contextmanager
def serving(targets: Any, queries: dict[str, list[dict[str, Any]]] | None = None, status: int = 200) -> Iterator[str]:
    """A Prometheus that has these targets, and these series by the beginning of the query."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            assert self.path == "/api/v1/targets?state=active"
            self._answer({"activeTargets": targets})

        def do_POST(self) -> None:
            form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
            asked = form["query"][0]
            found = next((has for name, has in (queries or {}).items() if asked.startswith(name)), [])
            self._answer({"resultType": "vector", "result": found})

        def _answer(self, data: Any) -> None:
            body = json.dumps({"status": "success", "data": data}).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


UP = {"redis_up": [series(instance=one, job="redis") for one in ("a:9121", "redis://b:6390", "c:6379", "d:1")]}


async def test_prometheus_names_the_servers_of_its_exporters() -> None:
    targets = [
        scraped("a:9121"), scraped("redis://b:6390", url="http://exporter:9121/scrape?target=redis%3A%2F%2Fb%3A6390"),
        scraped("c:6379"), scraped("d:1", __param_target="rediss://u:p@d:2/3"), scraped("web:9100", job="node"),
    ]  # fmt: skip
    queries = {
        **UP, "redis_instance_info": [series(instance="a:9121", job="redis", tcp_port="6400")],
        "deriv(": [{"metric": {"instance": "c:6379", "job": "redis"}, "value": [0, "1024.5"]}],
    }  # fmt: skip
    with serving(targets, queries) as url:
        found = await from_prometheus(url)
    assert [one.where for one in found] == ["a:6400", "redis://b:6390", "c:6379", "rediss://u:p@d:2/3"]
    assert [one.growth for one in found] == [None, None, 1024.5, None]
    assert all(one.one_node and one.found_by == ("127.0.0.1",) for one in found)


async def test_a_prometheus_without_redis_says_so() -> None:
    with (
        serving([scraped("web:9100", job="node")]) as url,
        pytest.raises(Unanswered, match="scrapes no redis_exporter"),
    ):
        await from_prometheus(url)


@pytest.mark.parametrize("targets", [None, 7, [7], [{}], [{"labels": 7}]])
async def test_a_strange_list_is_refused(targets: Any) -> None:
    with serving(targets) as url, pytest.raises(Unanswered, match="another form"):
        await from_prometheus(url)


@pytest.mark.parametrize(
    "where",
    [
        "unix:///var/run/docker.sock",
        "redis+sentinel://a:1/m",
        "http://a:1",
        "a b",
        "-x",
        "",
        "a:1?ssl_ca_certs=/etc/passwd",
    ],
)
async def test_a_service_chooses_no_file_and_no_protocol(where: str) -> None:
    with serving([scraped("d:1", __param_target=where or " ")], UP) as url:
        (found,) = await CheckInputs(prometheus=url).members()
    assert found.target is None and "names no address" in found.problem


async def test_a_service_chooses_no_login_and_gets_no_password(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("REDISCLI_AUTH", "hush")
    monkeypatch.chdir(tmp_path)
    with serving([scraped("d:1", __param_target="redis://evil:x@203.0.113.9:6379/0")], UP) as url:
        (found,) = await CheckInputs(prometheus=url, trust=("10.1.0.0/16",)).members()
    target = found.target
    assert target and (target.username, target.node, target.db) == (None, "203.0.113.9:6379", 0)
    # It's dialled by the rules for a server's neighbours: a password goes to the Prometheus' own network at most.
    assert target.named_from == ("127.0.0.1",) and [str(one) for one in target.trust] == ["10.1.0.0/16"]


@pytest.fixture
def kubectl(tmp_path: Path) -> Path:
    return tmp_path / "kubectl"


def prints(path: Path, text: str, status: int = 0) -> str:
    path.with_suffix(".json").write_text(text)
    path.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >"$0.args"\nenv >"$0.env"\ncat "$0.json"\nexit {status}\n')
    path.chmod(0o700)
    return str(path)


def service(name: str, *ports: dict[str, Any], **more: Any) -> dict[str, Any]:
    spec = {"ports": list(ports), **more.pop("spec", {})}
    return {"metadata": {"name": name, "namespace": "shop"}, "spec": spec, **more}


async def test_services_are_targets_by_their_names(kubectl: Path) -> None:
    metrics = {"name": "metrics", "port": 9121}
    balancer = {"loadBalancer": {"ingress": [{"ip": "2001:db8::1"}]}}
    items = [
        service("orders", metrics, {"name": "tcp-redis", "port": 6380}), service("cache", {"port": 6379}),
        service("secure", {"name": "redis-tls", "port": 6379}),
        service("public", {"name": "redis", "port": 6379}, status=balancer),
        service("web", {"port": 80}), service("udp", {"port": 6379, "protocol": "UDP"}),
        service("away", {"port": 6379}, spec={"type": "ExternalName", "externalName": "evil.example"}),
    ]  # fmt: skip
    environ = {"PATH": "/usr/bin:/bin", "REDISCLI_AUTH": "hush"}
    program = prints(kubectl, json.dumps({"items": items}))
    found = await from_kubernetes("app in (redis,valkey),tier!=dev", "shop", program=program, environ=environ)
    assert [(one.name, one.where) for one in found] == [
        ("shop/orders", "redis://orders.shop.svc:6380"), ("shop/cache", "redis://cache.shop.svc:6379"),
        ("shop/secure", "rediss://secure.shop.svc:6379"), ("shop/public", "redis://[2001:db8::1]:6379"),
    ]  # fmt: skip
    args = Path(f"{program}.args").read_text().splitlines()
    assert args[:4] == ["get", "services", "--selector=app in (redis,valkey),tier!=dev", "--namespace=shop"]
    assert "hush" not in Path(f"{program}.env").read_text()


async def test_all_namespaces_are_looked_through_where_none_is_named(kubectl: Path) -> None:
    program = prints(kubectl, json.dumps({"items": [service("a", {"port": 6379})]}))
    inputs = CheckInputs(kubernetes="app=redis", kubectl=program)
    (found,) = await inputs.members()
    assert "--all-namespaces" in Path(f"{program}.args").read_text()
    # Inside of the cluster addresses are private; without a password there is nothing to give away there.
    assert found.target and found.target.named_from == () and found.target.trust


async def test_a_password_goes_to_no_service_that_isnt_trusted(kubectl: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDISCLI_AUTH", "hush")
    program = prints(kubectl, json.dumps({"items": [service("a", {"port": 6379})]}))
    (found,) = await CheckInputs(kubernetes="app=redis", kubectl=program).members()
    assert found.target and found.target.has_credentials and found.target.trust == ()


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"items": 7}', '{"items": [{}]}', '{"items": [{"metadata": {}}]}', "["]
)
async def test_what_kubectl_says_may_be_anything(kubectl: Path, text: str) -> None:
    with pytest.raises(Unanswered):
        await from_kubernetes("app=redis", None, program=prints(kubectl, text))


async def test_a_kubectl_that_fails_says_why(kubectl: Path) -> None:
    program = prints(kubectl, "", status=1)
    with pytest.raises(Unanswered, match="ended with status 1"):
        await from_kubernetes("app=redis", None, program=program)
    with pytest.raises(UsageError, match="can't be run here"):
        await from_kubernetes("app=redis", None, program="/nowhere/kubectl")


@pytest.mark.parametrize("selector", ["--output=yaml", "app=redis\nx", "", "a" * 500, "$(id)"])
async def test_a_selector_is_no_option(selector: str) -> None:
    with pytest.raises(UsageError, match="label selector"):
        await from_kubernetes(selector, None)
    with pytest.raises(UsageError, match="name of a namespace"):
        await from_kubernetes("app=redis", "--kubeconfig=/tmp/x")


async def test_a_source_that_fails_is_a_line_beside_the_others() -> None:
    found = await CheckInputs(what=("a:1",), kubernetes="app=redis", kubectl="/bin/false").members()
    assert [one.name for one in found] == ["a:1", "--kubernetes"]
    assert "no list of targets" in found[1].problem


def test_this_programs_own_secrets_arent_handed_on() -> None:
    assert without_own({"REDISCLI_AUTH": "x", "HOME": "/"}) == {"HOME": "/"}
