"""The newest change of the primary in a log: a data node's, a cluster node's or a sentinel's."""

import re
from collections.abc import Callable, Iterable
from typing import Literal, NamedTuple

from tools.connection.shapes import whole_number
from tools.connection.target import address
from tools.host.log_lines import Line
from tools.patterns import deferred, possible
from tools.records import Values

By = Literal[
    "sentinel", "sentinel-manual", "cluster", "cluster-manual", "cluster-takeover", "failover-command", "client"
]
BEFORE = 120.0
"""Seconds before a change within which its request, or the old primary's being considered dead, belongs to it."""
AT_ONCE = 5.0
"""Seconds between the lines of one change in one log."""
_PLACE = r"(?P<host>[0-9a-fA-F.:]{2,45}|[A-Za-z0-9.-]{1,32})"
_RULES: tuple[tuple[str, str], ...] = (
    ("switched",
     rf"\+switch-master \S{{1,256}} {_PLACE} (?P<port>\d{{1,5}}) (?P<host2>\S{{1,45}}) (?P<port2>\d{{1,5}})"),
    ("odown", r"\+odown master "),
    ("sentinel-manual", r"Executing user requested FAILOVER of "),
    ("updated", r"\+config-update-from sentinel "),
    ("promoted", r"(?:MASTER|PRIMARY) MODE enabled \((?P<how>user|failover) request from '(?P<client>[^']{0,1024})"),
    ("before-replica", r"Before turning into a replica"),
    ("replicaof", rf"REPLICAOF {_PLACE}:(?P<port>\d{{1,5}}) enabled \(user request from '(?P<client>[^']{{0,1024}})"),
    ("handed-over", rf"Failover target {_PLACE}:(?P<port>\d{{1,5}}) is synced, failing over"),
    ("above", rf"(?:Rec|C)onnecting to (?:MASTER|PRIMARY) {_PLACE}:(?P<port>\d{{1,5}})"),
    ("elected", r"Failover election won"),
    ("epoch", r"configEpoch set to (?P<epoch>\d{1,18}) after successful failover"),
    ("cluster-manual", r"(?:Manual|Forced) failover (?:user|primary|master) request accepted"),
    ("cluster-manual", r"Manual failover requested by replica "),
    ("takeover", r"Taking over the (?:master|primary) \(user request"),
    ("cluster-fail", r"FAIL message received from |Marking node .{1,200} as failing"),
    ("demoted", r"Configuration change detected\. Reconfiguring myself as a replica of "),
)  # fmt: skip
_COMPILED = tuple((name, deferred(pattern)) for name, pattern in _RULES)
_CLIENT_PLACE = deferred(r"\baddr=([0-9a-fA-F.:\[\]]{3,60})")
_SENTINEL = deferred(r"\bname=sentinel-[0-9a-f]{8}-cmd\b")


class Switch(NamedTuple):
    """One change of the primary, according to one log."""

    event: Literal["switched", "promoted", "demoted"]
    """What the log's owner saw: a sentinel moved on, this node became a primary, or stopped being one."""
    by: By
    at: float | None
    """As the log's lines have it."""
    old: str | None = None
    new: str | None = None
    client: str | None = None
    """Address of the client that asked for it, as far as the log tells."""
    down_at: float | None = None
    """When the old primary had been called dead (+odown, FAIL) before it."""
    epoch: int | None = None


def switches(lines: Iterable[Line]) -> tuple[Switch, ...]:
    """The changes in a log's lines, oldest first."""
    found: list[Switch] = []
    last: dict[str, float | None] = {}
    above: str | None = None
    for line in lines:
        if (rule := _rule(line.text)) is None:
            continue
        name, told = rule
        groups = told.groupdict()
        place = _place(groups.get("host"), groups.get("port"))
        if name == "epoch":
            if found and found[-1].by.startswith("cluster"):
                found[-1] = found[-1]._replace(epoch=int(groups["epoch"]))
        elif name == "above":
            above = place
        elif (one := _switch(name, groups, place, above, last, line.at)) is not None:
            found.append(one)
            if one.event == "promoted":
                above = None
        last[name] = line.at
    return tuple(found)


def _rule(text: str) -> tuple[str, re.Match[str]] | None:
    for name, pattern in _COMPILED:
        if possible(pattern, text) and (told := pattern.match(text)) is not None:
            return name, told
    return None


def _switch(
    name: str, groups: dict[str, str], place: str | None, above: str | None, last: dict[str, float | None],
    at: float | None,
) -> Switch | None:  # fmt: skip
    def lately(event: str, within: float = BEFORE) -> float | None:
        then = last.get(event)
        return then if then is not None and at is not None and 0 <= at - then <= within else None

    client = (found := _CLIENT_PLACE.search(groups.get("client") or "")) and found[1]
    own = _SENTINEL.search(groups.get("client") or "") is not None
    if name == "switched":
        asked = lately("sentinel-manual") is not None
        new = _place(groups["host2"], groups["port2"])
        return Switch(event="switched", by="sentinel-manual" if asked else "sentinel", at=at, old=place, new=new,
                      down_at=lately("odown"))  # fmt: skip
    if name == "promoted":
        by: By = "failover-command" if groups["how"] == "failover" else "sentinel" if own else "client"
        # The name of a client may be hidden, but who asks by FAILOVER is the old primary.
        return Switch(event="promoted", by=by, at=at, old=above, client=client if by == "client" else None)
    if name == "elected":
        asked = lately("cluster-manual") is not None
        return Switch(event="promoted", by="cluster-manual" if asked else "cluster", at=at, old=above,
                      down_at=lately("cluster-fail"))  # fmt: skip
    if name == "takeover":
        return Switch(event="promoted", by="cluster-takeover", at=at, old=above, down_at=lately("cluster-fail", 1e9))
    if name == "replicaof" and lately("before-replica", AT_ONCE) is not None:
        return Switch(event="demoted", by="sentinel" if own else "client", at=at, new=place,
                      client=None if own else client)  # fmt: skip
    if name == "handed-over":
        return Switch(event="demoted", by="failover-command", at=at, new=place)
    if name == "demoted":
        return Switch(
            event="demoted", by="cluster-manual" if lately("cluster-manual") is not None else "cluster", at=at
        )
    return None


def _place(host: str | None, port: str | None) -> str | None:
    number = whole_number(port or "")
    if not host or number is None or re.fullmatch(r"[0-9a-fA-F.:]{2,45}|[A-Za-z0-9.-]{1,32}", host) is None:
        return None
    return address(host, number)


def switch_values(lines: Iterable[Line], age: Callable[[float | None], float | None]) -> Values:
    """The newest change as fields of the log reading, and how many there are; empty if none."""
    found = switches(lines)
    if not found:
        return {}
    newest = found[-1]
    return {
        "switch.event": newest.event, "switch.by": newest.by, "switch.age": age(newest.at),
        "switch.old": newest.old, "switch.new": newest.new, "switch.client": newest.client,
        "switch.down_age": age(newest.down_at), "switch.epoch": newest.epoch, "switch.count": len(found),
    }  # fmt: skip
