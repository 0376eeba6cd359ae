"""The interface as it describes itself: hostile requests made of the description find no error of the program's own."""

import asyncio
import sys
from pathlib import Path
from subprocess import PIPE, STDOUT

import pytest

from agent.web.bodies import NewDecision
from agent.web.description import description
from tests.served import DEAD, QUICK, desk

pytestmark = [pytest.mark.live, pytest.mark.timeout(1500)]
CHECKS = "not_a_server_error,status_code_conformance,response_schema_conformance,content_type_conformance"


async def test_requests_drawn_from_the_description_find_no_error(tmp_path: Path) -> None:
    async with desk(tmp_path) as place:
        served = await place.serve(*QUICK)
        for number in range(3):
            await served.opened(title="slow", target=DEAD, key=str(number))
        command = [
            str(Path(sys.executable).with_name("schemathesis")), "run", f"{served.url}openapi.json",
            "-H", f"Authorization: {served.client.headers['authorization']}", "--exclude-path-regex", "events$",
            "--phases", "fuzzing", "--max-examples", "15", "--seed", "18", "--checks", CHECKS,
            "--suppress-health-check", "all", "--generation-database", "none",
        ]  # fmt: skip
        process = await asyncio.create_subprocess_exec(*command, cwd=tmp_path, stdout=PIPE, stderr=STDOUT)
        out, _ = await process.communicate()
        assert process.returncode == 0, out.decode()[-4000:]
        assert (await served.client.get("/readyz")).status_code == 200
        assert "Traceback" not in "".join(served.said)


def test_whoever_sends_a_body_finds_what_each_part_of_it_means() -> None:
    schemas = description()["components"]["schemas"]
    for name in ("NewIncident", "NewDecision", "NewFeedback", "NewQuestion"):
        lack = [key for key, one in schemas[name]["properties"].items() if not one.get("description")]
        assert not lack, (name, lack)
    for example in schemas["NewDecision"]["examples"]:
        NewDecision.model_validate(example)
