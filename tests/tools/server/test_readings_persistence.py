"""Readings of persistence: disks that are full, forks in progress, saves that nobody asked for."""

import asyncio
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import hiredis
import pytest

from evals.lab.servers import ServerKind, running
from evals.lab.wire import Wire
from tests.looking import looking, number
from tools.connection.node import Node
from tools.records import Values
from tools.server.persistence import persistence

MB = 2**20
FILL = "local v = string.rep('x', 1048576) for i = 1, tonumber(ARGV[1]) do redis.call('SET', 'big:' .. i, v) end"
USER = "looker on >pw ~* +@all -config"


@pytest.fixture
def tiny(tmp_path: Path) -> Iterator[str]:
    """The folder of a disk of 1 MB."""
    mount, umount = shutil.which("mount"), shutil.which("umount")
    if not mount or not umount or os.geteuid() != 0:
        pytest.skip("a small disk needs root")
    folder = tmp_path / "disk"
    folder.mkdir()
    done = subprocess.run([mount, "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder], capture_output=True, check=False)
    if done.returncode:
        pytest.skip(f"mount: {done.stderr.decode().strip()}")
    yield str(folder)
    subprocess.run([umount, "-l", folder], check=True)


async def seen(node: Node, field: str, expected: object) -> Values:
    """The reading once the field has this value."""
    for _ in range(60):
        values = await persistence(node, 0.1)
        if values[field] == expected:
            return values
    raise AssertionError(f"{field} stayed {values[field]}: {values}")


async def refused(wire: Wire) -> bool:
    try:
        await wire.ask("SET", "a", 1)
    except hiredis.ReplyError as error:
        assert str(error).startswith("MISCONF")
        return True
    return False


async def test_a_save_that_fails_refuses_writes(kind: ServerKind, tiny: str) -> None:
    on_it = running(kind, dir=tiny, save="3600 1", rdbcompression="no", user=USER)
    async with on_it as server, looking(server) as (node, wire):
        await wire.ask("SET", "big", "x" * 3 * MB)
        await wire.ask("BGSAVE")
        values = await seen(node, "rdb_last_bgsave_status", "err")
        assert (values["writes_refused"], values["writes_refused_by"]) == (True, "rdb")
        assert values["config.dir"] == tiny and values["rdb_saved_since_start"] is False
        assert number(values, "rdb_changes_since_last_save") >= 1 and number(values, "total_forks") >= 1
        assert await refused(wire)
        values = await persistence(node, 0)
        assert number(values, "errorstat_MISCONF.count") == 1
        async with looking(server, "looker") as (unprivileged, _):
            values = await persistence(unprivileged, 0.1)
            assert (values["config.unavailable"], values["config.save"]) == ("denied", None)
            # Without the settings nobody knows, unless a client was refused within the window.
            assert values["writes_refused"] is None

            async def write() -> None:
                await asyncio.sleep(0.2)
                assert await refused(wire)

            values, _ = await asyncio.gather(persistence(unprivileged, 0.6), write())
            assert (values["writes_refused"], values["errorstat_MISCONF.count.delta"]) == (True, 1)
        await wire.ask("CONFIG", "SET", "stop-writes-on-bgsave-error", "no")
        assert (await persistence(node, 0))["writes_refused"] is False
        assert not await refused(wire)


async def test_an_aof_that_cannot_be_written_refuses_writes(kind: ServerKind, tiny: str) -> None:
    on_it = running(kind, dir=tiny, appendonly="yes", appendfsync="everysec")
    async with on_it as server, looking(server) as (node, wire):
        assert (await persistence(node, 0))["writes_refused"] is False
        await wire.ask("SET", "big", "x" * 2 * MB)
        values = await seen(node, "aof_last_write_status", "err")
        assert (values["writes_refused"], values["writes_refused_by"]) == (True, "aof")
        assert number(values, "aof_buffer_length") > MB and values["config.appendfsync"] == "everysec"
        assert values["aof_delayed_fsync.delta"] == 0
        assert await refused(wire)


async def test_a_fork_in_progress_copies_what_is_written(kind: ServerKind) -> None:
    async with running(kind, rdbcompression="no") as server, looking(server) as (node, wire):
        await wire.ask("EVAL", FILL, 0, 100, timeout=20)
        await wire.ask("CONFIG", "SET", "rdb-key-save-delay", 30000)
        before = await persistence(node, 0)
        assert (before["total_forks"], before["fork_usec_per_gb"]) == (0, None)

        async def save() -> None:
            await asyncio.sleep(0.2)
            await wire.ask("BGSAVE")
            # Every page that is written anew is copied.
            await wire.ask("EVAL", "for i = 1, 50 do redis.call('SETRANGE', 'big:' .. i, 0, ARGV[1]) end", 0, "y" * MB,
                           timeout=20)  # fmt: skip

        values, _ = await asyncio.gather(persistence(node, 1.0), save())
        assert (values["rdb_bgsave_in_progress"], values["total_forks.delta"]) == (1, 1)
        assert number(values, "latest_fork_usec") > 0
        assert number(values, "fork_usec_per_gb") >= number(values, "latest_fork_usec")
        assert values["current_save_keys_total"] == 100
        await wire.ask("CONFIG", "SET", "rdb-key-save-delay", 0)
        values = await seen(node, "rdb_bgsave_in_progress", 0)
        assert values["rdb_last_bgsave_status"] == "ok" and values["rdb_saved_since_start"] is True
        # How much depends on how far the save was: what it has saved it gives back.
        assert number(values, "rdb_last_cow_size") > 0 and number(values, "rdb_last_cow_size_share") > 0


async def test_a_status_of_ok_is_no_backup(kind: ServerKind) -> None:
    async with running(kind, dbfilename='"the dump.rdb"') as server, looking(server) as (node, wire):
        await wire.ask("SET", "a", 1)
        values = await persistence(node, 0.1)
        assert (values["rdb_last_bgsave_status"], values["config.save"]) == ("ok", "")
        assert (values["rdb_saved_since_start"], values["writes_refused"]) == (False, False)
        assert values["rdb_changes_since_last_save"] == 1 and number(values, "rdb_last_save_age") <= 5
        assert values["config.dbfilename"] == "path#1"
