"""Comments on stand-ins of GitHub, Jira and PagerDuty: one and not two, and none where something is amiss."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.standins import (
    CUT,
    DRIP,
    EMAIL,
    HANG,
    INCIDENT,
    KEY,
    PLACE,
    TOKEN,
    WORKS,
    Fault,
    GitHubStandIn,
    JiraStandIn,
    PagerDutyStandIn,
    StandIn,
    serving,
)  # fmt: skip
from tests.ticketing import DEAD, TICKETS, Desk, desk

__all__ = ["desk"]
OTHER = "redis://127.0.0.1:2"
Make = Callable[[], StandIn]
SERVICES: dict[str, tuple[Make, str]] = {
    "github": (GitHubStandIn, "github_issues_opened.json"),
    "jira-cloud": (JiraStandIn, "jira_issue_created.json"),
    "jira-server": (lambda: JiraStandIn(2), "jira_issue_server.json"),
    "pagerduty": (PagerDutyStandIn, "pagerduty_incident_triggered.json"),
}
COMMENTS = {
    "github": f"{PLACE}/issues/1347/comments",
    "jira-cloud": f"/rest/api/3/issue/{KEY}/comment",
    "jira-server": f"/rest/api/2/issue/{KEY}/comment",
    "pagerduty": f"/incidents/{INCIDENT}/notes",
}
UPDATE = {"github": "PATCH", "jira-cloud": "PUT", "jira-server": "PUT", "pagerduty": "PUT"}
FAULTS = {
    **{str(status): Fault(status) for status in (401, 403, 404, 422, 429, 500)},
    "time-out": HANG, "cut": CUT, "drip": DRIP, "html": Fault(200, "<html>it works</html>"),
    "redirect": Fault(302, "", {"location": "http://127.0.0.9/"}),
}  # fmt: skip
every = pytest.mark.parametrize("service", SERVICES)


def words(comment: dict[str, Any]) -> str:
    return json.dumps(comment, ensure_ascii=False)


@every
async def test_posted_twice_gives_one_comment(desk: Desk, service: str) -> None:
    make, ticket = SERVICES[service]
    async with serving(make()) as app:
        desk.serve(app)
        first = await desk.annotate(ticket, "--url", DEAD, "--post")
        assert first.status == 0, first.err
        assert f"POST {COMMENTS[service]}" in app.sent()
        second = await desk.annotate(ticket, "--url", DEAD, "--post")
        assert second.status == 0, second.err
        assert len(app.comments) == 1
        assert app.sent("POST", "PUT", "PATCH")[-1].startswith(UPDATE[service])
        # Another server's comment on the same ticket stands beside it.
        await desk.annotate(ticket, "--url", OTHER, "--post")
        await desk.annotate(ticket, "--url", DEAD, "--post")
        assert len(app.comments) == 2
    assert "\nposted: " in first.err and "\nupdated: " in second.err
    assert "process-down" in first.out and "process-down" in words(app.comments[0])
    # Other servers of this machine may listen on ports that begin so.
    named = [re.search(r"127\.0\.0\.1:2\b", words(comment)) is not None for comment in app.comments]
    assert named == [False, True]


@every
@pytest.mark.parametrize("status", [401, 403, 404])
async def test_no_access_ends_it_before_the_server_is_asked(desk: Desk, service: str, status: int) -> None:
    make, ticket = SERVICES[service]
    async with serving(make()) as app:
        desk.serve(app)
        app.faults = {"GET": [Fault(status, f'{{"message": "no {TOKEN} \\u001b[2J"}}')]}
        done = await desk.annotate(ticket, "--url", DEAD, "--post")
    assert done.status == 3 and str(status) in done.err
    assert done.out == "" and app.sent("POST", "PUT", "PATCH") == []
    assert TOKEN not in done.err and "\x1b" not in done.err
    assert "TOKEN" in done.err


@every
@pytest.mark.parametrize("name", FAULTS)
async def test_a_comment_that_is_refused_is_printed_and_nothing_is_half_posted(
    desk: Desk, service: str, name: str
) -> None:
    (make, ticket), fault = SERVICES[service], FAULTS[name]
    async with serving(make()) as app:
        desk.serve(app)
        app.faults = {"POST": [fault._replace(headers={**fault.headers, "retry-after": "0"})]}
        done = await desk.annotate(ticket, "--url", DEAD, "--post", patience=1.0)
        tries = len(app.sent("POST"))
    assert done.status == 1
    assert "process-down" in done.out
    (line,) = [line for line in done.err.splitlines() if "not posted" in line]
    assert "posted: " not in done.err.replace("not posted: ", "")
    assert app.comments == []
    # Only what says that it wasn't taken is tried again.
    assert tries == (2 if fault.status == 429 or (fault.status == 403) else 1)
    if fault in (HANG, CUT, DRIP):
        assert "the next run finds and updates it" in line
    elif fault.status != 302:
        assert str(fault.status) in line


@every
async def test_an_answer_that_was_lost_is_found_by_the_next_run(desk: Desk, service: str) -> None:
    make, ticket = SERVICES[service]
    async with serving(make()) as app:
        desk.serve(app)
        app.faults = {"POST": [CUT._replace(works=True)]}
        assert (await desk.annotate(ticket, "--url", DEAD, "--post")).status == 1
        app.faults = {}
        done = await desk.annotate(ticket, "--url", DEAD, "--post")
    assert done.status == 0 and "\nupdated: " in done.err
    assert len(app.comments) == 1


@every
async def test_a_comment_that_somebody_deleted_is_written_anew(desk: Desk, service: str) -> None:
    make, ticket = SERVICES[service]
    async with serving(make()) as app:
        desk.serve(app)
        await desk.annotate(ticket, "--url", DEAD, "--post")
        app.comments.clear()
        done = await desk.annotate(ticket, "--url", DEAD, "--post")
    assert done.status == 0 and "\nposted: " in done.err
    assert len(app.comments) == 1


@every
async def test_a_service_that_wants_a_moment_gets_a_short_one(desk: Desk, service: str) -> None:
    make, ticket = SERVICES[service]
    async with serving(make()) as app:
        desk.serve(app)
        app.faults = {"POST": [Fault(429, "{}", {"retry-after": "0"}), WORKS]}
        assert (await desk.annotate(ticket, "--url", DEAD, "--post")).status == 0
        assert len(app.comments) == 1 and len(app.sent("POST")) == 2
        app.comments.clear()
        app.faults = {"POST": [Fault(429, "{}", {"retry-after": "3600"})]}
        done = await desk.annotate(ticket, "--url", DEAD, "--post")
    assert done.status == 1 and "3600 s" in done.err
    assert len(app.sent("POST")) == 3 and app.comments == []


async def test_a_closed_ticket_is_left_alone(desk: Desk) -> None:
    async with serving(GitHubStandIn()) as app:
        desk.serve(app)
        for ticket in ("github_issue_closed.json", "jira_issue_done.json", "pagerduty_incident_resolved.json",
                       "alertmanager_resolved.json", "grafana_resolved.json"):  # fmt: skip
            done = await desk.annotate(ticket)
            assert done.status == 3 and "nothing was investigated" in done.err and done.out == ""
        assert app.seen == []
        # The webhook is old, and the issue was closed meanwhile.
        app.state = "closed"
        done = await desk.annotate("github_issues_opened.json", "--url", DEAD, "--post")
        assert done.status == 3 and "now closed" in done.err and done.out == ""
        assert app.sent("POST", "PATCH") == []
        done = await desk.annotate("github_issue_closed.json", "--url", DEAD)
        assert done.status == 0 and "is closed" in done.err and "process-down" in done.out
        assert (await desk.annotate("github_issue_closed.json", "--url", DEAD, "--post")).status == 3


@pytest.mark.parametrize("service", ["jira-cloud", "pagerduty"])
async def test_a_ticket_that_is_closed_by_now(desk: Desk, service: str) -> None:
    make, ticket = SERVICES[service]
    async with serving(make()) as app:
        desk.serve(app)
        if isinstance(app, JiraStandIn):
            app.category = "done"
        elif isinstance(app, PagerDutyStandIn):
            app.status = "resolved"
        done = await desk.annotate(ticket, "--url", DEAD, "--post")
    assert done.status == 3 and "is now" in done.err and done.out == ""
    assert app.sent("POST", "PUT", "PATCH") == []


@pytest.mark.parametrize("ticket", ["alertmanager.json", "grafana.json", "ticket.txt"])
async def test_what_has_no_comments(desk: Desk, ticket: str) -> None:
    done = await desk.annotate(ticket, "--url", DEAD, "--post")
    assert done.status == 2 and "--notify" in done.err and done.out == ""


@pytest.mark.parametrize("service", ["github", "jira-cloud", "pagerduty"])
async def test_without_a_token_nothing_begins(desk: Desk, service: str) -> None:
    done = await desk.annotate(SERVICES[service][1], "--url", DEAD, "--post")
    assert done.status == 2 and done.out == ""
    assert "set " in done.err.lower()


async def test_the_marker_of_somebody_else_is_not_ours(desk: Desk) -> None:
    async with serving(GitHubStandIn()) as app:
        desk.serve(app)
        await desk.annotate("github_issue.json", "--url", DEAD, "--post")
        app.comments[0]["user"] = {"login": "mallory", "type": "User"}
        done = await desk.annotate("github_issue.json", "--url", DEAD, "--post")
        assert done.status == 0 and "\nposted: " in done.err
        assert [one["user"]["login"] for one in app.comments] == ["mallory", "rediagnose-bot"]


async def test_an_app_finds_its_own_comment(desk: Desk) -> None:
    app = GitHubStandIn()
    app.app = True
    async with serving(app):
        desk.serve(app)
        for _ in range(2):
            assert (await desk.annotate("github_issue.json", "--url", DEAD, "--post")).status == 0
        assert len(app.comments) == 1
        app.comments[0]["user"] = {"login": "mallory", "type": "User"}
        await desk.annotate("github_issue.json", "--url", DEAD, "--post")
        assert len(app.comments) == 2


async def test_the_comment_is_found_behind_hundreds(desk: Desk) -> None:
    for app, ticket, field in (
        (GitHubStandIn(), "github_issue.json", "body"),
        (JiraStandIn(2), "jira_issue_server.json", "body"),
    ):
        app.comments = [{"id": number, field: f"me too {number}"} for number in range(205)]
        if isinstance(app, JiraStandIn):
            app.comments = [{"id": str(number), field: "me too"} for number in range(9)]
        before = len(app.comments)
        async with serving(app):
            desk.serve(app)
            for _ in range(2):
                done = await desk.annotate(ticket, "--url", DEAD, "--post")
                assert done.status == 0, done.err
        assert len(app.comments) == before + 1


async def test_a_note_that_cannot_be_updated_gets_no_second(desk: Desk) -> None:
    async with serving(PagerDutyStandIn()) as app:
        desk.serve(app)
        await desk.annotate("pagerduty_incident.json", "--url", DEAD, "--post")
        app.faults = {"PUT": [Fault(405)]}
        done = await desk.annotate("pagerduty_incident.json", "--url", DEAD, "--post")
    assert done.status == 1 and "can't be updated" in done.err
    assert len(app.comments) == 1


async def test_a_host_that_only_the_ticket_names_gets_no_token(desk: Desk) -> None:
    async with serving(GitHubStandIn()) as app:
        text = (TICKETS / "github_issue.json").read_text().replace("https://api.github.com", app.url)
        desk.patch.setenv("GITHUB_TOKEN", TOKEN)
        done = await desk.annotate(desk.ticket(text), "--url", DEAD, "--post")
        assert done.status == 2 and "GITHUB_API_URL" in done.err and app.seen == []
        text = (TICKETS / "jira_issue_v3.json").read_text().replace("https://example-shop.atlassian.net", app.url)
        desk.patch.setenv("JIRA_TOKEN", TOKEN)
        done = await desk.annotate(desk.ticket(text), "--url", DEAD, "--post")
        assert done.status == 2 and "JIRA_URL" in done.err and app.seen == []
        # An address that was set is asked, whatever the ticket says.
        async with serving(GitHubStandIn()) as right:
            desk.serve(right)
            text = (TICKETS / "github_issue.json").read_text().replace("https://api.github.com", app.url)
            assert (await desk.annotate(desk.ticket(text), "--url", DEAD, "--post")).status == 0
            assert app.seen == [] and len(right.comments) == 1


async def test_a_redirect_takes_no_token_along(desk: Desk) -> None:
    async with serving(GitHubStandIn()) as other, serving(GitHubStandIn()) as app:
        desk.serve(app)
        app.faults = {"GET": [Fault(301, "", {"location": f"{other.url}/repos/x/y/issues/1347"})]}
        done = await desk.annotate("github_issue.json", "--url", DEAD, "--post")
        assert (
            done.status == 3
            and f"redirects to {other.url.removeprefix('http://')}, which isn't sent the token" in done.err
        )
        assert other.seen == []
        # One that stays with the service is what a renamed repository answers with.
        app.faults = {f"GET {PLACE}/issues/1347": [Fault(301, "", {"location": "/user"})]}
        done = await desk.annotate("github_issue.json", "--url", DEAD, "--post")
        assert done.status == 3 and "Give the ticket's current name" in done.err


async def test_nobody_there(desk: Desk) -> None:
    desk.patch.setenv("GITHUB_API_URL", "http://127.0.0.1:1")
    desk.patch.setenv("GITHUB_TOKEN", TOKEN)
    done = await desk.annotate("github_issue.json", "--url", DEAD, "--post")
    assert done.status == 3 and "can't be reached" in done.err and "refused" in done.err.lower()


async def test_an_account_key_without_a_person_is_told_what_it_lacks(desk: Desk) -> None:
    async with serving(PagerDutyStandIn()) as app:
        desk.serve(app)
        desk.patch.delenv("PAGERDUTY_FROM")
        done = await desk.annotate("pagerduty_incident.json", "--url", DEAD, "--post")
    assert done.status == 1 and "PAGERDUTY_FROM" in done.err and EMAIL not in done.err


async def test_the_settings_say_where_and_with_what(desk: Desk) -> None:
    async with serving(JiraStandIn()) as app:
        desk.ticket(f"{TOKEN}\n", "jira.token")
        desk.settings(f'[jira]\nurl = "{app.url}/"\nemail = "{EMAIL}"\ntoken_file = "jira.token"\napi = 3\n')
        done = await desk.annotate("jira_issue_v3.json", "--url", DEAD, "--post")
        assert done.status == 0, done.err
        assert f"posted: {app.url}/browse/{KEY}?focusedCommentId=10000" in done.err


async def test_customers_do_not_read_along(desk: Desk) -> None:
    async with serving(JiraStandIn()) as app:
        desk.serve(app)
        for project in ("software", "service_desk"):
            app.project = project
            app.comments.clear()
            assert (await desk.annotate("jira_issue_v3.json", "--url", DEAD, "--post")).status == 0
    assert app.internal == [False, True]


async def test_an_api_that_jira_does_not_have(desk: Desk) -> None:
    async with serving(JiraStandIn(2)) as app:
        desk.serve(app)
        desk.patch.setenv("JIRA_EMAIL", EMAIL)
        app.faults = {f"GET /rest/api/3/issue/{KEY}": [Fault(404)]}
        done = await desk.annotate("jira_issue_server.json", "--url", DEAD, "--post")
    assert done.status == 3 and "api = 2" in done.err
