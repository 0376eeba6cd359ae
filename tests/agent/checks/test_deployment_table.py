"""Replicas, sentinels and clusters, several nodes together: each threshold's two sides."""

from collections.abc import Mapping
from typing import Any

import pytest

from agent.checks.cluster import hot_shard, non_cluster_client, open_slot, slots_down
from agent.checks.failover import (
    no_good_replica,
    noquorum,
    priority,
    promoted_by_hand,
    sentinel_gone,
    slowness,
    split_brain,
)
from agent.checks.replication import lag, link, lost, noreplicas, turned_away
from agent.checks.resyncs import resyncs, seen_below
from agent.checks.roles import masterdown, readonly
from agent.checks.slot_owners import redirected_in_circles
from agent.checks.types import Check
from agent.checks.watched import locked_out
from tests.agent.checks.rows import LIMITS, Expected, Given, Row, found, table, view
from tools.records import Values

OTHER, THIRD = "10.0.0.2:6379", "10.0.0.3:6379"
DOWN, AUTH, LAG = "replica-link-down", "masterauth-mismatch", "replica-lag"
SILENT, EVENT = LIMITS["replica_silent_seconds"], LIMITS["replication_event_seconds"]
BYTES, SECONDS = LIMITS["replica_lag_bytes"], LIMITS["replica_lag_seconds"]


def replica(status: str = "down", log: Values | None = None, **more: Any) -> Given:
    values: Values = {
        "role": "slave", "master_link_status": status, "master_host": "10.0.0.2", "master_port": 6379,
        **{name.replace("__", "-"): value for name, value in more.items()},
    }  # fmt: skip
    return {"replication": values, "log": log or {}}


def primary(connected: int = 0, **more: Any) -> Given:
    values: Values = {"role": "master", "connected_slaves": connected}
    return {"replication": values | more.pop("replication", {}), **more}


def above(**more: Any) -> Mapping[str, Any]:
    return {"peers": {OTHER: primary(**more)}}


def several_left(age: float, **ages: float) -> Given:
    """A primary with replicas whose log tells that one was lost; the ages of other lines with __ for the dot."""
    log = {name.replace("__", "."): value for name, value in ages.items()}
    return primary(11, log={"replica_lost.newest_age": age, **log})


LINKS: list[Row] = [
    ("the link is up", link, replica("up", master_last_io_seconds_ago=1), {DOWN: "not"}),
    ("up, and silent", link, replica("up", master_last_io_seconds_ago=21), {DOWN: "likely"}),
    ("up, and nearly silent", link, replica("up", master_last_io_seconds_ago=20), {DOWN: "not"}),
    ("up, silent by a quick period", link,
     replica("up", master_last_io_seconds_ago=SILENT, repl__ping__replica__period=1), {DOWN: "likely"}),
    ("up, nearly silent by a quick period", link,
     replica("up", master_last_io_seconds_ago=SILENT - 1, repl__ping__replica__period=1), {DOWN: "not"}),
    ("down", link, replica(), {DOWN: "sure"}, above()),
    ("down, the primary unknown", link, replica(), {DOWN: "sure"}),
    ("down, the wrong password in its log", link, replica(log={"replication_auth.newest_age": EVENT}),
     {AUTH: "sure", DOWN: "sure"}),
    ("it was wrong before", link, replica(log={"replication_auth.newest_age": EVENT + 1}), {DOWN: "sure"}),
    ("down, aborted for NOAUTH", link,
     replica(log={"replication_aborted.newest_age": EVENT, "replication_aborted.error": "NOAUTH"}),
     {AUTH: "sure", DOWN: "sure"}),
    ("aborted before", link,
     replica(log={"replication_aborted.newest_age": EVENT + 1, "replication_aborted.error": "NOAUTH"}), {DOWN: "sure"}),
    ("down, refused for NOPERM", link,
     replica(log={"replication_refused.newest_age": 1, "replication_refused.error": "NOPERM"}),
     {AUTH: "sure", DOWN: "sure"}),
    ("down, refused for something else", link,
     replica(log={"replication_refused.newest_age": 1, "replication_refused.error": "LOADING"}), {DOWN: "sure"}),
    ("down, and its primary counts refusals", link, replica(), {AUTH: "sure", DOWN: "sure"},
     above(replication={"errorstat_NOAUTH.count.delta": 2}, commandstats={"psync.rejected_calls.delta": 1})),
    ("down, and its primary refuses others", link, replica(), {DOWN: "sure"},
     above(replication={"errorstat_NOAUTH.count.delta": 2}, commandstats={"get.rejected_calls.delta": 1})),
    ("down, and its primary counts none", link, replica(), {DOWN: "sure"},
     above(replication={"errorstat_NOAUTH.count.delta": 0}, commandstats={"ping.rejected_calls.delta": 1})),
    ("down, and another replica is served", link, replica(), {DOWN: "sure"},
     above(connected=1, replication={"errorstat_NOAUTH.count.delta": 2},
           commandstats={"ping.rejected_calls.delta": 1})),
    ("the primary is stopped", link, replica(), {DOWN: "hint"}, above(process={"stopped": True})),
    ("the primary is frozen", link, replica(), {DOWN: "hint"}, above(process={"cgroup_frozen": True})),
    ("the primary isn't running", link, replica(), {DOWN: "hint"}, {"peers": {OTHER: {"connect": "refused"}}}),
    ("the primary is full", link, replica(), {DOWN: "hint"}, {"peers": {OTHER: {"connect": "maxclients"}}}),
    ("the primary doesn't answer", link, replica(), {DOWN: "hint"},
     {"peers": {OTHER: {"connect": ("timeout", {"stage": "open"})}}}),
    ("the primary isn't reached", link, replica(), {DOWN: "sure"},
     {"peers": {OTHER: {"connect": ("timeout", {"stage": "tcp"})}}}),
    ("the primary is silent", link, replica(), {DOWN: "hint"}, {"peers": {OTHER: {"silence": "timeout"}}}),
    ("a proxy is silent", link, replica(), {DOWN: "sure"},
     {"peers": {OTHER: {"silence": "timeout", "process": {"locality": "foreign-listener"}}}}),
    ("the primary sends copy after copy", link, replica(), {DOWN: "hint"}, above(replication={"sync_full.delta": 1})),
    ("a copy is on its way", link, replica(master_sync_in_progress=1), {DOWN: "hint"}),
    ("one primary by another address", link, replica(), {DOWN: "hint"},
     {"peers": {THIRD: primary(process={"stopped": True})}}),
    ("two primaries by other addresses", link, replica(), {DOWN: "sure"},
     {"peers": {THIRD: primary(process={"stopped": True}), "10.0.0.4:6379": primary(process={"stopped": True})}}),
    ("no replica", link, primary(), {}),
    ("a status that isn't told", link, {"replication": {"role": "slave"}}, {}),
    # turned_away
    ("a replica's log tells that it's refused", turned_away, primary(), {AUTH: "sure"},
     {"peers": {OTHER: replica(log={"replication_auth.newest_age": 1})}}),
    ("a replica is down for another reason", turned_away, primary(), {}, {"peers": {OTHER: replica()}}),
    ("PSYNC is refused", turned_away, primary(commandstats={"psync.rejected_calls.delta": 1}), {AUTH: "sure"}),
    ("REPLCONF is refused", turned_away,
     primary(commandstats={"replconf.rejected_calls.delta": 6}, replication={"errorstat_NOPERM.count.delta": 6}),
     {AUTH: "sure"}),
    ("REPLCONF is refused for another reason", turned_away, primary(commandstats={"replconf.rejected_calls.delta": 6}),
     {}),
    ("PSYNC isn't refused", turned_away, primary(commandstats={"psync.rejected_calls.delta": 0}), {}),
    ("a replica refuses", turned_away, replica(), {}),
    # lost
    ("a backlog and no replica", lost, primary(replication={"repl_backlog_active": 1}), {DOWN: "hint"}),
    ("a backlog, no replica, and stale data reported", lost, primary(replication={"repl_backlog_active": 1}),
     {DOWN: "likely"}, {"symptom": "replicas are behind"}),
    ("no backlog", lost, primary(replication={"repl_backlog_active": 0}), {}),
    ("a replica is connected", lost, primary(1, replication={"repl_backlog_active": 1}), {}),
    ("the replica is known", lost, primary(replication={"repl_backlog_active": 1}), {}, {"peers": {OTHER: replica()}}),
    ("the replica is known by the topology only", lost,
     primary(replication={"repl_backlog_active": 1}, topology={"n1.node": OTHER, "n1.role": "replica"}),
     {}, {"peers": {OTHER: {"connect": "timeout"}}}),
    ("nobody's primary", lost, replica(), {}),
    ("one of several was lost, and stale data reported", lost, several_left(2, sync__newest_age=9), {DOWN: "maybe"},
     {"symptom": "replicas are behind"}),
    ("one of several was lost, and nothing reported", lost, several_left(2, sync__newest_age=9), {}),
    ("one of several was lost and synced again", lost, several_left(5, partial_resync__newest_age=2), {},
     {"symptom": "replicas are behind"}),
    ("the end of a sync's own connection", lost, several_left(2, sync__newest_age=2.2), {},
     {"symptom": "replicas are behind"}),
    ("one was lost long ago", lost, several_left(EVENT + 1), {}, {"symptom": "replicas are behind"}),
]  # fmt: skip


def follows(behind: float | None, quiet: float = 0, rate: float = 0, number: int = 1) -> Given:
    at = f"replica{number}"
    values: Values = {
        "connected_slaves": 1,
        "master_repl_offset.rate": rate,
        f"{at}.address": OTHER,
        f"{at}.lag": quiet,
    }
    return {"replication": values if behind is None else values | {f"{at}.lag_bytes": behind}}


def lacking(missing: float, errors: float = 0) -> Given:
    return {"replication": {"good_replicas_missing": missing, "errorstat_NOREPLICAS.count.delta": errors}}


def writes(errors: int, log: Values | None = None, ever: int = 0, **more: Any) -> Given:
    counts: Values = {"errorstat_READONLY.count.delta": errors, "errorstat_READONLY.count": ever or errors}
    return {"replication": {"role": "slave", "master_host": "10.0.0.2", "master_port": "6379", **counts},
            "log": log or {}, **more}  # fmt: skip


def written_to(read_only: str, cmds: str) -> Given:
    given = writes(0, clients={"o1.count": 2, "o1.name": "promo", "o1.address": "10.0.0.9", "o1.cmds": cmds})
    return {**given, "replication": {**given["replication"], "replica-read-only": read_only}}


ALONE = LIMITS["served_as_primary_seconds"]
WRITE, STALE, FOREIGN = "replica-write-or-stale", "stale-endpoint", "unexpected-replica"
PROMOTED: Mapping[str, Any] = {"peers": {OTHER: primary(replication={"second_repl_offset": 1})}}
TURNED: Values = {"role_changed.newest_age": 5.0}
REPLICAS: list[Row] = [
    ("far behind", lag, follows(BYTES), {LAG: "sure"}),
    ("not as far", lag, follows(BYTES - 1), {LAG: "not"}),
    ("far behind a fast writer", lag, follows(4 * BYTES, rate=4 * BYTES / SECONDS), {LAG: "sure"}),
    ("not far for a fast writer", lag, follows(4 * BYTES, rate=4 * BYTES / SECONDS + 1), {LAG: "not"}),
    ("quiet", lag, follows(0, SILENT), {LAG: "sure"}),
    ("not as quiet", lag, follows(0, SILENT - 1), {LAG: "not"}),
    ("the eighth replica", lag, follows(BYTES, number=8), {LAG: "sure"}),
    ("a replica that isn't measured", lag, follows(None), {}),
    ("a replica that is sick", lag, follows(BYTES), {LAG: "hint"}, {"peers": {OTHER: {"process": {"stopped": True}}}}),
    ("a replica that is well", lag, follows(BYTES), {LAG: "sure"}, {"peers": {OTHER: {"process": {"stopped": False}}}}),
    ("no replica at all", lag, primary(), {}),
    ("refused because of too few replicas", noreplicas, lacking(0, 1), {"noreplicas": "sure"}),
    ("missing, nothing refused", noreplicas, lacking(1), {"noreplicas": "likely"}),
    ("enough replicas", noreplicas, lacking(0), {}),
    ("refused before", noreplicas,
     {"replication": {"errorstat_NOREPLICAS.count": 5, "errorstat_NOREPLICAS.count.delta": 0}}, {}),
    ("refused before, and none is missing now", noreplicas,
     {"replication": {"errorstat_NOREPLICAS.count": 5, "good_replicas_missing": 0}}, {"noreplicas": "not"}),
    ("refused before, the window unread", noreplicas, {"replication": {"errorstat_NOREPLICAS.count": 5}}, {}),
    ("refused, a replica is stopped", noreplicas, lacking(1, 1), {"noreplicas": "sure"},
     {"peers": {OTHER: {"process": {"stopped": True}}}}),
    # readonly
    ("writes to a replica", readonly, writes(1), {WRITE: "sure"}),
    ("written to before", readonly, writes(0, ever=5), {}),
    ("written to before, and a client quotes it", readonly, writes(0, ever=5), {WRITE: "likely"},
     {"symptom": "READONLY You can't write against a read only replica."}),
    ("never written to, whatever a client quotes", readonly, writes(0), {},
     {"symptom": "READONLY You can't write against a read only replica."}),
    ("never written to", readonly, writes(0), {}),
    ("its primary was promoted in its stead", readonly, writes(1, TURNED), {WRITE: "sure", STALE: "sure"}, PROMOTED),
    ("its primary was promoted, and it always was a replica", readonly, writes(1), {WRITE: "sure"}, PROMOTED),
    ("made a replica, and written to", readonly, writes(1, TURNED), {WRITE: "sure", FOREIGN: "maybe"}),
    ("made a replica long after its start", readonly, writes(1, TURNED | {"started_age": 5.0 + ALONE}),
     {WRITE: "sure", FOREIGN: "sure"}),
    ("made a replica soon after its start", readonly, writes(1, TURNED | {"started_age": 4.9 + ALONE}),
     {WRITE: "sure", FOREIGN: "maybe"}),
    ("made a replica, and nobody knows of one", readonly, writes(1, TURNED), {WRITE: "sure", FOREIGN: "likely"},
     {"symptom": "this is our only Redis"}),
    ("made a replica, nothing written", readonly, writes(0, TURNED), {FOREIGN: "hint"}),
    ("made one long after, nothing written, nobody knows", readonly, writes(0, TURNED | {"started_age": 5.0 + ALONE}),
     {FOREIGN: "likely"}, {"symptom": "it's standalone"}),
    ("made one long after, nothing written", readonly, writes(0, TURNED | {"started_age": 5.0 + ALONE}),
     {FOREIGN: "hint"}),
    ("made one by a command", readonly, writes(1, commandstats={"replicaof.calls": 1}),
     {WRITE: "sure", FOREIGN: "maybe"}),
    ("made one by the old command", readonly, writes(1, commandstats={"slaveof.calls": 1}),
     {WRITE: "sure", FOREIGN: "maybe"}),
    ("made one, and the file says the same", readonly, writes(1, TURNED, config_drift={"drifted": 0}), {WRITE: "sure"}),
    ("made one, and the file says otherwise", readonly,
     writes(1, config_drift={"replicaof.running": "10.0.0.2 6379"}), {WRITE: "sure", FOREIGN: "maybe"}),
    ("the file says otherwise by the old name", readonly,
     writes(1, config_drift={"slaveof.running": "10.0.0.2 6379"}), {WRITE: "sure", FOREIGN: "maybe"}),
    ("made one, and the file isn't read", readonly, writes(1, TURNED, config_drift="not-local"),
     {WRITE: "sure", FOREIGN: "maybe"}),
    ("made one by the sentinels, which name the same primary", readonly, writes(1, TURNED), {WRITE: "sure"},
     {"peers": {OTHER: {"sentinel": {"m1.address": "10.0.0.2:6379"}}}}),
    ("made one, and the sentinels name another primary", readonly, writes(1, TURNED | {"started_age": 5.0 + ALONE}),
     {WRITE: "sure", FOREIGN: "sure"}, {"peers": {OTHER: {"sentinel": {"m1.address": "10.0.0.9:6379"}}}}),
    ("made one, and a sentinel is there that can't be asked", readonly,
     writes(1, TURNED | {"started_age": 5.0 + ALONE}, topology={"sentinels": "announced"}),
     {WRITE: "sure", FOREIGN: "hint"}),
    ("made one within a cluster", readonly, writes(1, TURNED, info={"redis_mode": "cluster"}), {WRITE: "sure"}),
    ("a service's reader endpoint, written to after a failover", readonly, writes(1, TURNED), {WRITE: "sure"},
     {"node": "shop-ro.abc123.ng.0001.use1.cache.amazonaws.com:6379", **PROMOTED}),
    ("it follows itself", readonly, writes(3), {FOREIGN: "sure"}, {"node": "10.0.0.2:6379"}),
    ("it and its primary follow each other", readonly, writes(0), {FOREIGN: "sure"},
     {"node": "10.0.0.1:6379", "peers": {"10.0.0.2:6379": {
         "replication": {"role": "slave", "master_host": "10.0.0.1", "master_port": "6379"}}}}),
    ("its primary follows a third", readonly, writes(0), {},
     {"node": "10.0.0.1:6379", "peers": {"10.0.0.2:6379": {
         "replication": {"role": "slave", "master_host": "10.0.0.3", "master_port": "6379"}}}}),
    ("somebody writes to a writable replica", readonly, written_to("no", "get set"), {WRITE: "sure"}),
    ("somebody reads from a writable replica", readonly, written_to("no", "get ping"), {}),
    ("somebody tries to write to a replica that isn't", readonly, written_to("yes", "set"), {}),
    ("a primary", readonly, primary(), {}),
    ("a primary above that never was a replica", readonly, writes(1, TURNED), {WRITE: "sure", FOREIGN: "maybe"},
     {"peers": {OTHER: primary(replication={"second_repl_offset": -1})}}),
    # masterdown
    ("refused while the link is down", masterdown, {"replication": {"errorstat_MASTERDOWN.count.delta": 1}},
     {WRITE: "sure"}),
    ("mute and down", masterdown,
     {"replication": {"replica-serve-stale-data": "no", "master_link_status": "down"}}, {WRITE: "likely"}),
    ("mute and up", masterdown, {"replication": {"replica-serve-stale-data": "no", "master_link_status": "up"}}, {}),
    ("down, and serving old data", masterdown,
     {"replication": {"replica-serve-stale-data": "yes", "master_link_status": "down"}}, {}),
]  # fmt: skip

LOOP, SHORT = "replica-output-loop", "backlog-too-small"
HOLDS, BRIDGES = LIMITS["output_limit_seconds"], LIMITS["backlog_seconds"]
LIMIT = 32 << 20


def sends(copies: int = 1, info: Values | None = None, log: Values | None = None, **more: Any) -> Given:
    """A primary that sent whole copies over the window."""
    values = {name.replace("__", ".").replace("_of_", "-"): value for name, value in more.items()}
    values = {name.replace("repl-backlog", "repl-backlog-size"): value for name, value in values.items()}
    return {
        "replication": {"role": "master", "sync_full.delta": copies, "output.omem_max": 0, **values},
        "info": info or {},
        "log": log or {},
    }


def output(rate: float, syncs: int = 3, omem: float = 0, **more: Any) -> Given:
    return sends(
        output__limit_hard=LIMIT, master_repl_offset__rate=rate, sync_full=syncs, output__omem_max=omem, **more
    )


CLOSED: Values = {"client_output_buffer_limit_disconnections.delta": 1}
RESYNCS: list[Row] = [
    ("copies, and replicas are cut off", resyncs, sends(info=CLOSED), {LOOP: "sure", SHORT: "not"}),
    ("cut off, and the replica's own buffer was full", resyncs, sends(info=CLOSED), {LOOP: "sure", SHORT: "not"},
     {"peers": {OTHER: replica(log={"sync_buffer_full.newest_age": EVENT})}}),
    ("cut off, and no copies", resyncs, sends(0, info=CLOSED), {}),
    ("the log tells of the limit", resyncs, sends(log={"output_limit.newest_age": EVENT}),
     {LOOP: "sure", SHORT: "not"}),
    ("the log told of it before", resyncs, sends(log={"output_limit.newest_age": EVENT + 1}), {}),
    ("as much waits as the limit", resyncs, output(0, omem=LIMIT), {LOOP: "sure", SHORT: "not"}),
    ("less waits", resyncs, output(0, omem=LIMIT - 1), {}),
    ("a limit of very few seconds", resyncs, output(LIMIT / HOLDS * 2 + 9), {LOOP: "likely", SHORT: "not"}),
    ("a limit of few seconds", resyncs, output(LIMIT / HOLDS * 2), {LOOP: "maybe"}),
    ("a limit of just enough seconds", resyncs, output(LIMIT / HOLDS), {}),
    ("a limit of few seconds, two copies ever", resyncs, output(LIMIT / HOLDS * 2 + 9, 2), {}),
    ("a soft limit", resyncs,
     sends(output__limit_soft=LIMIT, output__limit_hard=0, master_repl_offset__rate=LIMIT, sync_full=3),
     {LOOP: "likely", SHORT: "not"}),
    ("no limit", resyncs, sends(master_repl_offset__rate=LIMIT, sync_full=3), {}),
    ("three copies in the log, one new", resyncs,
     sends(0, CLOSED, {"full_resync.count": 3, "full_resync.newest_age": EVENT}), {LOOP: "sure", SHORT: "not"}),
    ("two in the log", resyncs, sends(0, CLOSED, {"full_resync.count": 2, "full_resync.newest_age": EVENT}), {}),
    ("three in the log, all old", resyncs,
     sends(0, CLOSED, {"full_resync.count": 3, "full_resync.newest_age": EVENT + 1}), {}),
    ("three in the log, one under way", resyncs,
     sends(0, CLOSED, {"full_resync.count": 3}, replica1__state="send_bulk"), {LOOP: "sure", SHORT: "not"}),
    ("three in the log, all online", resyncs, sends(0, CLOSED, {"full_resync.count": 3}, replica1__state="online"), {}),
    # A cluster of one shard refuses each replica's first partial sync as well.
    ("the first copies of five replicas", resyncs,
     sends(0, log={"full_resync.count": 5, "full_resync.newest_age": 1}, replicas_online=5, sync_partial_err=5,
           backlog_seconds=BRIDGES - 1), {SHORT: "hint"}),
    ("two copies for each of five replicas", resyncs,
     sends(0, CLOSED, {"full_resync.count": 10, "full_resync.newest_age": 1}, replicas_online=5), {}),
    ("more copies than two for each of five replicas", resyncs,
     sends(0, CLOSED, {"full_resync.count": 11, "full_resync.newest_age": 1}, replicas_online=5),
     {LOOP: "sure", SHORT: "not"}),
    ("five replicas, three copies in the log of one", resyncs, sends(0, CLOSED, replicas_online=5),
     {LOOP: "sure", SHORT: "not"},
     {"peers": {OTHER: replica(log={"full_resync.count": 3, "full_resync.newest_age": 1})}}),
    ("three in a replica's log", resyncs, sends(0, CLOSED), {LOOP: "sure", SHORT: "not"},
     {"peers": {OTHER: replica(log={"no_backlog.count": 3, "no_backlog.newest_age": 1})}}),
    ("three in a replica's log, one under way", resyncs, sends(0, CLOSED), {LOOP: "sure", SHORT: "not"},
     {"peers": {OTHER: replica(log={"full_resync.count": 3}, master_sync_in_progress=1)}}),
    ("refused now, and the backlog is short", resyncs, sends(sync_partial_err__delta=1, backlog_seconds=BRIDGES - 1),
     {SHORT: "sure", LOOP: "not"}),
    ("refused now, and the replicas' output unread", resyncs, sends(sync_partial_err__delta=1, output__omem_max=None),
     {SHORT: "maybe"}),
    ("refused now, and the backlog isn't short", resyncs, sends(sync_partial_err__delta=1, backlog_seconds=BRIDGES),
     {SHORT: "maybe", LOOP: "not"}),
    ("refused now, and the log says so", resyncs, sends(log={"no_backlog.newest_age": 1}, sync_partial_err__delta=1),
     {SHORT: "sure", LOOP: "not"}),
    ("refused twice before, short, copies go on", resyncs, sends(sync_partial_err=2, backlog_seconds=BRIDGES - 1),
     {SHORT: "likely"}),
    ("refused once before", resyncs, sends(sync_partial_err=1, backlog_seconds=BRIDGES - 1), {SHORT: "hint"}),
    ("refused twice before, not short", resyncs, sends(sync_partial_err=2, backlog_seconds=BRIDGES), {SHORT: "hint"}),
    ("refused twice before, no copies", resyncs, sends(0, sync_partial_err=2, backlog_seconds=BRIDGES - 1),
     {SHORT: "hint"}),
    ("refused twice before, by a new line", resyncs, sends(log={"no_backlog.newest_age": 1}, sync_partial_err=2),
     {SHORT: "likely"}),
    ("nothing refused", resyncs, sends(0, backlog_seconds=1), {}),
    ("a replica's", resyncs, replica(), {}),
    # seen_below
    ("copies after each break", seen_below,
     replica(log={"full_resync.count": 3, "full_resync.newest_age": 1, "primary_lost.count": 2}), {SHORT: "likely"}),
    ("fewer breaks", seen_below,
     replica(log={"full_resync.count": 3, "full_resync.newest_age": 1, "primary_lost.count": 1}), {}),
    ("broken during copies", seen_below,
     replica(log={"full_resync.count": 3, "full_resync.newest_age": 1, "primary_unreachable.count": 2}),
     {LOOP: "maybe"}),
    ("broken during one copy", seen_below,
     replica(log={"full_resync.count": 3, "full_resync.newest_age": 1, "primary_unreachable.count": 1}), {}),
    ("two copies", seen_below,
     replica(log={"full_resync.count": 2, "full_resync.newest_age": 1, "primary_lost.count": 2}), {}),
    ("copies of before", seen_below,
     replica(log={"full_resync.count": 3, "full_resync.newest_age": EVENT + 1, "primary_lost.count": 2}), {}),
    ("the primary can be asked itself", seen_below,
     replica(log={"full_resync.count": 3, "full_resync.newest_age": 1, "primary_lost.count": 2}), {}, above()),
    ("a primary's log", seen_below, primary(log={"full_resync.count": 3, "full_resync.newest_age": 1}), {}),
]  # fmt: skip

SENTINEL = "10.0.0.9:26379"
QUORUM, NOBODY, SLOWNESS, BRAIN = "sentinel-noquorum", "sentinel-no-good-replica", "slowness-failover", "split-brain"
AGO, PART, REJOIN = LIMITS["failover_recent_seconds"], LIMITS["stall_of_down_after"], LIMITS["rejoin_seconds"]


def sentinel(log: Values | None = None, at: str = "m1", events: Values | None = None, **more: Any) -> Given:
    """What a sentinel tells of a master; `r1__barred` is of its first replica."""
    values: Values = {f"{at}.address": OTHER, f"{at}.name": "orders"}
    values |= {f"{at}.{name.replace('__', '.').replace('_of_', '-')}": value for name, value in more.items()}
    return {"sentinel": values | (events or {}), "log": log or {}}


def watched(by: Given, role: str = "sentinel") -> Mapping[str, Any]:
    """A sentinel that watches, known as one by the topology."""
    return {"peers": {SENTINEL: {**by, "topology": {"n1.node": SENTINEL, "n1.role": role}}}}


def barred(*reasons: str, down: bool = False, aborted: int = 0, count: int | None = None) -> Given:
    more: dict[str, Any] = {}
    for number, reason in enumerate(reasons, 1):
        more |= {f"r{number}__address": f"10.0.1.{number}:6379", f"r{number}__barred": reason}
    events: Values = {"-failover-abort-no-good-slave.count": aborted}
    return sentinel(
        events=events, good_replicas=0, num_of_slaves=len(reasons) if count is None else count, s_down=down, **more
    )


def replaced(down: float, moved: float, **more: Any) -> Given:
    return sentinel({"odown.newest_age": down, "failover.newest_age": moved}, config_of_epoch=2,
                    down_of_after_of_milliseconds=5000, **more)  # fmt: skip


def by_hand(age: float = 60, written: int = 5, by: str = "client") -> Given:
    return {
        "info": {"role": "master"}, "commandstats": {"set.calls.delta": written},
        "log": {"switch.event": "promoted", "switch.by": by, "switch.old": OTHER, "switch.age": age},
    }  # fmt: skip


def refusing(errors: int) -> Given:
    """A node that answers us, and refuses logins or what isn't logged in."""
    return {"connect": {"stage": "ping"}, "info": {"role": "master", "errorstat_NOAUTH.count.delta": errors}}


def survivor(uptime: float = 1000, stall: float = 0, age: float = 1) -> Given:
    return {"info": {"uptime_in_seconds": uptime, "role": "master"}, "slowlog": {"max_usec": stall, "newest_age": age}}


def masters(since: float | None = 1000, written: int = 0, sentinel_more: Mapping[str, Any] | None = None,
            other: str = "master", node: str = "n") -> tuple[Given, Mapping[str, Any]]:  # fmt: skip
    """A node that takes itself for the master, and a sentinel that has it for a replica of another."""
    mine: Given = {"info": {"role": "master", "uptime_in_seconds": 5000}, "commandstats": {"set.calls.delta": written}}
    more = {"r1__address": node, "r1__flags": "slave", **(sentinel_more or {})}
    said = sentinel(None if since is None else {"odown.newest_age": since}, **more)
    return mine, {"peers": {SENTINEL: said, OTHER: {"info": {"role": other}}}}


def brain(name: str, expected: Expected, **how: Any) -> Row:
    mine, more = masters(**how)
    return name, split_brain, mine, expected, more


FAILOVER: list[Row] = [
    ("a quorum", noquorum, sentinel(ckquorum="ok"), {QUORUM: "not"}),
    ("no quorum, the master up", noquorum, sentinel(ckquorum="no-quorum"), {QUORUM: "sure"}),
    ("no majority, the master down", noquorum, sentinel(ckquorum="no-majority", s_down=True), {QUORUM: "sure"}),
    ("no quorum, but another has one", noquorum, sentinel(ckquorum="no-quorum"), {QUORUM: "hint"},
     {"peers": {SENTINEL: sentinel(ckquorum="ok")}}),
    ("no quorum, another has one for another master", noquorum, sentinel(ckquorum="no-quorum"), {QUORUM: "sure"},
     {"peers": {SENTINEL: {"sentinel": {"m1.address": OTHER, "m1.name": "other", "m1.ckquorum": "ok"}}}}),
    ("not asked", noquorum, sentinel(), {}),
    ("no sentinel", noquorum, {}, {}),
    ("the fourth master", noquorum, sentinel(at="m4", ckquorum="no-quorum"), {QUORUM: "sure"}),
    # no_good_replica
    ("good replicas", no_good_replica, sentinel(good_replicas=1), {NOBODY: "not"}),
    ("not told", no_good_replica, sentinel(), {}),
    ("aborted for it", no_good_replica, barred("no-ping", aborted=1), {NOBODY: "sure"}),
    ("may pass", no_good_replica, barred("no-ping", "stale-info", down=True), {NOBODY: "hint"}),
    ("one may pass, one may not", no_good_replica, barred("no-ping", "link-down", down=True), {NOBODY: "sure"}),
    ("may not pass, the master down", no_good_replica, barred("s_down", down=True), {NOBODY: "sure"}),
    ("they refuse Sentinel's login", no_good_replica, barred("s_down", down=True), {NOBODY: "hint"},
     {"peers": {OTHER: refusing(9)}}),
    ("the master answers, and refuses nobody", no_good_replica, barred("s_down", down=True), {NOBODY: "sure"},
     {"peers": {OTHER: refusing(0)}}),
    # promoted_by_hand
    ("made a primary by hand, and its old one takes writes", promoted_by_hand, by_hand(), {BRAIN: "sure"},
     {"peers": {OTHER: {"info": {"role": "master"}, "commandstats": {"set.calls.delta": 3}}}}),
    ("made a primary by hand, and the report says both", promoted_by_hand, by_hand(), {BRAIN: "maybe"},
     {"symptom": "Half of our carts are on one server and half on the other"}),
    ("made a primary by hand", promoted_by_hand, by_hand(), {BRAIN: "hint"}),
    ("its old primary follows it", promoted_by_hand, by_hand(), {}, {"peers": {OTHER: {"info": {"role": "slave"}}}}),
    ("nobody writes here", promoted_by_hand, by_hand(written=0), {}),
    ("long ago", promoted_by_hand, by_hand(age=AGO + 1), {}),
    ("Sentinel promoted it", promoted_by_hand, by_hand(by="sentinel"), {}),
    # locked_out
    ("the master is taken for dead, and refuses logins", locked_out, sentinel(s_down=True), {"auth-failure": "sure"},
     {"peers": {OTHER: refusing(9)}}),
    ("a replica is taken for dead, and refuses logins", locked_out, barred("s_down"), {"auth-failure": "sure"},
     {"peers": {"10.0.1.1:6379": refusing(9)}}),
    ("a replica that has priority 0 refuses logins", locked_out, barred("priority-0"), {},
     {"peers": {"10.0.1.1:6379": refusing(9)}}),
    ("the master is up, and refuses logins", locked_out, sentinel(s_down=False), {}, {"peers": {OTHER: refusing(9)}}),
    ("the master is dead", locked_out, sentinel(s_down=True), {}, {"peers": {OTHER: {"connect": "refused"}}}),
    ("the master is taken for dead, and refuses nobody", locked_out, sentinel(s_down=True), {},
     {"peers": {OTHER: refusing(0)}}),
    ("priority 0, the master up", no_good_replica, barred("priority-0"), {NOBODY: "sure"}),
    ("link down, the master up", no_good_replica, barred("link-down"), {NOBODY: "sure"}),
    ("they don't answer, the master up", no_good_replica, barred("s_down"), {NOBODY: "hint"}),
    ("no replica, the master down", no_good_replica, barred(down=True), {NOBODY: "sure"}),
    ("no replica, the master up", no_good_replica, barred(), {NOBODY: "hint"}),
    # priority
    ("must not be promoted", priority, {"replication": {"role": "slave", "slave_priority": 0}}, {NOBODY: "sure"},
     {"peers": {SENTINEL: barred("priority-0")}, "node": "10.0.1.1:6379"}),
    ("must not be, and others can", priority, {"replication": {"role": "slave", "slave_priority": 0}}, {},
     {"peers": {SENTINEL: sentinel(good_replicas=1, r1__address="10.0.1.1:6379")}, "node": "10.0.1.1:6379"}),
    ("must not be, and none can for now", priority, {"replication": {"role": "slave", "slave_priority": 0}}, {},
     {"peers": {SENTINEL: barred("s_down")}, "node": "10.0.1.1:6379"}),
    ("another one of the sentinel's", priority, {"replication": {"role": "slave", "slave_priority": 0}}, {},
     {"peers": {SENTINEL: barred("priority-0")}, "node": "10.0.1.2:6379"}),
    ("may be promoted", priority, {"replication": {"role": "slave", "slave_priority": 100}}, {},
     {"peers": {SENTINEL: barred("priority-0")}, "node": "10.0.1.1:6379"}),
    ("a master", priority, {"replication": {"role": "master", "slave_priority": 0}}, {},
     {"peers": {SENTINEL: barred("priority-0")}, "node": "10.0.1.1:6379"}),
    # slowness
    ("replaced, and all live", slowness, survivor(), {SLOWNESS: "likely"}, watched(replaced(60, 50))),
    ("replaced, and one is new", slowness, survivor(62), {}, watched(replaced(60, 50))),
    ("replaced, and it just alive throughout", slowness, survivor(62.5), {SLOWNESS: "likely"},
     watched(replaced(60, 50))),
    ("replaced, and held up by a command", slowness, survivor(stall=5e6 * PART), {SLOWNESS: "sure"},
     watched(replaced(60, 50))),
    ("held up for less", slowness, survivor(stall=5e6 * PART - 1), {SLOWNESS: "likely"}, watched(replaced(60, 50))),
    ("held up too long ago", slowness, survivor(stall=5e6 * PART, age=AGO + 1), {SLOWNESS: "likely"},
     watched(replaced(60, 50))),
    ("replaced long ago", slowness, survivor(), {}, watched(replaced(AGO + 1, 50))),
    ("replaced just so long ago", slowness, survivor(), {SLOWNESS: "likely"}, watched(replaced(AGO, 50))),
    ("taken for dead, and not replaced", slowness, survivor(), {},
     watched(sentinel({"odown.newest_age": 60.0}, config_of_epoch=2))),
    ("replaced, and nobody was dead", slowness, survivor(), {},
     watched(sentinel({"failover.newest_age": 60.0}, config_of_epoch=2))),
    ("no epoch of what's in force", slowness, survivor(), {},
     watched(sentinel({"odown.newest_age": 60.0, "failover.newest_age": 50.0}, config_of_epoch=0))),
    ("the switch is heard", slowness, survivor(), {SLOWNESS: "likely"},
     watched(sentinel(events={"+sdown.master.count": 1, "+switch-master.from": "a"}))),
    ("down is heard, and no switch", slowness, survivor(), {}, watched(sentinel(events={"+sdown.master.count": 1}))),
    ("a life by the machine's word", slowness, {"process": {"uptime_seconds": 1000.0}}, {SLOWNESS: "likely"},
     watched(replaced(60, 50))),
    ("a life that nobody tells", slowness, {"connect": "timeout"}, {}, watched(replaced(60, 50))),
    ("no sentinel watches", slowness, survivor(), {}),
    ("what a sentinel says of itself", slowness,
     {**replaced(60, 50), "topology": {"n1.node": "n", "n1.role": "sentinel"}}, {}, {"peers": {OTHER: survivor()}}),
    # split_brain
    brain("two masters, one takes writes", {BRAIN: "sure"}, written=5),
    brain("two masters, no writes", {BRAIN: "likely"}),
    brain("just back, takes writes", {BRAIN: "maybe"}, since=REJOIN - 1, written=5),
    brain("back for long enough, takes writes", {BRAIN: "sure"}, since=REJOIN, written=5),
    brain("just back, no writes", {BRAIN: "hint"}, since=REJOIN - 1),
    brain("by its own uptime", {BRAIN: "likely"}, since=None),
    brain("up for long, and replaced just now", {BRAIN: "maybe"}, since=None, written=5,
          sentinel_more={"role_of_reported_of_time": 1000 * (REJOIN - 1)}),
    brain("up for long, and replaced long ago", {BRAIN: "sure"}, since=None, written=5,
          sentinel_more={"role_of_reported_of_time": 1000 * REJOIN}),
    brain("while a failover goes on", {}, written=5, sentinel_more={"failover_of_state": "wait_start"}),
    brain("the sentinel promotes it", {}, written=5, sentinel_more={"r1__flags": "slave,promoted"}),
    brain("no replica of that sentinel's", {}, written=5, node="10.0.0.7:6379"),
    brain("the other is a replica", {}, written=5, other="slave"),
    ("the other isn't known", split_brain, masters()[0], {},
     {"peers": {SENTINEL: sentinel(r1__address="n", r1__flags="slave")}}),
    ("a replica itself", split_brain, {"info": {"role": "slave"}}, {}, masters()[1]),
    # sentinel_gone
    ("a sentinel that is refused", sentinel_gone,
     {"connect": "refused", "topology": {"n1.node": "n", "n1.role": "sentinel"}}, {"process-down": "hint"}),
    ("a sentinel that is silent", sentinel_gone,
     {"connect": "timeout", "topology": {"n1.node": "n", "n1.role": "sentinel"}}, {"process-frozen": "hint"}),
    ("a sentinel that answers", sentinel_gone,
     {"connect": {"stage": "ping"}, "topology": {"n1.node": "n", "n1.role": "sentinel"}}, {}),
    ("another server that is refused", sentinel_gone, {"connect": "refused"}, {}),
]  # fmt: skip

SLOTS, MOVED, OPEN, HOT = "cluster-slots-down", "non-cluster-client", "open-slot", "hot-shard"
FACTOR, CORE, SHARE = LIMITS["hot_shard_factor"], LIMITS["hot_shard_cpu"], LIMITS["moved_share"]


def slots(unserved: float, state: str = "ok", **more: Any) -> Given:
    return {
        "cluster": {
            "slots_unserved": unserved,
            "cluster_state": state,
            **{k.replace("__", "."): v for k, v in more.items()},
        }
    }


def asked(moved: int = 0, crossed: int = 0, rate: float = 0, ever: tuple[int, int] = (0, 0)) -> Given:
    return {**slots(0), "info": {
        "errorstat_MOVED.count.delta": moved, "errorstat_CROSSSLOT.count.delta": crossed, "window_seconds": 2.0,
        "total_commands_processed.rate": rate, "errorstat_MOVED.count": ever[0], "total_commands_processed": ever[1],
    }}  # fmt: skip


def owns(count: int, moved: int = 40, **more: Any) -> Given:
    return {
        "cluster": {
            "my_slots": count, "cluster_size": 3, "slots_unassigned": 0, "slots_unserved": 0, "slots_migrating": 0,
            "slots_importing": 0, "cluster_state": "ok", **more,
        },
        "info": {
            "errorstat_MOVED.count.delta": moved, "total_commands_processed.rate": 0, "window_seconds": 2.0,
            "errorstat_MOVED.count": 500,
        },
    }  # fmt: skip


def opened(migrating: int, importing: int, **more: Any) -> Given:
    return {"cluster": {"slots_migrating": migrating, "slots_importing": importing}, **more}


def shard(rate: float, cpu: float, **more: Any) -> Given:
    return {
        "cluster": {"my_slots": 5461, **more},
        "info": {"total_commands_processed.rate": rate, "used_cpu_user.rate": cpu, "used_cpu_sys.rate": 0.0},
    }  # fmt: skip


def beside(*others: Given) -> Mapping[str, Any]:
    return {"peers": dict(zip((OTHER, THIRD), others, strict=False))}


CLUSTER: list[Row] = [
    ("all served", slots_down, slots(0), {SLOTS: "not"}),
    ("one unserved, agreed", slots_down, slots(1, cluster_slots_fail=1), {SLOTS: "sure"}),
    ("one unserved, suspected here", slots_down, slots(1), {SLOTS: "maybe"}),
    ("one belongs to nobody", slots_down, slots(1, slots_unassigned=1), {SLOTS: "sure"}),
    ("one unserved, the state says so", slots_down, slots(1, "fail"), {SLOTS: "sure"}),
    ("one unserved, and not reached from here either", slots_down, slots(1, down1__address=OTHER, down1__slots=1),
     {SLOTS: "sure"}, beside({"connect": "refused"})),
    ("one unserved, and another isn't reached", slots_down, slots(1, down1__address=THIRD, down1__slots=1),
     {SLOTS: "maybe"}, beside({"connect": "refused"})),
    ("one unserved, and reached from here", slots_down, slots(1, down1__address=OTHER, down1__slots=1),
     {SLOTS: "maybe"}, beside({"connect": {"stage": "ping"}})),
    ("cut off", slots_down, slots(0, "fail"), {SLOTS: "likely"}),
    ("its primary came back as another node", slots_down,
     slots(0, down1__state="noaddr", down1__slots=4096, down1__address=":0"), {SLOTS: "sure"}),
    ("one whose address is no longer known, once it has failed", slots_down,
     slots(4096, down1__state="fail", down1__slots=4096, down1__address=":0"), {SLOTS: "sure"}),
    ("a node without slots came back as another", slots_down,
     slots(0, down1__state="noaddr", down1__slots=0, down1__address=":0"), {SLOTS: "not"}),
    ("no cluster", slots_down, {}, {}),
    ("several slots in a command", non_cluster_client, asked(crossed=2), {MOVED: "sure"}),
    ("once", non_cluster_client, asked(crossed=1), {MOVED: "likely"}),
    ("moved often", non_cluster_client, asked(moved=10, rate=95), {MOVED: "sure"}),
    ("moved less often", non_cluster_client, asked(moved=10, rate=96), {MOVED: "hint"}),
    ("some were moved, as where slots moved", non_cluster_client, asked(moved=9, rate=11), {MOVED: "hint"}),
    ("some were moved, of few", non_cluster_client, asked(moved=9, rate=10), {MOVED: "sure"}),
    ("some were moved, by one who always is", non_cluster_client, asked(moved=6, rate=35, ever=(400, 1600)),
     {MOVED: "sure"}),
    ("some were moved, of very many", non_cluster_client, asked(moved=6, rate=35, ever=(400, 90_000)), {MOVED: "hint"}),
    ("some were moved, since a moment ago", non_cluster_client, asked(moved=6, rate=35, ever=(90, 400)),
     {MOVED: "hint"}),
    ("moved once", non_cluster_client, asked(moved=1), {MOVED: "hint"}),
    ("moved twice of two", non_cluster_client, asked(moved=2), {MOVED: "sure"}),
    ("none within the window", non_cluster_client, asked(), {}),
    ("moved before", non_cluster_client,
     {**slots(0), "info": {"total_error_replies": 9, "errorstat_MOVED.count": 3}}, {}),
    ("none of the errors is a move", non_cluster_client, {**slots(0), "info": {"total_error_replies": 9}},
     {MOVED: "not"}),
    ("a server that counts no errors", non_cluster_client, {**slots(0), "info": {"window_seconds": 2.0}}, {}),
    ("moved, in no cluster", non_cluster_client, {"info": {"errorstat_MOVED.count.delta": 5}}, {}),
    ("slots that nobody takes", redirected_in_circles, owns(5421), {OPEN: "sure"}, beside(owns(5461), owns(5462, 0))),
    ("the same isn't a client that knows no cluster", non_cluster_client, owns(5421), {MOVED: "hint"},
     beside(owns(5461), owns(5462, 0))),
    ("and no slot needs to be open for it", open_slot, owns(5421), {}, beside(owns(5461), owns(5462, 0))),
    ("every slot is taken", redirected_in_circles, owns(5461), {}, beside(owns(5461), owns(5462))),
    ("only one redirects", redirected_in_circles, owns(5421), {}, beside(owns(5461, 1), owns(5462, 0))),
    ("not all were read", redirected_in_circles, owns(5421), {}, beside(owns(5461))),
    ("slots on their way", redirected_in_circles, owns(5421), {},
     beside(owns(5461, slots_importing=1), owns(5462, 0))),
    ("slots that belong to nobody", redirected_in_circles, owns(5421, slots_unassigned=40), {},
     beside(owns(5461), owns(5462, 0))),
    ("nothing open", open_slot, opened(0, 0), {OPEN: "not"}),
    ("one migrates", open_slot, opened(1, 0), {OPEN: "likely"}),
    ("one is imported", open_slot, opened(0, 1), {OPEN: "likely"}),
    ("one migrates, and clients are sent on", open_slot, opened(1, 0, info={"errorstat_ASK.count.delta": 1}),
     {OPEN: "sure"}),
    ("one migrates, and clients are put off", open_slot, opened(1, 0, info={"errorstat_TRYAGAIN.count.delta": 1}),
     {OPEN: "sure"}),
    ("keys are moved", open_slot, opened(1, 0, commandstats={"migrate.calls.delta": 1}), {OPEN: "hint"}),
    ("keys arrive at another", open_slot, opened(1, 0), {OPEN: "hint"},
     beside({"commandstats": {"restore-asking.calls.delta": 1}})),
    ("open slots unread", open_slot, {"cluster": {"slots_migrating": 1}}, {}),
    ("hot", hot_shard, shard(400, CORE), {HOT: "sure"}, beside(shard(100, 0.1))),
    ("where all are published", hot_shard,
     {**shard(400, CORE), "commandstats": {"publish.calls.delta": 700}}, {}, beside(shard(100, 0.1))),
    ("hardly more commands", hot_shard, shard(399, CORE), {}, beside(shard(100, 0.1))),
    ("hardly more CPU", hot_shard, shard(400, CORE), {HOT: "hint"}, beside(shard(100, 0.101))),
    ("less than the least CPU", hot_shard, shard(400, CORE - 0.01), {HOT: "hint"}, beside(shard(100, 0.05))),
    ("half of the least CPU", hot_shard, shard(400, CORE / 2), {HOT: "hint"}, beside(shard(100, 0.01))),
    ("less than half of it", hot_shard, shard(400, CORE / 2 - 0.01), {}, beside(shard(100, 0.01))),
    ("less than twice the others' CPU", hot_shard, shard(400, 0.59), {}, beside(shard(100, 0.3))),
    ("twice the others' CPU", hot_shard, shard(400, 0.6), {HOT: "hint"}, beside(shard(100, 0.3))),
    ("against the others' mean", hot_shard, shard(400, CORE), {HOT: "sure"}, beside(shard(150, 0.1), shard(50, 0.1))),
    ("others that do nothing", hot_shard, shard(100, CORE), {HOT: "sure"}, beside(shard(0, 0))),
    ("others that do nothing, and this hardly more", hot_shard, shard(99, CORE), {}, beside(shard(0, 0))),
    ("others without slots", hot_shard, shard(400, CORE), {}, beside(shard(100, 0.1, my_slots=0))),
    ("no slots here", hot_shard, shard(400, CORE, my_slots=0), {}, beside(shard(100, 0.1))),
    ("others unread", hot_shard, shard(400, CORE), {}, beside({"cluster": {"my_slots": 5}})),
    ("unread here", hot_shard, {"cluster": {"my_slots": 5}}, {}, beside(shard(100, 0.1))),
]  # fmt: skip


@table([*LINKS, *REPLICAS, *RESYNCS, *FAILOVER, *CLUSTER])
def test_what_is_found(check: Check, given: Given, expected: Expected, more: Mapping[str, Any]) -> None:
    assert found(check, given, **more) == expected


@pytest.mark.parametrize(
    ("flags", "newcomers", "named"),
    [(["M"], 0, False), (["M", "N"], 0, True), (["M"], 2, True), ([], 0, True)],
    ids=["its primary alone", "an application too", "somebody came and went", "nobody was listed"],
)
def test_old_refusals_of_a_replica_that_no_application_uses_any_more(
    flags: list[str], newcomers: int, named: bool
) -> None:
    groups: Values = {f"g{number}.flags": one for number, one in enumerate(flags, 1)}
    clients: Values = {"share_seen": 1.0, "g_groups": len(flags), **groups}
    spared = writes(0, ever=5, clients=clients, info={"total_connections_received.delta": newcomers})
    seen = view(
        primary(), peers={"10.0.0.3:6379": spared}, symptom="READONLY You can't write against a read only replica."
    )
    replica = seen.peer("10.0.0.3:6379")
    assert replica is not None
    assert [one.id for one in readonly(replica, LIMITS)] == [WRITE] * named
    # Where the replica is what people connect to, they may be back any moment.
    alone = view(spared, symptom="READONLY You can't write against a read only replica.")
    assert [one.id for one in readonly(alone, LIMITS)] == [WRITE]
