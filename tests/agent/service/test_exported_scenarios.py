"""What somebody said about an answer becomes a scenario that the evaluation scores."""

import json
from pathlib import Path

import pytest

from evals.scoring.scenario import load
from tests.program import rediagnose
from tests.served import DEAD, QUICK, desk

pytestmark = [pytest.mark.live, pytest.mark.timeout(1500)]


async def test_incidents_are_exported_as_scenarios_and_scored(tmp_path: Path) -> None:
    cases, state = tmp_path / "cases", str(tmp_path / "state")
    async with desk(tmp_path) as place:
        served = await place.serve(*QUICK)
        ids = [await served.opened(title=f"redis://u:h{n}unter2@h:1 times out", target=DEAD, key=str(n)) for n in "ab"]
        for id in ids:
            assert "unter2" not in json.dumps(await served.until(id, "answered"))
        told = await rediagnose("incidents", "export", ids[0], "-o", str(cases), XDG_STATE_HOME=state)
        assert told.status == 2 and "nobody said yet what it was" in told.err and not cases.exists()
        wrong = {"verdict": "wrong", "cause": "no-such-cause"}
        assert (await served.client.post(f"/v1/incidents/{ids[0]}/feedback", json=wrong)).status_code == 422
        said = [{"verdict": "right"}, {"verdict": "wrong", "cause": "maxclients-exhausted"}]
        for id, one in zip(ids, said, strict=True):
            assert (await served.client.post(f"/v1/incidents/{id}/feedback", json=one)).status_code == 201
        for id in (*ids, ids[0]):
            told = await rediagnose("incidents", "export", id, "-o", str(cases), XDG_STATE_HOME=state)
            assert told.status == 0 and told.out.strip() == str(cases / f"{id}.jsonl.gz"), told.err
    assert {one.id: one.expected for one in load(cases)} == {
        ids[0]: ("process-down",), ids[1]: ("maxclients-exhausted",)
    }  # fmt: skip
    assert "unter2" not in (cases / "index.json").read_text()
    scored = await rediagnose("eval", "--scenarios", str(cases), "--format", "json", "--jobs", "1")
    assert scored.status == 0, scored.err
    results = {one["scenario"]: one for one in json.loads(scored.out)["results"] if one["arm"] == "offline"}
    assert {id: results[id]["first"] for id in ids} == {ids[0]: True, ids[1]: False}
    assert {one["invalid"] for one in results.values()} == {None}
    (cases / "index.json").write_text("[]")
    told = await rediagnose("incidents", "export", ids[0], "-o", str(cases), XDG_STATE_HOME=state)
    assert told.status == 2 and "isn't an index of scenarios" in told.err
