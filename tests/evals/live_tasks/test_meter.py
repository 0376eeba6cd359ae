"""Commands are counted by name, however they arrive, and no more of them pass than allowed."""

import asyncio
import random

import pytest

from evals.lab.servers import installed, running
from evals.lab.wire import LOST, dial, packed
from evals.live_tasks.meter import Door, Foreign, Meter, Renamed, Requests, counted, metered

SENT = (
    packed("CONFIG", "SET", "maxclients", "100") + packed("GET", b"x" * 200) + b"PING\r\n\r\ninfo server\r\n"
    + packed("SET", "key", b"*3\r\n$3\r\nDEL\r\n") + packed("CLIENT", "UNPAUSE") + packed("EVAL", "return 1", 0)
    + packed("CLIENT", "KILL", "TYPE", "normal") + packed("CLIENT", "KILL", "127.0.0.1:4000")
    + packed("SENTINEL", "SET", "mymaster", "quorum", 2)
)  # fmt: skip
NAMES = [
    "config|set", "get", "ping", "info", "set", "client|unpause", "eval", "client|kill|type", "client|kill|addr",
    "sentinel|set",
]  # fmt: skip


@pytest.mark.parametrize("seed", range(20))
def test_names_do_not_depend_on_the_pieces(seed: int) -> None:
    rng, requests, at = random.Random(seed), Requests(), 0
    names: list[str] = []
    while at < len(SENT):
        size = rng.randrange(1, 1 + (1 if seed == 0 else 40))
        names += requests.feed(SENT[at : at + size])
        at += size
    assert names == NAMES


@pytest.mark.parametrize("sent", [
    b"*1\rX$4\rXPING\r\n", b"*1\rX$4\r\nPING\r\n", b"*1\n$4\nPING\n", b"*1\r\n$4\r\nPINGxx", b"*x\r\n",
    b"*1\r\nPING\r\n",
    b'"PI\\x4eG"\r\n', b"'PING'\r\n", b"\x00PING\r\n", b"*1\r\n$-1\r\n", b"*1\r\n$04\r\nPING\r\n", b"P" * 100_000,
    b"*" + b"1" * 5000 + b"\r\n",
])  # fmt: skip
def test_what_a_server_may_read_otherwise_does_not_pass(sent: bytes) -> None:
    with pytest.raises(Foreign):
        list(Requests().feed(packed("PING") + sent))


def test_what_begins_like_a_list_and_is_none_is_counted() -> None:
    assert list(Requests().feed(b" *1\r\nPING\n*0\r\n*-1\r\n\r\n" + packed("GET", "a"))) == ["*1", "ping", "get"]


@pytest.mark.parametrize("seed", range(20))
def test_one_address_stands_for_the_other_in_whatever_pieces_it_comes(seed: int) -> None:
    text = b"-MOVED 7 127.0.0.1:7001\r\n+127.0.0.10, 127.0.0.127.0.0.1, 1127.0.0.1 and 27.0.0.1\r\n"
    rng, renamed, at, got = random.Random(seed), Renamed("127.0.0.1", "127.0.0.2"), 0, b""
    while at < len(text):
        size = rng.randrange(1, 1 + (1 if seed == 0 else 20))
        got += renamed.feed(text[at : at + size])
        at += size
    # A reply ends in a line's end: nothing of it is held back.
    assert got == text.replace(b"127.0.0.1", b"127.0.0.2") and len(got) == len(text)


@pytest.mark.live
async def test_what_is_allowed_passes_and_nothing_more() -> None:
    meter = Meter(3, 1 << 20)
    async with running(installed()[0]) as server, metered([Door(server.port, server.port)], meter):
        wire = await dial(counted(server.url))
        assert [await wire.ask("PING") for _ in range(3)] == ["PONG"] * 3
        assert meter.total == 3
        with pytest.raises(LOST):
            await wire.ask("SET", "key", "1")
        assert (meter.refused, meter.counts) == (True, {"ping": 3, "set": 1})
        await wire.close()
        own = await dial(server.url)
        assert await own.ask("GET", "key") is None
        await own.close()


@pytest.mark.live
async def test_more_bytes_than_allowed_do_not_pass_either() -> None:
    meter = Meter(1000, 100_000)
    async with running(installed()[0]) as server, metered([Door(server.port, server.port)], meter):
        wire = await dial(counted(server.url))
        with pytest.raises(LOST):
            for number in range(20):
                await wire.ask("SET", f"key:{number}", "x" * 10_000)
        await wire.close()
        own = await dial(server.url)
        assert meter.refused and await own.ask("DBSIZE") < 10
        await own.close()


@pytest.mark.live
async def test_what_is_found_in_a_reply_leads_back_through_the_meter() -> None:
    meter = Meter(100, 1 << 20)
    async with running(installed()[0]) as above, running(installed()[0]) as below:
        async with metered([Door(one.port, one.port) for one in (above, below)], meter):
            wire = await dial(counted(below.url))
            # The address that the agent knows is understood, too.
            assert await wire.ask("REPLICAOF", "127.0.0.2", above.port) == "OK"
            host, port = (await wire.ask("ROLE"))[1:3]
            assert (host, port) == ("127.0.0.2", above.port)
            other = await dial(f"redis://{host}:{port}")
            assert await other.ask("PING") == "PONG"
            assert meter.counts == {"replicaof": 1, "role": 1, "ping": 1}
            await other.close()
            await wire.close()
        own = await dial(below.url)
        assert (await own.ask("ROLE"))[1] == "127.0.0.1"
        await own.close()


@pytest.mark.live
async def test_a_server_that_is_gone_refuses_through_the_meter_as_well() -> None:
    async with running(installed()[0]) as server, metered([Door(server.port, server.port)], Meter(3, 1000)):
        await server.stop()
        wire = await dial(counted(server.url))
        with pytest.raises(LOST):
            await wire.ask("PING")
        await wire.close()


@pytest.mark.live
async def test_a_command_that_only_the_server_understands_ends_the_connection() -> None:
    meter = Meter(3, 1 << 20)
    async with running(installed()[0]) as server, metered([Door(server.port, server.port)], meter):
        reader, writer = await asyncio.open_connection("127.0.0.2", server.port)
        writer.write(b"*3\rX$3\rXSET\r\n$3\r\nkey\r\n$1\r\n1\r\n")
        assert await reader.read() == b""
        writer.close()
        own = await dial(server.url)
        assert await own.ask("GET", "key") is None
        await own.close()
