"""Other servers of a host are a hint that the URL has a wrong port only if nobody else named that port."""

from agent.checks.wrong_port import other_server, wrong_port
from tests.agent.checks.rows import Given, view

NODE = "10.0.0.1:7000"

ALONE: Given = {
    "connect": {"address": "10.0.0.1"},
    "process": {"listening": False, "servers_listen_at": f"{NODE.rpartition(':')[0]}:7001"},
}


def test_the_only_other_server_of_the_host_is_named() -> None:
    assert "wrong port" in wrong_port(view(ALONE, node=NODE))[0]
    assert other_server(view(ALONE, node=NODE))


def test_a_node_that_its_deployment_lists_was_not_mistyped() -> None:
    listed: Given = {**ALONE, "topology": {"topology": "cluster", "n1.node": NODE, "n1.role": "primary"}}
    assert wrong_port(view(listed, node=NODE)) == ("", ())
    assert other_server(view(listed, node=NODE)) == ()
