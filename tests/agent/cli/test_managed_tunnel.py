"""A managed server by way of this machine: what is read of the machine isn't taken for the server's."""

from pathlib import Path

import pytest

from evals.lab.servers import free_port, installed, running
from tests.program import checked, triage

LOCAL = ("process", "sockets", "machine", "disk", "kernel_log")


def settings(folder: Path, url: str) -> str:
    file = folder / "rediagnose.toml"
    file.write_text(f'[[targets]]\nname = "orders"\nurl = "{url}"\nservice = "elasticache"\n')
    return str(file)


@pytest.mark.live
async def test_nothing_of_this_machine_is_taken_for_the_servers(tmp_path: Path) -> None:
    async with running(installed()[0]) as server:
        answer = await triage("orders", "slow", "--window", "0.2", REDIAGNOSE_CONFIG=settings(tmp_path, server.url))
    checked(answer)
    read = {one["tool"]: one for one in answer["readings"]}
    assert all(read[tool]["unavailable"]["kind"] == "not-local" for tool in LOCAL if tool in read)
    assert "process" in read and read["process"]["values"]["locality"] == "other-machine"


async def test_a_tunnel_that_ended_isnt_a_server_that_is_down(tmp_path: Path) -> None:
    file = settings(tmp_path, f"redis://127.0.0.1:{free_port()}")
    answer = await triage("orders", "checkout times out", "--window", "0.2", REDIAGNOSE_CONFIG=file)
    checked(answer)
    assert answer["outcome"] == "outside-redis" and "a tunnel or a port-forward" in answer["summary"]
