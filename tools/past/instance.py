"""Which of Prometheus' instances a node is."""

from typing import NamedTuple

from tools.connection.node import Node
from tools.errors import Unanswered
from tools.past.prometheus import Prometheus
from tools.past.promql import promql_string, regex_literal, selector
from tools.past.run import run_id
from tools.records import Values
from tools.redact import Pseudonyms

_OF_INFO = frozenset(
    ("__name__", "role", "redis_version", "redis_build_id", "redis_mode", "os", "maxmemory_policy", "tcp_port",
     "run_id", "process_id", "master_replid", "valkey_version", "valkey_release_stage", "availability_zone")
)  # fmt: skip
"""Labels of redis_instance_info that describe the server; the others describe where it was scraped."""
_ADDRESSED = ("instance", "addr", "target")
"""Labels that hold a server's address in common exporter configurations."""


class Instance(NamedTuple):
    """A scraped server."""

    selector: str
    """The inside of a PromQL selector's braces that picks its series, through restarts."""
    values: Values
    """How it was found."""


async def find_instance(prometheus: Prometheus, node: Node, start: float, end: float) -> Instance:
    """The node's instance among those scraped from start to end (Unix seconds).

    By the run_id that the server reports; if that isn't scraped yet or the server is silent, by its address. Raises
    `Unanswered`, not-recorded if there is none.
    """
    if run := await run_id(node):
        found = await prometheus.series(f"redis_instance_info{{run_id={promql_string(run)}}}", start, end)
        if found:
            return _instance(found, "run_id", node.pseudonyms)
    for by, match in _by_address(node):
        if found := await prometheus.series(match, start, end):
            return _instance(found, by, node.pseudonyms)
    # Up to ten days old: the question is whether it ever knew any Redis.
    counted = await prometheus.query("count(count by (job, instance) (last_over_time(redis_up[10d])))", end)
    known = int(counted[0].points[-1][1]) if counted and counted[0].points else 0
    detail = f"{prometheus.name} has {known} Redis instances, but none of them is {node.name}"
    raise Unanswered("not-recorded", f"{detail}: is its redis_exporter scraped there?", {"instances": known})


def _by_address(node: Node) -> list[tuple[str, str]]:
    target = node.target
    address = target.path if target.path is not None else target.node
    pattern = promql_string(f"(?i)([a-z+]+://)?([^@/]*@)?{regex_literal(address)}(/[0-9]*)?")
    exact = [(label, f"redis_up{{{label}=~{pattern}}}") for label in _ADDRESSED]
    if target.path is not None or target.host is None:
        return exact
    # An exporter beside its server has the server's host and a port of its own.
    beside = promql_string(f"(?i){regex_literal(target.host)}(:[0-9]+)?")
    return [*exact, ("tcp_port", f'redis_instance_info{{tcp_port="{target.port}",instance=~{beside}}}')]


def _instance(found: list[dict[str, str]], by: str, pseudonyms: Pseudonyms) -> Instance:
    where = {selector({name: text for name, text in one.items() if name not in _OF_INFO}): one for one in found}
    first = min(where)
    shown = {label: pseudonyms.plain("label", where[first].get(label, "")) or None for label in ("instance", "job")}
    return Instance(first, {"matched_by": by, "sources": len(where), **shown})
