"""The program as its user runs it: a ticket in, a live server with a fault, a comment out."""

import json
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from evals.lab.catalogue import FAULTS
from evals.lab.servers import ServerKind, installed
from tests.program import SCHEMA, Done, rediagnose
from tests.standins import EMAIL, KEY, TOKEN, GitHubStandIn, JiraStandIn, PagerDutyStandIn, StandIn, serving
from tests.ticketing import DEAD, TICKETS, Desk, desk

__all__ = ["desk"]
SERVICES = ("github_issues_opened.json", "jira_issue_v3.json", "pagerduty_incident_triggered.json")


@pytest.fixture
def kind() -> ServerKind:
    if not installed():
        pytest.skip("no server is here")
    return installed()[0]


def environ(app: StandIn) -> dict[str, str]:
    if isinstance(app, GitHubStandIn):
        return {"GITHUB_API_URL": app.url, "GITHUB_TOKEN": TOKEN}
    if isinstance(app, JiraStandIn):
        return {"JIRA_URL": app.url, "JIRA_TOKEN": TOKEN, "JIRA_EMAIL": EMAIL}
    return {"PAGERDUTY_API_URL": app.url, "PAGERDUTY_TOKEN": TOKEN, "PAGERDUTY_FROM": EMAIL}


def apps() -> Iterator[tuple[str, StandIn]]:
    yield from zip(SERVICES, (GitHubStandIn(), JiraStandIn(), PagerDutyStandIn()), strict=True)


async def annotate(ticket: str, *args: str, **env: str) -> Done:
    return await rediagnose("annotate", str(TICKETS / ticket), "--model", "offline", *args, **env)


async def test_a_fault_is_told_in_every_ticket(kind: ServerKind, tmp_path: Path) -> None:
    """Each service's ticket finds its server by its labels, and gets one comment with the cause and what to do."""
    async with FAULTS["maxclients-exhausted"].begin(kind, random.Random(3)) as incident:
        toml = tmp_path / "rediagnose.toml"
        toml.write_text(f'[[targets]]\nname = "orders"\nurl = "{incident.url}"\nmatch = {{ service = "orders" }}\n')
        for ticket, app in apps():
            async with serving(app):
                env = {**environ(app), "REDIAGNOSE_CONFIG": str(toml)}
                for _ in range(2):
                    done = await annotate(ticket, "--post", **env)
                    assert done.status == 0, done.err
            assert len(app.comments) == 1
            text = json.dumps(app.comments[0])
            assert "maxclients-exhausted" in text and "CONFIG SET maxclients" in text and "CLIENT KILL TYPE" in text
            assert "maxclients-exhausted" in done.out and TOKEN not in done.out + done.err + text


@pytest.mark.alone
async def test_the_forms_of_stdout(kind: ServerKind) -> None:
    async with FAULTS["healthy-load"].begin(kind, random.Random(3)) as incident:
        told = {form: await annotate("ticket.txt", "--url", incident.url, "--format", form, "--window", "0.5")
                for form in ("markdown", "jira", "adf", "text", "json")}  # fmt: skip
    assert all(done.status == 0 for done in told.values())
    assert told["markdown"].out.startswith("<!-- rediagnose:")
    assert "h4. Evidence" not in told["markdown"].out and "{noformat}" in told["jira"].out
    assert json.loads(told["adf"].out)["type"] == "doc"
    assert json.loads(told["json"].out)["outcome"] == "no-fault" and "schema" in SCHEMA["properties"]
    assert all("no-fault" in done.out and "Redis is fine" in done.out for form, done in told.items() if form != "json")


async def test_a_server_that_keeps_us_out(desk: Desk, kind: ServerKind) -> None:
    """That our own password is wrong is no answer to a ticket about something else, and one to a ticket about it."""
    async with FAULTS["auth-failure"].begin(kind, random.Random(5)) as incident, serving(GitHubStandIn()) as app:
        desk.serve(app)
        done = await desk.annotate("github_issue.json", "--url", incident.url, "--post")
        assert done.status == 3 and "I couldn't log in" in done.err and "Nothing was posted" in done.err
        assert app.comments == [] and done.out == ""
        done = await desk.annotate("github_issue.json", "--url", incident.url)
        assert done.status == 3 and "I couldn't log in" in done.err and done.out == ""
        text = (TICKETS / "github_issue.json").read_text().replace("Checkout times out", "WRONGPASS: checkout fails")
        done = await desk.annotate(desk.ticket(text), "--url", incident.url, "--post")
        assert done.status == 0 and len(app.comments) == 1


async def test_nothing_is_asked_and_nothing_changed(kind: ServerKind) -> None:
    assert (await annotate("ticket.txt", "--url", DEAD, "--approve", "ask")).status == 2
    assert (await annotate("ticket.txt", "--url", DEAD, "--reveal")).status == 2
    async with FAULTS["maxclients-exhausted"].begin(kind, random.Random(3)) as incident:
        done = await annotate("ticket.txt", "--url", incident.url, "--format", "json")
    steps = [step for step in json.loads(done.out)["plan"] if step["needs_approval"]]
    assert steps and {step["state"] for step in steps} == {"proposed"}


async def test_what_is_recorded_and_what_would_be_asked(tmp_path: Path) -> None:
    done = await annotate("ticket.txt", "--url", DEAD, "--record", str(tmp_path / "a.rec"))
    assert done.status == 0 and (tmp_path / "a.rec").is_file()
    async with serving(JiraStandIn()) as app:
        done = await annotate("jira_issue_v3.json", "--url", DEAD, "--post", "--show-prompt", **environ(app))
        assert done.status == 0 and app.sent("POST", "PUT") == []
        assert "Since noon requests to the order service" in json.dumps(json.loads(done.out))
        assert f"GET /rest/api/3/issue/{KEY}" in app.sent()


async def test_stdin(desk: Desk) -> None:
    done = await rediagnose("annotate", "-", "--url", DEAD, "--model", "offline")
    assert done.status == 2 and "stdin: it's empty" in done.err


async def test_a_model_that_is_not_there_is_told() -> None:
    env = {"OPENAI_BASE_URL": "http://127.0.0.1:1/v1", "OPENAI_API_KEY": "sk-hushhushhush"}
    done = await rediagnose("annotate", str(TICKETS / "ticket.txt"), "--url", DEAD, "--model", "m", **env)
    assert done.status == 0 and "rediagnose's checks (model m: " in done.out
    assert "hush" not in done.out + done.err
