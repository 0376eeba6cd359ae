"""The watch within `rediagnose serve`: /metrics has the targets, and the file the past."""

import asyncio
from pathlib import Path

import pytest

from evals.lab.servers import ServerKind, running
from tests.served import QUICK, Served, desk
from tools.past.store import Store

pytestmark = pytest.mark.live


async def test_serve_watches_the_targets_of_its_settings(kind: ServerKind, tmp_path: Path) -> None:
    async with running(kind) as server, running(kind) as other, desk(tmp_path) as table:
        targets = "".join(
            f'[[targets]]\nname = "{name}"\nurl = "{one.url}"\n' for name, one in (("orders", server), ("other", other))
        )
        table.settings(f'{targets}[watch]\ninterval = 10\ncheck_interval = 60\ntargets = ["orders"]\n')
        served = await table.serve(*QUICK)
        async with asyncio.timeout(120):
            while 'rediagnose_target_level{level="healthy",target="orders"}' not in (text := await metrics(served)):
                await asyncio.sleep(0.5)
        assert 'rediagnose_target_reachable{target="orders"} 1.0' in text and 'target="other"' not in text
        assert "rediagnose_incidents_total" in text or "rediagnose_incidents_kept" in text
        (file,) = (line.split(" kept in ")[1].strip() for line in served.said if "watched is kept in" in line)
        assert await served.stop() == 0
        assert not any("the watch:" in line for line in served.said), served.said
    reader = Store(Path(file)).reader()
    assert reader.nodes == [f"127.0.0.1:{server.port}"]
    assert [one.target for one in reader.states()] == ["orders"]


async def metrics(served: Served) -> str:
    answer = await served.client.get("/metrics")
    assert answer.status_code == 200
    return answer.text
