"""What a served node does at its moments: closed and open again, slow, at rest, reset, told of by a sentinel."""

import asyncio
from pathlib import Path

import pytest
from hiredis import ReplyError

from evals.lab.wire import LOST, dial
from tools.record.load import load
from tools.record.playhead import Moment
from tools.record.schema import Ask, Came, Dial, End, Gone, Head, Line
from tools.record.serve import Served, ServedNode, serving
from tools.record.session import Session
from tools.record.subscriptions import MOST
from tools.record.tape import Tape
from tools.records import Unavailable

NODE = "10.0.0.1:6379"
HEAD = Head(at="2026-01-31T02:05:07.000+00:00", url=f"redis://{NODE}", symptom="slow")
OPEN = Dial(t=0.0, node=NODE, link=1, ms=0.4, stages={"address": "10.0.0.1"}, stage="open")
PONG = Ask(t=0.1, node=NODE, link=1, ms=0.2, commands=(("PING",),), replies=("PONG",))


def tape_of(folder: Path, *lines: Line) -> Tape:
    rows = [line.model_dump_json() for line in (HEAD, *lines)]
    rows.append(End(t=max(line.t for line in lines), lines=len(rows)).model_dump_json())
    (folder / "incident").write_text("".join(f"{row}\n" for row in rows))
    return Tape(load(folder / "incident"))


def url(here: Served) -> str:
    return f"redis://127.0.0.1:{here.nodes[0].port}"


def session(node: ServedNode) -> Session:
    return node.session("127.0.0.1:1", "127.0.0.1:2")


async def test_a_port_opens_and_closes_as_it_did(tmp_path: Path) -> None:
    refused = Unavailable(kind="refused", detail="ECONNREFUSED")
    tape = tape_of(
        tmp_path,
        OPEN.model_copy(update={"stage": "tcp", "end": refused}),
        OPEN.model_copy(update={"t": 0.5, "link": 2}),
        PONG.model_copy(update={"t": 0.6, "link": 2}),
        OPEN.model_copy(update={"t": 1.2, "link": 3, "stage": "tcp", "end": refused}),
    )
    async with serving(tape, Moment()) as here:
        with pytest.raises(ConnectionRefusedError):
            await dial(url(here))
        await asyncio.sleep(0.7)
        wire = await dial(url(here))
        assert await wire.ask("PING") == "PONG"
        await asyncio.sleep(0.7)
        with pytest.raises(LOST):
            await wire.ask("PING")
        with pytest.raises(ConnectionRefusedError):
            await dial(url(here))
        await wire.close()


async def test_a_slow_node_is_as_slow_as_it_was(tmp_path: Path) -> None:
    tape = tape_of(tmp_path, OPEN, PONG.model_copy(update={"ms": 300.0}))
    took = []
    for speed in (1.0, 100.0):
        async with serving(tape, Moment(speed=speed)) as here:
            wire = await dial(url(here))
            # Several commands in one write wait together, as they did.
            for words in (("PING",), ("ECHO", "hello")):
                began = asyncio.get_running_loop().time()
                await wire.ask(*words)
                took.append(asyncio.get_running_loop().time() - began)
            await wire.close()
    assert min(took[:2]) > 0.29
    assert min(took[2:]) < min(took[:2])


async def test_a_silence_happens_again_only_if_it_happened_twice(tmp_path: Path) -> None:
    slow = PONG.model_copy(update={"ms": 1500.0})
    for times, again in (((3.0,), False), ((3.0, 7.0), True)):
        asks = [slow.model_copy(update={"t": t}) for t in times]
        tape = tape_of(tmp_path, OPEN, PONG, *asks, PONG.model_copy(update={"t": 10.0}))
        state = Served(tape, Moment()).nodes[0].state
        assert state.silent(3.5) and not state.silent(5.0)
        assert any(state.silent(10.0 + step / 4) for step in range(80)) == again


async def test_a_connection_at_rest_is_closed_as_it_was(tmp_path: Path) -> None:
    tape = tape_of(tmp_path, OPEN, PONG, Gone(t=1.1, node=NODE, link=1))
    async with serving(tape, Moment()) as here:
        wire = await dial(url(here))
        for _ in range(3):
            await asyncio.sleep(0.5)
            assert await wire.ask("PING") == "PONG"
        with pytest.raises(EOFError):
            await wire.reply(timeout=1.5)
        await wire.close()


async def test_a_connection_is_reset_where_it_was(tmp_path: Path) -> None:
    reset = PONG.model_copy(update={"replies": None, "end": Unavailable(kind="reset", detail="ECONNRESET")})
    async with serving(tape_of(tmp_path, OPEN, reset), Moment()) as here:
        with pytest.raises(ConnectionResetError):
            await (await dial(url(here))).ask("PING")


async def test_a_subscriber_hears_what_was_published(tmp_path: Path) -> None:
    lines = (
        OPEN,
        PONG.model_copy(update={"commands": (("PSUBSCRIBE", "*"),), "replies": (["psubscribe", "*", 1],)}),
        Came(t=0.4, node=NODE, link=1, replies=(["pmessage", "*", "+sdown", "master m 10.0.0.1 6379"],)),
        Came(t=0.5, node=NODE, link=1,
             replies=(["pmessage", "*", "+switch-master", "m 10.0.0.1 6379 10.0.0.7 6380"],)),
    )  # fmt: skip
    async with serving(tape_of(tmp_path, *lines), Moment()) as here:
        every, one = await dial(url(here)), await dial(url(here))
        assert await every.ask("PSUBSCRIBE", "*") == ["psubscribe", "*", 1]
        assert await one.ask("SUBSCRIBE", "+switch-master") == ["subscribe", "+switch-master", 1]
        port = here.nodes[0].port
        assert await every.reply() == ["pmessage", "*", "+sdown", f"master m 127.0.0.1 {port}"]
        kind, channel, told = await one.reply()
        assert (kind, channel) == ("message", "+switch-master")
        # A node that nobody had asked is a port at which nobody listens.
        words = told.split()
        assert words[:4] == ["m", "127.0.0.1", str(port), "127.0.0.1"] and words[4] not in ("6380", str(port))
        with pytest.raises(ConnectionRefusedError):
            await dial(f"redis://127.0.0.1:{words[4]}")
        for wire in (every, one):
            await wire.close()


async def test_a_sentinel_to_which_nobody_listened_takes_subscribers(tmp_path: Path) -> None:
    asked = PONG.model_copy(update={"commands": (("SENTINEL", "MASTERS"),), "replies": ([],)})
    async with serving(tape_of(tmp_path, OPEN, PONG, asked), Moment()) as here:
        wire = await dial(url(here))
        assert await wire.ask("SUBSCRIBE", "+switch-master", "+sdown") == ["subscribe", "+switch-master", 1]
        assert await wire.reply() == ["subscribe", "+sdown", 2]
        assert await wire.ask("PSUBSCRIBE", "*") == ["psubscribe", "*", 3]
        assert await wire.ask("PING") == ["pong", ""]
        with pytest.raises(ReplyError, match=r"Can't execute 'sentinel\|masters': only .* in this context"):
            await wire.ask("SENTINEL", "MASTERS")
        assert await wire.ask("UNSUBSCRIBE", "+sdown") == ["unsubscribe", "+sdown", 2]
        assert await wire.ask("UNSUBSCRIBE") == ["unsubscribe", "+switch-master", 1]
        assert await wire.ask("UNSUBSCRIBE") == ["unsubscribe", None, 1]
        assert await wire.ask("PUNSUBSCRIBE", "*") == ["punsubscribe", "*", 0]
        assert await wire.ask("SENTINEL", "MASTERS") == []
        assert not here.misses
        await wire.close()


async def test_a_client_has_so_many_subscriptions_and_no_more(tmp_path: Path) -> None:
    asked = PONG.model_copy(update={"commands": (("SENTINEL", "MASTERS"),), "replies": ([],)})
    async with serving(tape_of(tmp_path, OPEN, PONG, asked), Moment()) as here:
        wire = await dial(url(here))
        names = [f"+c{number}" for number in range(MOST)]
        assert await wire.ask("SUBSCRIBE", *names[:-1]) == ["subscribe", "+c0", 1]
        for number in range(1, MOST - 1):
            assert await wire.reply() == ["subscribe", names[number], number + 1]
        assert await wire.ask("SUBSCRIBE", names[-1]) == ["subscribe", names[-1], MOST]
        with pytest.raises(ReplyError, match=f"{MOST} subscriptions"):
            await wire.ask("PSUBSCRIBE", "*")
        assert await wire.ask("SUBSCRIBE", names[0]) == ["subscribe", names[0], MOST]
        assert await wire.ask("UNSUBSCRIBE", names[0]) == ["unsubscribe", names[0], MOST - 1]
        assert await wire.ask("PSUBSCRIBE", "*") == ["psubscribe", "*", MOST]
        await wire.close()


async def test_a_server_to_which_nobody_listened_takes_no_subscribers(tmp_path: Path) -> None:
    async with serving(tape_of(tmp_path, OPEN, PONG), Moment()) as here:
        wire = await dial(url(here))
        with pytest.raises(ReplyError, match="NOPERM No permissions to access a channel"):
            await wire.ask("SUBSCRIBE", "news")
        assert await wire.ask("UNSUBSCRIBE") == ["unsubscribe", None, 0]
        await wire.close()


async def test_a_password_passes_only_where_one_did(tmp_path: Path) -> None:
    def auth(reply: object) -> Ask:
        return PONG.model_copy(update={"t": 0.05, "commands": (("AUTH", "***"),), "replies": (reply,)})

    none = {"error": "ERR AUTH *** called without any password configured for the default user."}
    for lines, said in (
        ((OPEN, auth("OK"), PONG), b"+OK"), ((OPEN, auth(none), PONG), b"-ERR AUTH <password> called"),
        ((OPEN, PONG), b"-ERR AUTH"), ((OPEN, auth({"error": "WRONGPASS invalid"})), b"-WRONGPASS"),
        ((OPEN, PONG.model_copy(update={"replies": ({"error": "NOAUTH Authentication required."},)})), b"-WRONGPASS"),
    ):  # fmt: skip
        async with serving(tape_of(tmp_path, *lines), Moment(at=1.0)) as here:
            node = here.nodes[0]
            assert node.encoded(session(node), ["AUTH", "anything"])[0].startswith(said)
            hello = node.encoded(session(node), ["HELLO", "3", "AUTH", "default", "anything"])[0]
            assert hello.startswith(b"%" if said == b"+OK" else said)
            shut = said == b"-WRONGPASS"
            assert node.encoded(session(node), ["ECHO", "a"])[0].startswith(b"-NOAUTH" if shut else b"$1")


async def test_what_is_no_request_is_refused(tmp_path: Path) -> None:
    async with serving(tape_of(tmp_path, OPEN, PONG), Moment()) as here:
        for data in (b"*1\r\n:1\r\n", b"*99999999999\r\n", b"*1\r\n$-5\r\n", b"$" * 2_000_000):
            wire = await dial(url(here))
            wire.writer.write(data)
            with pytest.raises(LOST):
                await wire.reply()
            await wire.close()
        wire = await dial(url(here))
        wire.writer.write(b"PING\r\n\r\n*1\r\n$4\r\nPI")
        assert await wire.reply() == "PONG"
        wire.writer.write(b"NG\r\n")
        assert await wire.reply() == "PONG"
        await wire.close()


async def test_bytes_that_are_no_text_come_back_as_they_were(tmp_path: Path) -> None:
    sent = bytes(range(256))
    async with serving(tape_of(tmp_path, OPEN, PONG), Moment()) as here:
        reader, writer = await asyncio.open_connection("127.0.0.1", here.nodes[0].port)
        writer.write(b"*2\r\n$4\r\nECHO\r\n$256\r\n%b\r\n" % sent)
        assert await reader.readexactly(264) == b"$256\r\n%b\r\n" % sent
        # As `redis-cli --pipe` ends: an empty line before and after its mark.
        writer.write(b"\r\n*2\r\n$4\r\nECHO\r\n$2\r\n\xff\xfe\r\n\r\n*2\r\n$4\r\nPING\r\n$2\r\n\xc3\x28\r\n")
        assert await reader.readexactly(16) == b"$2\r\n\xff\xfe\r\n$2\r\n\xc3\x28\r\n"
        writer.close()
