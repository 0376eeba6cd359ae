"""What real servers say and redis-cli prints, in each of its ways to print."""

import shutil
import subprocess
from collections.abc import AsyncIterator

import pytest

from evals.lab.servers import Server, ServerKind, start
from tools.paste.pieces import Piece
from tools.paste.recognise import recognise

CLI = shutil.which("redis-cli")
pytestmark = [pytest.mark.live, pytest.mark.skipif(CLI is None, reason="redis-cli isn't installed")]
QUERIES: dict[str, tuple[str, ...]] = {
    "INFO": ("INFO",), "INFO everything": ("INFO",), "SLOWLOG GET 12": ("SLOWLOG", "GET"),
    "CLIENT LIST": ("CLIENT", "LIST"), "CONFIG GET *": ("CONFIG", "GET"), "CONFIG GET maxmemory*": ("CONFIG", "GET"),
    "LATENCY LATEST": ("LATENCY", "LATEST"), "LATENCY DOCTOR": ("LATENCY", "DOCTOR"),
    "MEMORY STATS": ("MEMORY", "STATS"), "MEMORY DOCTOR": ("MEMORY", "DOCTOR"), "ACL LOG": ("ACL", "LOG"),
}  # fmt: skip
NUMBERED_ONLY = {"ROLE": ("ROLE",), "LATENCY HISTORY command": ("LATENCY", "HISTORY")}


@pytest.fixture
async def busy(kind: ServerKind) -> AsyncIterator[Server]:
    config = {"slowlog-log-slower-than": "0", "latency-monitor-threshold": "1"}
    server = await start(kind, config=config)
    try:
        loop = "for i = 1, 3000000 do end return 1"
        for command in (
            ["EVAL", loop, "0"],
            ["SET", 'a "b"', "c\nd"],
            ["LPUSH", "l", "a", "b"],
            ["AUTH", "no", "body"],
        ):
            cli(server, *command)
        yield server
    finally:
        await server.stop()


def cli(server: Server, *words: str) -> str:
    command = [CLI or "", "-p", str(server.port), *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False).stdout


def only(text: str) -> Piece:
    found = recognise(text, "paste")
    assert not found.unrecognised
    (piece,) = found.pieces
    return piece


async def test_what_is_printed_is_recognised_in_each_form(busy: Server) -> None:
    for query, command in QUERIES.items():
        words = query.split()
        for form in ("--raw", "--no-raw"):
            piece = only(cli(busy, form, *words))
            assert (piece.command, piece.cut) == (command, False), (query, form)
        if piece.form not in ("info", "client-list", "latency-doctor", "memory-doctor"):
            for form in ("-3", "--json"):
                assert only(cli(busy, form, "--no-raw", *words)).command == command, (query, form)
    for query, command in NUMBERED_ONLY.items():
        assert only(cli(busy, "--no-raw", *query.split())).command == command, query


async def test_raw_and_numbered_say_the_same(busy: Server) -> None:
    for query in ("CONFIG GET *", "ACL LOG", "LATENCY LATEST"):
        raw, numbered = (only(cli(busy, form, *query.split())) for form in ("--raw", "--no-raw"))
        if query == "ACL LOG":
            assert [row[:10] for row in raw.reply] == [row[:10] for row in numbered.reply]
        else:
            assert raw.reply == numbered.reply


async def test_its_modes_and_its_log_are_recognised(busy: Server) -> None:
    assert only(cli(busy, "--bigkeys")).values is not None
    assert only(cli(busy, "--memkeys")).form == "bigkeys"
    assert only(cli(busy, "--latency", "--raw")).form == "latency-cli"
    assert only(busy.log.read_text(encoding="utf-8")).form == "server-log"
