"""The service against what surrounds it: hostile servers, a full disk, a locked database, signals at a bad moment."""

import asyncio
import random
import sqlite3
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path

import psutil
import pytest

from evals.attacks._server import serving
from evals.attacks.floods import FLOODS, LARGE, flooding, packed, right_but, servers
from tests.program import rediagnose
from tests.served import DEAD, QUICK, Desk, desk
from tools.text import printable

pytestmark = [pytest.mark.live, pytest.mark.timeout(1500)]
MIB = 2**20
MOST_MEMORY = 1200 * MIB
"""Far more than the service takes for four investigations, far less than what is sent to it."""
HOSTILE = "x\x1b]0;owned\x07\u202e<script>alert(1)</script>\"'{{7*7}}"


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Desk]:
    async with desk(tmp_path) as one:
        yield one


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """What never answers."""
    while await reader.read(4096):
        pass


async def test_servers_that_flood_dont_stop_the_others(place: Desk) -> None:
    chosen = [
        flooding(*FLOODS["statuses"], quiet=False), flooding(*FLOODS["a bulk"], quiet=True), silent,
        right_but("CLIENT LIST", lambda: packed(LARGE["long names"][1])),
        right_but("INFO", lambda: packed(LARGE["fields"][1]), slowly=True),
        *(serve for _, serve in list(servers(random.Random(18)))[:3]),
    ]  # fmt: skip
    async with AsyncExitStack() as opened:
        ports = [await opened.enter_async_context(serving(one)) for one in chosen]
        served = await place.serve("--model", "offline", "--window", "0.2", "--deadline", "12")
        ids = [await served.opened(title="slow", target=f"redis://127.0.0.1:{port}") for port in ports]
        well, process, most = await served.opened(title="slow", target=DEAD), psutil.Process(served.process.pid), 0
        waits = [asyncio.create_task(served.until(id, "answered", "unanswered")) for id in (*ids, well)]
        while not all(one.done() for one in waits):
            assert (await served.client.get("/healthz")).status_code == 200
            assert (await served.client.get("/v1/incidents")).status_code == 200
            most = max(most, process.memory_info().rss)
            await asyncio.sleep(0.2)
        found = [one.result() for one in waits]
        assert most < MOST_MEMORY
        assert all(one["state"] == "answered" for one in found), [one["problem"] for one in found]
        assert not any("a bug of rediagnose" in one for one in found[0]["diagnosis"]["unknown"])
        for id in ids:
            assert (await served.client.get(f"/incidents/{id}")).status_code == 200


async def test_what_others_wrote_controls_no_terminal_and_no_page(place: Desk) -> None:
    line = f"id=7 addr=127.0.0.1:5 laddr=127.0.0.1:6 fd=8 name={HOSTILE} age=5 idle=1 flags=N db=0 cmd=get\n"
    async with serving(right_but("CLIENT LIST", lambda: packed(line))) as port:
        served = await place.serve(*QUICK)
        target = f"redis://127.0.0.1:{port}"
        id = await served.opened(title=HOSTILE, text=HOSTILE, labels={HOSTILE: HOSTILE}, target=target, key=HOSTILE)
        await served.until(id, "answered")
        note = {"verdict": "wrong", "note": HOSTILE}
        assert (await served.client.post(f"/v1/incidents/{id}/feedback", json=note)).status_code == 201
        for path in ("/", f"/incidents/{id}", f"/v1/incidents/{id}", "/metrics"):
            text = (await served.client.get(path)).text
            assert not set(text) & set("\x1b\x07\u202e"), path
            assert "<script>alert" not in text or path.startswith("/v1/"), path
        for verb in (("list",), ("show", id)):
            said = await rediagnose("incidents", *verb, XDG_STATE_HOME=str(place.folder / "state"))
            assert said.status == 0 and printable(said.out) == said.out
        assert not set("".join(served.said)) & set("\x1b\x07\u202e")


async def test_two_incidents_of_one_target_are_looked_at_one_after_the_other(place: Desk) -> None:
    async with serving(silent) as port:
        served = await place.serve("--model", "offline")
        target = f"redis://127.0.0.1:{port}"
        first, second = [await served.opened(title="slow", target=target, key=key) for key in "ab"]
        await served.until(first, "looking")
        while (found := await served.incident(first))["state"] == "looking":
            assert (await served.incident(second))["state"] == "queued" or (await served.incident(first))["diagnosis"]
            await asyncio.sleep(0.2)
        assert found["diagnosis"]["outcome"] == "diagnosed"
        await served.until(second, "answered")


async def test_a_signal_in_the_middle_ends_it_and_the_next_one_carries_on(place: Desk) -> None:
    async with serving(silent) as port:
        served = await place.serve("--model", "offline")
        id = await served.opened(title="slow", target=f"redis://127.0.0.1:{port}")
        await served.until(id, "looking")
        assert await served.stop() == 0
        assert "Traceback" not in "".join(served.said)
        served = await place.serve("--model", "offline")
        assert (await served.until(id, "answered", "unanswered"))["state"] == "answered"


async def test_a_database_that_another_process_locks_is_waited_for(place: Desk) -> None:
    served = await place.serve(*QUICK)
    before = await served.opened(title="slow", target=DEAD)
    await served.until(before, "answered")
    file = place.folder / "state/rediagnose/service/incidents.sqlite"
    holder = sqlite3.connect(file, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    waits = asyncio.create_task(served.client.post("/v1/incidents", json={"title": "x", "target": DEAD, "key": "a"}))
    assert (await served.client.get("/healthz")).status_code == 200
    assert (await served.incident(before))["state"] == "answered"
    answer = await waits
    assert answer.status_code == 503 and int(answer.headers["retry-after"]) > 0, answer.text
    holder.execute("ROLLBACK")
    holder.close()
    id = await served.opened(title="x", target=DEAD, key="a")
    await served.until(id, "answered")
    assert "Traceback" not in "".join(served.said)


@contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """A disk of 64 KiB there; the test is skipped where we can't have one."""
    folder.mkdir(parents=True)
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", folder], capture_output=True, check=False)
    if made.returncode:
        pytest.skip("a small disk takes root")
    try:
        (folder / "filler").write_bytes(b"x" * 60 * 1024)
        yield
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


async def test_a_full_disk_costs_the_recording_and_not_the_answer(place: Desk) -> None:
    with small_disk(place.folder / "state/rediagnose/service/recordings"):
        served = await place.serve(*QUICK)
        line = packed("id=7 addr=127.0.0.1:5 laddr=127.0.0.1:6 fd=8 name=app age=5 idle=1 flags=N db=0 cmd=get\n" * 300)
        async with serving(right_but("CLIENT LIST", lambda: line)) as port:
            id = await served.opened(title="slow", target=f"redis://127.0.0.1:{port}")
            found = await served.until(id, "answered", "unanswered")
        assert found["state"] == "answered", found["problem"]
        assert "Traceback" not in "".join(served.said)
        dead = await served.opened(title="slow", target=DEAD)
        assert (await served.until(dead, "answered", "unanswered"))["state"] == "answered"
