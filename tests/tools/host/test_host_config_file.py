"""The configuration file, what runs against it, and the disk that the server writes to."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from evals.lab.servers import Server, ServerKind, free_port, running
from tools.clock import SystemClock
from tools.connection.budget import Budget
from tools.connection.node import Node
from tools.connection.target import parse_target
from tools.errors import Unanswered
from tools.host.config_file import config_file, drift, read_configuration
from tools.host.disk import disk
from tools.host.local import Host
from tools.host.proc import Files
from tools.host.process_files import ProcessFiles
from tools.redact import Pseudonyms
from tools.server.config import config_get
from tools.server.config_drift import config_drift

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux'")


def seen(server: Server, password: str = "") -> tuple[Node, Host]:
    url = f"redis://:{password}@{server.host}:{server.port}" if password else server.url
    target, clock = parse_target(url, environ={}), SystemClock()
    return Node(target, clock, Budget(), Pseudonyms()), Host(target, clock)


LIMITS = "normal 0 0 0 slave 268435456 67108864 60 pubsub 1 1 1"


@pytest.mark.parametrize(
    ("name", "written", "runs_as", "same", "other"),
    [
        ("maxmemory", "1gb", "maxmemory", "1073741824", "1000000000"),
        ("maxmemory", "1G", "maxmemory", "1000000000", "1073741824"),
        ("slave-read-only", "yes", "replica-read-only", "yes", "no"),
        ("hash-max-ziplist-entries", "128", "hash-max-listpack-entries", "128", "512"),
        ("lua-time-limit", "5000", "busy-reply-threshold", "5000", "50"),
        ("save", "", "save", "", "3600 1"),
        ("save", "3600 1 300 100", "save", "3600 1 300 100", "3600 1"),
        ("appendonly", "YES", "appendonly", "yes", "no"),
        ("bind", "127.0.0.1 -::1", "bind", "-::1 127.0.0.1", "*"),
        ("notify-keyspace-events", "KEA", "notify-keyspace-events", "AKE", "KE"),
        ("client-output-buffer-limit", "replica 256mb 64mb 60", "client-output-buffer-limit", LIMITS,
         LIMITS.replace("268435456", "0")),
        ("dir", "./data/", "dir", "/var/lib/redis/data", "/root"),
        ("requirepass", "Abc", "requirepass", "Abc", "abc"),
    ],
)  # fmt: skip
def test_what_differs_and_what_is_only_written_otherwise(
    name: str, written: str, runs_as: str, same: str, other: str
) -> None:
    assert drift({name: written}, {runs_as: same}) == {}
    assert drift({name: written}, {runs_as: other}) == {runs_as: (written, other)}


def test_what_a_file_may_hold(tmp_path: Path) -> None:
    (tmp_path / "more.conf").write_text("MaxMemory 5mb\ninclude nowhere.conf\n")
    main = tmp_path / "redis.conf"
    main.write_text(
        "# maxmemory 1mb\nmaxmemory 2mb\nsave 3600 1\nsave 300 100\n"
        f'include {tmp_path}/mo*.conf\nlogfile "a \\"b\\".log"\nuser eve on >secret ~* +@all\nuser bob off\n'
    )
    found = read_configuration(ProcessFiles(Files(), os.getpid()), str(main))
    assert found.values["maxmemory"] == "5mb"
    assert found.values["save"] == "3600 1 300 100"
    assert found.values["logfile"] == 'a "b".log'
    assert (found.files, found.unread) == (2, 1)
    # Beginning with no known name, a line isn't there.
    assert "eve" not in found.values


async def test_nothing_drifts_after_a_start(kind: ServerKind) -> None:
    async with running(
        kind, maxmemory="100mb", client_output_buffer_limit="pubsub 32mb 8mb 60", slave_priority="90",
        notify_keyspace_events="KEA", requirepass='"hush"',
    ) as server:  # fmt: skip
        node, host = seen(server, "hush")
        # Before 7.0 several names at once are refused, which the server counts as a call.
        await config_get(node, ["maxmemory", "hz"])
        values = await config_drift(node, host)
        node.close()
    assert (values["drifted"], values["only_running"], values["locality"]) == (0, 0, "local")
    assert values["set_calls"] == 0
    assert values["config_file"] == str(server.folder / "redis.conf")


async def test_changes_that_a_restart_would_undo(kind: ServerKind) -> None:
    async with running(kind, maxmemory="100mb", requirepass="hush") as server:
        async with Redis(port=server.port, password="hush") as redis:
            await redis.config_set("maxmemory", "200mb")
            await redis.config_set("appendonly", "yes")
            await redis.config_set("masterauth", "hidden-too")
            await redis.config_set("requirepass", "new")
        node, host = seen(server, "new")
        values = await config_drift(node, host)
        node.close()
    assert (values["maxmemory.file"], values["maxmemory.running"]) == ("100mb", "209715200")
    assert (values["appendonly.file"], values["appendonly.running"]) == (None, "yes")
    assert values["requirepass.differs"] is True
    assert (values["drifted"], values["only_running"]) == (3, 1)
    assert not {"hush", "new", "hidden-too"} & set(values.values())


async def test_a_server_without_a_file(kind: ServerKind) -> None:
    port = free_port()
    process = subprocess.Popen(
        [kind.binary, "--port", str(port), "--save", "", "--maxmemory", "3mb"], stdout=subprocess.DEVNULL
    )
    try:
        target, clock = parse_target(f"redis://127.0.0.1:{port}", environ={}), SystemClock()
        node, host = Node(target, clock, Budget(), Pseudonyms()), Host(target, clock)
        async with Redis(port=port) as redis:
            for _ in range(600):
                try:
                    await redis.ping()
                    break
                except OSError:
                    await clock.sleep(0.05)
            with pytest.raises(ResponseError, match="without a config file"):
                await redis.config_rewrite()
        values = await config_drift(node, host)
        node.close()
        assert (values["config_file"], values["maxmemory.file"], values["maxmemory.running"]) == ("", None, "3145728")
        assert (await config_file(host))["config_file"] == ""
    finally:
        process.kill()
        process.wait()


async def test_the_file_without_its_secrets(kind: ServerKind) -> None:
    user = "eve on >very-secret ~* +@all"
    async with running(kind, requirepass="hush", user=user, maxmemory="64mb") as server:
        _, host = seen(server)
        with pytest.raises(Unanswered):
            # Nobody said yet where it is: the process's title has taken the place of its arguments.
            await config_file(host)
        host.config_file = str(server.folder / "redis.conf")
        values = await config_file(host)
    assert (values["requirepass"], values["user.count"], values["maxmemory"]) == ("***", 1, "64mb")
    assert "secret" not in str(values) and "hush" not in str(values)


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MB."""
    if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", tmp_path]).returncode:
        pytest.skip("no tmpfs can be mounted here")
    yield tmp_path
    subprocess.run(["umount", "-l", tmp_path], check=True)


async def test_a_full_disk(kind: ServerKind, small: Path) -> None:
    async with running(kind, dir=str(small)) as server, Redis(port=server.port) as redis:
        _, host = seen(server)
        await redis.set("some", os.urandom(100_000))
        await redis.save()
        values = await disk(host)
        assert (values["dir_fstype"], values["dir_read_only"], values["dir"]) == ("tmpfs", False, str(small))
        assert (values["dir_total_bytes"], values["rdb_files"], values["temp_count"]) == (4 << 20, 1, 0)
        assert isinstance(values["rdb_bytes"], int) and values["rdb_bytes"] > 100_000
        assert isinstance(values["dir_used_share"], float) and values["dir_used_share"] < 0.2
        with pytest.raises(OSError):
            (small / "temp-4711.rdb").write_bytes(bytes(5 << 20))
        values = await disk(host)
        assert (values["dir_free_bytes"], values["dir_used_share"], values["temp_count"]) == (0, 1.0, 1)
        assert isinstance(values["temp_bytes"], int) and values["temp_bytes"] > 3 << 20


async def test_what_an_aof_takes(kind: ServerKind) -> None:
    async with running(kind, appendonly="yes", appendfsync="always") as server, Redis(port=server.port) as redis:
        await redis.set("some", os.urandom(50_000))
        _, host = seen(server)
        values = await disk(host)
    assert isinstance(values["aof_bytes"], int) and values["aof_bytes"] > 50_000
    assert values["aof_files"] == (3 if kind.at_least(7) else 1)
