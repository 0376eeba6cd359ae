"""What the network itself says of a connect that it didn't let through, and whom the checks blame for it."""

import pytest

from agent.answer.diagnosis import Cause
from agent.checks.connectivity import firewall_drop, process_down
from agent.checks.outside import unreachable
from agent.evidence.view import View
from agent.runbooks.library import load
from evals.lab.netns import firewall, namespace
from evals.lab.servers import free_port
from tools.clock import SystemClock
from tools.connection import icmp
from tools.connection.budget import Budget
from tools.connection.node import Node
from tools.connection.target import parse_target
from tools.errors import Unanswered
from tools.records import Reading, Unavailable
from tools.redact import Pseudonyms


async def refused(*rule: str) -> tuple[Unanswered, list[str]]:
    """How a connect to another machine ends where a rule stands before the port, and the causes that are found."""
    if reason := firewall():
        pytest.skip(reason)
    async with namespace() as far:
        port = free_port()
        if rule:
            far.run("iptables", "-A", "INPUT", "-p", "tcp", "--dport", str(port), "-j", *rule)
        node = Node(
            parse_target(f"redis://{far.inside}:{port}", environ={}), SystemClock(), Budget(), Pseudonyms()
        )  # fmt: skip
        with pytest.raises(Unanswered) as ended:
            await node.dial(5)
    error = ended.value
    reading = Reading(
        id="r1", tool="connect", args={}, node="a:1", at="2026-01-31T02:05:07Z", ms=1, values=error.values,
        unavailable=Unavailable(kind=error.kind, detail=error.detail),
    )  # fmt: skip
    view, limits = View([reading], "a:1"), load().thresholds
    found = [one for check in (process_down, firewall_drop, unreachable) for one in check(view, limits)]
    return error, [one.id for one in found if isinstance(one, Cause)]


@pytest.mark.live
@pytest.mark.parametrize("reject,meaning", [
    ("icmp-admin-prohibited", "prohibited"), ("icmp-port-unreachable", "port-unreachable"),
    ("icmp-host-unreachable", "host-unreachable"),
])  # fmt: skip
async def test_a_rule_that_rejects_is_told_from_a_dead_server(reject: str, meaning: str) -> None:
    error, causes = await refused("REJECT", "--reject-with", reject)
    assert (error.values["icmp"], error.values["icmp_from"]) == (meaning, error.values["address"])
    assert causes == ["firewall-drop"]


@pytest.mark.live
async def test_a_closed_port_answers_without_icmp() -> None:
    error, causes = await refused()
    assert error.values["tcp_error"] == "ECONNREFUSED" and "icmp" not in error.values
    assert causes == ["process-down"]


def test_what_this_machine_itself_reports_is_nobodys_icmp() -> None:
    assert icmp.parse(b"\x71\0\0\0\x01\0\0\0" + bytes(24)) == {}
    assert icmp.parse(b"short") == {}
