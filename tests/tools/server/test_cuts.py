"""What is cut off where there is too much: never what is failing."""

import asyncio
from datetime import UTC, datetime

import pytest

from evals.lab.servers import ServerKind
from evals.lab.topologies import MASTER, sentinels
from tools.clock import SystemClock
from tools.connection.budget import Budget
from tools.connection.node import Node
from tools.connection.target import parse_target
from tools.connection.trust import parse_network
from tools.host.log import log_values
from tools.host.log_lines import Line, log_lines
from tools.records import Values
from tools.redact import Pseudonyms
from tools.server.cluster import parse_nodes
from tools.server.deployment import MOST_ABROAD, MOST_NODES, Deployment, Member
from tools.server.replication import peers
from tools.server.sentinel import MASTERS, sentinel
from tools.server.sentinel_events import LISTED, counted
from tools.server.topology import by_trouble


def node_of(url: str = "redis://127.0.0.1:1") -> Node:
    return Node(parse_target(url, environ={}), SystemClock(), Budget(), Pseudonyms())


def member(number: int, flags: str, master: str = "-", slots: str = "") -> str:
    link = "disconnected" if "fail" in flags else "connected"
    line = f"id{number} 10.0.0.{number}:6379@16379 {flags} {master} 0 0 {number} {link} {slots}"
    return line.strip()


def test_of_a_large_cluster_the_failing_nodes_and_their_replicas_are_looked_at_first() -> None:
    half = MOST_NODES // 2
    lines = [member(n, "master", slots=f"{n}") for n in range(1, half + 1)]
    lines += [member(n, "slave", f"id{n - half}") for n in range(half + 1, 2 * half + 1)]
    lines[29] = member(30, "master,fail", slots="30")
    lines[4] = member(5, "myself,master", slots="5")
    nodes = by_trouble(parse_nodes("\n".join(lines)), MOST_NODES - 1)
    assert [one.id for one in nodes[:3]] == ["id5", "id30", f"id{half + 30}"]
    assert len(nodes) == MOST_NODES and not any(one.primary for one in nodes[1 - half :])


@pytest.mark.parametrize(
    ("url", "address", "trust", "learnt"),
    [
        ("redis://8.8.8.8", "9.9.{}.{}", (), MOST_ABROAD), ("redis://8.8.8.8", "node-{}-{}", (), MOST_ABROAD),
        ("redis://8.8.8.8", "9.9.{}.{}", ("9.9.0.0/16",), 300), ("redis://10.0.9.9", "10.0.{}.{}", (), 300),
        # With credentials nothing is dialled but what is trusted, which the connect itself judges.
        ("redis://:pw@8.8.8.8", "9.9.{}.{}", (), 300),
    ],
)  # fmt: skip
def test_no_server_makes_us_knock_at_a_thousand_strangers(
    url: str, address: str, trust: tuple[str, ...], learnt: int
) -> None:
    target = parse_target(url, environ={}).model_copy(update={"trust": tuple(map(parse_network, trust))})
    deployment = Deployment(target, SystemClock(), Budget(), Pseudonyms())
    for number in range(300):
        host = address.format(number // 200, 1 + number % 200)
        deployment.learn(Member(host=host, port=6379, role="primary", seen="up"))
    assert (len(deployment.nodes) - 1, deployment.left_out) == (learnt, 300 - learnt)


def test_a_cluster_that_fits_is_looked_at_as_it_is_listed() -> None:
    lines = [member(1, "master", slots="1"), member(2, "master,fail", slots="2"), member(3, "myself,slave", "id1")]
    assert [one.id for one in by_trouble(parse_nodes("\n".join(lines)))] == ["id3", "id1", "id2"]


def test_replicas_that_are_not_online_come_first() -> None:
    info: Values = {"role": "master"}
    for number, state in enumerate(("online", "wait_bgsave", "online")):
        info |= {f"slave{number}.ip": f"10.0.0.{number}", f"slave{number}.port": 6379, f"slave{number}.state": state}
    assert [host for host, _ in peers(info)] == ["10.0.0.1", "10.0.0.0", "10.0.0.2"]


def test_chatter_pushes_no_deciding_event_out() -> None:
    def message(name: str, text: str) -> list[str]:
        return ["pmessage", "*", name, text]

    chatter = [message("+slave-reconf-sent", f"slave x 10.0.0.9 {n} @ m 10.0.0.1 6379") for n in range(2 * LISTED)]
    values = counted(
        node_of(), [message("+odown", "master m 10.0.0.1 6379 #quorum 2/2"), message("+tilt", "#"), *chatter]
    )
    assert values["+odown.master.count"] == 1 and values["+tilt.count"] == 1
    assert values["+slave-reconf-sent.count"] == LISTED
    assert values["events.left_out"] == LISTED


CHATTER = "1:M 29 Nov 2026 18:27:00.000 * 1 changes in 1 seconds. Saving...\n"


def read_log(text: str) -> Values:
    lines: list[Line] = list(log_lines(text))
    at = datetime(2026, 11, 29, 18, 30, tzinfo=UTC).timestamp()
    return log_values(lines[-200:], lines[-1].at, at, ended=False, earlier=lines[:-200])


def test_an_hour_of_chatter_hides_no_critical_line_of_this_life() -> None:
    begun = "1:C 29 Nov 2026 18:25:00.000 # Redis version=8.2.3, bits=64, commit=0, modified=0, pid=1, just started\n"
    bad = "1:M 29 Nov 2026 18:26:00.000 # Possible SECURITY ATTACK detected. It looks like somebody is sending POST\n"
    values = read_log(begun + bad + CHATTER * 400)
    assert (values["security_attack.count"], values["security_attack.newest_age"]) == (1, 240.0)
    assert (values["critical"], values["earlier_critical"], values["started_age"]) == (1, 1, 300.0)
    # What the life before complained of is over.
    values = read_log(bad + begun + CHATTER * 400)
    assert "security_attack.count" not in values and values["critical"] == 0
    # Where the newest lines have it too, they tell how often lately.
    values = read_log(begun + bad * 3 + CHATTER * 400 + bad)
    assert values["security_attack.count"] == 1 and values["earlier_critical"] == 0


async def test_of_many_masters_the_one_that_is_asked_about_is_shown(kind: ServerKind) -> None:
    async with sentinels(kind, count=1, quorum=1, replicas=1, down_after=60_000) as deployment:
        one = deployment.sentinels[0]
        for number in range(MASTERS + 2):
            await one.ask("SENTINEL", "MONITOR", f"cache{number}", "127.0.0.1", 1, 2)
        node = node_of(one.url)
        node.masters.add(MASTER)
        values = await sentinel(node, window=0)
        node.close()
        await asyncio.sleep(0)
    assert values["m1.name"] == MASTER
    assert values["masters.left_out"] == 3
