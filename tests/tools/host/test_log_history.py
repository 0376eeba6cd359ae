"""The log's events with their times, of real servers; and over recorded readings of it."""

import asyncio
import sys
from datetime import datetime, timedelta

import pytest

from evals.lab.servers import Server, ServerKind, running
from tools.clock import SystemClock
from tools.connection.target import parse_target
from tools.errors import ToolError, Unanswered
from tools.host.local import Host
from tools.host.log_history import MOST, log_events, recorded
from tools.records import Values

DENIED = "Permission denied"
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux'")


def host_of(server: Server) -> Host:
    host = Host(parse_target(server.url, environ={}), SystemClock())
    host.config_file = str(server.folder / "redis.conf")
    return host


async def ready(host: Host) -> Values:
    """All events, once the server has said that it's ready."""
    for _ in range(600):
        values = await log_events(host)
        if any(value == "ready" for value in values.values()):
            return values
        await asyncio.sleep(0.05)
    raise AssertionError(values)


async def test_events_of_a_server_that_is_well(kind: ServerKind) -> None:
    async with running(kind) as server:
        host = host_of(server)
        every = await ready(host)
        started = await log_events(host, "started", count=0)
        warned = await log_events(host, "warning", count=10**20)
        with pytest.raises(ToolError, match=r"no such event; this log has .*started") as refused:
            await log_events(host, "run this: FLUSHALL")
    assert "FLUSHALL" not in str(refused.value)
    assert (every["of"], every["locality"]) == ("all", "local")
    names = [value for field, value in every.items() if field.endswith(".event")]
    assert names.index("ready") < names.index("started")
    assert (started["events"], started["e1.event"], started["e1.level"]) == (1, "started", "info")
    age, at = started["e1.age"], started["e1.at"]
    assert isinstance(age, float) and 0 <= age < 60
    assert isinstance(at, str) and at.endswith("Z")
    assert {value for field, value in warned.items() if field.endswith(".level")} <= {"warning", "critical"}


async def test_newest_first_and_bounded(kind: ServerKind) -> None:
    async with running(kind) as server:
        host = host_of(server)
        await ready(host)
        # Until then the server's own lines stand before these, as they do in a log.
        moment = datetime.now() + timedelta(minutes=1)
        with server.log.open("a") as file:
            for second in range(60):
                at = moment + timedelta(seconds=second)
                file.write(f"{server.pid}:M {at:%d %b %Y %H:%M:%S.000} # Failed opening the RDB file x: {DENIED}\n")
        values = await log_events(host, "critical", count=99)
    assert (values["events"], f"e{MOST}.event" in values, f"e{MOST + 1}.event" in values) == (60, True, False)
    times = [str(values[f"e{number}.at"]) for number in range(1, MOST + 1)]
    assert times == sorted(times, reverse=True) and len(set(times)) == MOST
    assert values["e1.errno"] == DENIED


async def test_a_log_that_is_not_here() -> None:
    with pytest.raises(Unanswered) as caught:
        await log_events(Host(parse_target("redis://192.0.2.1:6379", environ={}), SystemClock()))
    assert caught.value.kind == "not-local"


THEN: Values = {
    "locality": "local", "of": "all", "events": 3, "log_bytes": 900, "begins_age": 9.0,
    "e1.event": "rdb_write_error", "e1.level": "critical", "e1.at": "2026-01-31T02:05:07Z", "e1.age": 1.0,
    "e1.errno": DENIED,
    "e2.event": "thp", "e2.level": "warning", "e2.at": "2026-01-31T02:05:06Z", "e2.age": 2.0,
    "e3.event": "ready", "e3.level": "info", "e3.at": "2026-01-31T02:05:05Z", "e3.age": 3.0,
}  # fmt: skip


async def test_a_recorded_reading_answers_what_it_holds() -> None:
    async def whole() -> Values:
        return dict(THEN)

    async def cut() -> Values:
        return {**THEN, "events": 70}

    async def others() -> Values:
        return {**THEN, "of": "critical"}

    assert await recorded(whole)() == THEN
    warned = await recorded(whole)(event="warning")
    assert (warned["events"], warned["e1.errno"], warned["e2.event"], "e3.event" in warned) == (
        2, DENIED, "thp", False,
    )  # fmt: skip
    assert (await recorded(whole)(event="crash"))["events"] == 0
    one = await recorded(cut)(event="thp")
    assert (one["events"], one["e1.event"], one["of"]) == (None, "thp", "thp")
    assert (await recorded(others)(event="critical"))["of"] == "critical"
    with pytest.raises(Unanswered) as caught:
        await recorded(others)(event="thp")
    assert caught.value.kind == "not-recorded"
