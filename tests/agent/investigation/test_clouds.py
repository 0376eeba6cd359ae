"""A managed server of Azure or Google Cloud whose own interface tells of a failover, as a user sees it."""

from pathlib import Path

import pytest

from evals.lab.servers import ServerKind, running
from tests.clouds import azure_identity, cloud, google_key
from tests.program import checked, rediagnose
from tests.tools.providers import test_azure, test_google
from tools.connection.managed import services

PAGE = "connection reset by Redis at checkout, errors for a minute"


@pytest.mark.live
@pytest.mark.parametrize("service", ["azure", "memorystore"])
async def test_a_failover_of_the_service_is_the_cause(
    kind: ServerKind, service: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with cloud() as made:
        if service == "azure":
            azure_identity(made, monkeypatch)
            provider, there = test_azure.CACHE, test_azure.failed_over(120)
        else:
            google_key(made, monkeypatch, tmp_path, test_google.PROJECT)
            provider, there = test_google.FULL, test_google.failed_over(120)
        made.rows = there
        async with running(kind) as server:
            settings = tmp_path / "rediagnose.toml"
            settings.write_text(
                f'[[targets]]\nname = "cache"\nurl = "{server.url}"\nservice = "{service}"\nprovider = "{provider}"\n'
            )
            done = await rediagnose(
                "triage", "cache", PAGE, "--model", "offline", "--format", "json", REDIAGNOSE_CONFIG=str(settings)
            )
    answer = done.answer()
    checked(answer)
    assert "asking" in done.err and "only reading" in done.err
    assert answer["causes"][0]["id"] == "managed-failover", answer["summary"]
    assert any(services()[service].terms["endpoint"] in step["action"] for step in answer["plan"])
    assert {one.method for one in made.read} == {"GET"}
