"""The answer as one HTML file: whole, of its own, and without an element that somebody else's words made."""

from collections import Counter
from html.parser import HTMLParser

import pytest

from agent.answer.diagnosis import Diagnosis
from agent.report.charts import changes
from agent.report.page import html
from evals.scoring.scenario import BUNDLED, load
from tests.agent.report.test_markup import WORDS, hostile
from tests.golden.entries import answer
from tools.records import Reading, Scalar, Values

SCENARIOS = {one.id: one for one in load(BUNDLED)}
SHOWN = ("s0257", "s0100", "s0172", "s0242", "s0049", "s0046")
"""A full server, a cluster, sentinels, a healthy server with hostile names, a frozen one, a dead one."""
LOADING = {"script", "img", "iframe", "object", "embed", "link", "form", "base", "video", "audio"}


class Page(HTMLParser):
    """What a page is made of."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags, self.ids = Counter[str](), Counter[str]()
        self.links, self.attributes, self.words = list[str](), set[str](), list[str]()
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags[tag] += 1
        self.attributes |= set(given)
        self.ids.update(value for name, value in attrs if name == "id" and value)
        if tag == "a":
            self.links.append(given.get("href") or "")

    def handle_data(self, data: str) -> None:
        self.words.append(data)


@pytest.fixture(params=SHOWN, scope="module")
def answered(request: pytest.FixtureRequest) -> Diagnosis:
    return answer(SCENARIOS[request.param])


def test_a_page_loads_nothing_and_runs_nothing(answered: Diagnosis) -> None:
    page = Page(html(answered))
    assert not LOADING & set(page.tags)
    assert not any(name.startswith("on") or name == "src" for name in page.attributes)
    assert page.links and all(link.startswith("#") for link in page.links)


def test_each_citation_leads_to_its_value_in_its_reading(answered: Diagnosis) -> None:
    page = Page(html(answered))
    assert {link[1:] for link in page.links} <= set(page.ids)
    assert max(page.ids.values()) == 1


def test_a_page_has_what_the_text_has(answered: Diagnosis) -> None:
    page = Page(html(answered))
    shown = " ".join(page.words)
    for cause in answered.causes:
        assert cause.id in shown and " ".join(cause.why.split()) in shown
    for step in answered.plan:
        assert step.action in shown
    for line in answered.unknown:
        assert line in shown
    assert all(reading.id in page.ids for reading in answered.readings if reading.tool != "symptom")


def test_a_full_server_is_drawn_with_its_latency_and_its_memory() -> None:
    page = html(answer(SCENARIOS["s0257"]))
    assert page.count("<rect x=") == 60 and "60 PINGs: fastest 0.137 ms" in page
    assert "used_memory is 11.1 MiB of 11 MiB maxmemory" in page


@pytest.mark.parametrize("words", WORDS)
def test_words_of_others_make_no_element(words: str) -> None:
    of_others, plain = Page(html(hostile(words))), Page(html(hostile("words")))
    assert of_others.tags == plain.tags and of_others.attributes == plain.attributes


HISTORY: Values = {
    "minutes": 30, "start": "2026-11-30T00:00:00Z", "end": "2026-11-30T01:00:00Z", "changed1.field": "used_memory",
    "changed1.before": 100, "changed1.at": 300, "changed1.now": 200, "changed1.when": "2026-11-30T00:30:00Z",
}  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "path"),
    [
        ({}, "M2 20.0 L60.0 20.0 L60.0 4.0 L89.0 4.0 L118 12.0"),
        ({"changed1.when": "2026-11-30T00:00:00Z"}, "M2 20.0 L2.0 20.0 L2.0 4.0 L60.0 4.0 L118 12.0"),
        ({"changed1.when": "soon"}, None),
        ({"changed1.at": None}, None),
        ({"changed1.at": "inf"}, None),
        ({"end": "2026-11-30T00:00:00Z"}, None),
    ],
)
def test_what_changed_is_drawn_from_when_it_left_its_band(changed: Values, path: str | None) -> None:
    reading = Reading(id="r1", tool="history", args={}, node="n", at="2026-11-30T01:00:00Z", ms=1.0,
                      values={**HISTORY, **changed}, unavailable=None)  # fmt: skip
    drawn = changes(reading)
    assert drawn is not None and "used_memory" in drawn
    assert (f'd="{path}"' in drawn) if path else "<path" not in drawn


CROOKED = (10**400, 2**64, -1, 0, float("nan"), float("inf"), 1e308, "nan 1", "inf 1", "x y", "1e999 2", True, None, "")
"""Figures that no server has, and what is no figure."""


@pytest.mark.parametrize("value", CROOKED, ids=[str(number) for number in range(len(CROOKED))])
@pytest.mark.parametrize(
    ("tool", "field"),
    [("latency_sample", "series_ms"), *(("memory", of) for of in ("used_memory", "owner.x", "maxmemory",
                                                                  "used_memory_rss"))],
)  # fmt: skip
def test_no_figure_keeps_a_page_from_being_made(tool: str, field: str, value: Scalar) -> None:
    full = answer(SCENARIOS["s0257"])
    readings = tuple(
        one.model_copy(update={"values": {**(one.values or {}), field: value}}) if one.tool == tool else one
        for one in full.readings
    )
    page = html(full.model_copy(update={"readings": readings}))
    assert not any(f'{of}="{bad}' in page for of in ("x", "y", "width", "height") for bad in ("nan", "inf", "-inf"))


@pytest.mark.parametrize("value", CROOKED, ids=[str(number) for number in range(len(CROOKED))])
def test_no_figure_of_the_past_keeps_it_from_being_drawn(value: Scalar) -> None:
    crooked = {field: value for field in HISTORY if field.startswith("changed1.") and field != "changed1.field"}
    drawn = changes(Reading(id="r1", tool="history", args={}, node="n", at="", ms=0, values={**HISTORY, **crooked},
                            unavailable=None))  # fmt: skip
    assert drawn is not None and "used_memory" in drawn
