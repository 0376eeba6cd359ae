"""Sentinel: what it watches, and whether it could fail over."""

import re
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from tools.connection.node import Node
from tools.connection.protocol import Reply, ServerError
from tools.connection.shapes import whole_number
from tools.connection.target import address
from tools.errors import ToolError
from tools.records import Record, Values
from tools.server.info import Window, parse_info
from tools.server.sentinel_events import listen
from tools.toolbox import reads

MASTERS = 4
"""Most masters that are shown: the deployment's own, then those in trouble."""
SHOWN = 8
"""Most replicas, and sentinels, that are shown of each master, those in trouble first."""
PING_PERIOD_MS, INFO_PERIOD_MS = 1000, 10_000
"""How often a sentinel pings and asks for INFO by default."""


class Watched(Record):
    """A primary as a sentinel sees it: one entry of SENTINEL MASTERS. Times in milliseconds."""

    name: str
    host: str
    port: int
    flags: tuple[str, ...]
    """master, s_down, o_down, disconnected, failover_in_progress, master_down and so on."""
    quorum: int
    replicas: int
    """num-slaves"""
    sentinels: int
    """num-other-sentinels"""
    down_after_ms: int
    failover_timeout_ms: int
    parallel_syncs: int
    config_epoch: int
    last_ok_ping_ms: int
    """Since its last good answer."""
    role_reported: str
    role_reported_ms: int
    """For how long: since it became the master, or since the sentinel met it."""
    failover_state: str | None
    """Null while none runs."""
    s_down_ms: int
    """How long it has been subjectively down; 0 while it isn't."""


class Follower(Record):
    """A replica as a sentinel sees it: one entry of SENTINEL REPLICAS. Times in milliseconds."""

    host: str
    port: int
    flags: tuple[str, ...]
    """slave, s_down, disconnected, promoted, reconf_sent and so on."""
    priority: int
    """replica-priority; 0 is never promoted."""
    link: str
    """master-link-status: ok or err."""
    link_down_ms: int
    offset: int
    last_ok_ping_ms: int
    info_age_ms: int
    """info-refresh: the age of what it reports about itself."""
    role_reported: str
    master: tuple[str, int]
    """Host and port of the primary that it follows."""


class Colleague(Record):
    """Another sentinel: one entry of SENTINEL SENTINELS. Times in milliseconds."""

    id: str
    host: str
    port: int
    flags: tuple[str, ...]
    last_ok_ping_ms: int
    last_hello_ms: int

    @property
    def reachable(self) -> bool:
        """Whether the asked sentinel reaches it."""
        return not {"s_down", "disconnected"} & set(self.flags)


Answer = Literal["ok", "no-quorum", "no-majority", "no-quorum-no-majority", "no-such-master", "unknown"]


class Quorum(Record):
    """SENTINEL CKQUORUM's answer in our own words."""

    answer: Answer
    usable: int | None
    """Sentinels that can be reached, this one included."""


def parse_masters(reply: Reply) -> tuple[Watched, ...]:
    """SENTINEL MASTERS' reply."""
    return tuple(
        Watched(
            name=row.get("name", ""), host=row.get("ip", ""), port=_number(row, "port"), flags=_flags(row),
            quorum=_number(row, "quorum"), replicas=_number(row, "num-slaves"),
            sentinels=_number(row, "num-other-sentinels"), down_after_ms=_number(row, "down-after-milliseconds"),
            failover_timeout_ms=_number(row, "failover-timeout"), parallel_syncs=_number(row, "parallel-syncs"),
            config_epoch=_number(row, "config-epoch"), last_ok_ping_ms=_number(row, "last-ok-ping-reply"),
            role_reported=row.get("role-reported", ""), role_reported_ms=_number(row, "role-reported-time"),
            failover_state=row.get("failover-state"),
            s_down_ms=_number(row, "s-down-time"),
        )
        for row in _rows(reply)
    )  # fmt: skip


def parse_replicas(reply: Reply) -> tuple[Follower, ...]:
    """SENTINEL REPLICAS' reply."""
    return tuple(
        Follower(
            host=row.get("ip", ""), port=_number(row, "port"), flags=_flags(row),
            priority=_number(row, "slave-priority"), link=row.get("master-link-status", ""),
            link_down_ms=_number(row, "master-link-down-time"), offset=_number(row, "slave-repl-offset"),
            last_ok_ping_ms=_number(row, "last-ok-ping-reply"), info_age_ms=_number(row, "info-refresh"),
            role_reported=row.get("role-reported", ""),
            master=(row.get("master-host", ""), _number(row, "master-port")),
        )
        for row in _rows(reply)
    )  # fmt: skip


def parse_sentinels(reply: Reply) -> tuple[Colleague, ...]:
    """SENTINEL SENTINELS' reply."""
    return tuple(
        Colleague(
            id=row.get("runid", ""), host=row.get("ip", ""), port=_number(row, "port"), flags=_flags(row),
            last_ok_ping_ms=_number(row, "last-ok-ping-reply"), last_hello_ms=_number(row, "last-hello-message"),
        )
        for row in _rows(reply)
    )  # fmt: skip


def parse_quorum(reply: Reply) -> Quorum:
    """SENTINEL CKQUORUM's reply, a NOQUORUM among them."""
    text = reply.text if isinstance(reply, ServerError) else str(reply)
    usable = re.match(r"(?:OK|NOQUORUM) ([0-9]{1,9}) usable", text)
    lacks = [name for name, words in _LACKS if words in text]
    answer: Answer = "unknown"
    if text.startswith("OK ") and usable:
        answer = "ok"
    elif text.startswith("NOQUORUM ") and lacks:
        answer = "no-quorum-no-majority" if len(lacks) == 2 else "no-quorum" if lacks == ["quorum"] else "no-majority"
    elif "No such master" in text:
        answer = "no-such-master"
    return Quorum(answer=answer, usable=int(usable[1]) if usable else None)


_LACKS = (("quorum", "to reach the specified quorum"), ("majority", "to reach the majority"))


def _rows(reply: Reply) -> list[dict[str, str]]:
    rows = reply if isinstance(reply, list) else []
    return [
        {str(key): str(value) for key, value in zip(row[::2], row[1::2], strict=False)}
        for row in rows
        if isinstance(row, list)
    ]


def _number(row: Mapping[str, str], field: str) -> int:
    text = row.get(field, "")
    number = whole_number(text.removeprefix("-"))
    return 0 if number is None else -number if text.startswith("-") else number


def _flags(row: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(flag for flag in row.get("flags", "").split(",") if flag)


def barred(watched: Watched, replica: Follower) -> str | None:
    """Why Sentinel wouldn't promote this replica now, or null: the rules of its own selection."""
    down = "s_down" in watched.flags
    longest = watched.s_down_ms + 10 * watched.down_after_ms
    rules = (
        ("s_down", bool({"s_down", "o_down"} & set(replica.flags))),
        ("disconnected", "disconnected" in replica.flags),
        ("no-ping", replica.last_ok_ping_ms > 5 * PING_PERIOD_MS),
        ("priority-0", replica.priority == 0),
        ("stale-info", replica.info_age_ms > (5 * PING_PERIOD_MS if down else 3 * INFO_PERIOD_MS)),
        ("link-down", replica.link_down_ms > longest),
    )
    return next((reason for reason, holds in rules if holds), None)


@reads
async def sentinel(
    node: Node,
    window: Window = 2.0,
    master: Annotated[str | None, Field(description="Name of one master; null for all.")] = None,
) -> Values:
    """A sentinel's view: masters, quorum, replicas, events.

    Per master `m1.flags`, `.ckquorum` (ok, no-quorum, no-majority, no-quorum-no-majority) with `.usable_sentinels`,
    and `.good_replicas`: how many replicas it could promote now. Per replica `m1.r1.barred` says why it couldn't
    (priority-0, s_down, disconnected, no-ping, stale-info, link-down), null if it could; per sentinel
    `m1.s1.reachable`. Events by name, and by what they are about: `+sdown.count`, `+sdown.master.count` and
    `+sdown.master.address` of the newest; `+switch-master.from` and `.to`; `events.newest`. Times in milliseconds,
    as Sentinel's are. Not a sentinel: unknown-command.
    """
    await node.one("SENTINEL", "MASTERS")
    values: Values = {"window_seconds": window}
    values |= await listen(node, window) if window else {"events": None}
    info, listed = await node.ask(("INFO", "sentinel"), ("SENTINEL", "MASTERS"))
    if not isinstance(info, ServerError):
        fields = parse_info(str(info), node.pseudonyms).get("sentinel", {})
        values |= {name: fields.get(name) for name in ("sentinel_tilt", "sentinel_running_scripts")}
    every = parse_masters(node.value(listed))
    values |= {
        "masters": len(every), "masters.s_down": sum("s_down" in one.flags for one in every),
        "masters.o_down": sum("o_down" in one.flags for one in every),
    }  # fmt: skip
    name = (node.pseudonyms.text(master) or master) if master else None
    chosen = [one for one in every if name in (None, one.name)]
    if name and not chosen:
        raise ToolError(f"{node.name} watches no master of that name; omit the name to see those it watches")
    chosen.sort(key=lambda one: (one.name not in node.masters, one.flags == ("master",)))
    if len(chosen) > MASTERS:
        values["masters.left_out"] = len(chosen) - MASTERS
    for number, one in enumerate(chosen[:MASTERS], 1):
        values |= await _master(node, f"m{number}", one)
    return values


async def _master(node: Node, at: str, one: Watched) -> Values:
    answer, replicas, sentinels = await node.ask(
        ("SENTINEL", "CKQUORUM", one.name), ("SENTINEL", "REPLICAS", one.name), ("SENTINEL", "SENTINELS", one.name)
    )
    quorum = parse_quorum(answer)
    values: Values = {
        "name": node.pseudonyms.plain("master", one.name), "address": _address(node, one.host, one.port),
        "flags": _shown(one.flags), "s_down": "s_down" in one.flags, "o_down": "o_down" in one.flags,
        "s-down-time": one.s_down_ms, "role-reported": node.pseudonyms.plain("role", one.role_reported),
        "role-reported-time": one.role_reported_ms,
        "quorum": one.quorum, "ckquorum": quorum.answer, "usable_sentinels": quorum.usable, "num-slaves": one.replicas,
        "num-other-sentinels": one.sentinels, "config-epoch": one.config_epoch,
        "failover-state": _shown((one.failover_state,)) if one.failover_state else None,
        "last-ok-ping-reply": one.last_ok_ping_ms, "down-after-milliseconds": one.down_after_ms,
        "failover-timeout": one.failover_timeout_ms, "parallel-syncs": one.parallel_syncs,
    }  # fmt: skip
    if isinstance(answer, ServerError) and quorum.answer == "unknown":
        values |= {"ckquorum": None, "ckquorum.unavailable": answer.kind or "unknown-command"}
    values |= _replicas(node, one, replicas) | _sentinels(node, sentinels)
    return {f"{at}.{name}": value for name, value in values.items()}


def _replicas(node: Node, watched: Watched, reply: Reply) -> Values:
    if isinstance(reply, ServerError):
        return {"good_replicas": None, "replicas.unavailable": reply.kind or "unknown-command"}
    found = sorted(((barred(watched, one), one) for one in parse_replicas(reply)), key=lambda judged: judged[0] is None)
    values: Values = {"good_replicas": sum(reason is None for reason, _ in found)}
    for number, (reason, one) in enumerate(found[:SHOWN], 1):
        values |= {
            f"r{number}.address": _address(node, one.host, one.port), f"r{number}.flags": _shown(one.flags),
            f"r{number}.barred": reason, f"r{number}.slave-priority": one.priority,
            f"r{number}.master-link-status": node.pseudonyms.plain("status", one.link),
            f"r{number}.master-link-down-time": one.link_down_ms, f"r{number}.slave-repl-offset": one.offset,
            f"r{number}.role-reported": node.pseudonyms.plain("role", one.role_reported),
        }  # fmt: skip
    return values


def _sentinels(node: Node, reply: Reply) -> Values:
    if isinstance(reply, ServerError):
        return {"sentinels_reachable": None, "sentinels.unavailable": reply.kind or "unknown-command"}
    found = sorted(parse_sentinels(reply), key=lambda one: one.reachable)
    values: Values = {"sentinels_reachable": sum(one.reachable for one in found)}
    for number, one in enumerate(found[:SHOWN], 1):
        values |= {
            f"s{number}.address": _address(node, one.host, one.port), f"s{number}.flags": _shown(one.flags),
            f"s{number}.reachable": one.reachable, f"s{number}.last-ok-ping-reply": one.last_ok_ping_ms,
            f"s{number}.last-hello-message": one.last_hello_ms,
        }  # fmt: skip
    return values


def _address(node: Node, host: str, port: int) -> str:
    return node.pseudonyms.plain("address", address(host, port))


def _shown(flags: tuple[str, ...]) -> str:
    return ",".join(flag for flag in flags if re.fullmatch("[a-z_]{1,32}", flag))
