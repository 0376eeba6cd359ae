"""A served recording after its end: every client sees a server that lives on, and its replies agree with each other."""

import asyncio
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from redis.asyncio import Redis
from redis.exceptions import NoPermissionError, ResponseError

from evals.command_table import said_by
from evals.lab.servers import ServerKind, free_port
from evals.scoring.scenario import BUNDLED
from tests.prometheus import program
from tests.tools.record.test_replay import cli, needs_cli
from tools.connection.protocol import ServerError
from tools.record.command_table import commands_of
from tools.record.continuation import OPENING
from tools.record.continued_text import parts
from tools.record.field_classes import class_of
from tools.record.load import load
from tools.record.playhead import Moment
from tools.record.serve import Served, serving
from tools.record.tape import Tape, key

EXPORTER = shutil.which("prometheus-redis-exporter")
RECORDINGS = sorted(BUNDLED.glob("*.jsonl.gz"))[7::71]
BUSY = BUNDLED / "s0344.jsonl.gz"
"""A server with a slow command once a second, and traffic."""
OLDER = BUNDLED / "s0324.jsonl.gz"
"""A cluster of Redis 6.2."""


class Listener:
    """A client without a socket, at any moment."""

    def __init__(self, served: Served, number: int = 0) -> None:
        self.node = served.nodes[number]
        self._session = self.node.session("127.0.0.1:1", "127.0.0.1:2")

    def ask(self, now: float, *words: str) -> Any:
        return self.node.unmapped(self._session, key(words), now)[0]

    def numbers(self, now: float) -> dict[str, str]:
        """INFO's numbers; none if it says none."""
        said = self.ask(now, "INFO", "everything")
        lines = said.split("\r\n") if isinstance(said, str) else []
        return {part.field: part.text for line in lines for part in parts(line) if part.field}


def moments(served: Served) -> list[float]:
    """Around the end, around the seams, and long after."""
    ends, length = served.tape.ends, served.stretch.length
    return sorted((ends - 0.1, ends + 0.1, ends + length - 0.01, ends + length + 0.01, ends + 2.5 * length, ends + 100,
                   ends + 300, ends + 301))  # fmt: skip


@pytest.mark.parametrize("file", RECORDINGS, ids=lambda file: file.name.partition(".")[0])
async def test_counters_rise_clocks_run_and_replies_agree(file: Path) -> None:
    served = Served(Tape(load(file)), Moment())
    for number in range(len(served.nodes)):
        listener, before, last = Listener(served, number), dict[str, str](), 0.0
        for now in moments(served):
            numbers = listener.numbers(now)
            for field, text in numbers.items():
                kind, old = class_of("info", field), before.get(field)
                if old is not None and kind in ("counter", "microseconds"):
                    assert float(text) >= float(old), (field, now)
                if old is not None and field == "uptime_in_seconds":
                    assert abs(float(text) - float(old) - (now - last)) < 1.1
            if numbers:
                before, last = numbers, now
            _agree(listener, numbers, now)


def _agree(listener: Listener, numbers: dict[str, str], now: float) -> None:
    seconds = listener.ask(now, "TIME")
    if isinstance(seconds, list) and "server_time_usec" in numbers:
        assert int(seconds[0]) + int(seconds[1]) / 1e6 == pytest.approx(
            int(numbers["server_time_usec"]) / 1e6, abs=0.01
        )
    if isinstance(keys := listener.ask(now, "DBSIZE"), int) and "db0.keys" in numbers:
        assert keys == int(numbers["db0.keys"])
    entries, length = listener.ask(now, "SLOWLOG", "GET", "128"), listener.ask(now, "SLOWLOG", "LEN")
    if isinstance(entries, list) and isinstance(length, int) and entries and now > listener.node.moment.now + 60:
        ids = [entry[0] for entry in entries]
        assert ids == sorted(set(ids), reverse=True) and len(ids) == min(length, 128)
        assert entries[0][1] <= int(seconds[0])
    if isinstance(clients := listener.ask(now, "CLIENT", "LIST"), str):
        ids = re.findall(r"(?m)^id=(\d+)", clients)
        assert len(set(ids)) == len(ids)


@asynccontextmanager
async def reading(moment: Moment) -> AsyncIterator[Any]:
    """A client of the busy server."""
    async with serving(Tape(load(BUSY)), moment) as here, Redis(port=here.nodes[0].port, decode_responses=True) as one:
        yield one


async def test_two_listeners_see_the_same_at_the_same_moment() -> None:
    served = Served(Tape(load(BUSY)), Moment())
    one, other = Listener(served), Listener(Served(Tape(load(BUSY)), Moment()))
    one.ask(40.0, "INFO", "everything")
    for words in (("INFO", "everything"), ("SLOWLOG", "GET", "32"), ("CLIENT", "LIST"), ("LATENCY", "LATEST")):
        assert one.ask(333.3, *words) == other.ask(333.3, *words)


async def test_whoever_comes_after_a_while_finds_it_as_at_its_beginning() -> None:
    served = Served(Tape(load(BUSY)), moment := Moment(start=300.0))
    begins, length = served.stretch.begins + OPENING, served.stretch.length
    served.visit()
    assert served.stretch.place(moment.now).phase == pytest.approx(begins, abs=0.5)
    before = Listener(served).numbers(290.0)
    after = Listener(served).numbers(moment.now)
    rate = served.continued[served.nodes[0].name].info.rate("total_commands_processed")
    gained = int(after["total_commands_processed"]) - int(before["total_commands_processed"])
    assert rate and 0 <= gained <= rate * (10 + length), "counters go on meanwhile"
    served.visit()
    place = served.stretch.place(moment.now + length / 2)
    assert place.phase == pytest.approx(begins + length / 2, abs=0.5), "it goes on for those who stay"


async def test_a_clients_rates_are_the_recorded_ones() -> None:
    served = Served(Tape(load(BUSY)), Moment())
    listener, length = Listener(served), served.stretch.length
    first, last = listener.numbers(served.tape.ends + 2 * length), listener.numbers(served.tape.ends + 12 * length)
    recorded = served.continued[served.nodes[0].name].info.rate("total_commands_processed")
    gained = int(last["total_commands_processed"]) - int(first["total_commands_processed"])
    assert recorded and gained / (10 * length) == pytest.approx(recorded, rel=0.01)


async def test_at_a_moment_that_stands_still_everything_is_as_recorded() -> None:
    tape = Tape(load(BUSY))
    served = Served(tape, Moment(at=1e4))
    (node,) = tape.nodes.values()
    assert Listener(served).ask(1e4, "INFO", "everything") == node.outcomes["INFO", "EVERYTHING"][-1].reply


async def test_a_client_reads_a_server_that_lives_on() -> None:
    async with reading(Moment(start=300.0, speed=4.0)) as redis:
        first, seconds = await redis.info(), await redis.time()
        await asyncio.sleep(1)
        last = await redis.info()
        assert last["total_commands_processed"] > first["total_commands_processed"]
        assert last["uptime_in_seconds"] - first["uptime_in_seconds"] in range(3, 40)
        assert abs(seconds[0] - first["server_time_usec"] / 1e6) < 5
        (entry,) = await redis.slowlog_get(1)
        assert entry["command"].startswith(b"SORT") and last["server_time_usec"] / 1e6 - entry["start_time"] < 60


async def test_reads_work_in_a_transaction() -> None:
    async with reading(Moment(start=30.0)) as redis:
        pipe = redis.pipeline(transaction=True)
        size, policy, info = await pipe.dbsize().config_get("maxmemory-policy").info("server").execute()
        assert size > 0 and policy == {"maxmemory-policy": "noeviction"} and info["uptime_in_seconds"] > 20
        with pytest.raises(ResponseError, match="EXEC without MULTI"):
            await redis.execute_command("EXEC")
        with pytest.raises(NoPermissionError, match="'set'"):
            await redis.pipeline(transaction=True).set("a", "b").execute()
        assert await redis.ping()


@needs_cli
async def test_a_transaction_is_as_a_server_does_it() -> None:
    async with serving(Tape(load(BUSY)), Moment(start=30.0)) as here:
        port = here.nodes[0].port
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(
            b"MULTI\r\nMULTI\r\nWATCH a\r\nPING\r\nDISCARD\r\nDISCARD\r\nMULTI\r\nFOO\r\nEXEC\r\nPING\r\nQUIT\r\n"
        )
        said = (await reader.read()).decode().split("\r\n")
        begun = ["+OK", "-ERR MULTI calls can not be nested", "-ERR WATCH inside MULTI is not allowed", "+QUEUED"]
        assert said[:6] == [*begun, "+OK", "-ERR DISCARD without MULTI"]
        assert said[6] == "+OK" and said[7].startswith("-ERR unknown command 'foo'") and said[9] == "+PONG"
        assert said[8] == "-EXECABORT Transaction discarded because of previous errors."
        writer.close()
        assert "unknown subcommand 'graph'" in await cli(port, "LATENCY", "GRAPH", "command")


def test_command_is_answered_as_the_server_does() -> None:
    async def ask(*words: str) -> Any:
        return Listener(Served(Tape(load(BUSY)), Moment())).ask(50.0, "COMMAND", *words)

    every, count = asyncio.run(ask()), asyncio.run(ask("COUNT"))
    assert len(every) == count > 240
    get, unknown = asyncio.run(ask("INFO", "get", "foo"))
    assert get[:6] == ["get", 2, ["fast", "readonly"], 1, 1, 1] and "@read" in get[6] and unknown is None
    ((name, about),) = asyncio.run(ask("DOCS", "GET", "foo")).pairs
    assert name == "get" and ("since", "1.0.0") in about.pairs


@pytest.mark.live
async def test_the_table_of_commands_is_what_the_servers_say(kind: ServerKind) -> None:
    known = commands_of(kind.name.partition("-")[0], (int(kind.version.split(".")[0]), int(kind.version.split(".")[1])))
    said = await said_by(kind)
    assert {row[0] for row in said.rows} == {one.name for one in known.values()}
    for name, words, flags, *keys, _ in said.rows:
        one = known[name.lower()]
        assert (words, flags, keys) == (str(one.words), ",".join(one.flags) or "-", [str(key) for key in one.keys])


@pytest.mark.parametrize(("words", "said"), [
    ("SET a b", "NOPERM User default has no permissions to run the 'set' command"),
    ("CONFIG SET maxmemory 1", "NOPERM User default has no permissions to run the 'config|set' command"),
    ("SHUTDOWN", "NOPERM User default has no permissions to run the 'shutdown' command"),
    ("GET a", "NOPERM No permissions to access a key"),
    ("SUBSCRIBE news", "NOPERM No permissions to access a channel"),
    ("PUBLISH news a", "NOPERM User default has no permissions to run the 'publish' command"),
    ("SCAN 0", "NOPERM User default has no permissions to run the 'scan' command"),
    ("FOO a b", "ERR unknown command 'foo', with args beginning with: 'a' 'b' "),
    ("MEMORY MALLOC-STATS", "ERR unknown subcommand 'malloc-stats'. Try MEMORY HELP."),
])  # fmt: skip
async def test_what_is_not_recorded_is_told_from_what_is_not_allowed(words: str, said: str) -> None:
    answer = Listener(Served(Tape(load(BUSY)), Moment())).ask(99.0, *words.split())
    assert isinstance(answer, ServerError) and answer.text == said


@pytest.mark.parametrize(("words", "said"), [
    ("GET bar", "NOPERM this user has no permissions to access one of the keys used as arguments"),
    ("PSUBSCRIBE news*", "NOPERM this user has no permissions to access one of the channels used as arguments"),
    ("SSUBSCRIBE news", "ERR unknown command `ssubscribe`, with args beginning with: `news`, "),
    ("CLUSTER SHARDS", "ERR Unknown subcommand or wrong number of arguments for 'SHARDS'. Try CLUSTER HELP."),
])  # fmt: skip
async def test_an_older_server_refuses_in_its_own_words(words: str, said: str) -> None:
    answer = Listener(Served(Tape(load(OLDER)), Moment())).ask(99.0, *words.split())
    assert isinstance(answer, ServerError) and answer.text == said


async def test_a_client_that_caches_or_asks_about_itself_is_answered() -> None:
    async with reading(Moment(start=30.0)) as redis:
        await redis.client_setname("me")
        (listed, *_), own = await redis.client_list(), await redis.client_info()
        assert list(own) == list(listed) and own["name"] == "me" and own["flags"] == "N"
        with pytest.raises(ResponseError, match="only when the client is in tracking mode"):
            await redis.execute_command("CLIENT", "CACHING", "YES")
        assert await redis.execute_command("CLIENT", "TRACKING", "ON", "OPTIN") == "OK"
        assert await redis.execute_command("CLIENT", "CACHING", "YES") == "OK"
        assert (await redis.client_info())["flags"] == "t"
        with pytest.raises(ResponseError, match="syntax error"):
            await redis.execute_command("CLIENT", "TRACKING")


@pytest.mark.live
@pytest.mark.skipif(EXPORTER is None, reason="not installed: prometheus-redis-exporter")
async def test_an_exporter_scrapes_it_for_as_long_as_it_likes(tmp_path: Path) -> None:
    async with serving(Tape(load(BUSY)), Moment(start=300.0, speed=4.0)) as here:
        port = free_port()
        command = (str(EXPORTER), "-redis.addr", f"redis://127.0.0.1:{here.nodes[0].port}")
        scraper = program(*command, "-web.listen-address", f"127.0.0.1:{port}", port=port, folder=tmp_path)
        async with scraper, httpx2.AsyncClient() as client:
            texts = []
            for _ in range(2):
                texts.append((await client.get(f"http://127.0.0.1:{port}/metrics", timeout=20)).text)
                await asyncio.sleep(1)
    counts = [float(re.findall(r"(?m)^redis_commands_processed_total (\S+)", text)[0]) for text in texts]
    assert "\nredis_up 1" in texts[0] and counts[1] > counts[0]
