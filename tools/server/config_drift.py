"""Running values compared with the configuration file: a restart brings the file's values back."""

import re
from collections.abc import Mapping, Sequence

from tools.connection.node import Node
from tools.connection.protocol import ServerError
from tools.errors import Unanswered
from tools.host.command_line import was_given
from tools.host.config_file import canonical_name, configuration, drift, equal_values, why_unread
from tools.host.local import Host, offload
from tools.host.process import plain_path
from tools.patterns import deferred
from tools.records import Scalar, Values
from tools.redact import hide_secrets, is_secret
from tools.toolbox import reads

CLOSE = 5.0
"""Seconds after the start in which whatever starts a server may still write its file."""
_COUNTED = deferred(r"^cmdstat_([\w|-]{1,64}):calls=(\d{1,19})", re.MULTILINE)
SHOWN = 20
"""Most parameters that are shown, in order."""
DEFAULTS = {
    "maxmemory": "0", "maxmemory-policy": "noeviction", "maxclients": "10000", "timeout": "0", "tcp-keepalive": "300",
    "appendonly": "no", "appendfsync": "everysec", "no-appendfsync-on-rewrite": "no",
    "stop-writes-on-bgsave-error": "yes", "save": "3600 1 300 100 60 10000", "slowlog-log-slower-than": "10000",
    "slowlog-max-len": "128", "latency-monitor-threshold": "0", "min-replicas-to-write": "0", "replicaof": "",
    "proto-max-bulk-len": "536870912", "client-query-buffer-limit": "1073741824", "maxmemory-clients": "0",
    "requirepass": "", "client-output-buffer-limit":
        "normal 0 0 0 replica 268435456 67108864 60 pubsub 33554432 8388608 60",
}  # fmt: skip
"""Defaults in every version since 6.2 of parameters whose change matters."""


@reads
async def config_drift(node: Node, host: Host) -> Values:
    """Running values against the configuration file.

    `<param>.file` and `<param>.running` for each that differs, `drifted` how many do; `.file` is null for one that the
    file omits and that doesn't have its default value (set at run time or by an argument): those are `only_running`.
    `bind`, `protected_mode` and `password_set` say who may connect. A secret that differs is reported as
    `<param>.differs` only. `config_file` is its path; empty means that the server was started without one, so CONFIG
    REWRITE fails and every change is lost with the process. `set_calls` and `replicaof_calls` say how often CONFIG SET,
    and REPLICAOF or FAILOVER, were called since the start; null if the server doesn't report it. If both are 0,
    everything that differs was given on the command line, as containers and charts do, unless `file_edited` is true:
    the file was written since the start. Before 7.0, where other calls of CONFIG are counted with CONFIG SET's,
    `from_arguments` says whether the command line has exactly the length that what differs takes (true), or no room for
    any of it (false); null for neither.
    """
    about, stats, reply = await node.ask(("INFO", "server"), ("INFO", "commandstats"), ("CONFIG", "GET", "*"))
    named = None
    if not isinstance(about, ServerError):
        named = next((line[12:] for line in str(about).splitlines() if line.startswith("config_file:")), None)
    pairs = node.value(reply)
    running = {str(name).lower(): str(value) for name, value in zip(pairs[::2], pairs[1::2], strict=True)}
    if named is not None:
        host.config_file = named
    host.logfile = running.get("logfile", host.logfile)
    values: Values = {
        "config_file": plain_path(named) if named else named, "file_edited": None, **_calls(node, stats),
        **_door(running),
    }  # fmt: skip
    if named == "":
        found: dict[str, str] = {}
    else:
        try:
            place = await host.local_place()
        except Unanswered as error:
            # The server also reports about itself remotely.
            raise Unanswered(error.kind, error.detail, {**values, **(error.values or {})}) from None
        values |= host.provenance(place)
        read = await offload(configuration, host, place)
        if not read.files:
            why = why_unread(read) if read.unconfirmed else "can't be read here, or its path isn't known"
            detail = f"the configuration file {why}"
            raise Unanswered("not-local", detail, values)
        found = dict(read.values)
        up = _number(about, "uptime_in_seconds")
        if read.modified is not None and up is not None:
            values["file_edited"] = read.modified > host.clock.now().timestamp() - up + CLOSE
        values["includes_unread"] = read.unread
    differing, only = _changed(found, running)
    if named and place.pid is not None and values["set_calls"] is None:
        changed = {name: running[name] for name in (*differing, *only) if name in running}
        values["from_arguments"] = await offload(was_given, host.files, place.pid, named, changed)
    return values | _shown(differing, only, running)


def _calls(node: Node, stats: object) -> Values:
    """How often commands that change settings were called since the start; null for all if the counters were reset."""
    unknown: Values = {"set_calls": None, "replicaof_calls": None}
    if isinstance(stats, ServerError):
        return unknown
    counted = {name: int(calls) for name, calls in _COUNTED.findall(str(stats))}
    if not counted or "config|resetstat" in counted:
        return unknown
    replicaof = sum(counted.get(name, 0) for name in ("replicaof", "slaveof", "failover"))
    if "config" in counted:
        # Before 7.0 all subcommands are counted together, failed calls and reading ones included.
        kinds = node.own.calls, node.own.refused
        own = sum(count for kind in kinds for name, count in kind.items() if name.partition("|")[0] == "config")
        # The CONFIG GET in the same round trip came after these figures.
        others = counted["config"] > own - 1
        return {"set_calls": None if others else 0, "replicaof_calls": replicaof}
    return {"set_calls": counted.get("config|set", 0), "replicaof_calls": replicaof}


def _number(about: object, field: str) -> int | None:
    found = re.search(rf"^{field}:(\d{{1,12}})\r?$", str(about), re.MULTILINE)
    return int(found[1]) if found else None


def _door(running: Mapping[str, str]) -> Values:
    """What decides who may connect, as far as known."""
    shown = {"bind": running.get("bind"), "protected_mode": running.get("protected-mode")}
    values: Values = {name: value[:200] for name, value in shown.items() if value is not None}
    return {**values, "password_set": bool(running["requirepass"]) if "requirepass" in running else None}


def _changed(file: dict[str, str], running: dict[str, str]) -> tuple[dict[str, tuple[str, Scalar]], list[str]]:
    """What differs from the file, and what the file omits and isn't as usual."""
    told = {canonical_name(name) for name in file}
    names = {canonical_name(name): name for name in running}
    differing = dict(drift(file, running))
    only = [
        names[name] for name, usual in DEFAULTS.items()
        if name in names and name not in told and not equal_values(name, usual, running[names[name]])
    ]  # fmt: skip
    return differing, only


def _shown(differing: Mapping[str, tuple[str, Scalar]], only: Sequence[str], running: Mapping[str, str]) -> Values:
    values: Values = {"drifted": len(differing) + len(only), "only_running": len(only)}
    for name in [*sorted(differing), *only][:SHOWN]:
        if is_secret(name):
            values[f"{name}.differs"] = True
            continue
        written, runs = differing.get(name, (None, running[name]))
        values[f"{name}.file"] = hide_secrets(written)[:200] if written is not None else None
        values[f"{name}.running"] = hide_secrets(str(runs))[:200]
    return values
