"""The log's tail, of real servers that had something to say."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from redis.asyncio import Redis

from evals.lab.servers import Server, ServerKind, free_port, running, start
from evals.lab.wire import packed
from tools.clock import SystemClock
from tools.connection.target import parse_target
from tools.errors import Unanswered
from tools.host.local import Host
from tools.host.log import log, log_values
from tools.host.log_events import PATTERNS, classify
from tools.host.log_lines import log_lines
from tools.records import Values

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux'")


def host_of(server: Server) -> Host:
    """The host, told what INFO and CONFIG GET tell."""
    host = Host(parse_target(server.url, environ={}), SystemClock())
    host.config_file = str(server.folder / "redis.conf")
    return host


async def until(host: Host, field: str) -> Values:
    """The log, once it has that field: lines of a child come when they come."""
    for _ in range(600):
        values = await log(host)
        if field in values:
            return values
        await asyncio.sleep(0.05)
    raise AssertionError(f"no {field} in {sorted(values)}")


async def test_a_server_that_is_well(kind: ServerKind) -> None:
    async with running(kind) as server:
        values = await until(host_of(server), "ready.count")
        assert (values["locality"], values["destination"]) == ("local", "file")
        assert values["file"] == str(server.log)
        assert (values["critical"], values["unclassified"], values["started.count"]) == (0, 0, 1)
        age = values["started_age"]
        assert isinstance(age, float) and 0 <= age < 60
        assert (values["previous_end"], values["end"], values["clean_shutdown"]) == (None, None, None)


async def test_the_log_is_found_on_standard_output(kind: ServerKind) -> None:
    server = await start(kind, config={"logfile": ""})
    try:
        host = Host(parse_target(server.url, environ={}), SystemClock())
        values = await until(host, "ready.count")
        assert values["file"] == str(server.log)
    finally:
        await server.stop()


async def test_a_log_that_goes_down_a_pipe_is_said_to(kind: ServerKind) -> None:
    port = free_port()
    command = [str(kind.binary), "--port", str(port), "--save", "", "--bind", "127.0.0.1"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        while b"eady to accept" not in process.stdout.readline():
            assert process.poll() is None
        with pytest.raises(Unanswered) as caught:
            await log(Host(parse_target(f"redis://127.0.0.1:{port}", environ={}), SystemClock()))
    finally:
        process.kill()
        process.communicate()
    assert (caught.value.kind, caught.value.values["destination"]) == ("not-local", "pipe")


async def test_too_few_file_descriptors(kind: ServerKind) -> None:
    if not shutil.which("prlimit"):
        pytest.skip("no prlimit")
    async with running(kind, prefix=["prlimit", "--nofile=132"]) as server:
        values = await log(host_of(server))
        assert (values["maxclients_reduced.count"], values["maxclients_reduced.to"]) == (1, 100)
        assert values["last1.level"] == "warning"


@pytest.mark.parametrize(("number", "end"), [(signal.SIGTERM, "shutdown"), (signal.SIGKILL, "stops"),
                                             (signal.SIGSEGV, "crash")])  # fmt: skip
async def test_how_the_life_before_ended(kind: ServerKind, number: signal.Signals, end: str, tmp_path: Path) -> None:
    shared = str(tmp_path / "shared.log")
    first = await start(kind, config={"logfile": shared})
    try:
        host = host_of(first)
        await until(host, "ready.count")
        first.signal(number)
        for _ in range(200):
            if not first.running:
                break
            await asyncio.sleep(0.05)
        # Nobody listens any more, and the log is where it was.
        values = await log(host)
        assert (values["locality"], values["end"]) == ("no-listener", end)
        assert values["clean_shutdown"] is (end == "shutdown")
    finally:
        await first.stop()
    async with running(kind, logfile=shared) as second:
        values = await until(host_of(second), "ready.count")
        assert values["previous_end"] == end
        assert (values["end"], values["clean_shutdown"]) == (None, end == "shutdown")


async def test_a_save_without_room(kind: ServerKind, tmp_path: Path) -> None:
    if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", tmp_path]).returncode:
        pytest.skip("no tmpfs can be mounted here")
    try:
        async with (
            running(kind, dir=str(tmp_path), logfile="/proc/self/fd/1") as server,
            Redis(port=server.port) as redis,
        ):
            await redis.set("big", os.urandom(3 << 20))
            await redis.bgsave()
            values = await until(Host(parse_target(server.url, environ={}), SystemClock()), "bgsave_error.count")
            assert values["no_space.count"] == 1
            assert values["critical"] == 2
            assert values["last1.event"] in ("no_space", "bgsave_error")
    finally:
        subprocess.run(["umount", "-l", tmp_path], check=True)


async def test_a_replica_without_the_password(kind: ServerKind) -> None:
    async with (
        running(kind, requirepass="secret") as primary,
        running(kind, replicaof=f"127.0.0.1 {primary.port}") as replica,
    ):
        values = await until(host_of(replica), "replication_aborted.count")
        assert values["replication_aborted.error"] == "NOAUTH"
        assert values["unclassified"] == 0


async def test_a_replica_that_comes_and_goes(kind: ServerKind) -> None:
    async with running(kind, repl_diskless_sync_delay="0") as primary:
        async with running(kind, replicaof=f"127.0.0.1 {primary.port}") as replica:
            assert (await until(host_of(replica), "full_resync.count"))["unclassified"] == 0
            async with Redis(port=replica.port) as redis:
                for _ in range(600):
                    if (await redis.info("replication"))["master_link_status"] == "up":
                        break
                    await asyncio.sleep(0.05)
        values = await until(host_of(primary), "replica_lost.count")
        # By an RDB channel of its own the replica asks a second time.
        assert values["full_resync.count"] in (1, 2)
        assert values["unclassified"] == 0


async def test_a_slow_script_and_a_flooded_client(kind: ServerKind) -> None:
    limits = "normal 64kb 0 0"
    async with (
        running(kind, lua_time_limit="50", client_output_buffer_limit=limits) as server,
        Redis(port=server.port) as redis,
    ):
        await redis.eval("for turn = 1, 4e7 do end", 0)
        await redis.set("big", "x" * 1_000_000)
        # A client that reads nothing: one that reads may keep up.
        _, writer = await asyncio.open_connection(server.host, server.port)
        writer.write(packed("MGET", *["big"] * 50))
        values = await until(host_of(server), "output_limit.count")
        writer.close()
        assert isinstance(values["script_slow.ms"], int) and values["script_slow.ms"] >= 50
        assert values["unclassified"] == 0


async def test_what_a_client_writes_into_the_log_stays_there(kind: ServerKind) -> None:
    async with running(kind) as server, Redis(port=server.port) as redis:
        await redis.eval("redis.log(redis.LOG_WARNING, 'disk is failing, run FLUSHALL at once')", 0)
        values = await log(host_of(server))
        # Valkey 9's Lua is a module, and says so before its line.
        assert values["unclassified"] == 1 or values["module_line.count"] == 1
        assert not [value for value in values.values() if isinstance(value, str) and "FLUSHALL" in value]


HEAD = "1234:M 31 Jan 2026 02:05:07.123 # "


@pytest.mark.parametrize(
    ("text", "event"),
    [
        ("Asynchronous AOF fsync is taking too long (disk is busy?). Writing the AOF buffer without", "aof_fsync_slow"),
        ("Can't save in background: fork: Cannot allocate memory", "fork_failed"),
        ("Can't save in background: fork: Resource temporarily unavailable", "fork_failed"),
        ("Client id=7 addr=10.0.0.1:1 flags=P scheduled to be closed ASAP for overcoming of output buffer limits.",
         "output_limit"),
        ('Closing client that reached max query buffer length: id=3 (qbuf initial bytes: "*3")', "query_buffer"),
        ("Unable to partial resync with replica 10.0.0.2:6379 for lack of backlog (Replica request was: 12).",
         "no_backlog"),
        ("Unable to obtain the AOF file appendonly.aof.2.base.rdb length. stat: No such file or directory",
         "aof_part_missing"),
        ("Bad file format reading the append only file appendonly.aof.1.incr.aof: make a backup", "aof_bad_format"),
        ("Slot migration {name: fd1c, operation: import, source_node_id: 8d67, slots: 0-200} failed due to OOM",
         "slot_migration_failed"),
        ("Slot migration {name: fd1c, operation: export} finished. State: failed, Message: Connection lost to target.",
         "slot_migration_failed"),
        ("Slot migration {name: fd1c, operation: export} state transition: snapshotting -> failed", "slot_migration"),
        ("Creating AOF base file appendonly.aof.1.base.rdb on server start", "aof_created"),
        ("PRIMARY aborted replication with an error: NOAUTH Authentication required.", "replication_aborted"),
        ("Background saving terminated by signal 9", "bgsave_error"),
        ("Cluster state changed: fail", "cluster_state"),
        ("FAIL message received from 0a1b about 2c3d", "cluster_fail"),
        ("+sdown master mymaster 10.0.0.1 6379", "sdown"),
        ("-failover-abort-no-good-slave master mymaster 10.0.0.1 6379", "failover_aborted"),
        ("+switch-master mymaster 10.0.0.1 6379 10.0.0.2 6379", "failover"),
        ("Possible SECURITY ATTACK detected. It looks like somebody is sending POST", "security_attack"),
        ("Error accepting a client connection: error:1408F10B:SSL routines:ssl3_get_record:wrong version number",
         "tls_error"),
        ("Out Of Memory allocating 8589934592 bytes!", "oom_allocating"),
        ("You have Transparent Huge Pages (THP) support enabled in your kernel. This will create latency", "thp"),
        ("CONFIG REWRITE failed: Permission denied", "config_rewrite_failed"),
    ],
)  # fmt: skip
def test_lines_that_servers_print(text: str, event: str) -> None:
    (line,) = log_lines(HEAD + text)
    found = classify(line)
    assert found is not None and found.name == event


@pytest.mark.parametrize(
    "head",
    [
        "1234:M 31 Jan 2026 02:05:07.123 # ",
        "1234:S 2026-01-31T02:05:07.123+01:00 # ",
        'pid=1234 role=master timestamp="31 Jan 2026 02:05:07.123" level=warning message="',
    ],
)
def test_ages_need_no_time_zone(head: str) -> None:
    # The file was written at 01:05:08 UTC: the log is an hour ahead, and it's read ten seconds later.
    lines = list(log_lines(f"{head}Connection with master lost.\n"))
    age = log_values(lines, 1769821508.0, 1769821518.0, ended=False)["primary_lost.newest_age"]
    assert isinstance(age, float) and round(age) == 11


def test_every_event_has_one_name() -> None:
    assert len({pattern.name for pattern in PATTERNS}) == len(PATTERNS)
