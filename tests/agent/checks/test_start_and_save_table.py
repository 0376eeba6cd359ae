"""Starts that fail, saves that have no place to go to or don't get on, and arguments of a command line."""

from collections.abc import Mapping
from typing import Any

from agent.checks.persistence import failed_snapshot
from agent.checks.roles import readonly
from agent.checks.saving import rewrite_failing, save_path, stuck
from agent.checks.settings import config_drift
from agent.checks.starting import start_failed
from agent.checks.types import Check
from agent.checks.verdict import conclude
from tests.agent.checks.rows import LIMITS, NODE, Expected, Given, Row, found, table, view
from tools.records import Values

START, PATH, STUCK, REWRITE, DRIFT = (
    "start-failed", "save-path-unwritable", "save-stuck", "aof-rewrite-failing", "config-drift",
)  # fmt: skip
REFUSED: Given = {"connect": "refused", "process": {"listening": False}}
MIB = 1 << 20


def log(reason: str, **more: Any) -> Values:
    return {"end": "failed", "end_pid": 7, "start_failed.reason": reason, "start_failed.count": 1, **more}


STARTS: list[Row] = [
    *(
        (f"gave up for {reason}", start_failed, {**REFUSED, "log": log(reason)}, {START: "sure", "oom-killed": "not"})
        for reason in ("config", "dump-version", "dump-corrupt", "acl-file", "module", "tls-files", "permission")
    ),
    ("a newer dump", start_failed, {**REFUSED, "log": log("dump-version", **{"start_failed.format": 12})},
     {START: "sure", "oom-killed": "not"}),
    ("it had served", start_failed, {**REFUSED, "log": {"end": "stops"}}, {}),
    ("it answers", start_failed, {"connect": {"stage": "ping"}, "log": log("config")}, {}),
    ("behind a service", start_failed, {"connect": ("timeout", {"stage": "tcp"}), "log": log("config")},
     {START: "likely"}),
    ("another has its port", start_failed,
     {"connect": {"stage": "ping"}, "info": {"process_id": 9}, "log": log("port-in-use")}, {START: "sure"}),
    ("it has its own port", start_failed,
     {"connect": {"stage": "ping"}, "info": {"process_id": 7}, "log": log("port-in-use")}, {}),
    ("lines in the report", start_failed, {**REFUSED, "log": "not-local", "pasted_log": log("config")},
     {START: "sure", "oom-killed": "not"}),
    ("its own log is read", start_failed, {**REFUSED, "log": {"end": "stops"}, "pasted_log": log("config")}, {}),
]  # fmt: skip


def saved(status: str = "err", **more: Any) -> Given:
    return {"persistence": {"rdb_last_bgsave_status": status, "writes_refused": True}, **more}


def line(errno: str, age: float = 5, **more: Any) -> Values:
    return {"rdb_write_error.errno": errno, "rdb_write_error.count": 1, "rdb_write_error.newest_age": age,
            "started_age": 900, **more}  # fmt: skip


NOT = {PATH: "sure", "bgsave-disk-full": "not", "fork-denied": "not"}
SAVES: list[Row] = [
    ("permission", save_path, saved(log=line("Permission denied")), NOT),
    ("read-only", save_path, saved(log=line("Read-only file system")), NOT),
    ("missing", save_path, saved(log=line("No such file or directory")), NOT),
    ("not a folder", save_path, saved(log=line("Not a directory")), NOT),
    ("of an earlier life", save_path, saved(log=line("Permission denied", 1000)), {}),
    ("full since", save_path, saved(log=line("Permission denied", 50, **{"no_space.newest_age": 4})), {}),
    ("only the folder tells", save_path, saved(disk={"dir_writable": False}), {PATH: "likely"}),
    ("mounted read-only", save_path, saved(disk={"dir_read_only": True}), {PATH: "likely"}),
    ("deleted", save_path, saved(disk={"dir_gone": True}), {PATH: "likely"}),
    ("written since", save_path, saved("ok", log=line("Permission denied")), {PATH: "not"}),
    ("no room either", failed_snapshot, saved(log=line("Permission denied")), {}),
    ("plenty of room, and no log", failed_snapshot,
     saved(info={"used_memory": MIB}, disk={"dir_free_bytes": 77 << 30}), {"bgsave-disk-full": "hint"}),
]  # fmt: skip


def child(seconds: float, last: float = 1, state: str | None = None, **more: Any) -> Given:
    process: Given = {"process": {"child_state": state, "child_pid": 5, "child_seconds": seconds}} if state else {}
    persistence = {
        "rdb_bgsave_in_progress": 1, "rdb_current_bgsave_time_sec": seconds, "rdb_last_bgsave_time_sec": last,
        "current_save_keys_processed": 40, **more,
    }  # fmt: skip
    return {"persistence": persistence, **process}


LEAST, RATIO, FIRST = (LIMITS[f"save_stuck_{name}"] for name in ("seconds", "ratio", "first_seconds"))
CHILDREN: list[Row] = [
    ("stopped", stuck, child(3, state="T"), {STUCK: "sure"}),
    ("waits for its disk for long", stuck, child(LEAST, state="D"), {STUCK: "sure"}),
    ("waits for its disk", stuck, child(LEAST - 1, state="D"), {}),
    ("stands still, remotely", stuck, child(LEAST), {STUCK: "likely"}),
    ("not for long", stuck, child(LEAST - 1), {}),
    ("as long as ten of the last", stuck, child(RATIO * 60, 60), {STUCK: "likely"}),
    ("as long as nine", stuck, child(RATIO * 60 - 1, 60), {}),
    ("the first one", stuck, child(FIRST, -1), {STUCK: "maybe"}),
    ("the first one, for less", stuck, child(FIRST - 1, -1), {}),
    ("it gets on", stuck, child(RATIO * 60, 60, None, **{"current_save_keys_processed.delta": 3}), {STUCK: "not"}),
    ("a replica takes it slowly", stuck,
     {**child(LEAST), "replication": {"replica1.state": "send_bulk"}}, {}),
    ("none runs", stuck, {"persistence": {"rdb_bgsave_in_progress": 0}}, {}),
]  # fmt: skip


def rewrite(status: str = "err", **more: Any) -> Given:
    return {"persistence": {"aof_last_bgrewrite_status": status, "aof_enabled": 1}, **more}


REWRITES: list[Row] = [
    ("a rewrite without permission", rewrite_failing,
     rewrite(log={"aof_open_error.errno": "Permission denied", "aof_open_error.newest_age": 3, "started_age": 9}),
     {REWRITE: "sure"}),
    ("fork", rewrite_failing, rewrite(log={"fork_failed.newest_age": 3, "started_age": 9}), {REWRITE: "sure"}),
    ("disk", rewrite_failing, rewrite(log={"no_space.newest_age": 3, "started_age": 9}), {REWRITE: "sure"}),
    ("why isn't known", rewrite_failing, rewrite(), {REWRITE: "likely"}),
    ("it went well", rewrite_failing, rewrite("ok"), {REWRITE: "not"}),
    ("off", rewrite_failing, {"persistence": {"aof_last_bgrewrite_status": "err", "aof_enabled": 0}}, {}),
]  # fmt: skip
BACK = {"symptom": "after a restart the old limit was back"}


def drifted(
    calls: int | None, *, file: str | None, edited: bool | None = None, config: str = "/x", **more: Any
) -> Given:
    values: Values = {
        "config_file": config, "drifted": 1, "set_calls": calls, "file_edited": edited, "maxmemory.file": file,
        "maxmemory.running": "5",
    }  # fmt: skip
    return {"config_drift": values, **more}


ARGUMENTS: list[Row] = [
    ("nobody set it", config_drift, drifted(0, file="9"), {DRIFT: "not"}, BACK),
    ("nobody set it, without a file", config_drift, drifted(0, file=None, config=""), {DRIFT: "not"}, BACK),
    ("somebody set it", config_drift, drifted(1, file="9"), {DRIFT: "sure"}, BACK),
    ("the file is newer", config_drift, drifted(0, file="9", edited=True), {DRIFT: "sure"}, BACK),
    ("the file is newer, of something else", config_drift, drifted(0, file=None, edited=True), {}, BACK),
    ("somebody set something, without a file", config_drift, drifted(1, file=None, config=""), {DRIFT: "maybe"}, BACK),
    ("started bare", config_drift,
     drifted(1, file=None, config="", log={"no_config.newest_age": 5, "started_age": 5}), {DRIFT: "likely"}, BACK),
    ("whether anybody did isn't known", config_drift, drifted(None, file=None, config=""), {DRIFT: "maybe"}, BACK),
    ("and nobody asks", config_drift, drifted(None, file=None, config=""), {DRIFT: "hint"}),
    ("a replica by an argument", readonly,
     {"replication": {"role": "slave", "master_host": "a", "master_port": 1, "errorstat_READONLY.count.delta": 0},
      "config_drift": {"replicaof.running": "a 1", "replicaof_calls": 0}}, {}),
]  # fmt: skip


@table([*STARTS, *SAVES, *CHILDREN, *REWRITES, *ARGUMENTS])
def test_what_is_found(check: Check, given: Given, expected: Expected, more: Mapping[str, Any]) -> None:
    assert found(check, given, **more) == expected


def test_lines_of_a_report_alone_make_no_cause() -> None:
    lines: Given = {"pasted_log": {"tls_error.count": 3, "tls_error.newest_age": 1.0, "destination": "pasted"}}
    verdict = conclude(view(lines, symptom="TLS fails").readings, (NODE,), LIMITS)
    assert not verdict.causes
