"""The service's traces, with a real server, real decisions and a real collector."""

from pathlib import Path

import pytest
from redis.asyncio import Redis

from evals.lab.servers import installed, running
from tests.collector import Collector, collecting
from tests.decided import decision, filled, full, planned
from tests.served import desk

pytestmark = [pytest.mark.live, pytest.mark.timeout(600)]


async def test_incidents_and_decisions_are_traced(tmp_path: Path) -> None:
    kind = next(kind for kind in installed() if kind.at_least(7))
    async with desk(tmp_path) as place, collecting() as collector, running(kind) as server:
        place.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = collector.url
        served = await place.serve("--model", "offline", "--window", "0.5")
        redis = Redis.from_url(server.url)
        await full(redis)
        id, step = await planned(served, server.url)
        for verb, before in (("refuse", "proposed"), ("approve", "refused")):
            answer = await served.client.post(f"/v1/incidents/{id}/decisions", json=decision(step, verb))
            assert answer.status_code == 202
            await served.stepped(id, step["id"], before)
        await redis.aclose()
        assert await served.stop() == 0
    root = collector.one("investigate")
    assert root.said["rediagnose.outcome"] == "diagnosed"
    changes = collector.named("change")
    assert [one.events[0] for one in changes] == ["refused", "approved"]
    assert changes[1].said["rediagnose.step.state"] in ("applied", "verified")
    assert all(one.said["rediagnose.node"] == step["node"] for one in changes)
    assert step["action"].encode() not in collector.raw


async def test_what_a_later_process_changes_is_part_of_the_incidents_trace(tmp_path: Path) -> None:
    async with desk(tmp_path) as place, filled() as (server, _), collecting() as collector:
        place.environ |= {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}
        served = await place.serve("--model", "offline", "--window", "0.5")
        id, step = await planned(served, server.url)
        await served.stop()
        served = await place.serve("--model", "offline", "--window", "0.5")
        path = f"/v1/incidents/{id}"
        assert (await served.client.post(f"{path}/decisions", json=decision(step))).status_code == 202
        assert (await served.stepped(id, step["id"], "proposed"))["state"] in ("applied", "verified")
        assert (await served.client.post(f"{path}/look-again")).status_code == 202
        await served.until(id, "answered")
        assert (await served.client.post(f"{path}/decisions", json=decision(step, "roll-back"))).status_code == 202
        assert (await served.stepped(id, step["id"], "applied", "verified"))["state"] == "rolled-back"
        await served.stop()
    (root,) = [one for one in collector.named("investigate") if not one.parent]
    changes = collector.named("change")
    assert [one.events[-1] for one in changes] in (["applied", "rolled-back"], ["verified", "rolled-back"])
    assert len(collector.named("investigate")) == 2
    assert {one.trace for one in collector.spans} == {root.trace}
    assert all(one.parent == root.id for one in (*changes, *collector.named("investigate")) if one is not root)


async def test_a_service_says_at_once_that_its_traces_are_not_accepted(tmp_path: Path) -> None:
    async with desk(tmp_path) as place, collecting(Collector(status=400)) as collector:
        place.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = collector.url
        served = await place.serve("--model", "offline", "--window", "0.2")
        id = await served.opened(title="it is down", target="redis://127.0.0.1:1")
        await served.until(id, "answered")
        while not any("not all traces were accepted" in line for line in served.said):
            await served.get("/v1/incidents")
        assert await served.stop() == 0
        assert "".join(served.said).count("not all traces were accepted") == 1
