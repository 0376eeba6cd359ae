"""A recorded incident served again: what any client sees of it is what was recorded."""

import asyncio
import contextlib
import random
import re
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from subprocess import DEVNULL, PIPE
from typing import Any, NamedTuple

import pytest
from redis import Redis
from redis.backoff import NoBackoff
from redis.cluster import RedisCluster
from redis.exceptions import (
    BusyLoadingError,
    ConnectionError,
    NoPermissionError,
    ResponseError,
    TimeoutError,
)
from redis.retry import Retry
from redis.sentinel import Sentinel

from evals.lab.catalogue import FAULTS
from evals.lab.servers import ServerKind, free_port, running
from evals.lab.topologies import MASTER, clustered, sentinels
from evals.lab.wire import LOST, crew, packed
from tests.program import ROOT, checked, rediagnose, triage, until
from tools.record.load import load
from tools.record.playhead import Moment
from tools.record.serve import Served, serving
from tools.record.tape import NodeTape, Tape

CLI = shutil.which("redis-cli")
needs_cli = pytest.mark.skipif(CLI is None, reason="no redis-cli on PATH: apt-get install redis-tools")
SLOW_SCRIPT = "local n = 0 for i = 1, 4000000 do n = n + i end return n"


async def recorded(url: str, file: Path, symptom: str = "checkout is slow", *args: str) -> Tape:
    """An incident that was triaged and recorded, read back."""
    how = ("--model", "offline", "--window", "0.3", "--record", str(file))
    done = await rediagnose("triage", url, symptom, *how, *args)
    assert done.status == 0, done.err
    return Tape(load(file))


@asynccontextmanager
async def served(tape: Tape, *, at: float | None = None, speed: float = 1.0) -> AsyncIterator[Served]:
    """A recording that is served; at its end unless a moment is given."""
    moment = Moment(at=tape.ends if at is None and speed == 1.0 else at, speed=speed)
    async with serving(tape, moment) as one:
        yield one


async def cli(port: int, *words: str) -> str:
    """What redis-cli prints, as it is on the wire."""
    assert CLI
    process = await asyncio.create_subprocess_exec(
        CLI, "-p", str(port), *words, stdin=DEVNULL, stdout=PIPE, stderr=PIPE
    )
    async with asyncio.timeout(10):
        out, _ = await process.communicate()
    return out.decode()


def last(tape: NodeTape, *words: str) -> Any:
    """The last recorded reply to a command."""
    return tape.outcomes[words][-1].reply


class Incident(NamedTuple):
    """A recorded server with something to see."""

    kind: ServerKind
    file: Path
    tape: Tape
    node: NodeTape
    password: str


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("incidents")


@pytest.fixture
async def incident(kind: ServerKind, folder: Path) -> Incident:
    """A server with a slow command, latency events and clients; recorded once of each kind."""
    file, password = folder / kind.name, "hush"
    if not file.exists():
        settings: dict[str, Any] = {
            "latency_monitor_threshold": "5",
            "slowlog_log_slower_than": "5000",
            "requirepass": password,
        }
        async with running(kind, **settings) as server, crew() as hands:
            url = server.url.replace("//", f"//:{password}@")
            app = await hands.dial(url, name="checkout-7")
            await hands.dial(url, name="worker-3")
            await app.ask("MSET", "a", "1", "b", "2")
            for _ in range(3):
                await app.ask("EVAL", SLOW_SCRIPT, 0)
            await recorded(url, file)
    tape = Tape(load(file))
    (node,) = tape.nodes.values()
    return Incident(kind, file, tape, node, password)


@needs_cli
async def test_redis_cli_sees_what_was_recorded(incident: Incident) -> None:
    node = incident.node
    async with served(incident.tape) as here:
        port = here.nodes[0].port
        assert await cli(port, "PING") == "PONG\n"
        whole = last(node, "INFO", "everything".upper())
        assert (await cli(port, "INFO", "everything")).strip() == whole.strip()
        section = await cli(port, "INFO", "stats")
        assert section.startswith("# Stats\r\n") and section.strip() in whole
        assert "# Commandstats" not in await cli(port, "INFO")
        rows = last(node, "SLOWLOG", "GET", "32")
        # On a busy machine a command of the program's own can be slow as well.
        assert [row[5] for row in rows].count("checkout-7") == 3
        shown = await cli(port, "SLOWLOG", "GET")
        assert shown.splitlines()[:7] == [str(part) for part in (*rows[0][:3], *rows[0][3], rows[0][4])][:7]
        assert shown.count("checkout-7") == 3
        assert (await cli(port, "SLOWLOG", "GET", "1")).count(rows[0][5]) == 1
        assert await cli(port, "SLOWLOG", "LEN") == f"{len(rows)}\n"
        clients = last(node, "CLIENT", "LIST")
        assert (await cli(port, "CLIENT", "LIST")).strip() == clients.strip()
        worker = next(line for line in clients.splitlines() if "worker-3" in line)
        number = worker.split()[0].removeprefix("id=")
        assert (await cli(port, "CLIENT", "LIST", "ID", number)).strip() == worker
        assert "worker-3" in await cli(port, "CLIENT", "LIST", "TYPE", "normal")
        assert await cli(port, "CONFIG", "GET", "latency-monitor-threshold") == "latency-monitor-threshold\n5\n"
        assert "maxmemory-policy\nnoeviction\n" in await cli(port, "CONFIG", "GET", "maxmemory*")
        assert await cli(port, "CONFIG", "GET", "requirepass") == "requirepass\n***\n"
        latest = last(node, "LATENCY", "LATEST")
        assert (await cli(port, "LATENCY", "LATEST")).split() == [str(part) for part in latest[0]]
        history = last(node, "LATENCY", "HISTORY", "command")
        assert (await cli(port, "LATENCY", "HISTORY", "command")).split() == [str(n) for row in history for n in row]
        assert await cli(port, "LATENCY", "HISTORY", "fork") == "\n"
        assert await cli(port, "DBSIZE") == "2\n"
        assert (await cli(port, "-3", "HELLO", "3")).splitlines()[1:3] == [
            "version " + incident.kind.version,
            "proto 3",
        ]
        assert "NOPERM" in await cli(port, "SET", "a", "1")
        assert "NOPERM" in await cli(port, "MONITOR")
        assert "NOPERM" in await cli(port, "OBJECT", "FREQ", "a")
        assert here.misses == {"set": 1, "monitor": 1, "object|freq": 1}


@pytest.mark.parametrize("protocol", [2, 3])
async def test_redis_py_sees_what_was_recorded(incident: Incident, protocol: int) -> None:
    def look(port: int) -> None:
        with Redis(port=port, protocol=protocol, password="anything", client_name="visitor", db=3) as client:
            assert client.ping() and client.client_getname() in ("visitor", b"visitor")
            assert client.config_get("maxclients") == {"maxclients": "10000"}
            assert client.info("server")["redis_version"] == re.search(r"redis_version:(\S+)", whole)[1]  # type: ignore[index]
            assert [row["duration"] for row in client.slowlog_get()] == [row[2] for row in rows]
            assert {row["name"] for row in client.client_list()} >= {"checkout-7", "worker-3"}
            assert client.latency_latest()[0][1:3] == latest[0][1:3]
            stats = client.memory_stats()
            assert stats["total.allocated"] == last(node, "MEMORY", "STATS")[3]
            assert float(stats["peak.percentage"]) > 0
            assert client.role()[0] in ("master", b"master")
            assert client.echo("hello") in ("hello", b"hello")
            assert abs(client.time()[0] - here.tape.began.timestamp()) < 30
            assert client.command_count() > 30
            with pytest.raises(NoPermissionError):
                client.set("a", "1")
            with pytest.raises(ResponseError, match="cluster support disabled"):
                client.execute_command("CLUSTER SHARDS")

    node = incident.node
    whole, rows = last(node, "INFO", "EVERYTHING"), last(node, "SLOWLOG", "GET", "32")
    latest = last(node, "LATENCY", "LATEST")
    async with served(incident.tape) as here:
        await asyncio.to_thread(look, here.nodes[0].port)


async def test_triage_of_a_replay_is_not_of_this_machine(incident: Incident) -> None:
    async with served(incident.tape, at=None, speed=1.0001) as here:
        answer = await triage(f"redis://:x@127.0.0.1:{here.nodes[0].port}", "checkout is slow", "--window", "0.3")
    checked(answer)
    assert answer["target"]["server"] in ("redis", "valkey")
    of_host = [one for one in answer["readings"] if one["tool"] in ("process", "sockets", "machine", "log", "disk")]
    assert of_host and {one["unavailable"]["kind"] for one in of_host} == {"not-local"}
    slow = next(one for one in answer["readings"] if one["tool"] == "slowlog")
    assert slow["values"]["EVAL.count"] == 3


def test_the_reply_is_that_of_the_moment(incident: Incident) -> None:
    async def at(moment: float) -> Any:
        async with served(incident.tape, at=moment) as here:
            session = here.nodes[0].session("127.0.0.1:1", "127.0.0.1:2")
            return here.nodes[0].reply(session, ["INFO", "everything"])[0]

    said = incident.node.outcomes["INFO", "EVERYTHING"]
    assert len(said) > 1
    for one in said:
        assert asyncio.run(at(one.t + 0.001)) == one.reply
    assert asyncio.run(at(0.0)) == said[0].reply
    assert asyncio.run(at(1e6)) == said[-1].reply


async def test_the_program_serves_and_ends_cleanly(incident: Incident) -> None:
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(ROOT / "rediagnose.py"), "replay", str(incident.file), "--port", str(port), "--speed", "10",
        stdin=DEVNULL, stdout=PIPE, stderr=PIPE,
    )  # fmt: skip
    begun = await until(process.stdout, b"Ctrl-C")
    (node,) = incident.tape.nodes
    assert f"{node}  ->  redis://127.0.0.1:{port}\n" in begun.decode()
    assert "Symptom   checkout is slow\n" in begun.decode()

    def look() -> None:
        with Redis(port=port) as client:
            client.ping()
            with contextlib.suppress(NoPermissionError):
                client.get("a")

    await asyncio.to_thread(look)
    process.send_signal(signal.SIGTERM)
    out, err = await process.communicate()
    assert (process.returncode, err) == (0, b"")
    assert "1 were not in the recording and were refused: get 1" in out.decode()


async def test_wrong_usage_names_the_remedy(incident: Incident) -> None:
    for args, named in (
        (["/nonexistent"], "/nonexistent: No such file"), ([str(ROOT / "README.md")], "line 1"),
        ([str(incident.file), "--port", "70000"], "'70000'"), ([str(incident.file), "--at", "-1"], "-1"),
        ([str(incident.file), "--at", "1", "--speed", "2"], "--speed"),
    ):  # fmt: skip
        done = await rediagnose("replay", *args)
        assert (done.status, done.out) == (2, ""), done
        assert named in done.err and len(done.err.splitlines()) == 1


async def test_a_cluster_client_dials_only_replayed_nodes(kind: ServerKind, tmp_path: Path) -> None:
    async with clustered(kind, nodes=3, replicas=1, password="hush") as deployment:
        tape = await recorded(deployment.url, tmp_path / "incident")
    assert len(tape.nodes) == 6

    def look(port: int, protocol: int) -> set[int]:
        with RedisCluster(host="127.0.0.1", port=port, password="x", protocol=protocol) as client:
            client.ping(target_nodes=RedisCluster.ALL_NODES)
            for name in ("a", "b", "c", "d"):
                with pytest.raises(NoPermissionError):
                    client.get(name)
            return {node.port for node in client.get_nodes()}

    def moved(port: int) -> str:
        with Redis(port=port) as client, pytest.raises((ResponseError, NoPermissionError)) as refused:
            for name in ("a", "b", "c"):
                client.get(name)
        return str(refused.value)

    async with served(tape) as here:
        ports = set(here.ports.values())
        for protocol in (2, 3):
            assert await asyncio.to_thread(look, here.nodes[0].port, protocol) == ports
        told = [await asyncio.to_thread(moved, port) for port in ports]
        # redis-py leaves out the word MOVED; a recorded address would be another port.
        redirected = [re.fullmatch(r"(?:MOVED )?\d+ 127\.0\.0\.1:(\d+)", text) for text in told]
        assert {int(match[1]) for match in redirected if match} <= ports and any(redirected)
        recorded_ports = {node.rpartition(":")[2] for node in tape.nodes}
        for one in here.nodes:
            session = one.session("127.0.0.1:1", "127.0.0.1:2")
            for words in (["CLUSTER", "NODES"], ["CLUSTER", "SLOTS"], ["CLUSTER", "SHARDS"], ["INFO", "replication"]):
                text = one.encoded(session, words)[0].decode()
                dialled = {*re.findall(r"(?::|port[=:])(\d{4,5})[@,\s]", text)} & recorded_ports
                assert not dialled, (words, text)


async def test_a_sentinel_client_is_sent_to_the_replay(kind: ServerKind, tmp_path: Path) -> None:
    async with sentinels(kind, password="hush") as deployment:
        names = ",".join(one.name for one in deployment.sentinels)
        tape = await recorded(f"redis+sentinel://:hush@{names}/{MASTER}", tmp_path / "incident")
        primary, replicas = deployment.primary.name, [one.name for one in deployment.replicas]
        first = [one.name for one in deployment.sentinels]

    def look(ports: dict[str, int], protocol: int) -> None:
        given = [("127.0.0.1", ports[name]) for name in first]
        client: Any = Sentinel(  # type: ignore[no-untyped-call]
            given, sentinel_kwargs={"protocol": protocol}, protocol=protocol, password="x"
        )
        assert client.discover_master(MASTER) == ("127.0.0.1", ports[primary])
        assert sorted(client.discover_slaves(MASTER)) == sorted(("127.0.0.1", ports[name]) for name in replicas)
        with client.master_for(MASTER) as master:
            assert master.ping()
        with Redis(port=ports[first[0]], protocol=protocol, decode_responses=True) as one:
            told = one.execute_command("SENTINEL GET-MASTER-ADDR-BY-NAME", MASTER)
            assert list(told) in (["127.0.0.1", str(ports[primary])], ["127.0.0.1", ports[primary]])

    async with served(tape) as here:
        assert next(iter(here.ports)) == first[0]
        for protocol in (2, 3):
            await asyncio.to_thread(look, here.ports, protocol)
        url = f"redis+sentinel://:x@127.0.0.1:{here.ports[first[0]]}/{MASTER}"
        answer = await triage(url, "slow", "--window", "0.3")
    assert answer["target"]["topology"] == "sentinel"
    assert set(answer["target"]["nodes"]) <= {f"127.0.0.1:{port}" for port in here.ports.values()}


def client(port: int, timeout: float = 0.7) -> Any:
    return Redis(port=port, socket_timeout=timeout, retry=Retry(NoBackoff(), 0))


def fails(port: int, error: type[Exception] | Sequence[type[Exception]]) -> str:
    """What a client gets."""
    kinds = (error,) if isinstance(error, type) else tuple(error)
    with client(port) as one, pytest.raises(kinds) as refused:
        one.ping()
    return str(refused.value)


async def test_a_refused_node_is_closed(kind: ServerKind, tmp_path: Path) -> None:
    async with running(kind) as server:
        url = server.url
    tape = await recorded(url, tmp_path / "incident", "can't connect")
    async with served(tape) as here:
        port = here.nodes[0].port
        assert "refused" in await asyncio.to_thread(fails, port, ConnectionError)
        answer = await triage(f"redis://127.0.0.1:{port}", "can't connect")
    assert [cause["id"] for cause in answer["causes"]] == ["process-down"]
    of_host = [one for one in answer["readings"] if one["tool"] in ("process", "sockets", "machine")]
    assert {one["unavailable"]["kind"] for one in of_host} == {"not-local"}


async def test_a_silent_node_takes_connections_and_answers_none(kind: ServerKind, tmp_path: Path) -> None:
    async with running(kind) as server:
        server.signal(signal.SIGSTOP)
        tape = await recorded(server.url, tmp_path / "incident", "all requests time out", "--deadline", "12")
    async with served(tape, at=1.0) as here:
        await asyncio.to_thread(fails, here.nodes[0].port, TimeoutError)


async def test_a_silence_ends_when_it_ended(kind: ServerKind, tmp_path: Path) -> None:
    file = tmp_path / "incident"
    async with running(kind) as server:
        server.signal(signal.SIGSTOP)

        async def go_on() -> None:
            while not file.exists() or '"dial"' not in file.read_text():
                await asyncio.sleep(0.05)
            await asyncio.sleep(1.5)
            server.signal(signal.SIGCONT)

        going = asyncio.create_task(go_on())
        tape = await recorded(server.url, file, "all requests timed out")
        await going

    def look(port: int) -> None:
        with client(port, 8) as one:
            assert one.ping()

    async with served(tape, speed=4.0) as here:
        began = asyncio.get_running_loop().time()
        await asyncio.to_thread(look, here.nodes[0].port)
        assert 0.2 < asyncio.get_running_loop().time() - began < 4


async def test_a_busy_node_says_so(kind: ServerKind, tmp_path: Path) -> None:
    limit: dict[str, Any] = {"busy_reply_threshold" if kind.at_least(7) else "lua_time_limit": "100"}
    async with running(kind, **limit) as server, crew() as hands:
        app = await hands.dial(server.url)
        await app.send(packed("EVAL", "while true do end", 0))
        await asyncio.sleep(0.5)
        tape = await recorded(server.url, tmp_path / "incident", "everything fails")
    async with served(tape) as here:
        assert "busy running a script" in await asyncio.to_thread(fails, here.nodes[0].port, ResponseError)
        session = here.nodes[0].session("127.0.0.1:1", "127.0.0.1:2")
        for words in (["INFO"], ["CLIENT", "LIST"], ["GET", "a"]):
            assert here.nodes[0].encoded(session, words)[0].startswith(b"-BUSY ")
        assert not here.misses


async def test_a_full_node_says_goodbye(kind: ServerKind, tmp_path: Path) -> None:
    async with running(kind, maxclients="4") as server, crew() as hands:
        held = 0
        while held < 4:
            wire = await hands.dial(server.url)
            # A connection that is let in answers; one that came before the start's own was gone is turned away.
            with contextlib.suppress(*LOST):
                await wire.ask("PING")
                held += 1
        tape = await recorded(server.url, tmp_path / "incident", "can't connect", "--deadline", "9")
    async with served(tape) as here:
        told = await asyncio.to_thread(fails, here.nodes[0].port, (ConnectionError, ResponseError))
        assert "max number of clients" in told
        answer = await triage(f"redis://127.0.0.1:{here.nodes[0].port}", "can't connect", "--deadline", "9")
    assert [cause["id"] for cause in answer["causes"]] == ["maxclients-exhausted"]


async def test_a_loading_node_says_so(kind: ServerKind, tmp_path: Path) -> None:
    fault = FAULTS["loading-dataset"]
    if (lack := fault.unavailable(kind)) is not None:
        pytest.skip(lack)
    async with fault.begin(kind, random.Random(1)) as broken:
        tape = await recorded(broken.url, tmp_path / "incident", "everything fails", "--deadline", "9")
    async with served(tape) as here:
        assert "loading" in (await asyncio.to_thread(fails, here.nodes[0].port, BusyLoadingError)).lower()
        session = here.nodes[0].session("127.0.0.1:1", "127.0.0.1:2")
        assert here.nodes[0].encoded(session, ["GET", "a"])[0].startswith(b"-LOADING ")
        assert b"loading:1" in here.nodes[0].encoded(session, ["INFO", "persistence"])[0]
