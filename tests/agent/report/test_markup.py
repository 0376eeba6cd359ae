"""Words of others in Markdown, in a chat and at a relay: no mention, link, picture or markup."""

import json
import re

import pytest
from markdown_it import MarkdownIt

from agent.answer.diagnosis import Cause, Diagnosis, Evidence, Step
from agent.report.markdown import markdown
from agent.report.markup import in_chat, unlinked
from agent.tickets.notify import generic, slack
from tests.stand_in import answer

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


def test_plain_words_stay_as_they_are() -> None:
    for plain in ("The limit of 112 clients is reached", "3.5 ms of 10.0.0.1:6379", "connected_clients is 80 %"):
        assert in_chat(plain) == unlinked(plain) == plain
