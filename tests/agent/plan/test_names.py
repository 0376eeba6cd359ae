"""Names that others chose, in the sentences of a plan."""

from agent.answer.diagnosis import Cause, Evidence
from agent.plan.build import build
from agent.runbooks.library import load
from tools.clock import SystemClock
from tools.connection.budget import Budget
from tools.connection.node import Node
from tools.connection.target import parse_target
from tools.gate.proposals import Proposals
from tools.records import Reading, Values
from tools.redact import Pseudonyms

NODE = "127.0.0.1:6379"


async def test_a_client_that_is_called_like_a_command_makes_no_sentence_of_a_runbook_forbidden() -> None:
    refused: list[str] = []
    values: Values = {"monitors": 1, "monitor.ids": "9", "g1.cmd": "monitor", "g1.name": "debug",
                      "g1.address": "127.0.0.1", "g1.count": 1}  # fmt: skip
    clients = Reading(id="r1", tool="clients", args={}, node=NODE, at="", ms=1, values=values, unavailable=None)
    node = Node(parse_target(f"redis://{NODE}", environ={}), SystemClock(), Budget(), Pseudonyms())
    cause = Cause(id="monitor-attached", probability=0.9, where=NODE, why="", evidence=())
    proposals = Proposals(lambda action, why: refused.append(action))
    plan = await build([cause], load(), [clients], {NODE: node}, proposals)
    assert not refused
    assert any("1 client: debug at 127.0.0.1" in step.action for step in plan.steps), plan.steps


async def test_a_command_that_a_user_lacks_makes_no_sentence_of_a_runbook_forbidden() -> None:
    refused: list[str] = []
    values: Values = {"entries": 1, "command.count": 3, "e1.reason": "command", "e1.user": "default",
                      "e1.object": "slaveof", "e1.count": 3, "e1.age": 1.0}  # fmt: skip
    denied = Reading(id="r1", tool="access", args={}, node=NODE, at="", ms=1, values=values, unavailable=None)
    node = Node(parse_target(f"redis://{NODE}", environ={}), SystemClock(), Budget(), Pseudonyms())
    evidence = (Evidence(reading="r1", field="errorstat_NOPERM.count.delta", value=3, verified=True),)
    cause = Cause(id="auth-failure", probability=0.9, where=NODE, why="", evidence=evidence)
    plan = await build([cause], load(), [denied], {NODE: node}, Proposals(lambda action, why: refused.append(action)))
    assert not refused
    assert any("the command slaveof" in step.action for step in plan.steps), plan.steps
