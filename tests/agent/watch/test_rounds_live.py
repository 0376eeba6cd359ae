"""A round of looks at real servers: what it brings, what it costs, and what is left alone."""

import stat
from pathlib import Path

import pytest

from agent.fleet.look import Member
from agent.watch.glance import Known
from agent.watch.rounds import watch_once
from evals.lab.servers import ServerKind, running
from evals.lab.topologies import MASTER, clustered, replicated, sentinels
from evals.lab.wire import Wire, crew, dial
from tools.clock import SystemClock
from tools.connection.target import parse_target
from tools.past.store import Store

pytestmark = pytest.mark.live


def member(url: str, name: str = "one", *, one_node: bool = False) -> Member:
    return Member(name=name, target=parse_target(url, environ={}), one_node=one_node)


async def calls(wire: Wire) -> dict[str, int]:
    """Calls of each command so far."""
    found = {}
    for line in str(await wire.ask("INFO", "commandstats")).splitlines():
        name, _, rest = line.partition(":")
        if name.startswith("cmdstat_"):
            found[name] = int(dict(part.partition("=")[::2] for part in rest.split(","))["calls"])
    return found


async def sent(wire: Wire, before: dict[str, int]) -> int:
    """Commands since then, without those of asking."""
    return sum((await calls(wire)).values()) - sum(before.values()) - 1


async def test_a_round_keeps_what_servers_throw_away(kind: ServerKind, tmp_path: Path) -> None:
    async with running(kind, slowlog_log_slower_than="0", latency_monitor_threshold="1") as server:
        store, clock = Store(tmp_path / "past.db"), SystemClock()
        memory: dict[str, Known] = {}
        wire = await dial(server.url)
        await wire.ask("CLIENT", "SETNAME", "orders-17")
        await wire.ask("SET", "basket:1", "4111111111111111")
        await watch_once([member(server.url)], store, clock, memory=memory)
        await wire.ask("CONFIG", "SET", "maxclients", "500", "timeout", "0")
        await wire.ask("CONFIG", "SET", "requirepass", "")
        await wire.ask("SLOWLOG", "RESET")
        done = await watch_once([member(server.url)], store, clock, memory=memory)
        await wire.close()
        assert (done.targets, done.reached, done.nodes) == (1, 1, 1)
        reader = store.reader()
        node = reader.node(f"127.0.0.1:{server.port}")
        assert node is not None
        now = clock.now().timestamp()
        slow = reader.happened(node, "slow", 0, now + 5)
        kept = [one.body for one in slow if one.body["command"] == "SET"]
        assert [one["key"] for one in kept] == ["basket:1"] and kept[0]["name"] == "orders-17"
        content = (tmp_path / "past.db").read_bytes()
        assert b"4111111111111111" not in content
        changed = {one.body["parameter"]: one.body for one in reader.happened(node, "config", 0, now + 5)}
        assert changed["maxclients"]["after"] == "500"
        first, second = reader.samples(node, 0, now + 5)
        assert first.figures["client:orders-*:count"] == 1.0 and second.figures["maxclients"] == 500.0
        assert second.figures["cmd:set:calls"] == 1.0 and len(first.figures) >= 35
        assert stat.S_IMODE((tmp_path / "past.db").stat().st_mode) == 0o600


async def test_a_round_costs_a_server_at_most_ten_commands(kind: ServerKind, tmp_path: Path) -> None:
    async with crew() as hands, running(
        kind, latency_monitor_threshold="1", slowlog_log_slower_than="0", slowlog_max_len="1000", requirepass="pw",
        maxclients="4000",
    ) as server:  # fmt: skip
        url = server.url.replace("//", "//:pw@") + "/3"
        wire = await dial(server.url)
        await wire.ask("AUTH", "pw")
        for number in range(200):
            await wire.ask("SET", f"key:{number}", "x" * 100)
        store = Store(tmp_path / "past.db")
        memory: dict[str, Known] = {}
        for count in (0, 300, 1200):
            for number in range(count):
                one = await hands.dial(server.url)
                await one.ask("AUTH", "pw")
                await one.ask("CLIENT", "SETNAME", f"app-{number}")
            for index in range(300):
                await wire.ask("GET", f"key:{index}")
            before = await calls(wire)
            done = await watch_once([member(url)], store, SystemClock(), memory=memory)
            commands = await sent(wire, before)
            assert done.reached == 1
            assert commands <= 10, (count, commands)
        await wire.close()


async def test_every_node_of_a_deployment_is_looked_at(kind: ServerKind, tmp_path: Path) -> None:
    store = Store(tmp_path / "past.db")
    async with clustered(kind, 3, 1) as cluster, replicated(kind, 2) as pair, sentinels(kind) as watched:
        masters = ",".join(one.name for one in watched.sentinels)
        members = [
            member(cluster.members[0].url, "cluster"), member(pair.members[1].url, "a replica"),
            member(pair.members[1].url, "alone", one_node=True),
            member(f"redis+sentinel://{masters}/{MASTER}", "by sentinel"),
            member(watched.sentinels[0].url, "a sentinel"),
        ]  # fmt: skip
        done = await watch_once(members, store, SystemClock())
        assert done.problems == ()
        assert (done.targets, done.reached, done.nodes) == (5, 5, 6 + 3 + 1 + 3 + 4)


async def test_who_is_investigated_is_left_alone_and_who_is_down_is_noted(kind: ServerKind, tmp_path: Path) -> None:
    store = Store(tmp_path / "past.db")
    async with running(kind) as busy, running(kind) as dead:
        await dead.stop()
        wire = await dial(busy.url)
        before = await calls(wire)
        members = [member(busy.url, "busy"), member(dead.url, "dead"), Member(name="none", target=None, problem="why")]
        done = await watch_once(members, store, SystemClock(), busy=lambda name: name == "busy")
        assert done.skipped == ("busy",) and await sent(wire, before) == 0
        await wire.close()
    states = {one.target: one.reached for one in store.reader().states()}
    assert states == {"dead": False}
    node = store.reader().node(f"127.0.0.1:{dead.port}")
    assert node is not None and store.reader().samples(node, 0, 2e9)[0].figures == {"redis_up": 0.0}
