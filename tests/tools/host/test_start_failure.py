"""Why a start failed, by the last words that Redis 6.2 to 8.2 and Valkey 8.1 and 9.1 were seen to print."""

from typing import Any

import pytest

from tools.host.log import log_values
from tools.host.log_lines import log_lines
from tools.host.pasted_log import pasted_log

HEAD = "2883:M 29 Nov 2026 14:35:46.269 # "
BEGUN = f"{HEAD}oO0OoO0OoO0Oo Redis is starting oO0OoO0OoO0Oo\n{HEAD}Redis version=7.0.15, bits=64, just started\n"
READY = f"{HEAD}Ready to accept connections\n"
FATAL = "*** FATAL CONFIG FILE ERROR (Redis 7.0.15) ***\nReading the configuration file, at line 5\n"
Values = dict[str, Any]


def told(text: str) -> Values:
    values = log_values(list(log_lines(text)), None, 0.0, ended=True)
    return {k.removeprefix("start_failed."): v for k, v in values.items() if k.startswith("start_failed.")}


ROWS: tuple[tuple[str, Values], ...] = (
    (f"{BEGUN}{HEAD}Fatal: Can't initialize Background Jobs. Error message: Operation not permitted\n",
     {"reason": "threads", "errno": "permission", "version": "redis 7.0.15"}),
    (f"{BEGUN}{HEAD}Fatal: Can't initialize Background Jobs.\n", {"reason": "threads", "version": "redis 7.0.15"}),
    (f"{BEGUN}{HEAD}Sorry, the cluster configuration file nodes.conf is already used by a different Redis Cluster "
     "node. Please make sure that different nodes use different cluster configuration files.\n",
     {"reason": "cluster-file", "file": "nodes.conf", "problem": "held", "version": "redis 7.0.15"}),
    (f"{BEGUN}{HEAD}Can't open /mnt/none/nodes.conf in order to acquire a lock: No such file or directory\n",
     {"reason": "cluster-file", "file": "/mnt/none/nodes.conf", "errno": "missing", "version": "redis 7.0.15"}),
    (f"{BEGUN}{HEAD}Sentinel config file /etc/redis/sentinel.conf is not writable: Permission denied. Exiting...\n",
     {"reason": "permission", "file": "/etc/redis/sentinel.conf", "errno": "permission", "version": "redis 7.0.15"}),
    (f"{FATAL}>>> 'maxmemry 8mb'\nBad directive or wrong number of arguments\n",
     {"reason": "config", "line": 5, "directive": "maxmemry", "like": "maxmemory", "problem": "unknown"}),
    (f"{FATAL}>>> 'maxmemory-policy allkeys-lruu'\nargument(s) must be one of the following: noeviction\n",
     {"reason": "config", "line": 5, "directive": "maxmemory-policy", "problem": "value"}),
    (f"{FATAL}>>> 'dir /root'\nPermission denied\n",
     {"reason": "permission", "line": 5, "directive": "dir", "errno": "permission", "problem": "errno"}),
    (f"{FATAL}>>> 'dir /mnt/none'\nNo such file or directory\n",
     {"reason": "config", "line": 5, "directive": "dir", "errno": "missing", "problem": "errno"}),
    ("*** FATAL CONFIG FILE ERROR (Version 9.1.2) ***\nCan't open the log file: Permission denied\n",
     {"reason": "permission", "directive": "logfile", "errno": "permission", "version": "valkey 9.1.2"}),
    (f"{HEAD}Fatal error, can't open config file '/etc/redis/x.conf': No such file or directory\n",
     {"reason": "config", "file": "/etc/redis/x.conf", "errno": "missing"}),
    (f"{BEGUN}{HEAD}Unresolved Configuration(s) Detected:\n{HEAD}>>> 'maxmemry 8mb'\n{HEAD}Module Configuration "
     "detected without loadmodule directive or no ApplyConfig call: aborting\n",
     {"reason": "config", "directive": "maxmemry", "like": "maxmemory", "problem": "unknown"}),
    (f"{BEGUN}{HEAD}Can't handle RDB format version 12\n{HEAD}Fatal error loading the DB: Invalid argument. Exiting.\n",
     {"reason": "dump-version", "format": 12, "version": "redis 7.0.15"}),
    (f"{BEGUN}{HEAD}Can't handle RDB format version 12\n{HEAD}Error reading the RDB preamble of the AOF file "
     "a.1.base.rdb, AOF loading aborted\n", {"reason": "dump-version", "format": 12}),
    (f"{BEGUN}{HEAD}Wrong signature trying to load DB from file\n", {"reason": "dump-corrupt", "problem": "signature"}),
    (f"{BEGUN}{HEAD}Short read or OOM loading DB. Unrecoverable error, aborting now.\n", {"reason": "dump-corrupt"}),
    (f"{BEGUN}{HEAD}Aborting Redis startup because of ACL errors: users.acl:2: Error in applying operation '+@x'\n",
     {"reason": "acl-file", "file": "users.acl", "line": 2}),
    (f"{BEGUN}{HEAD}Error loading ACL rule '+@x' for the user named 'app': Unknown command\n"
     f"{HEAD}Critical error while loading ACLs. Exiting.\n", {"reason": "acl-file", "user": "app"}),
    (f"{BEGUN}{HEAD}Module /usr/lib/x.so failed to load: /usr/lib/x.so: cannot open shared object file: No such file "
     f"or directory\n{HEAD}Can't load module from /usr/lib/x.so: server aborting\n",
     {"reason": "module", "file": "/usr/lib/x.so", "errno": "missing"}),
    (f"{BEGUN}{HEAD}The RDB file contains module data I can't load: no matching module type 'ReJSON-RL'\n",
     {"reason": "module", "type": "ReJSON-RL"}),
    (f"{BEGUN}{HEAD}Failed to load certificate: /etc/ssl/none.crt: error:80000002:system library::No such file or "
     f"directory\n{HEAD}Failed to configure TLS. Check logs for more info.\n",
     {"reason": "tls-files", "file": "/etc/ssl/none.crt", "errno": "missing"}),
    (f"{BEGUN}{HEAD}Warning: Could not create server TCP listening socket 127.0.0.1:6379: bind: Address already in "
     f"use\n{HEAD}Failed listening on port 6379 (TCP), aborting.\n",
     {"reason": "port-in-use", "address": "127.0.0.1:6379", "errno": "in-use"}),
    (f"{BEGUN}{HEAD}Fatal error: can't open the RDB file dump.rdb for reading: Permission denied\n",
     {"reason": "permission", "file": "dump.rdb"}),
    (f"{BEGUN}{HEAD}Error moving temp append only file on the final destination: Permission denied\n",
     {"reason": "permission"}),
)  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), ROWS, ids=[str(number) for number, _ in enumerate(ROWS)])
def test_what_the_last_words_name(text: str, expected: Values) -> None:
    found = told(text)
    assert {name: found.get(name) for name in expected} == expected


@pytest.mark.parametrize(
    "text",
    [
        BEGUN + READY,
        # It failed once, and served since.
        f"{BEGUN}{HEAD}Can't handle RDB format version 12\n{BEGUN}{READY}",
        # A replica that couldn't load what its primary sent, and was killed later.
        f"{BEGUN}{READY}{HEAD}Can't handle RDB format version 12\n",
        # The append-only file is what is damaged.
        f"{BEGUN}{HEAD}Short read or OOM loading DB.\n{HEAD}Error reading the RDB preamble of the AOF file a, AOF "
        "loading aborted\n",
        "",
    ],
)  # fmt: skip
def test_what_is_no_failed_start(text: str) -> None:
    assert told(text) == {}


def test_a_secret_in_the_refused_line_stays_there() -> None:
    for line in ("hunter2", "requirepass hunter2", "user app on >hunter2", "hunter2 hunter2"):
        assert "hunter2" not in str(told(f"{FATAL}>>> '{line}'\nBad directive or wrong number of arguments\n"))


def test_attempts_for_one_reason_are_counted() -> None:
    once = f"{BEGUN}{HEAD}Can't handle RDB format version 12\n"
    assert told(once * 3)["count"] == 3
    assert told(f"{BEGUN}{HEAD}Failed to configure TLS\n" + once * 2)["count"] == 2


@pytest.mark.parametrize(
    "text",
    [
        "won't start: 1:M 29 Nov 2026 14:36:02.451 # Can't handle RDB format version 12",
        "> 1:M 29 Nov 2026 14:36:02.451 # Can't handle RDB format version 12\n\nSince the rollback.",
        "Nov 29 14:36:02 db1 redis-server[3450]: 3450:M 29 Nov 2026 14:36:03.064 # Can't handle RDB format version 12",
        "redis-1  | 1:M 29 Nov 2026 14:36:03.064 # Can't handle RDB format version 12",
        "2026-11-29T14:36:03.064Z stderr F 1:M 29 Nov 2026 14:36:03.064 # Can't handle RDB format version 12",
        "It only says: Can't handle RDB format version 12",
    ],
)  # fmt: skip
def test_lines_in_a_report(text: str) -> None:
    values = pasted_log(text, 1_795_963_100.0) or {}
    assert (values.get("start_failed.reason"), values.get("start_failed.format")) == ("dump-version", 12)


@pytest.mark.parametrize("text", ["", "connection refused", "the config file was edited and Redis is down"])
def test_a_report_without_lines_has_none(text: str) -> None:
    assert pasted_log(text, 1_795_963_100.0) is None
