"""Notifications: the short top of an answer at a webhook, whose URL nobody is shown."""

import json

import pytest

from tests.program import rediagnose
from tests.standins import CUT, HANG, Fault, GitHubStandIn, WebhookStandIn, serving
from tests.ticketing import DEAD, Desk, desk

__all__ = ["desk"]
PATH = "/services/T000/B000/XXXXhushXXXX"


async def test_slack_gets_the_short_top(desk: Desk) -> None:
    async with serving(WebhookStandIn()) as app, serving(GitHubStandIn()) as github:
        desk.serve(github)
        done = await desk.annotate("github_issue.json", "--url", DEAD, "--post", "--notify", app.url + PATH)
    assert done.status == 0 and "notified: 127.0.0.1" in done.err
    assert "hush" not in done.out + done.err
    (seen,) = app.seen
    assert seen.path == PATH and set(seen.body) == {"text", "blocks"}
    for word in ("process-down", "*Do first:*", "*Don't:*", "127.0.0.1:1", "example-shop/checkout#1347", "|comment>"):
        assert word in seen.body["text"]
    assert {block["type"] for block in seen.body["blocks"]} == {"section"}
    assert "\n".join(block["text"]["text"] for block in seen.body["blocks"]) == seen.body["text"]


async def test_any_other_webhook_gets_flat_json(desk: Desk) -> None:
    async with serving(WebhookStandIn()) as app:
        desk.settings(f'[[notify]]\nname = "oncall"\nurl_file = "hook"\n{TWICE}')
        desk.ticket(f"{app.url}/in?key=hush\n", "hook")
        desk.patch.setenv("CHAT_URL", app.url + "/rooms/1")
        both = ("--notify", "oncall", "--notify", "chat")
        done = await desk.annotate("alertmanager.json", "--url", DEAD, *both)
    assert done.status == 0, done.err
    first, second = app.seen
    assert first.query == {"key": ["hush"]} and "hush" not in done.out + done.err
    told = first.body
    assert told["schema"] == 1 and told["source"] == "rediagnose" and told["outcome"] == "diagnosed"
    assert told["causes"][0]["id"] == "process-down" and told["target"] == DEAD and told["ticket"] is None
    assert told["title"] and told["what"] and told["do"] and told["dont"] and told["at"]
    assert "*Do first:*" in second.body["text"]


TWICE = '[[notify]]\nname = "chat"\nurl_env = "CHAT_URL"\nform = "slack"\n'


@pytest.mark.parametrize("fault", [Fault(401), Fault(404, "no_service"), Fault(429), Fault(500), HANG,
                                   Fault(302, "", {"location": "http://127.0.0.9/"})])  # fmt: skip
async def test_what_a_webhook_does_not_take_is_said(desk: Desk, fault: Fault) -> None:
    async with serving(WebhookStandIn()) as app, serving(WebhookStandIn()) as well:
        app.faults = {"POST": [fault]}
        given = ("--notify", app.url + PATH, "--notify", well.url)
        done = await desk.annotate("ticket.txt", "--url", DEAD, *given, patience=1.0)
    assert done.status == 1 and "process-down" in done.out
    assert "--notify 127.0.0.1: " in done.err and "hush" not in done.err
    # The next one is notified all the same.
    assert len(well.seen) == 1 and len(app.seen) == 1


async def test_a_webhook_that_cuts_its_answer_was_told(desk: Desk) -> None:
    async with serving(WebhookStandIn()) as app:
        app.faults = {"POST": [CUT]}
        assert (await desk.annotate("ticket.txt", "--url", DEAD, "--notify", app.url)).status == 0


@pytest.mark.parametrize("given", ["nobody", "ftp://hush@x/y", "http://", "redis://hush@x"])
async def test_what_is_no_webhook(desk: Desk, given: str) -> None:
    done = await desk.annotate("ticket.txt", "--url", DEAD, "--notify", given)
    assert done.status == 2 and done.out == "" and "hush" not in done.err
    assert "--notify" in done.err


async def test_a_comment_that_is_not_posted_is_notified_all_the_same(desk: Desk) -> None:
    async with serving(WebhookStandIn()) as app, serving(GitHubStandIn()) as github:
        desk.serve(github)
        github.faults = {"POST": [Fault(422)]}
        done = await desk.annotate("github_issue.json", "--url", DEAD, "--post", "--notify", app.url)
    assert done.status == 1
    assert app.seen[0].body["link"] is None


async def test_triage_notifies_too() -> None:
    async with serving(WebhookStandIn()) as app:
        done = await rediagnose("triage", DEAD, "is it down?", "--model", "offline", "--notify", app.url + PATH)
        assert done.status == 0, done.err
        assert "process-down" in done.out and "process-down" in app.seen[0].body["text"]
        assert "hush" not in done.out + done.err
        app.faults = {"POST": [Fault(500)]}
        done = await rediagnose("triage", DEAD, "--model", "offline", "--format", "json", "--notify", app.url)
    assert done.status == 1 and json.loads(done.out)["outcome"] == "diagnosed"
    assert "it answered 500" in done.err
    assert (await rediagnose("triage", DEAD, "--model", "offline", "--notify", "nobody")).status == 2
