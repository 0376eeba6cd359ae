"""The causes that a model is shown: each by its id, and with its evidence those that can be."""

import pytest

from agent.answer.taxonomy import CAUSES
from agent.loop.catalogue import catalogue
from tools.records import Reading, Unavailable, Values

NODE = "127.0.0.1:1"
STANDALONE: Values = {"redis_mode": "standalone", "role": "master", "connected_slaves": 0}
TOPOLOGY: Values = {"topology": "standalone", "sentinels": "none"}


def read(tool: str, values: Values, *, gone: bool = False) -> Reading:
    why = Unavailable(kind="timeout", detail="no answer in 2 s") if gone else None
    return Reading(
        id="r1", tool=tool, args={}, node=NODE, at="2026-01-31T02:05:07Z", ms=1.0, values=values, unavailable=why
    )


def unlikely(*readings: Reading, ruled_out: tuple[str, ...] = (), found: tuple[str, ...] = ()) -> set[str]:
    text = catalogue(CAUSES.values(), readings, ruled_out, found)
    told, _, ids = text.partition("\nUnlikely given these readings: ")
    lines = {line.partition(": ")[0]: line.partition(": ")[2] for line in told.splitlines()}
    named = set(ids.split(", ")) - {""}
    assert lines.keys() | named == CAUSES.keys() and not lines.keys() & named
    assert all(CAUSES[id].sign == sign for id, sign in lines.items())
    return named


def test_before_anything_is_read_all_can_be() -> None:
    assert unlikely() == set()


@pytest.mark.parametrize(
    ("readings", "id", "is_unlikely"),
    [
        ((read("info", STANDALONE),), "hot-shard", True),
        ((read("info", {**STANDALONE, "redis_mode": "cluster"}),), "hot-shard", False),
        ((read("info", STANDALONE), read("topology", TOPOLOGY)), "replica-lag", True),
        ((read("info", {**STANDALONE, "connected_slaves": 1}), read("topology", TOPOLOGY)), "replica-lag", False),
        ((read("info", STANDALONE), read("topology", {**TOPOLOGY, "sentinels": "announced"})), "split-brain", False),
        ((read("topology", TOPOLOGY),), "sentinel-noquorum", True),
        ((read("topology", TOPOLOGY), read("sentinel", {"masters": 1})), "sentinel-noquorum", False),
        ((read("connect", {}), read("latency_sample", {})), "process-frozen", True),
        ((read("connect", {}), read("latency_sample", {}, gone=True)), "process-frozen", False),
        ((read("connect", {}), read("latency_sample", {}), read("persistence", {"aof_enabled": 0})),
         "aof-disk-full", True),
        ((read("persistence", {"aof_enabled": 0}),), "aof-disk-full", False),
        ((read("connect", {}), read("latency_sample", {}), read("persistence", {"aof_enabled": 1})),
         "aof-disk-full", False),
    ],
)  # fmt: skip
def test_what_is_not_there_is_unlikely(readings: tuple[Reading, ...], id: str, is_unlikely: bool) -> None:
    assert (id in unlikely(*readings)) == is_unlikely


def test_what_the_checks_ruled_out_is_unlikely_but_not_what_they_found() -> None:
    assert unlikely(ruled_out=("thp", "mass-expiry"), found=("thp",)) == {"mass-expiry"}
