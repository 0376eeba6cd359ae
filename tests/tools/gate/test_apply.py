"""One approved change, or none: what is checked before it, written down around it, and taken back after it."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.tools.gate.settings_server import OWN, Settings, settings_node
from tools.clock import SystemClock
from tools.connection.node import Node
from tools.errors import Forbidden, GateError, Moved, ToolError, Unanswered, Unlogged
from tools.gate.apply import VALID_FOR, Applied, Approval, Gate
from tools.gate.bounds import Room
from tools.gate.ledger import Entry
from tools.gate.policy import Change, allowed_change

CLIENT = "id=7 addr=127.0.0.1:5 name=app flags=N cmd=get\n"
KILL = ("CLIENT", "KILL", "ID", "7")


class At(SystemClock):
    """A clock whose time of day is set."""

    time = datetime(2026, 1, 31, 2, 5, 7, tzinfo=UTC)

    def now(self) -> datetime:
        return self.time


class Log:
    """Holds the entries; from the one that it breaks at it can't write."""

    def __init__(self, breaks_at: str = "") -> None:
        self.entries: list[Entry] = []
        self._breaks_at = breaks_at

    def __call__(self, one: Entry) -> None:
        if one.event == self._breaks_at:
            raise Unlogged("no space")
        self.entries.append(one)

    def events(self) -> list[str]:
        return [one.event for one in self.entries]


async def no_room(node: str) -> Room:
    return Room()


async def apply(gate: Gate, node: Node, *words: str, before: str | None = None, **more: Any) -> Applied:
    change = allowed_change(node.name, words, before, **more)
    return await gate.apply(node, change, gate.approve(change, by="ada", channel="terminal", step="s1"))


SET = ("CONFIG", "SET", "timeout", "300")


async def test_a_change_is_logged_before_it_is_sent_and_after_it_was_read() -> None:
    log, has = Log(), Settings()
    async with settings_node(has) as node:
        done = await apply(Gate(At(), log, no_room), node, *SET, before="0")
    assert (done.read_before, done.read_after, done.reply) == ("0", "300", "OK")
    assert has.changes == [SET]
    assert log.events() == ["approved", "applying", "applied"]
    for entry in log.entries:
        assert (entry.user, entry.channel, entry.step, entry.node) == ("ada", "terminal", "s1", done.change.node)
        assert (entry.args, entry.before, entry.after, entry.restores) == (SET, "0", "300", False)
        assert entry.action == "CONFIG SET timeout 300" and entry.time == "2026-01-31T02:05:07.000+00:00"


@pytest.mark.parametrize("value", ["60", None])
async def test_a_value_that_moved_or_is_gone_stops_it(value: str | None) -> None:
    log, has = Log(), Settings({"timeout": value} if value else {})
    now = "'60'" if value else "gone"
    async with settings_node(has) as node:
        with pytest.raises(Moved, match=f"^timeout is {now} now but was '0'; look again before changing it$"):
            await apply(Gate(At(), log, no_room), node, *SET, before="0")
    assert has.changes == []
    assert log.events() == ["approved", "stopped"]
    assert log.entries[-1].why.startswith(f"timeout is {now} now")


async def test_an_approval_holds_for_its_change_its_time_and_once() -> None:
    clock, log, has = At(), Log(), Settings()
    gate = Gate(clock, log, no_room)
    async with settings_node(has) as node:
        one = allowed_change(node.name, SET, "0")
        other = allowed_change(node.name, ("CONFIG", "SET", "timeout", "301"), "0")
        elsewhere = one.model_copy(update={"node": "127.0.0.1:1"})
        approval = gate.approve(one, by="ada", channel="terminal")
        assert approval.expires == clock.time + VALID_FOR and len(approval.token) == 32
        made_up = Approval(change=one, by="m", channel="t", expires=approval.expires, token="0" * 32)
        longer = approval.model_copy(update={"expires": approval.expires + timedelta(days=1)})
        tries: list[tuple[Change, Approval, str]] = [
            (other, approval, "the approval is for CONFIG SET timeout 300 on .*, not for this"),
            (elsewhere, gate.approve(elsewhere, by="ada", channel="terminal"), "not for this"),
            (one, made_up, "the approval of CONFIG SET timeout 300 wasn't given here; approve it"),
            (one, longer, "wasn't given here"),
            (one.model_copy(update={"risk": "safe"}), approval, "isn't the change that policy derives from it"),
        ]
        for change, by, why in tries:
            with pytest.raises(GateError, match=why):
                await gate.apply(node, change, by)
        clock.time += VALID_FOR
        with pytest.raises(GateError, match="the approval of CONFIG SET timeout 300 has expired; approve it again"):
            await gate.apply(node, one, approval)
        clock.time -= timedelta(seconds=1)
        await gate.apply(node, one, approval)
        has.config["timeout"] = "0"
        with pytest.raises(GateError, match="the approval of CONFIG SET timeout 300 has already been used"):
            await gate.apply(node, one, approval)
    assert has.changes == [SET]


async def test_what_the_server_refuses_is_failed_and_said() -> None:
    log, has = Log(), Settings(refusal="ERR CONFIG SET failed")
    async with settings_node(has) as node:
        with pytest.raises(GateError, match=r"^127.0.0.1:[0-9]+ refused CONFIG SET timeout 300: "):
            await apply(Gate(At(), log, no_room), node, *SET, before="0")
    assert log.events() == ["approved", "applying", "failed"]
    assert "ERR" in log.entries[-1].why


async def test_what_was_sent_and_not_answered_is_not_taken_for_made() -> None:
    log, has = Log(), Settings(silent=True)
    async with settings_node(has) as node:
        with pytest.raises(GateError, match=r"was sent but not answered \(.*\): check whether it took effect, don't"):
            await apply(Gate(At(), log, no_room), node, *SET, before="0")
    assert log.events() == ["approved", "applying", "unanswered"]
    assert log.entries[-1].why


@pytest.mark.parametrize(("mute", "event"), [("change", "unanswered"), ("read", "applied")])
async def test_what_is_broken_off_is_written_down_as_far_as_it_came(mute: str, event: str) -> None:
    log, has = Log(), Settings(mute=mute)
    async with settings_node(has) as node:
        task = asyncio.create_task(apply(Gate(At(), log, no_room), node, *SET, before="0"))
        await has.reached.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert log.events() == ["approved", "applying", event]
    assert (log.entries[-1].user, log.entries[-1].step) == ("ada", "s1")


async def test_the_value_is_written_down_as_the_server_prints_it() -> None:
    log, has = Log(), Settings(printed={"100mb": "104857600"})
    async with settings_node(has) as node:
        done = await apply(Gate(At(), log, no_room), node, "CONFIG", "SET", "maxmemory", "100mb", before="0")
    assert done.read_after == "104857600"
    assert [one.after for one in log.entries] == ["100mb", "100mb", "104857600"]


@pytest.mark.parametrize(("at", "sent"), [("approved", 0), ("applying", 0), ("applied", 1)])
async def test_what_cannot_be_written_down_is_not_made_and_a_change_that_was_is_said(at: str, sent: int) -> None:
    has = Settings()
    async with settings_node(has) as node:
        with pytest.raises(Unlogged, match=r"but that can't be logged: no space$" if sent else "^no space$"):
            await apply(Gate(At(), Log(at), no_room), node, *SET, before="0")
    assert len(has.changes) == sent


async def test_a_change_whose_effect_cannot_be_read_was_made() -> None:
    log, has = Log(), Settings(unreadable=True)
    async with settings_node(has) as node:
        done = await apply(Gate(At(), log, no_room), node, *SET, before="0")
    assert done.read_after is None
    assert log.events()[-1] == "applied"


@pytest.mark.parametrize(
    ("parameter", "value", "room", "why"),
    [
        ("maxclients", "50", Room(connected=60), "60 are connected"), ("maxclients", "50", Room(connected=49), None),
        ("maxclients", "5000", Room(clients=4000), "room for 4000"),
        ("maxmemory", "2mb", Room(used=2**22), "4194304 bytes are in use"), ("maxmemory", "4mb", Room(), None),
    ],
)  # fmt: skip
async def test_the_machine_is_looked_at_again(parameter: str, value: str, room: Room, why: str | None) -> None:
    looked: list[str] = []

    async def look(node: str) -> Room:
        looked.append(node)
        return room

    has = Settings()
    before = has.config[parameter]
    async with settings_node(has) as node:
        gate = Gate(At(), Log(), look)
        if why:
            with pytest.raises(Forbidden, match=why):
                await apply(gate, node, "CONFIG", "SET", parameter, value, before=before)
        else:
            await apply(gate, node, "CONFIG", "SET", parameter, value, before=before)
        assert looked == [node.name]
        await apply(gate, node, *SET, before="0")
        assert looked == [node.name]
    assert len(has.changes) == (1 if why else 2)


async def test_its_own_change_is_taken_back_once_out_of_bounds_too() -> None:
    log, has = Log(), Settings({"timeout": "5"})
    gate = Gate(At(), log, no_room)
    async with settings_node(has) as node:
        done = await apply(gate, node, *SET, before="5")
        back = await gate.roll_back(node, done, "it got worse", step="s1")
        assert has.config == {"timeout": "5"}
        assert (back.read_before, back.read_after) == ("300", "5")
        has.config["timeout"] = "300"
        with pytest.raises(GateError, match=r"^CONFIG SET timeout 300 can't be undone automatically$"):
            await gate.roll_back(node, done, "twice")
        assert has.config == {"timeout": "300"}
    assert log.events() == ["approved", "applying", "applied", "applying", "rolled-back"]
    last = log.entries[-1]
    assert (last.user, last.channel, last.step, last.restores) == ("rediagnose", "guard", "s1", True)
    assert log.entries[-2].why == "it got worse"


async def test_what_moved_since_is_not_taken_back() -> None:
    log, has = Log(), Settings()
    gate = Gate(At(), log, no_room)
    async with settings_node(has) as node:
        done = await apply(gate, node, *SET, before="0")
        has.config["timeout"] = "400"
        with pytest.raises(Moved, match=r"^timeout is '400' now but was '300'"):
            await gate.roll_back(node, done, "it got worse")
    assert has.config["timeout"] == "400"


async def test_a_limit_that_no_longer_fits_is_not_taken_back_by_itself() -> None:
    rooms = [Room(), Room(clients=80)]
    looked: list[str] = []

    async def look(node: str) -> Room:
        looked.append(node)
        return rooms.pop(0)

    has = Settings()
    gate = Gate(At(), Log(), look)
    async with settings_node(has) as node:
        done = await apply(gate, node, "CONFIG", "SET", "maxclients", "70", before="100")
        with pytest.raises(Forbidden, match="room for 80"):
            await gate.roll_back(node, done, "it got worse")
        assert looked == [node.name] * 2
    assert has.config["maxclients"] == "70"


async def test_a_command_is_taken_back_by_nothing() -> None:
    gate, has = Gate(At(), Log(), no_room), Settings()
    async with settings_node(has) as node:
        done = await apply(gate, node, "MEMORY", "PURGE")
        assert (done.read_before, done.read_after) == (None, None)
        with pytest.raises(GateError, match=r"^MEMORY PURGE can't be undone automatically$"):
            await gate.roll_back(node, done, "why")
    assert has.changes == [("MEMORY", "PURGE")]


@pytest.mark.parametrize("by", ["nobody", "this gate", "the log"])
async def test_an_old_value_comes_back_out_of_bounds_only_where_somebody_knows_it(by: str) -> None:
    has = Settings({"timeout": "5"})
    gate = Gate(At(), Log(), no_room, (lambda change: True) if by == "the log" else lambda change: False)
    async with settings_node(has) as node:
        if by == "this gate":
            await apply(gate, node, *SET, before="5")
        has.config["timeout"] = "300"
        undo = ("CONFIG", "SET", "timeout", "5")
        if by == "nobody":
            with pytest.raises(Forbidden, match=f"only a value that this program's audit log has for {node.name}"):
                await apply(gate, node, *undo, before="300", restores=True)
        else:
            await apply(gate, node, *undo, before="300", restores=True)
    assert has.config["timeout"] == ("300" if by == "nobody" else "5")


@pytest.mark.parametrize(
    ("listed", "before", "why"),
    [
        (CLIENT, "addr=127.0.0.1:5 name=app flags=N", None),
        (CLIENT, "addr=127.0.0.1:5 name=other flags=N", "^client 7 is 'addr=127.0.0.1:5 name=app flags=N' now but was"),
        ("", "addr=127.0.0.1:5 name=app flags=N", "^client 7 is gone now"),
        (CLIENT.replace("id=7", "id=70"), "addr=127.0.0.1:5 name=app flags=N", "^client 7 is gone now"),
        (CLIENT.replace("flags=N", "flags=S"), "x", r"^client 7 is a replica's or the primary's connection \(flags=S"),
        (CLIENT.replace("flags=N", "flags=M"), "x", "^client 7 is a replica's or the primary's"),
        (CLIENT.replace("flags=N", "flags=O"), "addr=127.0.0.1:5 name=app flags=O", None),
        (CLIENT.replace("=app", "=a/b"), "addr=127.0.0.1:5 name=sha256:c14cddc033f64b9d flags=N", None),
        (CLIENT.replace("=app", "="), "addr=127.0.0.1:5 name= flags=N", None),
    ],
)  # fmt: skip
async def test_a_client_is_who_it_was(listed: str, before: str, why: str | None) -> None:
    has = Settings(clients=listed)
    async with settings_node(has) as node:
        gate = Gate(At(), Log(), no_room)
        if why:
            with pytest.raises(GateError if "now" in why else Forbidden, match=why):
                await apply(gate, node, *KILL, before=before)
        else:
            await apply(gate, node, *KILL, before=before)
    assert has.changes == ([] if why else [KILL])


async def test_this_programs_own_connection_is_not_ended() -> None:
    has = Settings(clients=CLIENT.replace("id=7", f"id={OWN}"))
    async with settings_node(has) as node:
        await node.connection()
        with pytest.raises(Forbidden, match=f"^client {OWN} is this program's own connection$"):
            await apply(Gate(At(), Log(), no_room), node, "CLIENT", "KILL", "ID", str(OWN), before="x")
    assert has.changes == []


async def test_a_server_that_is_gone_stops_it_before_anything_is_sent() -> None:
    log, has = Log(), Settings()
    async with settings_node(has) as node:
        pass
    with pytest.raises((ToolError, Unanswered)):
        await apply(Gate(At(), log, no_room), node, *SET, before="0")
    assert log.events() == ["approved", "stopped"]
