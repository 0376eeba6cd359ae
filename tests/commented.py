"""What holds of the comment of any answer, in every form: its top is whole, and nothing in it is markup of others."""

import json
import re
from typing import get_args

from markdown_it import MarkdownIt

from agent.answer.diagnosis import Diagnosis
from agent.tickets.comment import comment
from agent.tickets.forms import formatted_comment
from agent.tickets.notify import generic, slack
from agent.tickets.service import Form
from tests.standins import valid_adf

FORMS: tuple[Form, ...] = get_args(Form)
MARKER = "rediagnose:0123456789abcdef"
LIMITS: dict[Form, int] = {"markdown": 65_536, "jira": 32_767, "adf": 32_767, "text": 4_000}


def sound_comment(ticket: str, answer: Diagnosis) -> None:
    """Fails where the comment on a ticket isn't sound."""
    made = comment(answer, MARKER)
    texts = {form: formatted_comment(made, form, LIMITS[form]) for form in FORMS}
    for form, text in texts.items():
        assert 0 < len(text) <= LIMITS[form]
        top = text.split("<details>")[0].split("----")[0].split('"expand"')[0].split("\nEvidence:")[0]
        assert "Do first:" in top and "Don't:" in top
        assert (answer.causes[0].id if answer.causes else answer.outcome) in top
        assert "Nothing was changed" in top and "didn't fit" not in top
        assert MARKER in text
        # A ticket isn't read out to those who wrote it.
        assert ticket not in text
    assert len(made.top) <= 7 + bool(answer.refused)
    assert ("Then:" in texts["text"]) == (len(answer.plan) > 1)
    sound_markdown(texts["markdown"])
    sound_wiki(texts["jira"])
    valid_adf(json.loads(texts["adf"]))
    body = slack(answer, None, "")
    assert all(len(block["text"]["text"]) <= 3000 for block in body["blocks"])
    assert not re.search(r"<(?![|])", body["text"])
    assert json.loads(json.dumps(generic(answer, None, "")))["outcome"] == answer.outcome


def sound_markdown(text: str) -> None:
    """As a Markdown parser reads it: paragraphs, lists, code, bold, and the only HTML is the folds' own."""
    blocks = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).parse(text)
    inner = [child for block in blocks for child in block.children or ()]
    html = [line for block in blocks if block.type == "html_block" for line in block.content.split("\n") if line]
    tags = re.compile(rf"<!-- {MARKER} -->|<details><summary>[\w, ]+</summary>|</details>")
    assert all(tags.fullmatch(line) for line in html), html
    kinds = {one.type.removesuffix("_open").removesuffix("_close") for one in (*blocks, *inner)}
    plain = {"paragraph", "inline", "bullet_list", "list_item", "fence", "html_block", "text", "code_inline", "strong"}
    assert kinds <= plain, kinds - plain
    assert len(re.findall("^```", text, flags=re.MULTILINE)) % 2 == 0
    bare = re.sub(r"^```text\n.*?^```$|(?<!\\)(`+)(?!`).+?(?<!`)\1(?!`)", "", text, flags=re.DOTALL | re.MULTILINE)
    assert bare.count("<details>") == bare.count("</details>") == bare.count("<summary>")
    bare = re.sub(r"</?(details|summary)>|<!-- \S+ -->", "", bare)
    assert not re.search(r"<|@\w|(?<![&\\])#\d|(?<!\\)[\[\]]", bare), bare


def sound_wiki(text: str) -> None:
    """Jira's markup: nothing but our own."""
    parts = text.split("{noformat}")
    assert len(parts) % 2 == 1
    bare = re.sub(r"\{\{.*?(?<!\\)\}\}", "", " ".join(parts[::2]))
    assert not re.search(r"(?<!\\)[{}\[\]|!]", bare), bare
