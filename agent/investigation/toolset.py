"""The tools of a node: what a model and the survey can call."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from tools.connection.node import Node
from tools.gate.proposals import Proposals, propose_config_set
from tools.host.disk import disk
from tools.host.kernel_log import kernel_log
from tools.host.local import Host
from tools.host.log import log
from tools.host.log_history import log_events
from tools.host.log_history import recorded as recorded_events
from tools.host.machine import machine
from tools.host.process import process
from tools.host.sockets import sockets
from tools.past.history import History, history
from tools.server.access import access
from tools.server.big_keys import big_keys
from tools.server.client_groups import client_groups
from tools.server.clients import clients
from tools.server.cluster import cluster
from tools.server.commandstats import commandstats
from tools.server.config import config_get
from tools.server.config_drift import config_drift
from tools.server.connect import connect, ping, silence
from tools.server.histogram import latencystats
from tools.server.idle import idle_probe
from tools.server.info import info
from tools.server.keyspace import keyspace
from tools.server.large_commands import large_commands
from tools.server.latency import latency_sample
from tools.server.latency_events import latency_events
from tools.server.lists import lists
from tools.server.memory import memory
from tools.server.named_keys import named_keys
from tools.server.one_client import one_client
from tools.server.other_ports import may_be_tried, other_ports
from tools.server.persistence import persistence
from tools.server.prefixes import prefixes
from tools.server.replication import replication
from tools.server.same_server import same_server
from tools.server.script import script
from tools.server.sentinel import sentinel as sentinel_
from tools.server.series import series
from tools.server.slowlog import slowlog
from tools.server.streams import streams
from tools.toolbox import Tool, ToolFunction, bind

if TYPE_CHECKING:
    from tools.kubernetes.reading import Cluster
    from tools.providers.reading import Managed
    from tools.record.replay import Replay

REACHING = (connect, ping, silence)
SERVER = (
    latency_sample, info, commandstats, latencystats, latency_events, slowlog, clients, memory, persistence,
    replication, cluster, keyspace, big_keys, prefixes, streams, lists, access, config_get, idle_probe,
    same_server, script, large_commands,
)  # fmt: skip
DEEPER = (named_keys, client_groups, one_client, series)
"""Tools that only a model uses: the survey does without."""
HOST = (process, sockets, machine, disk, log, log_events, kernel_log)
TIMED = frozenset(("connect", "ping", "silence", "script", "same_server"))
"""What only a connection of this program's own tells: of a paste there is none."""
MEASURED = frozenset(("latency_sample", "big_keys", "idle_probe"))
"""What a person measures by other means than the commands that this program sends."""


def tools_of(
    node: Node, host: Host, proposals: Proposals, past: History, *, sentinel: bool, replay: "Replay | None" = None
) -> Iterator[Tool]:
    """The tools of one node, in a fixed order; a sentinel has those that make sense for one.

    In a replay, what goes beyond the server's replies (its machine, its past) is read from the recording.
    """
    of_node = (*REACHING, info, sentinel_, clients, access) if sentinel else (*REACHING, *SERVER, *DEEPER)
    pasted = replay if replay and replay.pasted else None
    for tool in of_node:
        if pasted is None or tool.__name__ not in TIMED:
            yield _bound(tool, (node,), node, pasted if tool.__name__ in MEASURED else None)
    for of_host in HOST:
        yield _bound(of_host, (host,), node, replay)
    if not sentinel:
        yield _bound(config_drift, (node, host), node, replay)
        yield _bound(history, (node, past), node, replay)
        # A recording from before this tool existed isn't asked for it.
        if ("other_ports", node.name) in replay.tape.seen if replay else may_be_tried(node.target):
            yield _bound(other_ports, (node,), node, replay)
        yield bind(propose_config_set, node, proposals, node=node.name)


def pod_tools(cluster: "Cluster | None", node: str, replay: "Replay | None") -> Iterator[Tool]:
    """What asks Kubernetes about a node, if it may be asked; in a replay, if it was."""
    if cluster is None and (replay is None or ("pod", node) not in replay.tape.seen):
        return
    # Most servers aren't asked about there.
    from tools.kubernetes.reading import pod

    yield bind(pod, cluster, node=node, instead=replay.reading("pod", node) if replay else None)


def provider_tools(managed: "Managed | None", node: str, replay: "Replay | None") -> Iterator[Tool]:
    """What asks whoever runs a node, if they may be asked; in a replay, if they were."""
    if managed is None and (replay is None or ("provider", node) not in replay.tape.seen):
        return
    # Most servers are run by their owners.
    from tools.providers.reading import provider

    yield bind(provider, managed, node=node, instead=replay.reading("provider", node) if replay else None)


def _bound(fn: ToolFunction, given: tuple[object, ...], node: Node, replay: "Replay | None") -> Tool:
    instead = replay.reading(fn.__name__, node.name) if replay else None
    if instead is not None and fn is log_events:
        instead = recorded_events(instead)
    return bind(fn, *given, node=node.name, instead=instead)
