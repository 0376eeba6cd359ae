"""What a new release's INFO brings is noticed; what these releases have is weighed, or said to mean nothing."""

import asyncio
import sys

import pytest

from evals.lab.servers import ServerKind, running
from evals.lab.wire import dial
from evals.unknown_fields import is_explained, unknown, unremarkable
from tests.program import ROOT


def test_a_field_that_no_code_knows_is_noticed() -> None:
    text = "# Stats\r\nexpired_keys:0\r\nexpired_dreams:0\r\nlast_dream_status:err\r\n# Moons\r\nmoon_phase:full\r\n"
    assert list(unknown(text)) == [("stats", "expired_dreams"), ("moons", "moon_phase")]


@pytest.mark.parametrize(
    ("tool", "field"),
    [
        ("info", "rejected_connections.delta"), ("persistence", "aof_last_write_status"), ("info", "future_status"),
        ("clients", "omem_max.address"), ("replication", "replica1.lag_bytes"), ("info", "errorstat_OOM.count.delta"),
        ("info", "gcc_version"), ("info", "used_cpu_sys_main_thread.rate"),
    ],
)  # fmt: skip
def test_what_is_weighed_or_said_to_mean_nothing_is_explained(tool: str, field: str) -> None:
    assert is_explained(tool, field)


@pytest.mark.parametrize(
    ("tool", "field"), [("info", "expired_dreams.delta"), ("info", "total_dreams"), ("process", "gcc_version")]
)
def test_nothing_is_explained_by_what_is_written_for_another_field(tool: str, field: str) -> None:
    assert not is_explained(tool, field)


def test_every_line_says_why() -> None:
    for one in unremarkable():
        assert len(one.why.split()) >= 5 and one.why.endswith(".") and one.fields


@pytest.mark.live
async def test_every_field_of_a_server_is_known(kind: ServerKind) -> None:
    async with running(kind, appendonly="yes") as server:
        wire = await dial(server.url)
        try:
            assert list(unknown(str(await wire.ask("INFO", "everything")))) == []
        finally:
            await wire.close()


@pytest.mark.live
async def test_the_command_asks_a_server(kind: ServerKind) -> None:
    async with running(kind) as server:
        command = [sys.executable, "-m", "evals.unknown_fields", server.url]
        done = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=asyncio.subprocess.PIPE)
        assert done.stdout
        assert (await done.stdout.read()).decode() == f"{server.url}: 0 fields that no code knows\n"
        assert await done.wait() == 0
