"""Facts that the script takes on the server's machine, against what is read there directly."""

import asyncio
import contextlib
import os
import shutil
import socket
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agent.cli.host_script import host_script
from agent.cli.setup_inputs import NoInputs
from evals.lab.servers import Server, ServerKind, free_port, installed, running
from tools.clock import SystemClock
from tools.connection.target import parse_target
from tools.errors import Unanswered, UsageError
from tools.host.config_file import config_file
from tools.host.disk import disk
from tools.host.facts import SCRIPT, HostFacts, load_facts
from tools.host.local import Host
from tools.host.log import log
from tools.host.machine import machine
from tools.host.process import process
from tools.host.sockets import sockets

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux'")
NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]


async def taken(
    file: Path, port: int, *args: str, prefix: Sequence[str] = (), env: Mapping[str, str] | None = None
) -> str:
    """What the script prints, put into a file as well."""
    command = [*prefix, "/bin/sh", "-s", str(port), *args]
    pipe = asyncio.subprocess.PIPE
    script = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, stderr=pipe, env=env)
    out, errors = await script.communicate(SCRIPT.read_bytes())
    assert (script.returncode, errors) == (0, b"")
    file.write_bytes(out)
    return out.decode()


def far(server: Server, facts: HostFacts, clock: SystemClock | None = None) -> Host:
    return Host(parse_target(server.url, environ={}), clock or SystemClock(), facts=facts)


@pytest.fixture
async def server(kind: ServerKind) -> AsyncIterator[Server]:
    async with running(
        kind, requirepass="hush", masterauth="whisper", user="eve on >murmur ~* +@all", maxmemory="64mb",
        tcp_backlog="17", appendonly="yes",
    ) as one:  # fmt: skip
        yield one


STEADY = {
    process: (
        "pid", "name", "listening", "stopped", "nofile_soft", "nofile_hard", "nofile_maxclients", "num_fds", "threads",
        "swap_bytes", "vms_bytes", "loading_file", "affinity_cores", "argument_config", "oom_score_adj", "thp_enabled",
        "smaps_AnonHugePages_bytes", "smaps_Swap_bytes", "cgroup_cpu_quota", "cgroup_memory_limit", "cgroup_pids_max",
        "cgroup_frozen",
    ),
    sockets: (
        "listening", "listeners", "recv_q", "send_q", "established", "peers", "peer1.count", "peer1.address",
        "unread_bytes", "somaxconn", "tcp_max_syn_backlog",
    ),
    machine: (
        "cores", "memory_total_bytes", "swap_total_bytes", "overcommit_memory", "swappiness", "transparent_hugepage",
        "oom_kill",
    ),
    log: ("destination", "file", "file_bytes", "lines", "critical", "unclassified", "ready.count", "previous_end"),
    config_file: (
        "config_file", "files", "parameters", "maxmemory", "requirepass", "masterauth", "user.count", "appendonly",
    ),
    disk: (
        "dir", "dir_total_bytes", "dir_fstype", "dir_read_only", "rdb_files", "aof_bytes", "aof_files", "temp_count",
        "log", "log_total_bytes",
    ),
}  # fmt: skip
"""What doesn't move between a direct reading and the facts."""


async def test_facts_answer_as_the_machine_does(server: Server, tmp_path: Path) -> None:
    if not shutil.which("ss"):
        pytest.skip("no ss: a listener's limit isn't told")
    with contextlib.ExitStack() as opened:
        for _ in range(3):
            opened.enter_context(socket.create_connection((server.host, server.port)))
        await compared(server, tmp_path)


async def compared(server: Server, tmp_path: Path) -> None:
    """Every tool, from the facts and directly."""
    printed = await taken(tmp_path / "facts", server.port, str(server.folder / "redis.conf"))
    facts = load_facts(tmp_path / "facts")
    assert facts.seconds >= 2
    there, here = far(server, facts), Host(parse_target(server.url, environ={}), SystemClock())
    there.confirm(server.pid)
    here.config_file = str(server.folder / "redis.conf")
    for tool, fields in STEADY.items():
        direct, told = await tool(here), await tool(there)
        assert told["locality"] == "host-facts" and told["facts_old"] is False
        assert set(told) - set(direct) == {"facts_age", "facts_old"} and not set(direct) - set(told)
        assert {field: told[field] for field in fields} == {field: direct[field] for field in fields}
        missing = {field for field, value in direct.items() if value is not None and told[field] is None}
        # Somebody is always busy, or nobody is; whose the data's folder is and a listener's drops aren't printed.
        untold = ("top_process", "dir_", "server_user", "drops")
        assert not {field for field in missing if not field.startswith(untold)}
    for secret in ("hush", "whisper", "murmur"):
        assert secret not in printed


@pytest.mark.live
async def test_a_busy_server_is_busy_in_the_facts(tmp_path: Path) -> None:
    async with running(installed()[0]) as server:
        taking = asyncio.create_task(taken(tmp_path / "facts", server.port))
        _, writer = await asyncio.open_connection(server.host, server.port)
        while not taking.done():
            writer.write(b"EVAL 'for turn = 1, 1e7 do end' 0\r\n")
            await asyncio.sleep(0.2)
        await taking
        writer.close()
        values = await process(far(server, load_facts(tmp_path / "facts")))
        assert isinstance(values["main_cpu_share"], float) and values["main_cpu_share"] > 0.1


async def test_a_user_without_rights_sees_less_and_says_so(server: Server, tmp_path: Path) -> None:
    if os.geteuid() != 0 or not shutil.which("setpriv"):
        pytest.skip("needs root, to become somebody else")
    printed = await taken(tmp_path / "facts", server.port, prefix=NOBODY)
    host = far(server, load_facts(tmp_path / "facts"))
    values = await process(host)
    assert (values["pid"], values["state"] in ("S", "R"), values["num_fds"]) == (server.pid, True, None)
    assert isinstance(values["cpu_share"], float) and isinstance(values["rss_bytes"], int)
    assert (await sockets(host))["listeners"] == 1
    for tool in (log, config_file, disk):
        with pytest.raises(Unanswered) as caught:
            await tool(host)
        assert (caught.value.kind, caught.value.values["locality"]) == ("not-local", "host-facts")
    assert "hush" not in printed


async def test_it_prints_nothing_of_the_environment(server: Server, tmp_path: Path) -> None:
    environment = {**os.environ, "REDISCLI_AUTH": "in-the-environment"}
    assert "in-the-environment" not in await taken(tmp_path / "facts", server.port, env=environment)


async def test_nobody_listens_there(tmp_path: Path) -> None:
    port = free_port()
    await taken(tmp_path / "facts", port)
    facts = load_facts(tmp_path / "facts")
    host = Host(parse_target(f"redis://10.9.8.7:{port}", environ={}), SystemClock(), facts=facts)
    values = await process(host)
    assert (values["locality"], values["listening"]) == ("host-facts", False)
    host.confirm(4711)
    with pytest.raises(Unanswered, match="answers, but nothing listened"):
        await process(host)


class Later(SystemClock):
    """Two hours from now."""

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(hours=2)


@pytest.mark.live
async def test_old_facts_and_those_of_another_server(tmp_path: Path) -> None:
    async with running(installed()[0]) as server:
        await taken(tmp_path / "facts", server.port)
    facts = load_facts(tmp_path / "facts")
    values = await machine(far(server, facts, Later()))
    assert values["facts_old"] is True
    assert isinstance(values["facts_age"], float) and 7190 < values["facts_age"] < 7300
    host = far(server, facts)
    host.confirm(server.pid + 1)
    with pytest.raises(Unanswered) as caught:
        await process(host)
    assert (caught.value.kind, caught.value.values) == ("not-local", {"locality": "other-server"})


async def test_files_that_the_script_did_not_print(tmp_path: Path) -> None:
    file = tmp_path / "facts"
    whole = await taken(file, free_port())
    load_facts(file)
    lines = whole.splitlines(keepends=True)
    for damaged, wrong in (
        ("# Server\nredis_version:7.0.15\n", "line 1: this isn't output of the host script"),
        ("", "line 1: this isn't output"),
        ("".join(lines[:-20]), f"line {len(lines) - 20}: its end is missing"),
        ("".join(lines[:30] + lines[31:]), f"it says {len(lines)} lines and has {len(lines) - 1}"),
        ("".join([*lines[:9], "Last login: Friday\n", *lines[9:]]), "line 10: this isn't from the host script"),
        (whole + "\nroot@host:~# \n", "something follows the end"),
        (whole.replace("@taken ", "@token "), "isn't from the host script"),
    ):
        file.write_text(damaged)
        with pytest.raises(UsageError, match="facts") as caught:
            load_facts(file)
        assert wrong in str(caught.value)
    with pytest.raises(UsageError, match="can't be read"):
        load_facts(tmp_path / "nowhere")


def test_the_command_prints_the_script(capsys: pytest.CaptureFixture[str]) -> None:
    assert host_script(NoInputs()) == 0
    assert capsys.readouterr().out.startswith("#!/bin/sh\n")
