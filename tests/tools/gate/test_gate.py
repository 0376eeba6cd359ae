"""The gate against real servers: nothing changes that wasn't approved exactly."""

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import pytest

from agent.runbooks.library import load
from agent.runbooks.placeholders import EXAMPLES
from evals.lab.servers import Server, ServerKind, running, start
from evals.lab.wire import LOST, dial
from tools.clock import SystemClock
from tools.connection.budget import Budget
from tools.connection.node import Node
from tools.connection.target import parse_target
from tools.errors import Forbidden, GateError, Moved, ToolError
from tools.gate.apply import Approval, Gate
from tools.gate.bounds import Room
from tools.gate.ledger import Entry
from tools.gate.policy import allowed_change, canonical_name, parse_command, refusal_of_advice
from tools.gate.proposals import Proposals, propose_config_set
from tools.redact import Pseudonyms


class Later(SystemClock):
    """A clock that can be put forward."""

    ahead = timedelta()

    def now(self) -> datetime:
        return super().now() + self.ahead


def ignore(entry: Entry) -> None:
    pass


async def no_room(node: str) -> Room:
    return Room()


@pytest.fixture
async def server(kind: ServerKind) -> AsyncIterator[Server]:
    found = await start(kind)
    yield found
    await found.stop()


@pytest.fixture
async def node(server: Server) -> AsyncIterator[Node]:
    made = Node(parse_target(server.url, environ={}), SystemClock(), Budget(), Pseudonyms())
    yield made
    made.close()


async def everything(node: Node) -> list[str]:
    return [str(part) for part in await node.one("CONFIG", "GET", "*")]


async def test_a_proposal_changes_nothing(node: Node) -> None:
    before = await everything(node)
    proposals = Proposals(lambda action, why: None)
    values = await propose_config_set(node, proposals, "MaxClients", "5000", "more room")
    assert values == {
        "action": "CONFIG SET maxclients 5000", "before": "10000", "after": "5000", "risk": "risky",
        "rollback": "CONFIG SET maxclients 10000", "state": "proposed",
        "unchecked": "The file limit of the process isn't known from here.",
    }  # fmt: skip
    assert await everything(node) == before
    assert len(proposals.pending) == 1


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("requirepass", "x"), ("REQUIREPASS", "x"), ("masterauth", "x"), ("protected-mode", "no"), ("bind", "0.0.0.0"),
        ("slave-read-only", "no"), ("replica-read-only", "no"), ("dir", "/tmp"), ("dbfilename", "x.so"),
        ("maxclients 100 requirepass", "x"), ("maxclients\r\nrequirepass", "x"), ("nosuchparameter", "1"),
        ("slowlog-log-slower-than", "0"), ("maxclients", "100000000"), ("maxclients", "many"), ("timeout", "1\nx"),
        ("*", "1"), ("", "1"),
    ],
)  # fmt: skip
async def test_forbidden_is_forbidden_in_every_spelling(node: Node, parameter: str, value: str) -> None:
    told: list[str] = []
    proposals = Proposals(lambda action, why: told.append(why))
    before = await everything(node)
    with pytest.raises(ToolError):
        await propose_config_set(node, proposals, parameter, value, "trust me")
    assert proposals.pending == []
    assert len(told) == 1
    assert await everything(node) == before


async def test_an_approved_change_is_made_and_undone(node: Node) -> None:
    before = await everything(node)
    proposals, gate = Proposals(lambda action, why: None), Gate(SystemClock(), ignore, no_room)
    proposal = await proposals.propose(node, ("CONFIG", "SET", "timeout", "300"), "closes idle clients")
    applied = await gate.apply(node, proposal.change, gate.approve(proposal.change, by="a", channel="t"))
    assert (applied.read_before, applied.read_after) == ("0", "300")
    undo = allowed_change(node.name, proposal.change.undo or (), "300", restores=True)
    await gate.apply(node, undo, gate.approve(undo, by="a", channel="t"))
    assert await everything(node) == before


async def test_a_value_that_moved_stops_the_change(node: Node) -> None:
    gate = Gate(SystemClock(), ignore, no_room)
    proposal = await Proposals(lambda action, why: None).propose(node, ("CONFIG", "SET", "timeout", "300"), "w")
    approval = gate.approve(proposal.change, by="a", channel="t")
    await node.change(("CONFIG", "SET", "timeout", "60"))
    with pytest.raises(Moved, match="'60' now but was '0'"):
        await gate.apply(node, proposal.change, approval)
    assert await node.one("CONFIG", "GET", "timeout") == ["timeout", "60"]


async def test_an_approval_is_for_one_change_once_and_not_for_long(node: Node) -> None:
    clock = Later()
    gate = Gate(clock, ignore, no_room)
    proposals = Proposals(lambda action, why: None)
    wanted = (await proposals.propose(node, ("CONFIG", "SET", "timeout", "300"), "w")).change
    other = (await proposals.propose(node, ("CONFIG", "SET", "timeout", "301"), "w")).change
    approval = gate.approve(wanted, by="a", channel="t")
    with pytest.raises(GateError, match="not for this"):
        await gate.apply(node, other, approval)
    clock.ahead = timedelta(minutes=6)
    with pytest.raises(GateError, match="has expired"):
        await gate.apply(node, wanted, approval)
    clock.ahead = timedelta()
    await gate.apply(node, wanted, approval)
    await node.change(("CONFIG", "SET", "timeout", "0"))
    with pytest.raises(GateError, match="already been used"):
        await gate.apply(node, wanted, approval)
    assert await node.one("CONFIG", "GET", "timeout") == ["timeout", "0"]


async def test_a_forged_change_meets_policy_again(node: Node) -> None:
    gate = Gate(SystemClock(), ignore, no_room)
    honest = (await Proposals(lambda action, why: None).propose(node, ("CONFIG", "SET", "timeout", "300"), "w")).change
    forged = honest.model_copy(update={"args": ("CONFIG", "SET", "requirepass", "x"), "before": ""})
    approval = Approval(change=forged, by="a", channel="t", expires=SystemClock().now() + timedelta(minutes=1),
                        token="0" * 32)  # fmt: skip
    with pytest.raises(Forbidden):
        await gate.apply(node, forged, approval)
    assert await node.one("PING") == "PONG"


@pytest.mark.parametrize(
    "text",
    ["FLUSHALL", "SHUTDOWN NOSAVE", "CONFIG REWRITE", "CONFIG RESETSTAT", "CLIENT KILL TYPE normal", "KEYS *", "SAVE",
     "CLIENT KILL ID 1 SKIPME no", "SLOWLOG RESET", "DEBUG SLEEP 1", "REPLICAOF NO ONE", "CONFIG SET timeout 1 hz 2"],
)  # fmt: skip
def test_commands_that_no_class_names_are_forbidden(text: str) -> None:
    with pytest.raises(Forbidden):
        allowed_change("127.0.0.1:6379", tuple(text.split()))


@pytest.mark.parametrize(
    ("advice", "held_back"),
    [
        ("run redis-cli flushall and restart", True), ("CONFIG SET protected-mode no on the host", True),
        ("set it by config  set REQUIREPASS ''", True), ("rm -rf the AOF", True), ("Restart the consumer", False),
        ("CONFIG SET tcp-keepalive 60 in the file too", False), ("Use SCAN and not KEYS in the app", False),
    ],
)  # fmt: skip
def test_untrusted_advice_is_read_before_it_is_shown(advice: str, held_back: bool) -> None:
    assert (refusal_of_advice(advice) is not None) == held_back


def test_the_bundled_remedies_pass_policy() -> None:
    remedies = [remedy for book in load().runbooks for notes in book.causes.values() for remedy in notes.remedies]
    assert remedies
    examples = {name: (text,) for name, text in EXAMPLES.items()}
    for remedy in remedies:
        (filled,) = remedy.filled(examples, lambda address: f"redis-cli {address}".strip())
        assert [line for line in filled.lines if refusal_of_advice(line)] == []
        if remedy.kind == "outside":
            assert refusal_of_advice(filled.action) is None
        else:
            assert allowed_change("127.0.0.1:6379", parse_command(filled.action)).risk == remedy.risk


@pytest.mark.parametrize(
    ("parameter", "why"),
    [
        ("tls-port", "lock every client out"), ("tls-ca-cert-file", "lock"), ("replica-announce-ip", "address"),
        ("slave-announce-port", "address"), ("cluster-announce-hostname", "address"), ("databases", "restart"),
        ("appendfilename", "restart"), ("enable-debug-command", "restart"), ("IO-threads", "restart"),
        ("slaveof", "gives the server's data up"), ("masteruser", "replication"), ("primaryauth", "replication"),
        ("replica-announced", "lose sight"), ("oom-score-adj", "the policy doesn't list it"),
        ("active-defrag-max-scan-fields", "the policy doesn't list it"),
    ],
)  # fmt: skip
def test_what_is_never_made_says_why(parameter: str, why: str) -> None:
    with pytest.raises(Forbidden, match=why):
        allowed_change("127.0.0.1:6379", ("CONFIG", "SET", parameter, "1"))


@pytest.mark.parametrize(
    ("alias", "value"),
    [
        ("lua-time-limit", "6000"), ("slave-priority", "50"), ("min-slaves-max-lag", "12"),
        ("hash-max-ziplist-entries", "100"), ("REPLICA-serve-stale-data", "no"), ("list-max-ziplist-size", "-1"),
    ],
)  # fmt: skip
async def test_an_alias_is_the_same_parameter_under_the_name_that_the_server_has(
    node: Node, alias: str, value: str
) -> None:
    proposals, gate = Proposals(lambda action, why: None), Gate(SystemClock(), ignore, no_room)
    one, other = [
        (await proposals.propose(node, ("config", "set", name, value), "w")).change
        for name in (alias, canonical_name(alias))
    ]
    assert one == other
    assert len(proposals.pending) == 1
    await gate.apply(node, one, gate.approve(other, by="a", channel="t"))
    assert await node.one("CONFIG", "GET", str(one.parameter)) == [one.parameter, value]


async def test_a_client_is_looked_at_again_before_it_is_ended(server: Server, node: Node) -> None:
    proposals, gate = Proposals(lambda action, why: None), Gate(SystemClock(), ignore, no_room)
    await node.connection()
    wire = await dial(server.url)
    try:
        await wire.ask("CLIENT", "SETNAME", "orders")
        kill = ("CLIENT", "KILL", "ID", str(await wire.ask("CLIENT", "ID")))
        wanted = (await proposals.propose(node, kill, "w")).change
        assert wanted.before is not None and "name=orders flags=N" in wanted.before
        await wire.ask("CLIENT", "SETNAME", "payments")
        with pytest.raises(Moved, match="name=payments"):
            await gate.apply(node, wanted, gate.approve(wanted, by="a", channel="t"))
        assert await wire.ask("PING") == "PONG"
        await wire.ask("CLIENT", "SETNAME", "orders")
        await gate.apply(node, wanted, gate.approve(wanted, by="a", channel="t"))
        with pytest.raises(LOST):
            await wire.ask("PING")
        with pytest.raises(Moved, match="gone"):
            await gate.apply(node, wanted, gate.approve(wanted, by="a", channel="t"))
    finally:
        await wire.close()


async def test_neither_a_replica_nor_this_program_is_ended(kind: ServerKind, server: Server, node: Node) -> None:
    told: list[str] = []
    proposals = Proposals(lambda action, why: told.append(why))
    await node.connection()
    with pytest.raises(Forbidden, match="own connection"):
        await proposals.propose(node, ("CLIENT", "KILL", "ID", str(node.client_id)), "w")
    async with running(kind, replicaof=f"127.0.0.1 {server.port}"):
        for _ in range(200):
            listed = str(await node.one("CLIENT", "LIST"))
            if ids := re.findall(r"^id=(\d+) .* flags=S ", listed, re.MULTILINE):
                break
            await asyncio.sleep(0.05)
        with pytest.raises(Forbidden, match="replica"):
            await proposals.propose(node, ("CLIENT", "KILL", "ID", ids[0]), "w")
    assert len(told) == 2
