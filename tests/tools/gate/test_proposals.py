"""What is proposed: classified, read, offered once, or refused in one line."""

import pytest

from tests.tools.gate.settings_server import Settings, settings_node
from tools.errors import Forbidden, ToolError, Unanswered
from tools.gate.bounds import Room
from tools.gate.proposals import ACTION_MOST, REFUSED_MOST, Proposals, propose_config_set

CLIENT = "id=7 addr=127.0.0.1:5 name=app flags=N cmd=get\n"


def listed(room: Room | None = None) -> tuple[Proposals, list[tuple[str, str]]]:
    """Proposals, and what they report."""
    told: list[tuple[str, str]] = []

    def report(action: str, why: str) -> None:
        told.append((action, why))

    return (Proposals(report) if room is None else Proposals(report, lambda node: room)), told


async def test_a_proposal_holds_what_is_there_and_is_offered_once() -> None:
    proposals, told = listed()
    async with settings_node(Settings()) as node:
        first = await proposals.propose(node, ("CONFIG", "SET", "TIMEOUT", "300"), "why")
        again = await proposals.propose(node, ("config", "set", "timeout", "300"), "another why")
        assert first.change == again.change and first.change.before == "0" and first.why == "why"
        assert first.unchecked is None
        await proposals.propose(node, ("CONFIG", "SET", "timeout", "301"), "why")
    assert [one.change.action for one in proposals.pending] == ["CONFIG SET timeout 300", "CONFIG SET timeout 301"]
    assert told == [] and proposals.refused == {}


async def test_what_the_tool_tells_of_a_proposal() -> None:
    proposals, _ = listed()
    async with settings_node(Settings()) as node:
        assert await propose_config_set(node, proposals, "maxclients", "5000", "more room") == {
            "action": "CONFIG SET maxclients 5000", "before": "100", "after": "5000", "risk": "risky",
            "rollback": "CONFIG SET maxclients 100", "state": "proposed",
            "unchecked": "The file limit of the process isn't known from here.",
        }  # fmt: skip
        with pytest.raises(ToolError, match=r"^CONFIG SET requirepass is never made from here"):
            await propose_config_set(node, proposals, "requirepass", "x", "trust me")


async def test_a_parameter_is_set_by_the_name_that_the_server_has() -> None:
    proposals, _ = listed()
    async with settings_node(Settings({"slave-priority": "100", "maxclients": "1"})) as node:
        found = await proposals.propose(node, ("CONFIG", "SET", "replica-priority", "50"), "why")
        assert (found.change.parameter, found.change.before) == ("slave-priority", "100")
        with pytest.raises(ToolError, match=r"has no parameter 'hz'; propose one that CONFIG GET shows$"):
            await proposals.propose(node, ("CONFIG", "SET", "hz", "20"), "why")
    assert len(proposals.pending) == 1


async def test_there_has_to_be_room_for_it() -> None:
    proposals, told = listed(Room(clients=4000, connected=5))
    async with settings_node(Settings()) as node:
        assert (await proposals.propose(node, ("CONFIG", "SET", "maxclients", "4000"), "why")).unchecked is None
        with pytest.raises(Forbidden, match="room for 4000"):
            await proposals.propose(node, ("CONFIG", "SET", "maxclients", "4001"), "why")
    assert [action for action, _ in told] == ["CONFIG SET maxclients 4001"]


async def test_a_client_is_proposed_with_who_it_is() -> None:
    proposals, _ = listed()
    has = Settings(clients=CLIENT)
    async with settings_node(has) as node:
        with pytest.raises(Unanswered, match=r"there is no open connection to .* to send CLIENT KILL ID 7 through"):
            await proposals.propose(node, ("CLIENT", "KILL", "ID", "7"), "why")
        await node.connection()
        found = await proposals.propose(node, ("CLIENT", "KILL", "ID", "7"), "why")
        assert found.change.before == "addr=127.0.0.1:5 name=app flags=N"
        with pytest.raises(ToolError, match=r"has no client 70; look at clients again$"):
            await proposals.propose(node, ("CLIENT", "KILL", "ID", "70"), "why")
        purge = await proposals.propose(node, ("MEMORY", "PURGE"), "why")
        assert purge.change.before is None
    assert has.changes == []


async def test_what_is_forbidden_is_reported_once_and_by_its_first_words() -> None:
    proposals, told = listed()
    async with settings_node(Settings()) as node:
        for _ in range(2):
            with pytest.raises(Forbidden):
                await proposals.propose(node, ("EVAL", "a", "b", "c", "hidden"), "why")
    assert [action for action, _ in told] == ["EVAL a b c"]
    assert "is never sent from here" in told[0][1]
    assert proposals.pending == []


def test_refusals_are_short_one_line_without_secrets_and_not_without_end() -> None:
    proposals, told = listed()
    proposals.forbid("CONFIG SET requirepass hunter2\n  now", "no")
    assert told == [("CONFIG SET requirepass *** now", "no")]
    proposals.forbid("x" * (ACTION_MOST + 1), "no")
    assert told[-1][0] == "x" * ACTION_MOST
    for number in range(REFUSED_MOST):
        proposals.forbid(f"action {number}", "no")
    assert len(told) == len(proposals.refused) == REFUSED_MOST
    assert proposals.refused["action 0"] == "no" and f"action {REFUSED_MOST - 1}" not in proposals.refused


async def test_what_was_proposed_falls_with_its_author() -> None:
    proposals, told = listed()
    async with settings_node(Settings()) as node:
        await proposals.propose(node, ("CONFIG", "SET", "timeout", "300"), "why")
    proposals.withdraw("the diagnosis was wrong")
    assert proposals.pending == []
    assert told == [("CONFIG SET timeout 300", "the diagnosis was wrong")] == list(proposals.refused.items())
