"""Commands are counted by name, however they arrive, and no more of them pass than allowed."""

import random

import pytest

from evals.lab.servers import installed, running
from evals.lab.wire import LOST, dial, packed
from evals.live_tasks.meter import Requests, metered

SENT = (
    packed("CONFIG", "SET", "maxclients", "100") + packed("GET", b"x" * 200) + b"PING\r\n\r\ninfo server\r\n"
    + packed("SET", "key", b"*3\r\n$3\r\nDEL\r\n") + packed("CLIENT", "UNPAUSE") + packed("EVAL", "return 1", 0)
)  # fmt: skip
NAMES = ["config|set", "get", "ping", "info", "set", "client|unpause", "eval"]


@pytest.mark.parametrize("seed", range(20))
def test_names_do_not_depend_on_the_pieces(seed: int) -> None:
    rng, requests, at = random.Random(seed), Requests(), 0
    names: list[str] = []
    while at < len(SENT):
        size = rng.randrange(1, 1 + (1 if seed == 0 else 40))
        names += requests.feed(SENT[at : at + size])
        at += size
    assert names == NAMES


@pytest.mark.live
async def test_what_is_allowed_passes_and_nothing_more() -> None:
    async with running(installed()[0]) as server, metered(server.url, 3) as (url, meter):
        wire = await dial(url)
        assert [await wire.ask("PING") for _ in range(3)] == ["PONG"] * 3
        assert meter.total == 3
        with pytest.raises(LOST):
            await wire.ask("SET", "key", "1")
        assert (meter.refused, meter.counts) == (True, {"ping": 3, "set": 1})
        await wire.close()
        own = await dial(server.url)
        assert await own.ask("GET", "key") is None
        await own.close()


@pytest.mark.live
async def test_a_server_that_is_gone_refuses_through_the_meter_as_well() -> None:
    async with running(installed()[0]) as server, metered(server.url, 3) as (url, _):
        await server.stop()
        wire = await dial(url)
        with pytest.raises(LOST):
            await wire.ask("PING")
        await wire.close()
