"""A recorded connection: the one that it wraps, and a line for each thing that crossed it."""

from pathlib import Path

import pytest

from evals.lab.servers import ServerKind, running
from evals.lab.wire import dial
from tools.clock import SystemClock
from tools.connection.target import parse_target
from tools.errors import Unanswered
from tools.record.load import load
from tools.record.recorded_network import RecordedNetwork
from tools.record.recorder import Recorder
from tools.record.replay import Replay
from tools.record.tape import Tape
from tools.redact import Pseudonyms


def recorder(path: Path) -> Recorder:
    recorder = Recorder(path, SystemClock(), Pseudonyms())
    recorder.begin(url="redis://127.0.0.1:6379", symptom="s")
    return recorder


async def test_a_connection_that_the_peer_ends_is_written_down_as_gone(kind: ServerKind, tmp_path: Path) -> None:
    writing = recorder(tmp_path / "a.rec")
    async with running(kind) as server:
        wire, network = await dial(server.url), RecordedNetwork(writing)
        held, ended = (network.connection(parse_target(server.url, environ={})) for _ in range(2))
        for connection in (held, ended):
            await connection.open(5)
        (number,) = await ended.exchange([("CLIENT", "ID")], 5)
        await wire.ask("CLIENT", "KILL", "ID", number)
        assert await ended.closed(10)
        with pytest.raises(Unanswered, match="reset"):
            await ended.exchange([("PING",)], 5)
        assert await held.exchange([("PING",)], 5) == ["PONG"]
        for connection in (held, ended):
            assert connection.take_bytes() > 0
            connection.close()
            assert not connection.usable
        await wire.close()
    writing.close()
    lines = load(tmp_path / "a.rec").lines
    assert [(line.type, getattr(line, "link", None)) for line in lines if line.type != "end"] == [
        ("dial", 1), ("dial", 2), ("ask", 2), ("gone", 2), ("ask", 2), ("ask", 1),
    ]  # fmt: skip


async def test_whatever_is_a_network_can_be_recorded(kind: ServerKind, tmp_path: Path) -> None:
    first, second = recorder(tmp_path / "a.rec"), recorder(tmp_path / "b.rec")
    async with running(kind) as server:
        target = parse_target(server.url, environ={})
        connection = RecordedNetwork(first).connection(target)
        await connection.open(5)
        replies = await connection.exchange([("ECHO", "x"), ("CLIENT", "ID")], 5)
        connection.close()
    first.close()
    replayed = RecordedNetwork(second, Replay(Tape(load(tmp_path / "a.rec")), SystemClock())).connection(target)
    await replayed.open(5)
    assert await replayed.exchange([("ECHO", "x"), ("CLIENT", "ID")], 5) == replies
    replayed.close()
    second.close()
    asks = [
        [(line.type, line.commands, line.replies) for line in load(tmp_path / name).lines if line.type == "ask"]
        for name in ("a.rec", "b.rec")
    ]
    assert asks[0] == asks[1] != []
