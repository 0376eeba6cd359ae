"""The comment of an answer, in every form: nothing in it is markup of others, and what is too long is cut."""

import json
import re
from functools import cache

import pytest

from agent.answer.diagnosis import Cause, Diagnosis, Evidence, Step, TargetInfo
from agent.answer.taxonomy import CAUSES
from agent.recordings.replay import case, on_virtual_time
from agent.report.meanings import MEANINGS
from agent.report.summary import headline
from agent.tickets.comment import comment, marker_of
from agent.tickets.document import Code, Comment, Fold, Items, Para, Text, words
from agent.tickets.forms import formatted_comment
from agent.tickets.notify import slack
from agent.tickets.service import Form
from evals.scoring.scenario import BUNDLED, Scenario, load
from tests.commented import FORMS, LIMITS, MARKER, sound_markdown, sound_wiki
from tests.standins import valid_adf
from tools.connection.target import parse_target
from tools.record.load import load as recording
from tools.record.tape import Tape


@cache
def answer_of(scenario: Scenario) -> Diagnosis:
    async def told() -> Diagnosis:
        async with case(Tape(recording(BUNDLED / scenario.file)), scenario.ticket) as made:
            return made.answer()

    return on_virtual_time(told())


def test_every_cause_has_its_meaning() -> None:
    assert set(MEANINGS) == set(CAUSES)
    assert all(meaning[0].isupper() and meaning[-1] != "." and len(meaning) < 110 for meaning in MEANINGS.values())


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
    sound_markdown(markdown)
    assert "\n# heading" not in markdown and "\n1. item" not in markdown
    bare = re.sub(r"(?<!\\)(`+)(?!`).+?(?<!`)\1(?!`)", "", markdown, flags=re.DOTALL)
    assert "https://" not in bare and "www." not in bare
    wiki = formatted_comment(made, "jira", LIMITS["jira"])
    sound_wiki(wiki)
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
        sound_markdown(text)
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
