"""The comment of every recorded incident, in every form: its top is whole, and nothing in it is markup of others."""

import json
import re
from functools import cache
from typing import get_args

import pytest
from markdown_it import MarkdownIt

from agent.answer.diagnosis import Cause, Diagnosis, Evidence, Step, TargetInfo
from agent.answer.taxonomy import CAUSES
from agent.recordings.replay import case, on_virtual_time
from agent.tickets.comment import comment, marker_of
from agent.tickets.document import Code, Comment, Fold, Items, Para, Text, words
from agent.tickets.forms import formatted_comment
from agent.tickets.meanings import MEANINGS
from agent.tickets.notify import generic, slack
from agent.tickets.service import Form
from agent.tickets.summary import headline
from evals.scoring.scenario import BUNDLED, Scenario, load
from tests.standins import valid_adf
from tools.connection.target import parse_target
from tools.record.load import load as recording
from tools.record.tape import Tape

FORMS: tuple[Form, ...] = get_args(Form)
MARKER = "rediagnose:0123456789abcdef"
LIMITS: dict[Form, int] = {"markdown": 65_536, "jira": 32_767, "adf": 32_767, "text": 4_000}


def one_of_each_fault() -> list[Scenario]:
    return list({one.fault: one for one in load(BUNDLED)}.values())


@cache
def answer_of(scenario: Scenario) -> Diagnosis:
    async def told() -> Diagnosis:
        async with case(Tape(recording(BUNDLED / scenario.file)), scenario.ticket) as made:
            return made.answer()

    return on_virtual_time(told())


def test_every_cause_has_its_meaning() -> None:
    assert set(MEANINGS) == set(CAUSES)
    assert all(meaning[0].isupper() and meaning[-1] != "." and len(meaning) < 110 for meaning in MEANINGS.values())


@pytest.mark.parametrize("scenario", one_of_each_fault(), ids=lambda one: one.fault)
def test_the_comment_of_a_fault(scenario: Scenario) -> None:
    answer = answer_of(scenario)
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
        assert scenario.ticket not in text
    assert len(made.top) <= 7 + bool(answer.refused)
    assert ("Then:" in texts["text"]) == (len(answer.plan) > 1)
    _sound_markdown(texts["markdown"])
    _sound_wiki(texts["jira"])
    valid_adf(json.loads(texts["adf"]))
    body = slack(answer, None, "")
    assert all(len(block["text"]["text"]) <= 3000 for block in body["blocks"])
    assert not re.search(r"<(?![|])", body["text"])
    assert json.loads(json.dumps(generic(answer, None, "")))["outcome"] == answer.outcome


def _sound_markdown(text: str) -> None:
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


def _sound_wiki(text: str) -> None:
    parts = text.split("{noformat}")
    assert len(parts) % 2 == 1
    bare = re.sub(r"\{\{.*?(?<!\\)\}\}", "", " ".join(parts[::2]))
    assert not re.search(r"(?<!\\)[{}\[\]|!]", bare), bare


HOSTILE = (
    "</details><img src=x onerror=alert(1)> @everyone #1 [click](https://evil.example) ![x](https://evil.example/x) "
    "`code` ``` ~~~ | a | b | **bold** {noformat} {code} [~admin] [evil|https://evil.example] !https://evil.example/x! "
    "<!channel> <https://evil.example|x> &lt; \x1b[31m \u202e www.evil.example \n# heading\n- item\n1. item h1. title"
)


def hostile() -> Diagnosis:
    answer = answer_of(next(one for one in load(BUNDLED) if one.cause == "maxclients-exhausted"))
    cite = Evidence(reading="r6", field="connected_clients", value=HOSTILE)
    cause = Cause(id="maxclients-exhausted", probability=0.9, where="127.0.0.1:1", why=HOSTILE, evidence=(cite,))
    step = Step(
        id="s1", kind="config_set", node="127.0.0.1:1", action=HOSTILE, why=HOSTILE, risk="risky", needs_approval=True,
        rollback=HOSTILE, verify=HOSTILE, avoid=HOSTILE,
    )  # fmt: skip
    aside = step.model_copy(update={"id": "s2", "kind": "outside", "needs_approval": False})
    return answer.model_copy(
        update={"causes": (cause,), "plan": (aside, step), "unknown": (HOSTILE,), "symptom": HOSTILE}
    )


def test_words_of_others_are_no_markup() -> None:
    answer = hostile()
    made = comment(answer, MARKER)
    markdown = formatted_comment(made, "markdown", LIMITS["markdown"])
    _sound_markdown(markdown)
    assert "\n# heading" not in markdown and "\n1. item" not in markdown
    bare = re.sub(r"(?<!\\)(`+)(?!`).+?(?<!`)\1(?!`)", "", markdown, flags=re.DOTALL)
    assert "https://" not in bare and "www." not in bare
    wiki = formatted_comment(made, "jira", LIMITS["jira"])
    _sound_wiki(wiki)
    assert "https://" not in wiki and "www." not in wiki and "\nh1. title" not in wiki
    valid_adf(json.loads(formatted_comment(made, "adf", LIMITS["adf"])))
    sent = json.dumps(slack(answer, None, "javascript:alert(1)"))
    assert "<" not in sent and "javascript" not in sent
    for form in FORMS:
        text = formatted_comment(made, form, LIMITS[form])
        assert "\x1b" not in text and "\u202e" not in text


@pytest.mark.parametrize("form", FORMS)
def test_what_is_too_long_is_cut_below_and_not_on_top(form: Form) -> None:
    top = Para((Text("Do first:", bold=True), *words(" x " * 200)))
    rows = tuple((Text(f"row {number} " + "y" * 200),) for number in range(1000))
    made = Comment((top,), (Fold("Evidence", (Items(rows), Para((Code("end"),)))),), MARKER)
    limit = 12_000
    text = formatted_comment(made, form, limit)
    assert len(text) <= limit
    assert "Do first:" in text and MARKER in text
    if form != "text":
        assert len(text) > limit / 2 and "didn't fit" in text
    if form == "markdown":
        _sound_markdown(text)
    if form == "adf":
        valid_adf(json.loads(text))


def test_a_short_comment_is_not_cut() -> None:
    made = Comment((Para((Text("top"),)),), (Fold("Evidence", (Items(((Text("one"),), (Text("two"),))),)),), MARKER)
    assert made.rows == 2 and made.cut(2) == made
    assert "didn't fit" not in formatted_comment(made, "markdown", 1000)


def test_a_marker_is_of_one_server() -> None:
    def of(url: str) -> str:
        return marker_of(parse_target(url, environ={}))

    assert of("redis://:pw@a:6379/3") == of("redis://A")
    different = ("redis://a", "redis://a:6380", "unix:///a", "redis+sentinel://a/m", "redis+sentinel://a/n")
    assert len({of(url) for url in different}) == len(different)
    assert "pw" not in of("redis://:pw@a")


@pytest.mark.live
def test_a_guess_is_called_one() -> None:
    answer = hostile()
    for probability, begin in ((0.95, "Redis is full"), (0.7, "Probably: Redis"), (0.5, "Perhaps: Redis")):
        cause = answer.causes[0].model_copy(update={"probability": probability})
        assert headline(answer.model_copy(update={"causes": (cause,)})).startswith(begin)


def test_too_little_is_told_as_such() -> None:
    update = {"outcome": "insufficient-evidence", "causes": (), "plan": (), "readings": ()}
    answer = hostile().model_copy(update=update)
    dark = answer.model_copy(update={"unknown": ("info can't be read",), "target": TargetInfo(url="redis://a:1")})
    for one, said in ((answer.model_copy(update={"unknown": ()}), "--deadline"), (dark, "info can't be read")):
        text = formatted_comment(comment(one, MARKER), "text", LIMITS["text"])
        assert "Not enough could be read" in text and said in text and "insufficient-evidence" in text
        assert ",." not in text and " ," not in text
