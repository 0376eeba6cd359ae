"""The causes of persistence on live faults: the fault is there, its cause comes first, its twin is told apart."""

import asyncio
import os
import random
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import hiredis
import pytest

from evals.lab.catalogue import FAULTS
from evals.lab.fault import NO_FAULT, Fault
from evals.lab.servers import ServerKind, installed
from evals.lab.wire import dial
from tests.program import checked, triage

pytestmark = pytest.mark.live

OURS = tuple(id for id, fault in FAULTS.items() if fault.family == "persistence")
Said = Callable[[str, dict[str, Any]], bool]


def gave_up(words: re.Pattern[str], log: str, info: dict[str, Any]) -> bool:
    """Whether a log says so, of a server that isn't there."""
    return bool(words.search(log)) and not info


EVIDENCE: dict[str, Said] = {
    "bgsave-disk-full": lambda log, info: "No space left" in log and info["rdb_last_bgsave_status"] == "err",
    "bgsave-disk-was-full": lambda log, info: "No space left" in log and info["rdb_last_bgsave_status"] == "err",
    "fork-denied": lambda log, info: (
        "fork: Resource temporarily unavailable" in log and info["rdb_last_bgsave_time_sec"] == "-1"
    ),
    "fork-denied-memory": lambda log, info: (
        "fork: Cannot allocate memory" in log and info["rdb_last_bgsave_time_sec"] == "-1"
    ),
    "aof-disk-full": lambda log, info: info["aof_last_write_status"] == "err",
    "aof-disk-full-ended": lambda log, info: "Can't recover from AOF write error" in log and not info,
    "fsync-always-slow": lambda log, info: info["aof_enabled"] == "1" and info["aof_delayed_fsync"] == "0",
    "fsync-everysec-slow": lambda log, info: "fsync is taking too long" in log and info["aof_delayed_fsync"] != "0",
    "fsync-everysec-slow-rewrite": lambda log, info: info["aof_rewrite_in_progress"] == "1",
    "aof-corrupt-start": lambda log, info: bool(re.search("Bad file format|Unexpected end of file", log)) and not info,
    "aof-enabled-by-restart": lambda log, info: info["aof_enabled"] == "1" and int(info["rdb_saves_before"]) > 256,
    "cow-blowup": lambda log, info: int(info["rdb_last_cow_size"]) > 32 * 2**20,
    **{
        f"start-failed-{what}": partial(gave_up, re.compile(words))
        for what, words in {
            "config": "FATAL CONFIG|can't open config|Unresolved|Can't chdir|Cannot assign requested",
            "dump-version": "Can't handle RDB format version",
            "dump-foreign": "Wrong signature",
            "dump-corrupt": "Internal error in RDB|Short read|Unknown RDB|CRC|checksum",
            "acl": "ACL",
            "module": "failed to load",
            "tls": "Failed to (load|configure)",
            "port": "Address already in use",
            "permission": "Permission denied",
        }.items()
    },
    "process-down-later": lambda log, info: "Ready to accept" in log and not info,
    "save-path-permission": lambda log, info: "Permission denied" in log and info["rdb_last_bgsave_status"] == "err",
    "save-path-read-only": lambda log, info: "Read-only" in log and info["rdb_last_bgsave_status"] == "err",
    "save-path-missing": lambda log, info: "No such file" in log and info["rdb_last_bgsave_status"] == "err",
    "save-stuck": lambda log, info: "1" in (info["rdb_bgsave_in_progress"], info["aof_rewrite_in_progress"]),
    **dict.fromkeys(
        ("aof-rewrite-permission", "aof-rewrite-disk", "aof-rewrite-fork"),
        lambda log, info: info["aof_last_bgrewrite_status"] == "err",
    ),
    "cow-blowup-killed": lambda log, info: "terminated by signal 9" in log,
}


def kind_of(fault: Fault, other: Fault | None = None) -> ServerKind:
    """One server for each, another for the next."""
    usable = [kind for kind in installed() if not any(one.unavailable(kind) for one in (fault, other) if one)]
    if not usable:
        why = {one.unavailable(kind) for kind in installed() for one in (fault, other) if one}
        pytest.skip("; ".join(sorted(filter(None, why))) or "no server here")
    return usable[sorted(FAULTS).index(fault.id) % len(usable)]


def right(fault: Fault, answer: dict[str, Any]) -> None:
    checked(answer)
    if fault.cause == NO_FAULT:
        assert answer["outcome"] == "no-fault", answer["causes"]
        assert [step for step in answer["plan"] if step["needs_approval"]] == []
        return
    ids = [cause["id"] for cause in answer["causes"]]
    assert ids[:1] == [fault.cause], answer["findings"]
    assert set(fault.also) <= set(ids)
    assert answer["plan"]
    for step in answer["plan"]:
        assert not [wrong for wrong in fault.never if re.search(wrong, step["action"], re.IGNORECASE)]


async def seen(url: str, pid: int, options: tuple[str, ...]) -> tuple[str, dict[str, str]]:
    """The log, and INFO with the size of a snapshot that lies in the data folder; empty for a server that is gone."""
    if options:
        return Path(options[1]).read_text(errors="replace"), {}
    wire = await dial(url, timeout=10)
    text = await wire.ask("INFO", "everything", timeout=10)
    _, log = await wire.ask("CONFIG", "GET", "logfile", timeout=10)
    await wire.close()
    info = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    dump = Path(f"/proc/{pid}/cwd/dump.rdb")
    return Path(log).read_text(errors="replace"), {
        **info,
        "rdb_saves_before": str(os.path.getsize(dump) if dump.exists() else 0),
    }


async def misconf(url: str) -> bool:
    """Whether a write gets what the ticket speaks of."""
    wire = await dial(url)
    try:
        await wire.ask("SET", "session:0:probe", 1)
    except hiredis.ReplyError as error:
        return str(error).startswith("MISCONF")
    finally:
        await wire.close()
    return False


@pytest.mark.parametrize("id", OURS)
async def test_the_cause_comes_first(id: str) -> None:
    fault = FAULTS[id]
    async with fault.begin(kind_of(fault), random.Random(41)) as incident:
        if fault.cause != NO_FAULT:
            if id in EVIDENCE:
                log, info = await seen(incident.url, incident.pid, incident.arguments)
                assert EVIDENCE[id](log, info), (log[-2000:], info)
            else:
                # All that there is to see is what somebody pasted.
                assert "\n" in incident.ticket
            if "MISCONF" in incident.ticket:
                assert await misconf(incident.url)
        answer = await triage(incident.url, incident.ticket, *incident.arguments)
    right(fault, answer)


async def test_a_snapshot_lets_the_writes_in_again_once_there_is_room(kind: ServerKind) -> None:
    fault = FAULTS["bgsave-disk-was-full"]
    if reason := fault.unavailable(kind):
        pytest.skip(reason)
    async with fault.begin(kind, random.Random(47)) as incident:
        answer = await triage(incident.url, incident.ticket)
        assert "BGSAVE" in [step["action"] for step in answer["plan"] if step["needs_approval"]]
        assert incident.fixed and not await incident.fixed()
        wire = await dial(incident.url)
        await wire.ask("BGSAVE")
        await wire.close()
        for _ in range(20):
            if await incident.fixed():
                break
            await asyncio.sleep(0.2)
        else:
            raise AssertionError("BGSAVE didn't fix it")


async def test_everysec_ends_the_waiting_of_always(kind: ServerKind) -> None:
    fault = FAULTS["fsync-always-slow"]
    if reason := fault.unavailable(kind):
        pytest.skip(reason)
    async with fault.begin(kind, random.Random(53)) as incident:
        answer = await triage(incident.url, incident.ticket)
        assert "CONFIG SET appendfsync everysec" in [step["action"] for step in answer["plan"]]
        wire = await dial(incident.url, timeout=10)
        await wire.ask("CONFIG", "SET", "appendfsync", "everysec", timeout=10)
        await wire.close()
        later = await triage(incident.url, incident.ticket)
    assert "fsync-always-slow" not in [finding["id"] for finding in later["findings"]]
