"""What runs while the server says -BUSY, and what the check makes of it and of what people report."""

import pytest

from agent.answer.diagnosis import Cause
from agent.checks.cpu import lua_busy
from agent.evidence.view import View
from agent.runbooks.library import load
from evals.lab.servers import Server, ServerKind, running
from evals.lab.wire import crew, packed
from tests.looking import looking, number
from tools.records import Reading, Unavailable, Values
from tools.server.script import script

LOOP = "while true do end"
LIBRARY = (
    f"#!lua name=lab\nredis.register_function('job', function() {LOOP} end)\n"
    f"redis.register_function{{function_name='report', callback=function() {LOOP} end, flags={{'no-writes'}}}}"
)


async def seen(server: Server, *command: str) -> Values:
    """The reading while a command runs for ever."""
    async with looking(server) as (node, wire), crew() as hands:
        if command[0].startswith("FCALL"):
            await wire.ask("FUNCTION", "LOAD", LIBRARY)
        stuck = await hands.dial(server.url)
        stuck.writer.write(packed(*command))
        await stuck.writer.drain()
        while not (values := await script(node))["running"]:
            pass
        return values


async def test_a_script_is_told_from_a_function(kind: ServerKind) -> None:
    async with running(kind, lua_time_limit="100") as server:
        values = await seen(server, "EVAL", LOOP, "0")
    assert values == {"running": "script", "role": "master", "command": None, "duration_ms": None}


@pytest.mark.parametrize("call,name", [("FCALL", "job"), ("FCALL_RO", "report")])
async def test_a_function_tells_how_it_was_called(kind: ServerKind, call: str, name: str) -> None:
    if not kind.at_least(7):
        pytest.skip(f"{kind.name} has no functions")
    async with running(kind, lua_time_limit="100") as server:
        values = await seen(server, call, name, "0")
    assert (values["running"], values["command"]) == ("function", call)
    assert number(values, "duration_ms") >= 100


async def test_nothing_runs(kind: ServerKind) -> None:
    async with running(kind) as server, looking(server) as (node, _):
        assert (await script(node))["running"] is None


def found(symptom: str, **values: str) -> list[str]:
    """The check's causes, likeliest first."""
    busy = Unavailable(kind="busy", detail="BUSY a script is running; SCRIPT KILL would end it")

    def reading(number: int, tool: str, values: Values, unavailable: Unavailable | None = None) -> Reading:
        return Reading(
            id=f"r{number}", tool=tool, args={}, node="a:1", at="2026-01-31T02:05:07Z", ms=1, values=values,
            unavailable=unavailable,
        )  # fmt: skip

    readings = [
        reading(0, "symptom", {"text": symptom}), reading(1, "connect", {}, busy), reading(2, "script", {**values})
    ]  # fmt: skip
    causes = [one for one in lua_busy(View(readings, "a:1"), load().thresholds) if isinstance(one, Cause)]
    return [one.id for one in sorted(causes, key=lambda one: -one.probability)]


@pytest.mark.parametrize("symptom", [
    "we sent SCRIPT KILL and got -UNKILLABLE", "it says 'unkillable'", "SCRIPT KILL fails", "SCRIPT KILL doesn't work",
    "Sorry the script already executed write commands against the dataset. You can either wait the script termination",
    "tried script kill, it was refused", "we can't SCRIPT KILL it", "SCRIPT KILL has no effect",
    "SCRIPT KILL: Redis answers with an error", "the script has already written",
])  # fmt: skip
def test_a_kill_that_failed_by_the_report_means_unkillable(symptom: str) -> None:
    assert found(symptom, running="script")[0] == "lua-unkillable"


@pytest.mark.parametrize("symptom", [
    "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE. All calls fail.",
    "'You can only call SCRIPT KILL or SHUTDOWN NOSAVE' errors on all pods", "shall we use SCRIPT KILL?",
    "everything fails since the deploy",
])  # fmt: skip
def test_what_cannot_be_known_comes_second_with_an_honest_chance(symptom: str) -> None:
    assert found(symptom, running="script") == ["lua-busy", "lua-unkillable"]


def test_the_wrong_kill_of_a_function_says_nothing() -> None:
    assert found("SCRIPT KILL fails", running="function", command="FCALL")[0] == "lua-busy"
    assert found("FUNCTION KILL fails", running="function", command="FCALL")[0] == "lua-unkillable"


def test_what_cannot_write_can_be_killed() -> None:
    assert found("BUSY", running="function", command="FCALL_RO") == ["lua-busy"]
    assert found("BUSY", running="script", role="replica") == ["lua-busy"]
