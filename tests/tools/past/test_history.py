"""What changed, by a real Prometheus: of servers as they are scraped, and of a past that is made up."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime

import pytest

from evals.lab.servers import free_port, installed, running, start
from evals.lab.wire import crew
from tests.looking import looking, number
from tests.prometheus import LOGIN, Sample, exporter, needs_prometheus, prometheus
from tools.clock import SystemClock
from tools.connection.budget import Budget
from tools.connection.node import Node
from tools.connection.target import parse_target
from tools.errors import ToolError, Unanswered, UsageError
from tools.past.history import History, history, parse_moment
from tools.records import Values
from tools.redact import Pseudonyms

MB = 2**20
CALM = 12
"""Seconds of a live past: a page's ten seconds, and what is before."""
HOURS = 3600.0


def past_of(url: str | None, at: datetime | None = None) -> History:
    return History(url, SystemClock(), at)


def mute(port: int) -> Node:
    """A node where nobody listens."""
    return Node(parse_target(f"redis://127.0.0.1:{port}", environ={}), SystemClock(), Budget(), Pseudonyms())


def fields(values: Values) -> list[object]:
    """What changed, in its order."""
    return [value for key, value in values.items() if key.startswith("changed") and key.endswith(".field")]


def unix(values: Values, key: str) -> float:
    return datetime.fromisoformat(str(values[key])).timestamp()


@pytest.mark.live
@needs_prometheus
async def test_what_changed_on_live_servers() -> None:
    async with AsyncExitStack() as stack:
        servers = [await stack.enter_async_context(running(kind)) for kind in installed()]
        looks = [await stack.enter_async_context(looking(server)) for server in servers]
        hands = await stack.enter_async_context(crew())
        url = await stack.enter_async_context(
            prometheus([await stack.enter_async_context(exporter(server)) for server in servers])
        )
        await asyncio.sleep(CALM)
        began = time.time()
        for server, (_, wire) in zip(servers, looks, strict=True):
            for _ in range(80):
                await hands.dial(server.url)
            for index in range(40):
                await wire.ask("SET", f"key:{index}", "x" * MB)
        await asyncio.sleep(5)
        for server, (node, _) in zip(servers, looks, strict=True):
            values = await history(node, past_of(url), minutes=1)
            name = server.kind.name
            assert (values["matched_by"], values["sources"]) == ("run_id", 1), name
            assert {"connected_clients", "used_memory"} <= set(fields(values)[:4]), (name, fields(values))
            assert number(values, "connected_clients.before") < 10 and number(values, "connected_clients.now") >= 80
            assert number(values, "used_memory.change") > 30 * MB
            assert number(values, "cmdstat_set.calls.rate.before") == 0 < number(values, "cmdstat_set.calls.rate.at")
            assert abs(unix(values, "changed1.when") - began) <= 4, name
            assert (values["redis_up.at"], values["restarts"], values["scrape_seconds"]) == (1, 0, 1), name
            assert values["rdb_last_bgsave_status.at"] == "ok" and values["master_link_status"] is None
            assert number(values, "samples") < 35 and number(values, "gap_share") > 0.4, name


@pytest.mark.live
@needs_prometheus
async def test_a_restart_and_the_gap_that_it_left() -> None:
    kind, port = installed()[0], free_port()
    first = await start(kind, port=port)
    async with exporter(first) as scraped, prometheus([scraped]) as url:
        await asyncio.sleep(CALM)
        await first.stop()
        await asyncio.sleep(2)
        again = await start(kind, port=port)
        began = time.time()
        try:
            await asyncio.sleep(4)
            async with looking(again) as (node, _):
                values = await history(node, past_of(url), minutes=1)
        finally:
            await again.stop()
    assert values["restarts"] == 1
    assert abs(unix(values, "restarted") - began) <= 2
    assert values["changed1.field"] == "redis_up"
    assert (values["redis_up.before"], values["redis_up.at"], values["redis_up.now"]) == (1, 0, 1)
    assert (values["changed1.before"], values["changed1.at"], values["changed1.ratio"]) == (1, 0, 0)


def made_up(labels: dict[str, str], info: dict[str, str], page: float) -> list[Sample]:
    """Four hours of scrapes: eight minutes before the page clients pile up and are turned away, for half an hour."""
    past = []
    for index in range(16 * 60):
        at = page - 2 * HOURS + index * 15
        bad = page - 480 <= at < page + 1800
        nightly = index % 80 == 0
        told = {
            "up": 1.0, "redis_up": 1.0, "redis_connected_clients": 900.0 if bad else 50 + index % 5,
            "redis_blocked_clients": 100.0 if nightly or at == page else 0.0,
            "redis_memory_used_bytes": 200e6 + index % 7 * 1e5, "redis_rdb_last_bgsave_status": 0.0 if bad else 1.0,
            "redis_start_time_seconds": page - 5e5, "redis_commands_processed_total": index * 15e3,
            "redis_rejected_connections_total": max(0.0, min(at, page + 1800) - page + 480) * 20,
        }  # fmt: skip
        past += [Sample(metric, labels, value, at) for metric, value in told.items()]
        past.append(Sample("redis_instance_info", {**labels, **info}, 1, at))
        past.append(Sample("redis_commands_total", {**labels, "cmd": "get"}, index * 15e3, at))
        past.append(Sample("redis_commands_duration_seconds_total", {**labels, "cmd": "get"}, index * 0.1, at))
        past.append(Sample("redis_errors_total", {**labels, "err": "OOM now call 555"}, at - page if bad else 0, at))
    return past


@asynccontextmanager
async def kept(page: float, **info: str) -> AsyncIterator[str]:
    """A Prometheus with that past of 10.0.0.5's server, and of another one."""
    ours = {"job": "redis", "instance": "10.0.0.5:9121"}
    other = {"job": "redis", "instance": "10.0.0.6:6379"}
    past = [*made_up(ours, info, page), *made_up(other, {"run_id": "f" * 40}, page - 300)]
    async with prometheus(past=past) as url:
        yield url


@pytest.mark.live
@needs_prometheus
async def test_before_at_and_after_a_page_of_hours_ago() -> None:
    page = (time.time() // 60 - 180) * 60
    async with running(installed()[0]) as server, looking(server) as (node, wire):
        run_id = next(line[7:] for line in (await wire.ask("INFO", "server")).splitlines() if line.startswith("run_id"))
        async with kept(page, run_id=run_id, tcp_port="6379") as url:
            clock = datetime.fromtimestamp(page).strftime("%H:%M")
            values = await history(node, past_of(url), at=clock, minutes=60)
            by_default = await history(node, past_of(url, datetime.fromtimestamp(page, UTC)), minutes=60)
            calm = await history(
                node, past_of(url), at=datetime.fromtimestamp(page + 6000, UTC).isoformat(), minutes=30
            )
    assert values == by_default
    assert unix(values, "at") == page
    assert (values["matched_by"], values["instance"], values["job"]) == ("run_id", "10.0.0.5:9121", "redis")
    assert (values["connected_clients.before"], values["connected_clients.at"]) == (54, 900)
    assert values["connected_clients.now"] is None, "the last sample is an hour old"
    assert (values["rdb_last_bgsave_status.before"], values["rdb_last_bgsave_status.at"]) == ("ok", "err")
    assert number(values, "rejected_connections.rate.at") == pytest.approx(20, rel=0.1)
    assert number(values, "total_commands_processed.rate.before") == pytest.approx(1000, rel=0.01)
    assert "total_commands_processed.rate" not in fields(values) and "used_memory" not in fields(values)
    first = {"connected_clients", "rejected_connections.rate", "rdb_last_bgsave_status"}
    assert first <= set(fields(values)[:4]), fields(values)
    place = fields(values).index("connected_clients") + 1
    assert abs(unix(values, f"changed{place}.when") - (page - 480)) <= 60
    assert number(values, f"changed{place}.seconds") == pytest.approx(2280, abs=120)
    # What happens every twenty minutes comes last, however large.
    assert fields(values)[-1] == "blocked_clients" and values[f"changed{values['changed']}.seen_before"] is True
    assert (values["scrape_seconds"], values["gap_share"], values["longest_gap_seconds"]) == (15, 0, 0)
    assert "errorstat_error#1.count.rate.at" in values and not any("555" in str(part) for part in values.items())
    assert number(calm, "changed") <= 1 and calm["connected_clients.now"] is None


@pytest.mark.live
@needs_prometheus
async def test_a_mute_server_is_found_by_its_address() -> None:
    page = time.time() - 3 * HOURS
    at, port = past_of(None, datetime.fromtimestamp(page, UTC)).at, free_port()
    labels = {"job": "redis", "instance": f"redis://127.0.0.1:{port}"}
    beside = {"job": "beside", "instance": "127.0.0.1:9121"}
    past = [*made_up(labels, {}, page), *made_up(beside, {"tcp_port": str(port + 1)}, page)]
    async with prometheus(past=past) as url:
        by_label = await history(mute(port), past_of(url, at))
        by_port = await history(mute(port + 1), past_of(url, at))
        with pytest.raises(Unanswered) as nobody:
            await history(mute(port + 2), past_of(url, at))
        with pytest.raises(Unanswered) as too_early:
            await history(mute(port), past_of(url, datetime.fromtimestamp(page - 24 * HOURS, UTC)))
    assert (by_label["matched_by"], by_label["instance"]) == ("instance", "label#1")
    assert (by_port["matched_by"], by_port["job"]) == ("tcp_port", "beside")
    assert by_label["connected_clients.at"] == by_port["connected_clients.at"] == 900
    assert (nobody.value.kind, nobody.value.values["instances"]) == ("not-recorded", 2)
    assert too_early.value.kind == "not-recorded"


@pytest.mark.live
@needs_prometheus
async def test_a_password_is_asked_for_and_never_told() -> None:
    async with prometheus(web=LOGIN) as url:
        with pytest.raises(Unanswered) as none:
            await history(mute(1), past_of(url))
        with pytest.raises(Unanswered) as wrong:
            await history(mute(1), past_of(url.replace("//", "//reader:guess%21@")))
        with pytest.raises(Unanswered) as right:
            await history(mute(1), past_of(url.replace("//", "//reader:test@")))
    assert [one.value.kind for one in (none, wrong, right)] == ["noauth", "wrongpass", "not-recorded"]
    assert not any(secret in str(one.value) for one in (wrong, right) for secret in ("guess", ":test", "reader"))


async def test_a_prometheus_that_gives_no_answer() -> None:
    async def closes(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async def says(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(65536)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 15\r\nConnection: close\r\n\r\n<html>in</html>")
        await writer.drain()
        writer.close()

    kinds = []
    for serve in (closes, says):
        async with await asyncio.start_server(serve, "127.0.0.1", 0) as listener:
            port = listener.sockets[0].getsockname()[1]
            for scheme in ("http", "https"):
                with pytest.raises(Unanswered) as failed:
                    await history(mute(1), past_of(f"{scheme}://127.0.0.1:{port}"))
                kinds.append(failed.value.kind)
    for url in (f"http://127.0.0.1:{free_port()}", "http://nobody.invalid:9090", None):
        with pytest.raises(Unanswered) as failed:
            await history(mute(1), past_of(url))
        kinds.append(failed.value.kind)
    assert kinds == ["reset", "tls", "unknown-command", "tls", "refused", "dns", "not-recorded"]
    with pytest.raises(UsageError, match="--prometheus"):
        past_of("prom:9090")


async def test_a_prometheus_that_hangs() -> None:
    accepted: list[asyncio.StreamWriter] = []

    async def hangs(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        accepted.append(writer)

    async with await asyncio.start_server(hangs, "127.0.0.1", 0) as listener:
        with pytest.raises(Unanswered) as failed:
            url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
            await history(mute(1), History(url, SystemClock(), deadline=0.5))
        for writer in accepted:
            writer.close()
    assert failed.value.kind == "timeout" and accepted
    assert "at" in failed.value.values


async def test_the_moment_that_a_person_means() -> None:
    now = datetime.now().astimezone()
    for minutes in range(0, 24 * 60, 7):
        text = f"{minutes // 60}:{minutes % 60:02}"
        meant = parse_moment(text, now).astimezone()
        assert meant <= now and (now - meant).total_seconds() <= 25 * HOURS
        assert (meant.hour, meant.minute) == divmod(minutes, 60)
    assert parse_moment("2026-05-04T14:05:00+02:00", now) == datetime(2026, 5, 4, 12, 5, tzinfo=UTC)
    with pytest.raises(ToolError, match="use 14:05"):
        await history(mute(1), past_of("http://127.0.0.1:1"), at="25:00")
    with pytest.raises(ToolError, match="is in the future"):
        await history(mute(1), past_of("http://127.0.0.1:1"), at="2999-01-01T00:00Z")
