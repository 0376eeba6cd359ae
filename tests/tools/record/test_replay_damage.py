"""Damaged recordings: each loads or is refused by its line, and what loads can be replayed."""

import gzip
import json
import random
import resource
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from agent.recordings.replay import on_virtual_time, recorded_target
from tools.clock import SystemClock
from tools.errors import Unanswered, UsageError
from tools.record.load import Recording, load
from tools.record.playhead import Moment
from tools.record.recorder import Recorder
from tools.record.replay import Replay
from tools.record.schema import Ask, Came, Dial, End, Gone, Happened, Head, Named, Seen
from tools.record.serve import Served
from tools.record.tape import Tape
from tools.records import Reading, Unavailable
from tools.redact import Pseudonyms

VARIANTS = 4_000
A, B = "10.0.0.1:6379", "10.0.0.2:6379"
INFO = (
    "# Server\r\nredis_version:7.0.15\r\nredis_mode:cluster\r\n# Replication\r\nrole:master\r\n"
    "slave0:ip=10.0.0.2,port=6379,state=online,offset=1,lag=0\r\n# Keyspace\r\ndb0:keys=3,expires=0,avg_ttl=0\r\n"
)
NODES = (
    "07c3 10.0.0.1:6379@16379,a.internal myself,master - 0 1 1 connected 0-8191\n"
    "17c3 10.0.0.2:6379@16379,,shard-id=x master - 0 1 2 connected 8192-16383\n"
)
NO_END = Unavailable(kind="timeout", detail="INFO: no reply in 2 s")
LINES = (
    Dial(t=0.01, node=A, link=1, ms=0.4, stages={"tcp_ms": 0.3, "address": "10.0.0.1"}, stage="open"),
    Ask(t=0.02, node=A, link=1, ms=0.2, commands=(("AUTH", "***"),), replies=("OK",)),
    Named(t=0.03, host="a.internal", addresses=("10.0.0.1",)),
    Ask(t=0.04, node=A, link=1, ms=0.2, commands=(("CLIENT", "ID"), ("PING",)), replies=(7, "PONG")),
    Ask(t=0.1, node=A, link=1, ms=9, commands=(("INFO", "everything"), ("CLUSTER", "NODES")), replies=(INFO, NODES)),
    Ask(t=0.2, node=A, link=1, ms=1, commands=(("CONFIG", "GET", "*"),), replies=(["maxclients", "64", "port", "1"],)),
    Ask(t=0.3, node=A, link=1, ms=1, commands=(("SLOWLOG", "GET", 32), ("TIME",)),
        replies=([[0, 1, 9000, ["GET", "k"], "10.0.0.9:1", "web"]], ["1767225600", "1"])),
    Ask(t=0.4, node=A, link=1, ms=1, commands=(("SENTINEL", "MASTERS"),),
        replies=([["name", "m", "ip", "10.0.0.1", "port", "6379"]],)),
    Dial(t=0.5, node=B, link=2, ms=0.4, stages={}, stage="tcp", end=Unavailable(kind="refused", detail="ECONNREFUSED")),
    Ask(t=0.6, node=A, link=1, ms=2000, commands=(("INFO", "server"),), end=NO_END),
    Ask(t=2.7, node=A, link=1, ms=1, commands=(("PING",),), replies=({"error": "BUSY a script runs"},)),
    Came(t=2.8, node=A, link=1, replies=(["pmessage", "*", "+sdown", "master m 10.0.0.1 6379"],)),
    Gone(t=2.9, node=A, link=1),
    Seen(t=3.0, reading=Reading(id="r1", tool="machine", args={}, node=A, at="2026-01-31T02:05:07Z", ms=1.0,
                                values={"cores": 2}, unavailable=None)),
    Happened(t=3.1, event={"type": "answered", "of": [1, {"a": 2.5}]}),
)  # fmt: skip
HEAD = Head(at="2026-01-31T02:05:07.000+00:00", url="redis://***@10.0.0.1:6379", symptom="slow")
ASKED = (
    ["PING"], ["INFO"], ["INFO", "server"], ["CONFIG", "GET", "max*"], ["SLOWLOG", "GET", "1"], ["CLUSTER", "SLOTS"],
    ["CLUSTER", "SHARDS"], ["CLUSTER", "NODES"], ["SENTINEL", "MASTERS"], ["SENTINEL", "GET-MASTER-ADDR-BY-NAME", "m"],
    ["CLIENT", "LIST"], ["LATENCY", "HISTORY", "command"], ["MEMORY", "STATS"], ["ROLE"], ["DBSIZE"], ["GET", "k"],
    ["TIME"], ["HELLO", "3"], ["AUTH", "x"], ["CLIENT", "ID"], ["SELECT", "1"], ["COMMAND", "COUNT"],
)  # fmt: skip
WILD = (
    b"NaN", b"-1", b"1e999", b"1e300", b"99999999999999999999999", b"9" * 5000, b"null", b"true", b"[]", b"{}", b'""',
    b'"\\ud800"', b"[" * 300 + b"]" * 300, b'{"error":1}', b'{"error":"-"}', b'"x:y"', b'":0"', b'"[::1]:6379"', b"1.5",
    b'"unix:/x"', b'["a"]', b'[[["name"]]]', b'"\\u0000\\u001b[2J"', b"0", b"64", b'"-"', b'"*"', b'"9999999"',
)  # fmt: skip
"""Values in the place of others."""


def whole() -> bytes:
    rows = [line.model_dump_json() for line in (HEAD, *LINES)]
    rows.append(End(t=3.2, lines=len(rows)).model_dump_json())
    return "".join(f"{row}\n" for row in rows).encode()


WHOLE = whole()
PACKED = gzip.compress(WHOLE, mtime=0)


def cut(rng: random.Random) -> bytes:
    data = rng.choice((WHOLE, PACKED))
    return data[: rng.randrange(len(data))]


def flipped(rng: random.Random) -> bytes:
    data = bytearray(rng.choice((WHOLE, WHOLE, PACKED)))
    for _ in range(rng.choice((1, 1, 3, 20))):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(data)


def rows_moved(rng: random.Random) -> bytes:
    rows = WHOLE.splitlines(keepends=True)
    for _ in range(rng.choice((1, 1, 2, 5))):
        one, other = rng.randrange(len(rows)), rng.randrange(len(rows))
        match rng.randrange(4):
            case 0:
                rows[one], rows[other] = rows[other], rows[one]
            case 1:
                rows.insert(one, rows[other])
            case 2 if len(rows) > 2:
                del rows[one]
            case _:
                rows[one] = rows[one][: rng.randrange(len(rows[one]))] + rows[other]
    return b"".join(rows)


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    for at, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield value, at
        yield from _places(inner)


def replaced(rng: random.Random) -> bytes:
    """Values of other types and sizes in the lines, which stay JSON as a rule."""
    rows = [json.loads(row) for row in WHOLE.splitlines()]
    for _ in range(rng.choice((1, 1, 2, 4))):
        within, at = rng.choice(list(_places(rows[rng.randrange(len(rows))])))
        within[at] = f"@{rng.randrange(len(WILD))}@"
    text = b"".join(json.dumps(row).encode() + b"\n" for row in rows)
    for number, wild in enumerate(WILD):
        text = text.replace(b'"@%d@"' % number, wild)
    return text


def foreign(rng: random.Random) -> bytes:
    return rng.choice((
        b"", b"\n", b"\n\n", rng.randbytes(rng.randrange(200)), b"*1\r\n$4\r\nPING\r\n", b"null\n", b"{" * 9000 + b"\n",
        b"REDIS0011" + rng.randbytes(40), gzip.compress(rng.randbytes(99)), PACKED + PACKED, b"\x1f\x8b", WHOLE + b"x",
        WHOLE + b"{}\n", b"[" * 100_000 + b"\n" + WHOLE, b"\xef\xbb\xbf" + WHOLE, WHOLE.replace(b"\n", b"\r\n"),
        WHOLE.replace(b'"version":1', b'"version":%d' % rng.randrange(99)),
        WHOLE.replace(b"2026-01", b"%04d-01" % rng.randrange(9999)),
    ))  # fmt: skip


HOW: tuple[Callable[[random.Random], bytes], ...] = (cut, flipped, rows_moved, replaced, replaced, foreign)


async def ask(recording: Recording, rng: random.Random) -> None:
    """Replay some of it, in this process and as a server would."""
    tape = Tape(recording)
    target = recorded_target(tape)
    for node in list(tape.nodes)[:2]:
        host, _, port = node.rpartition(":")
        at = target if node == target.node or node.startswith("unix:") else target.at(host, int(port))
        replay = Replay(tape, _Still())
        link = replay.connection(at)
        try:
            await link.open(1)
            for words in rng.sample(ASKED, 5):
                await link.exchange([words], 1)
            link.take_unasked()
        except Unanswered:
            pass
    stopped, running = rng.choice((0.0, tape.ends / 2, tape.ends)), rng.choice((tape.ends / 2, 30.0, 1e5))
    served = Served(tape, Moment(at=stopped) if rng.random() < 0.5 else Moment(start=running))
    try:
        for one in served.nodes[:2]:
            session = one.session("127.0.0.1:1", "127.0.0.1:2")
            for words in rng.sample(ASKED, 6):
                one.encoded(session, words)
    finally:
        served.close()


class _Still(SystemClock):
    """Waits for nothing."""

    async def sleep(self, seconds: float) -> None:
        assert seconds < 1e9


def test_thousands_of_damaged_recordings_load_or_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "damaged"
    loaded = refused = 0

    async def every() -> None:
        nonlocal loaded, refused
        for seed in range(VARIANTS):
            rng = random.Random(seed)
            file.write_bytes(rng.choice(HOW)(rng))
            try:
                recording = load(file)
            except UsageError as error:
                refused += 1
                assert str(error).startswith(f"{file}, line "), (seed, error)
                continue
            loaded += 1
            try:
                await ask(recording, rng)
            except Exception as error:
                raise AssertionError(f"seed {seed}") from error

    on_virtual_time(every())
    assert loaded > VARIANTS // 10 and refused > VARIANTS // 4, (loaded, refused)


def test_the_whole_one_loads_packed_or_not(tmp_path: Path) -> None:
    for data in (WHOLE, PACKED):
        (tmp_path / "whole").write_bytes(data)
        recording = load(tmp_path / "whole")
        assert (recording.head, tuple(recording.lines), recording.cut) == (HEAD, LINES, False)


def test_a_cut_one_loads_up_to_its_last_whole_line(tmp_path: Path) -> None:
    rows = WHOLE.splitlines(keepends=True)
    (tmp_path / "cut").write_bytes(b"".join(rows[:5]) + rows[5][:20])
    recording = load(tmp_path / "cut")
    assert (tuple(recording.lines), recording.cut) == (LINES[:4], True)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (WHOLE.replace(b'"version":3', b'"version":4'), "version 4 of the format, but this program reads 1, 2 and 3"),
        (b'{"some":"json"}\n', "line 1: at: Field required"),
        (WHOLE.replace(b'"link":1,"ms":9.0', b'"link":-1,"ms":9.0'), "line 6: ask.link"),
        (WHOLE.replace(b'"ms":9.0', b'"ms":NaN'), "line 6: ask.ms"),
        (WHOLE.replace(b'"node":"10.0.0.2:6379"', b'"node":"somewhere"'), "line 10: node: neither host:port"),
        (WHOLE.replace(b'"2026-01-31T02:05:07.000+00:00"', b'"2026-01-31T02:05:07"'), "line 1: at: a time without"),
        (WHOLE + WHOLE.splitlines(keepends=True)[-1], "line 18: something follows the end"),
        (WHOLE.replace(b"redis://***@10.0.0.1:6379", b"http://example.org"), "line 1: URL 'http://example.org'"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_by_line(tmp_path: Path, data: bytes, said: str) -> None:
    (tmp_path / "wrong").write_bytes(data)
    with pytest.raises(UsageError) as refused:
        load(tmp_path / "wrong")
    assert said in str(refused.value)


MANY = b"[%s[]]" % (b"[]," * 2**18)
ROWS = (
    b"", b"\n", b'{"type":"gone","t":0,"node":"a:1","link":1}\n',
    b'{"type":"came","t":0,"node":"a:1","link":1,"replies":%s}\n' % MANY,
)  # fmt: skip


@pytest.mark.parametrize("row", ROWS, ids=["one line", "empty lines", "lines", "values"])
def test_a_bomb_is_refused_in_little_memory(tmp_path: Path, row: bytes) -> None:
    packer = zlib.compressobj(9, wbits=16 + zlib.MAX_WBITS)
    piece = (row * (2**22 // len(row)) if row else bytes(2**22)) or row
    with open(tmp_path / "bomb", "wb") as file:
        file.write(packer.compress(WHOLE.splitlines(keepends=True)[0]))
        for _ in range(2**28 // len(piece)):
            file.write(packer.compress(piece))
        file.write(packer.flush())
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(UsageError, match="line "):
        load(tmp_path / "bomb")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 600 * 2**10


def test_nothing_is_written_over(tmp_path: Path) -> None:
    (tmp_path / "there").write_text("mine")
    with pytest.raises(UsageError, match="the file already exists"):
        Recorder(tmp_path / "there", SystemClock(), Pseudonyms())
    assert (tmp_path / "there").read_text() == "mine"
