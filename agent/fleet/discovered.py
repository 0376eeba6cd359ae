"""Targets found through a service: servers scraped by Prometheus, and services in a Kubernetes cluster.

Whoever can write to such a service chooses the addresses, so these are dialled under the same rules as a server's
neighbours: a password goes only to the service's own network or to what --trust names.
"""

import json
import os
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from agent.fleet.inventory import MOST_NAME, MOST_TARGETS, Listed
from tools.connection.target import address
from tools.errors import Unanswered, UsageError
from tools.host.output import output, without_own
from tools.http import web_url
from tools.kubernetes.place import service_of
from tools.past.prometheus import Prometheus, ScrapedTarget, checked_url
from tools.past.series import Series
from tools.text import one_line

DEADLINE = 20.0
HOURS = 6
"""Period over which memory growth is measured: longer than short ups and downs."""
GROWTH = f"deriv(redis_memory_used_bytes[{HOURS}h]) and redis_memory_used_bytes offset 1h"
"""Less than an hour of samples shows no trend."""
MOST_BYTES = 16 * 2**20
_SELECTOR = re.compile(r"[A-Za-z0-9_./=!,() -]{1,400}")
_NAMESPACE = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_PORTS = ("redis", "valkey", "tcp-redis", "tcp-valkey", "redis-tls", "rediss")
"""Port names in common charts."""
Key = tuple[str, str]


async def from_prometheus(url: str) -> list[Listed]:
    """The servers whose redis_exporter a Prometheus scrapes. Raises `UsageError` and `Unanswered`."""
    url, source = checked_url(url, "--prometheus"), web_url(url)
    assert source is not None
    now = time.time()
    async with Prometheus(url, DEADLINE) as prometheus:
        scraped = await prometheus.targets()
        up = {_key(one.labels) for one in await prometheus.query("redis_up", now)}
        infos = {_key(one.labels): one.labels for one in await prometheus.query("redis_instance_info", now)}
        growth = _points(await prometheus.query(GROWTH, now))
    mine = [one for one in scraped if _key(one.labels) in up]
    if not mine:
        raise Unanswered("not-recorded", f"{prometheus.name} scrapes no redis_exporter; is it the right one?")
    if len(mine) > MOST_TARGETS:
        raise Unanswered("malformed", f"{prometheus.name} scrapes {len(mine)} Redis servers; at most {MOST_TARGETS}")
    return [
        Listed(
            name="", where=_scraped_address(one, infos.get(_key(one.labels), {})), found_by=(source.host,),
            place=one_line(f"{prometheus.name}, instance {one.labels.get('instance', '')}", 200), one_node=True,
            growth=growth.get(_key(one.labels)),
        )
        for one in mine
    ]  # fmt: skip


def _key(labels: Mapping[str, str]) -> Key:
    return labels.get("job", ""), labels.get("instance", "")


def _points(found: Sequence[Series]) -> dict[Key, float]:
    return {_key(one.labels): one.points[-1][1] for one in found if one.points}


def _scraped_address(one: ScrapedTarget, info: Mapping[str, str]) -> str:
    """The server's address: the exporter's `target` parameter, or the exporter's host with the server's own port."""
    if one.parameter:
        return one.parameter
    instance, own = one.labels.get("instance", ""), info.get("tcp_port", "")
    host, _, port = instance.rpartition(":")
    beside = host and "://" not in instance and port.isdecimal() and own.isdecimal() and own != "0"
    return f"{host}:{own}" if beside else instance


async def from_kubernetes(
    selector: str, namespace: str | None, *, program: str = "kubectl", environ: Mapping[str, str] = os.environ
) -> list[Listed]:
    """The services with these labels, in one namespace or in all. Raises `UsageError` and `Unanswered`.

    `program` is kubectl, which takes the cluster and the login from the person's own configuration.
    """
    if not _SELECTOR.fullmatch(selector) or selector.startswith("-"):
        raise UsageError(f"--kubernetes {one_line(selector, 60)!r}: give a label selector such as app=redis")
    if namespace is not None and not _NAMESPACE.fullmatch(namespace):
        raise UsageError(f"--namespace {one_line(namespace, 60)!r}: give the name of a namespace")
    where = f"--namespace={namespace}" if namespace else "--all-namespaces"
    command = (program, "get", "services", f"--selector={selector}", where, "--output=json", "--request-timeout=15s")
    content = await output(command, deadline=DEADLINE, most=MOST_BYTES, environ=without_own(environ))
    try:
        items = json.loads(content)["items"]
        found = [one for item in items for one in _of_service(item)]
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError):
        raise Unanswered("malformed", "kubectl gave no list of services") from None
    if not found:
        raise Unanswered("not-recorded", f"no service with a Redis port has the labels {one_line(selector, 60)}")
    return found[:MOST_TARGETS]


def _of_service(item: Any) -> Iterator[Listed]:
    """The target for a service: its load balancer's address if it has one, else its name within the cluster."""
    meta, spec = item["metadata"], item["spec"]
    ports = [one for one in spec.get("ports") or [] if str(one.get("protocol", "TCP")) == "TCP"]
    # A chart's service often has the exporter's port, and a sentinel's, beside the server's.
    port = next((one for one in ports if one.get("name") in _PORTS), None) or next(
        (one for one in ports if one.get("port") == 6379), None
    )
    if port is None or spec.get("type") == "ExternalName":
        return
    name, namespace = str(meta["name"]), str(meta["namespace"])
    balancers = ((item.get("status") or {}).get("loadBalancer") or {}).get("ingress") or []
    host = next((str(one.get("ip") or one.get("hostname")) for one in balancers), f"{name}.{namespace}.svc")
    scheme = "rediss" if str(port.get("name")) in ("redis-tls", "rediss") else "redis"
    label = one_line(f"{namespace}/{name}", MOST_NAME)
    yield Listed(
        name=label,
        where=f"{scheme}://{address(host, int(port['port']))}",
        place=f"service {label}",
        found_by=(),
        service=service_of(f"{name}.{namespace}.svc"),
    )
