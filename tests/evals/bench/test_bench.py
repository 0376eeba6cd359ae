"""The bench itself: no part ends the others, and what it runs is measured from outside."""

import asyncio
import os
import signal
import sys
import time
from pathlib import Path

import pytest

from evals.bench.__main__ import Measure, main, measure
from evals.bench.clients import clients
from evals.bench.nodes import nodes
from evals.bench.paced import POOL
from evals.bench.page import Page
from evals.bench.records import Gate
from evals.bench.spent import ROOT, run
from evals.lab.servers import LabError, ServerKind, running

KIND = ServerKind(name="valkey-9.1", binary=Path("/nowhere"), version="9.1.2")


async def fine(kind: ServerKind, page: Page) -> None:
    page.gate(Gate(name="fine", limit=1, value=0, low=0, high=0))


async def failing(kind: ServerKind, page: Page) -> None:
    page.note("measured before")
    raise LabError("valkey-9.1 ended")


async def stuck(kind: ServerKind, page: Page) -> None:
    page.note("measured before")
    await asyncio.sleep(60)


async def interrupted(kind: ServerKind, page: Page) -> None:
    page.note("measured before")
    raise asyncio.CancelledError


MEASURES: dict[str, Measure] = {"fine": fine, "failing": failing, "stuck": stuck, "interrupted": interrupted}


async def test_a_part_that_fails_is_one_that_cant_tell() -> None:
    report = await measure(["failing", "fine"], KIND, time.monotonic(), MEASURES)
    failed, held = report.parts
    assert failed.notes == ("measured before",)
    assert failed.gates[0].outcome == "can't tell here"
    assert failed.gates[0].why.startswith("LabError: valkey-9.1 ended (test_bench.py, line ")
    assert held.gates[0].outcome == "held"
    assert report.status == 3


async def test_the_time_that_is_used_up_ends_a_part() -> None:
    report = await measure(["stuck"], KIND, time.monotonic() - 1000, MEASURES)
    assert report.parts[0].notes == ("measured before",)
    assert report.parts[0].gates[0].why == "the bench's time is used up"


async def test_an_interruption_keeps_what_was_measured() -> None:
    report = await measure(["fine", "interrupted", "failing"], KIND, time.monotonic(), MEASURES)
    assert [part.name for part in report.parts] == ["fine", "interrupted"]
    assert report.status == 130


def test_an_unknown_part_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["nonsense"])
    assert ended.value.code == 2
    assert "no such part: nonsense; available are start-up" in capsys.readouterr().err


async def test_a_program_is_measured_from_outside() -> None:
    done = await run(sys.executable, "-c", "import os; print(os.environ.get('REDIAGNOSE_MODEL')); raise SystemExit(7)")
    assert (done.status, done.out) == (7, "None\n")
    assert done.cpu > 0
    slow = await run(sys.executable, "-c", "import time; held = b'x' * 60_000_000; time.sleep(0.5)")
    assert slow.memory is None or slow.memory > 50
    killed = await run(sys.executable, "-c", "import os; os.kill(os.getpid(), 9)")
    assert killed.status == -9


async def test_an_interruption_ends_the_program_that_is_measured(tmp_path: Path) -> None:
    noted = tmp_path / "pid"
    text = f"import os, time; open({str(noted)!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    task = asyncio.create_task(run(sys.executable, "-c", text))
    while not (noted.exists() and noted.read_text()):
        await asyncio.sleep(0.02)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    with pytest.raises(ProcessLookupError):
        os.kill(int(noted.read_text()), 0)


def page(name: str) -> Page:
    return Page(name, lambda text: None, time.monotonic() + 250)


async def test_a_paced_load_is_timed_by_the_kernel(kind: ServerKind) -> None:
    async with running(kind) as server:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "evals.bench.paced", server.host, str(server.port), str(server.pid), "400", "60",
            stdout=asyncio.subprocess.PIPE, cwd=ROOT,
        )  # fmt: skip
        assert process.stdout is not None
        assert await process.stdout.readline() == b"ready\n"
        await asyncio.sleep(1)
        server.signal(signal.SIGSTOP)
        await asyncio.sleep(0.3)
        server.signal(signal.SIGCONT)
        await asyncio.sleep(0.5)
        os.kill(process.pid, signal.SIGTERM)
        out, _ = await process.communicate()
    assert process.returncode == 0
    took = [float(line.split()[2]) for line in out.decode().splitlines() if line.startswith("took")]
    assert len(took) > POOL
    # Batches that were on their way when the server stood still, and no others: its stop is theirs.
    assert max(took) > 250
    assert sorted(took)[len(took) // 4] < 250
    assert min(took) > 0


async def test_commands_for_each_node_dont_grow_with_the_nodes(kind: ServerKind) -> None:
    written = page("nodes")
    await nodes(kind, written, (3, 6))
    three, six = [row for row in written.part.rows if row.way == "triage"]
    assert three.commands
    assert six.commands
    assert six.commands / 6 <= 1.1 * three.commands / 3
    assert three.memory and three.served


async def test_commands_dont_grow_with_the_clients(kind: ServerKind) -> None:
    written = page("clients")
    await clients(kind, written, (10, 200))
    few, many = [row for row in written.part.rows if row.way == "triage"]
    assert few.commands
    assert many.commands
    assert many.commands <= few.commands + 10
