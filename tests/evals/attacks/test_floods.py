"""Floods and endpoints without an end, a few of them: `make attack` tries all."""

import json
import random
from pathlib import Path

from evals.attacks import endpoints, floods
from evals.attacks._child import run
from evals.attacks.floods import FLOODS, LARGE, servers
from evals.lab.servers import ServerKind, running
from evals.lab.wire import crew


async def test_two_floods() -> None:
    assert [one async for one in floods.attempts(2, random.Random(2)) if not one.held] == []


async def test_an_endpoint_without_an_end() -> None:
    assert [one async for one in endpoints.attempts(1, random.Random(3)) if not one.held] == []


async def test_clients_with_names_of_megabytes_on_a_real_server(kind: ServerKind, tmp_path: Path) -> None:
    async with running(kind) as server, crew() as hands:
        for _ in range(20):
            wire = await hands.dial(server.url, timeout=30)
            await wire.ask("CLIENT", "SETNAME", "x" * 5_000_000, timeout=30)
        ran = await run(
            "triage", server.url, "timeouts", "--model", "offline", "--format", "json", "--deadline", "12",
            "--record", str(tmp_path / "big.rec"),
        )  # fmt: skip
    assert ran.wrong(60) == ""
    clients = [one for one in json.loads(ran.out)["readings"] if one["tool"] == "clients"]
    assert [one["unavailable"]["kind"] for one in clients] == ["malformed"] * len(clients) and clients


def test_every_flood_is_tried() -> None:
    names = {name for name, _ in servers(random.Random(1))}
    assert len(names) == 6 * len(FLOODS) + 2 * len(LARGE)
    count = len(endpoints.floods())
    assert len(dict(endpoints.chosen(count, random.Random(1)))) == count
