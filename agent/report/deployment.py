"""A deployment of several nodes as a tree: roles, slots, state, lag."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from agent.answer.diagnosis import Diagnosis
from agent.report.quantities import bytes_text, number_text, quantity
from tools.records import Reading, Scalar, Values

SMALL = 4
"""The most nodes that each get a line of their own."""
MOST = 8
"""Lines for unhealthy nodes of a large deployment."""
_ROLES = {"master": "primary", "slave": "replica"}


class Node(NamedTuple):
    """A node as it is drawn."""

    name: str
    role: str
    primary: str | None
    """For a replica."""
    said: tuple[str, ...]
    ills: tuple[str, ...]
    """What is wrong with it; empty for a healthy node."""


def tree(answer: Diagnosis) -> list[str]:
    """A line for each unhealthy node and its ancestors, and one line for all the others; empty for a single node."""
    if len(answer.target.nodes) < 2:
        return []
    nodes = nodes_of(answer)
    servers = [one for one in nodes if one.role != "sentinel"]
    small = len(servers) <= SMALL
    named = {cause.where for cause in answer.causes}
    ill = [one for one in servers if one.ills or one.name in named]
    shown = {one.name for one in (servers if small else ill[:MOST])}
    lines = list(_branches(servers, shown))
    if rest := [one for one in servers if one.name not in shown and one not in ill]:
        others = "the other " if shown else ""
        lines.append(f"{others}{_counted(rest)} well")
    if len(ill) > MOST and not small:
        lines.append(f"{len(ill) - MOST} more unhealthy nodes")
    return [*lines, *_sentinels([one for one in nodes if one.role == "sentinel"])]


def _branches(servers: Sequence[Node], shown: set[str]) -> Iterator[str]:
    by_name = {one.name: one for one in servers}
    for one in servers:
        below = [each for each in servers if each.primary == one.name and each.name in shown and each.name != one.name]
        is_top = one.primary is None or one.primary not in by_name
        if not is_top or not (below or one.name in shown):
            continue
        yield _line(one)
        for number, each in enumerate(below):
            yield f"{'└' if number == len(below) - 1 else '├'} {_line(each)}"


def _line(node: Node) -> str:
    return f"{node.name} {', '.join((node.role, *node.said, *node.ills))}"


def _counted(nodes: Sequence[Node]) -> str:
    roles = [one.role for one in nodes]
    kinds = [f"{roles.count(role)} {_plural(role, roles.count(role))}" for role in dict.fromkeys(roles)]
    return f"{' and '.join(kinds)} {'is' if len(nodes) == 1 else 'are'}"


def _plural(role: str, count: int) -> str:
    if role.startswith("server"):
        return "server" if count == 1 else "servers"
    return role if count == 1 else f"{role[:-1]}ies" if role.endswith("y") else f"{role}s"


def _sentinels(sentinels: Sequence[Node]) -> list[str]:
    if not sentinels:
        return []
    down = [one for one in sentinels if one.ills]
    quorum = next((said for one in sentinels for said in one.said), "")
    up = len(sentinels) - len(down)
    lines = [f"{up} of {len(sentinels)} sentinels answer{f', {quorum}' if quorum else ''}"]
    return [*lines, *(f"sentinel {one.name}: {', '.join(one.ills)}" for one in down[:MOST])]


def nodes_of(answer: Diagnosis) -> list[Node]:
    """All nodes of the deployment, in the order of the answer."""
    newest: dict[tuple[str | None, str], Reading] = {(one.node, one.tool): one for one in answer.readings if one.values}
    failed = {one.node: one for one in answer.readings if one.tool in ("connect", "ping") and one.unavailable}
    whole = newest.get((None, "topology"))
    values = (whole.values if whole else None) or {}
    known = {str(values[field]): field[: -len(".node")] for field in values if field.endswith(".node")}
    lags = _lags(newest)
    return [
        _node(name, _of(newest, name, "replication"), _of(newest, name, "cluster"), _of(newest, name, "sentinel"),
              str(values.get(f"{known.get(name)}.role") or ""), str(values.get(f"{known.get(name)}.seen") or ""),
              lags.get(name, ()), failed.get(name))
        for name in answer.target.nodes
    ]  # fmt: skip


def _node(
    name: str, replication: Values, cluster: Values, sentinel: Values, role: str, seen: str, lag: Sequence[str],
    failed: Reading | None,
) -> Node:  # fmt: skip
    role = _ROLES.get(str(replication.get("role")), role if role != "unknown" else "") or "server"
    said: list[str] = []
    ills: list[str] = []
    if slots := cluster.get("my_slots"):
        said.append(f"{_number(slots)} slots")
    if cluster and cluster.get("cluster_state") not in (None, "ok"):
        ills.append(f"cluster state {cluster['cluster_state']}")
    if role == "replica" and (link := replication.get("master_link_status")) not in (None, "up"):
        since = replication.get("master_link_down_since_seconds")
        is_known = isinstance(since, int | float) and since >= 0
        ills.append(f"link {link} for {quantity(since, 'seconds')}" if is_known else f"link {link}")
    elif role == "replica":
        (ills if any("behind" in one for one in lag) else said).extend(lag)
    if quorum := sentinel.get("m1.quorum"):
        said.append(f"quorum {quorum} of {sentinel.get('m1.usable_sentinels')} usable")
    if seen == "down" and replication and failed is None:
        # It answers: what is down is a link to it.
        ills.append("others see it as down")
    elif (is_down := seen in ("down", "fail", "pfail")) or (failed and not replication and not sentinel):
        why = f" ({failed.unavailable.kind})" if failed and failed.unavailable else ""
        ills.append(f"down{why}" if is_down else f"doesn't answer{why}")
    host, port = replication.get("master_host"), replication.get("master_port")
    primary = f"{host}:{port}" if role == "replica" and host else None
    return Node(name, role, primary, tuple(said), tuple(ills))


def _of(newest: dict[tuple[str | None, str], Reading], name: str, tool: str) -> Values:
    one = newest.get((name, tool))
    return (one.values if one else None) or {}


def _lags(newest: dict[tuple[str | None, str], Reading]) -> dict[str, tuple[str, ...]]:
    """By replica address, how far it is behind as its primary sees it."""
    found: dict[str, tuple[str, ...]] = {}
    for (_, tool), one in newest.items():
        values = one.values or {}
        for field in values if tool == "replication" else ():
            if not field.endswith(".address") or not field.startswith("replica"):
                continue
            row = field.removesuffix(".address")
            behind = values.get(f"{row}.lag_bytes")
            if values.get(f"{row}.state") not in (None, "online"):
                found[str(values[field])] = (str(values[f"{row}.state"]),)
            elif isinstance(behind, int | float):
                far = behind > STEP
                found[str(values[field])] = (f"{bytes_text(behind)} behind",) if far else ("in step",)
    return found


STEP = 1 << 20
"""A replica at most this many bytes behind its primary is in sync."""


def _number(value: Scalar) -> str:
    return number_text(value) if isinstance(value, int | float) else str(value)
