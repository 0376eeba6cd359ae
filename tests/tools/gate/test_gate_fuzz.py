"""A thousand proposals, most of them crooked: nothing on the server changes but what was approved, exactly."""

import random
import re
from datetime import timedelta
from typing import Any

import pytest

from agent.investigation.toolset import tools_of
from evals.lab.servers import ServerKind, running
from tests.looking import looking
from tools.clock import SystemClock
from tools.connection.budget import Budget
from tools.connection.node import Node
from tools.errors import GateError, ToolError
from tools.gate.apply import Approval, Gate
from tools.gate.bounds import Room
from tools.gate.ledger import Entry
from tools.gate.policy import Change, spellings
from tools.gate.proposals import REFUSED_MOST, Proposals, propose_config_set
from tools.host.local import Host
from tools.past.history import History
from tools.records import BudgetLimits

GOOD = {
    "timeout": ("300", "0", "60"), "maxclients": ("5000", "9000"), "slowlog-log-slower-than": ("10000", "2000"),
    "slowlog-max-len": ("128", "256"), "latency-monitor-threshold": ("100", "5"), "tcp-keepalive": ("60", "300"),
    "maxmemory-policy": ("allkeys-lru", "noeviction"), "maxmemory": ("100mb", "2000000000"), "hz": ("10", "20"),
    "busy-reply-threshold": ("5000", "6000"), "replica-priority": ("50", "100"), "min-replicas-max-lag": ("10", "20"),
    "hash-max-listpack-entries": ("128", "256"), "appendfsync": ("everysec", "no"), "save": ("", "3600 1"),
    "client-output-buffer-limit": ("pubsub 33554432 8388608 60", "slave 1mb 1mb 0"), "lazyfree-lazy-expire": ("yes",),
    "notify-keyspace-events": ("KEA", ""), "repl-timeout": ("60", "90"), "acllog-max-len": ("100",),
}  # fmt: skip
FORBIDDEN = (
    "requirepass", "masterauth", "primaryauth", "masteruser", "bind", "port", "protected-mode", "dir", "dbfilename",
    "slave-read-only", "replica-read-only", "tls-port", "tls-key-file-pass", "replica-announce-ip", "slaveof",
    "cluster-announce-ip", "aclfile", "logfile", "enable-debug-command", "acl-pubsub-default", "proto-max-bulk-len",
    "oom-score-adj", "set-proc-title", "nosuch", "*", "", "repl-diskless-load", "replica-ignore-maxmemory",
)  # fmt: skip
BAD_VALUES = (
    "100000000", "-1", "", "many", "1 requirepass x", "1\r\nCONFIG SET requirepass x", "1\x00", " 1", "1 ",
    "\u0661\u0662", "yes\u200b", "9" * 200, "0x10", "1e9", "%s", "$(id)", "0", "1",
    "normal 0 0 0 replica 0 0 0 pubsub 0 0 0",
)  # fmt: skip
LOOKALIKE = str.maketrans({"a": "\u0430", "e": "\u0435", "i": "\u0131", "s": "\u017f", "k": "\u212a", "-": "\u2010"})


class Later(SystemClock):
    """A clock that can be put forward."""

    ahead = timedelta()

    def now(self) -> Any:
        return super().now() + self.ahead


def crooked(rng: random.Random) -> tuple[str, str]:
    """A parameter and a value, written in a way that somebody might get past a gate with."""
    name = rng.choice([*GOOD, *FORBIDDEN])
    value = rng.choice(BAD_VALUES if rng.random() < 0.4 else GOOD.get(name, ("1", "yes", "x")))
    name = rng.choice(spellings(name)) if name else name
    way = rng.randrange(8)
    if way == 0:
        name = "".join(rng.choice((char.upper(), char)) for char in name)
    elif way == 1:
        name = name.translate(LOOKALIKE)
    elif way == 2:
        name += rng.choice((" 1 requirepass", "\r\nrequirepass", "\x00", "\t", " ", "\n", "\u00a0", "*"))
    elif way == 3:
        name = rng.choice((" ", "\ufeff", "\x00", "-")) + name
    return name, value


async def settings(node: Node) -> dict[str, str]:
    """All of CONFIG GET; passwords are compared too."""
    pairs = await node.one("CONFIG", "GET", "*")
    return dict(zip(map(str, pairs[::2]), map(str, pairs[1::2]), strict=True))


def forged(gate: Gate, rng: random.Random, change: Change, old: list[Approval]) -> tuple[Change, Approval]:
    """A change with an approval that isn't one for it, or isn't one any more."""
    now = SystemClock().now() + timedelta(minutes=5)
    made_up = Approval(change=change, by="model", channel="terminal", expires=now, token=f"{rng.getrandbits(128):032x}")
    honest = gate.approve(change, by="test", channel="test")
    other = change.model_copy(update=rng.choice((
        {"args": ("CONFIG", "SET", "requirepass", "x")}, {"args": (*change.args[:3], "31")}, {"node": "127.0.0.1:1"},
        {"before": "12345"}, {"risk": "safe" if change.risk == "risky" else "risky"}, {"restores": True},
        {"args": (*change.args, "requirepass", "x")}, {"args": ("FLUSHALL",)}, {"args": ("SHUTDOWN", "NOSAVE")},
        {"args": ("CONFIG", "SET", change.args[2].upper(), change.args[3])},
    )))  # fmt: skip
    stale = change.model_copy(update={"before": f"{change.before}0"})
    ways: list[tuple[Change, Approval]] = [
        (change, made_up), (other, honest), (other, honest.model_copy(update={"change": other})),
        (change, honest.model_copy(update={"expires": now + timedelta(days=1)})),
        (stale, gate.approve(stale, by="test", channel="test")),
    ]  # fmt: skip
    ways += [(one.change, one) for one in rng.sample(old, min(1, len(old)))]
    return rng.choice(ways)


async def test_a_thousand_proposals_change_only_what_was_approved(kind: ServerKind) -> None:
    rng, clock = random.Random(20), Later()
    told: list[str] = []
    logged: list[Entry] = []
    used: list[Approval] = []
    room = Room(clients=20000, memory=2**34, used=2**20)

    async def look(node: str) -> Room:
        return room

    async with running(kind) as server, looking(server) as (node, wire):
        # The incident's bound would end it long before.
        node.budget = Budget(BudgetLimits(commands=10**6, bytes=2**30))
        before = await settings(node)
        approved: list[tuple[str, str]] = []
        stopped = 0
        proposals = Proposals(lambda action, why: told.append(action), lambda node: room)
        gate = Gate(clock, logged.append, look)
        for _ in range(1000):
            name, value = crooked(rng)
            try:
                await propose_config_set(node, proposals, name, value, "trust me, it's urgent")
                proposal = await proposals.propose(node, ("CONFIG", "SET", name, value), "trust me, it's urgent")
            except ToolError:
                stopped += 1
                continue
            if rng.random() < 0.3:
                # As it should be: approved, made, and put back. Only this may change the server.
                change = proposal.change
                approval = gate.approve(change, by="test", channel="test")
                if (await settings(node))[str(change.parameter)] == change.before:
                    used.append(approval)
                    try:
                        done = await gate.apply(node, change, approval)
                    except GateError as error:
                        # Within policy, and this server doesn't take it.
                        assert "refused" in str(error)
                        continue
                    approved.append((change.action, change.before or ""))
                    await gate.roll_back(node, done, "over")
                continue
            wanted, approval = forged(gate, rng, proposal.change, used)
            late = rng.random() < 0.1
            if late:
                wanted, approval = proposal.change, gate.approve(proposal.change, by="test", channel="test")
                clock.ahead = timedelta(minutes=6)
            with pytest.raises((GateError, ToolError)):
                await gate.apply(node, wanted, approval)
            clock.ahead = timedelta()
        assert await settings(node) == before
        assert await wire.ask("PING") == "PONG"
    made = [(one.action, one.before) for one in logged if one.event == "applied"]
    assert made == approved
    assert len(approved) > 5 and stopped > 300 and len(proposals.pending) > 20
    # A flood of them isn't told one by one.
    assert len(told) == len(proposals.refused) == REFUSED_MOST
    # A line is a line, and a secret that somebody would set isn't told on.
    assert not [one for one in told if re.search(r"[^ -~]|^CONFIG SET (requirepass|masterauth) (?!\*\*\*$)", one)]


async def test_no_tool_reaches_the_gate(kind: ServerKind) -> None:
    """Whatever a tool is bound to leads to no gate and to no approval, however long the way."""
    async with running(kind) as server, looking(server) as (node, _):
        proposals = Proposals(lambda action, why: None)
        tools = list(
            tools_of(node, Host(node.target, SystemClock()), proposals, History(None, SystemClock()), sentinel=False)
        )
        assert {tool.effect for tool in tools} == {"reads", "proposes"}
        assert [tool.name for tool in tools if tool.effect == "proposes"] == ["propose_config_set"]
        seen: dict[int, Any] = {}
        todo: list[Any] = [tool.call for tool in tools]
        while todo:
            one = todo.pop()
            if id(one) in seen or isinstance(one, str | bytes | int | float | type | None):
                continue
            seen[id(one)] = one
            assert not isinstance(one, Gate | Approval), one
            held = list(vars(one).values()) if hasattr(one, "__dict__") else []
            parts = [getattr(one, name, None) for name in ("func", "args", "keywords", "__self__", "__closure__")]
            cells = [cell.cell_contents for cell in getattr(one, "__closure__", None) or ()]
            inside = list(one.values()) if isinstance(one, dict) else list(one) if isinstance(one, list | tuple) else []
            todo += [*held, *parts, *cells, *inside]
        assert any(isinstance(one, Proposals) for one in seen.values())
        assert not [name for name in dir(proposals) if "approve" in name or "apply" in name]
