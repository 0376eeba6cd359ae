"""Words of others in Markdown, in a chat and at a relay: no mention, link, picture or markup."""

import json
import re

import pytest
from markdown_it import MarkdownIt

from agent.answer.diagnosis import Cause, Diagnosis, Evidence, Step
from agent.report.markdown import markdown
from agent.report.markup import in_chat, in_markdown, unlinked
from agent.tickets.chat_forms import discord, google_chat, mattermost, teams
from agent.tickets.notify import generic, slack, webhooks
from tests.stand_in import answer
from tools.settings.tables import Settings

WORDS = (
    "@here @all @channel @everyone @octocat <!here> <!subteam^S1> <@U123> <#C123> <users/all> <at>all</at>",
    "![x](https://evil.example/x.png) [click](https://evil.example) [a][b] [b]: https://evil.example",
    "https://evil.example HTTP://evil.example www.evil.example evil.example mailto:a@evil.example ftp://evil.example",
    "<https://evil.example|log in> <img src=x> <script>x</script> &lt;!here&gt; #general #1 ~town-square :shipit:",
    "*bold* _it_ ~struck~ `code` ```block``` ||spoiler|| > quote | cell |\n# heading\n- item\n1. item\n---\n@here",
)


def hostile(words: str) -> Diagnosis:
    cite = Evidence(reading="r2", field=words, value=words)
    cause = Cause(id="maxclients-exhausted", probability=0.9, where=words, why=words, evidence=(cite,))
    step = Step(id="s1", kind="outside", node=words, action=words, why=words, risk="risky", needs_approval=False,
                rollback=words, avoid=words, verify=words)  # fmt: skip
    changed = step.model_copy(update={"id": "s2", "kind": "config_set", "needs_approval": True})
    return answer("maxclients-exhausted").model_copy(
        update={"causes": (cause,), "plan": (step, changed), "unknown": (words,), "findings": (cause,)}
    )


@pytest.mark.parametrize("words", WORDS)
def test_the_markdown_of_an_answer_has_none(words: str) -> None:
    shown = markdown(hostile(words))
    html = MarkdownIt("gfm-like", {"linkify": False}).render(shown)
    assert not re.search(r"<(?:a|img|script|h[1-6]|blockquote|em|s|hr|at|ol)\b", html), html
    outside = re.sub(r"<code>.*?</code>", "", html, flags=re.DOTALL)
    assert not re.search(r"@\w|https?://|www\.|:shipit:|#\w", re.sub(r"&#?\w+;", " ", outside)), outside
    assert "<h1>" not in html and "<summary>Readings</summary>" in html


@pytest.mark.parametrize("words", WORDS)
def test_a_notification_has_none(words: str) -> None:
    told = slack(hostile(words), None, "")
    text = told["text"]
    outside = re.sub(r"`[^`]*`", "", text)
    assert not re.search(r"@\w|[a-zA-Z]://|www\.|evil\.example|\]\(|\]\[|<|:shipit:|#\w|[~|]", outside), outside
    assert all(block["text"]["verbatim"] for block in told["blocks"])
    assert len(text.split("\n")) == 4 and text.count("`") % 2 == 0
    flat = generic(hostile(words), None, "")
    prose = json.dumps([flat[name] for name in ("title", "what", "do", "dont", "by")], ensure_ascii=False)
    assert not re.search(r"@\w|[a-zA-Z]://|www\.|evil\.example|\]\(|<[!@#/a-z]", prose), prose


@pytest.mark.parametrize("words", WORDS)
def test_the_other_chats_have_none(words: str) -> None:
    said = discord(hostile(words), None, "")
    (embed,) = said["embeds"]
    assert (
        said["allowed_mentions"] == {"parse": []} and len(embed["title"]) <= 256 and len(embed["description"]) <= 4096
    )
    (attachment,) = mattermost(hostile(words), None, "")["attachments"]
    assert not re.search(r"@\w|[a-zA-Z]://|[<>\\~|*`]", embed["title"] + attachment["title"] + attachment["fallback"])
    chats = (
        (embed["description"], "**"),
        (attachment["text"], "**"),
        (google_chat(hostile(words), None, "")["text"], "*"),
    )
    for text, bold in chats:
        assert len(text.split("\n")) == 4 and text.count("`") % 2 == 0 and text.count(bold) % 2 == 0
        outside = re.sub(r"`[^`]*`", "", text).replace(bold, "")
        assert not re.search(r"@\w|[a-zA-Z]://|www\.|evil\.example|\]\(|\]\[|[<>\\~|*]|:shipit:|#\w", outside), outside
    (card,) = teams(hostile(words), None, "")["attachments"]
    runs = [run for block in card["content"]["body"] for run in block["inlines"]]
    assert {run["type"] for run in runs} == {"TextRun"} and "entities" not in card["content"]["msteams"]
    prose = " ".join(run["text"] for run in runs)
    assert not re.search(r"@\w|[a-zA-Z]://|www\.|evil\.example|\]\(|<\w|\n", prose), prose


def test_the_other_chats_lead_to_the_incident_within_their_limits() -> None:
    link, long = "https://sre.example/incidents/1", hostile("x" * 60_000)
    (card,) = teams(long, None, link)["attachments"]
    assert card["content"]["actions"] == [{"type": "Action.OpenUrl", "title": "Open it", "url": link}]
    assert len(json.dumps(card)) < 28 * 1024
    (embed,) = discord(long, None, link)["embeds"]
    assert embed["url"] == link and sum(len(text) for text in embed.values()) < 6000
    (attachment,) = mattermost(long, None, link)["attachments"]
    assert attachment["title_link"] == link and len(attachment["text"]) < 4096
    for form in (teams, discord, mattermost):
        assert "javascript" not in json.dumps(form(hostile("slow"), None, "javascript:alert(1)"))


@pytest.mark.parametrize(
    ("url", "form"),
    [
        ("https://discord.com/api/webhooks/1/x", "discord"), ("https://canary.discord.com/api/webhooks/1/x", "discord"),
        ("https://discord.com/api/webhooks/1/x/slack", "slack"), ("https://hooks.slack.com/services/x", "slack"),
        ("https://chat.googleapis.com/v1/spaces/x/messages?key=k", "google-chat"),
        ("https://prod-1.westeurope.logic.azure.com:443/workflows/x", "teams"),
        ("https://x.webhook.office.com/webhookb2/x", "teams"), ("https://notdiscord.com/api/webhooks/1/x", "json"),
        ("https://example.com/hook", "json"), ("https://chat.googleapis.com.evil.example/v1", "json"),
    ],
)  # fmt: skip
def test_a_webhook_gets_the_form_of_its_service(url: str, form: str) -> None:
    (hook,) = webhooks([url], Settings())
    assert hook.form == form


def test_plain_words_stay_as_they_are() -> None:
    for plain in ("The limit of 112 clients is reached", "3.5 ms of 10.0.0.1:6379", "connected_clients is 80 %"):
        assert in_chat(plain) == unlinked(plain) == plain


def test_what_breaks_a_link_stays_whole_itself() -> None:
    assert in_markdown("redis://h, www.x, #7") == "redis&#8203;://h, www&#8203;.x, #&#8203;7"
