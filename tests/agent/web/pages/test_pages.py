"""The pages over real HTTP: who is offered what, what is shown, and that nobody else's words become a part of them."""

import re
from html.parser import HTMLParser
from pathlib import Path

import httpx2
import pytest

from agent.answer.diagnosis import Diagnosis
from agent.report.page import STYLE
from agent.service.records import Decision
from agent.web.pages.rendering import STATIC
from evals.scoring.scenario import BUNDLED, load
from tests.agent.web.pages.conftest import FULL
from tests.agent.web.pages.memory import CSRF, Memory, investigated

SCENARIOS = {one.id: one for one in load(BUNDLED)}
CLUSTER = "s0100"
"""Scenarios: a server that is full, with a change to approve; a cluster."""
FIRST_PAINT = 100_000
HOSTILE = "<script>alert(1)</script>\u202egnp.exe\u200b<img src=x onerror=alert(1)>\x1b[31m" + "A" * 10_000


class Page(HTMLParser):
    """What a page is made of."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags, self.ids, self.links = list[str](), list[str](), list[str]()
        self.attributes, self.words = list[tuple[str, str]](), list[str]()
        self.fields = dict[str, str]()
        self.feed(text)
        self.close()
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.tags.append(tag)
        self.attributes += given.items()
        self.ids += [given["id"]] if "id" in given else []
        self.links += [given["href"]] if tag == "a" else []
        if tag == "input" and given.get("type") == "hidden":
            self.fields[given["name"]] = given["value"]

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def client(base: str, name: str) -> httpx2.Client:
    return httpx2.Client(base_url=base, cookies={"person": name}, trust_env=False, timeout=60)


def step_with_a_change(answer: Diagnosis) -> str:
    return next(step.id for step in answer.plan if step.needs_approval)


def test_only_who_is_known_and_may_read_sees_anything(service: Memory, base: str, full: Diagnosis) -> None:
    one = service.open("full", "writes fail")
    service.answer(one.id, full)
    here = f"/incidents/{one.id}"
    paths = ("/", here, f"{here}/readings", f"{here}/readings/r1", f"{here}/stream", f"{here}/steps/s2/decide")
    for name, status in (("", 401), ("nobody", 401), ("alerts", 403)):
        with client(base, name) as browser:
            answers = [browser.get(path) for path in paths]
            answers += [browser.post(f"{here}/{what}", data={}) for what in ("decisions", "feedback", "close")]
        assert {answer.status_code for answer in answers} == {status}
        assert not any("maxmemory" in answer.text or "full" in answer.text for answer in answers)


def test_a_reader_is_offered_no_decision_and_can_make_none(service: Memory, base: str, full: Diagnosis) -> None:
    one = service.open("full", "writes fail")
    service.answer(one.id, full)
    here, step = f"/incidents/{one.id}", step_with_a_change(full)
    with client(base, "rita") as reader:
        page = Page(reader.get(here).text)
        assert "CONFIG SET maxmemory" in page.text
        assert not [link for link in page.links if "/steps/" in link] and "Close the incident" not in page.text
        sent = {"csrf": CSRF, "step": step, "verb": "approve", "understood": "yes"}
        refused = [reader.get(f"{here}/steps/{step}/decide")]
        refused += [reader.post(f"{here}/{what}", data=sent) for what in ("decisions", "close", "look-again")]
    assert {answer.status_code for answer in refused} == {403}
    assert service.decisions == [] and service.kept[one.id].closed_at is None
    with client(base, "ann") as approver:
        offered = Page(approver.get(here).text)
    assert f"{here}/steps/{step}/decide" in offered.links and "Close the incident" in offered.text


def test_a_question_shows_all_of_the_change_and_a_yes_is_to_exactly_that(
    service: Memory, base: str, full: Diagnosis
) -> None:
    one = service.open("full", "writes fail")
    service.answer(one.id, full)
    here, step = f"/incidents/{one.id}", next(step for step in full.plan if step.needs_approval)
    with client(base, "ann") as approver:
        asked = Page(approver.get(f"{here}/steps/{step.id}/decide").text)
        shown = (
            step.node,
            step.action,
            f"Value before {step.before}",
            "Risk risky",
            f"Undo {step.rollback}",
            "Unchecked",
        )
        assert all(str(words) in asked.text for words in shown)
        sent = asked.fields | {"verb": "approve"}
        assert sent["csrf"] == CSRF
        for other in ({"action": "CONFIG SET maxmemory 0"}, {"before": "1"}, {"step": "s1"}, {}):
            refused = approver.post(f"{here}/decisions", data={**sent, "understood": "yes" * bool(other), **other})
            assert refused.status_code == 409 and 'role="alert"' in refused.text
        assert service.decisions == []
        given = approver.post(f"{here}/decisions", data=sent | {"understood": "yes"})
        assert (given.status_code, given.headers["location"]) == (303, here)
        again = approver.post(f"{here}/decisions", data=sent | {"understood": "yes"})
        assert again.status_code == 303
        pending = Page(approver.get(here).text)
    assert service.decisions == [
        (one.id, Decision(step=step.id, verb="approve", action=step.action, before=step.before, by="Ann Approver"))
    ]
    assert "approval by Ann Approver, under way" in pending.text
    assert f"{here}/steps/{step.id}/decide" not in pending.links


def test_a_refusal_needs_no_tick_and_an_applied_step_can_be_rolled_back(
    service: Memory, base: str, full: Diagnosis
) -> None:
    one = service.open("full", "writes fail")
    service.answer(one.id, full)
    here, step = f"/incidents/{one.id}", next(step for step in full.plan if step.needs_approval)
    with client(base, "bob") as approver:
        asked = Page(approver.get(f"{here}/steps/{step.id}/decide").text)
        assert approver.post(f"{here}/decisions", data=asked.fields | {"verb": "refuse"}).status_code == 303
        service.came(one.id, step.id, "refused", "refused by Bob")
        nothing = Page(approver.get(f"{here}/steps/{step.id}/roll-back").text)
        assert "Nothing to decide" in nothing.text
        service.came(one.id, step.id, "verified", "maxmemory is now what it was set to")
        assert f"{here}/steps/{step.id}/roll-back" in Page(approver.get(here).text).links
        back = Page(approver.get(f"{here}/steps/{step.id}/roll-back").text)
        assert back.fields["action"] == step.rollback and back.fields["before"] == step.after
        sent = back.fields | {"verb": "roll-back", "understood": "yes"}
        assert approver.post(f"{here}/decisions", data=sent).status_code == 303
        assert "Nothing to decide" in Page(approver.get(f"{here}/steps/{step.id}/decide").text).text
    assert [(decision.verb, decision.action) for _, decision in service.decisions] == [
        ("refuse", step.action), ("roll-back", step.rollback)
    ]  # fmt: skip


@pytest.mark.parametrize("id", [FULL, CLUSTER, "s0172", "s0242", "s0049", "s0046"])
def test_a_page_has_what_the_answer_has_and_loads_only_its_own(service: Memory, base: str, id: str) -> None:
    answer, events = investigated(SCENARIOS[id])
    one = service.open(SCENARIOS[id].ticket, SCENARIOS[id].ticket)
    service.answer(one.id, answer, events)
    here = f"/incidents/{one.id}"
    with client(base, "ann") as browser:
        text = browser.get(here).text
        page = Page(text)
        for cause in answer.causes:
            assert cause.id in page.text and " ".join(cause.why.split()) in page.text
        assert all(" ".join(step.action.split()).removesuffix(".") in page.text for step in answer.plan)
        assert all(" ".join(one.what.split()) in page.text for one in answer.complaints)
        names = {name for name, _ in page.attributes}
        assert "style" not in names and "style" not in page.tags and not [one for one in names if one.startswith("on")]
        scripts = re.findall(r"<script[^>]*>([^<]*)</script>", text)
        assert scripts == [""] and len(page.ids) == len(set(page.ids))
        loaded = [value for name, value in page.attributes if name == "src"] + re.findall(
            r'<link[^>]*href="([^"]+)"', text
        )
        assert loaded and all(path.startswith("/static/") for path in loaded)
        for link in {link for link in page.links if "/readings/" in link}:
            path, _, place = link.partition("#")
            assert not place or place in Page(browser.get(path).text).ids
        modules = [f"/static/{file.name}" for file in STATIC.glob("*.js")]
        weight = sum(len(browser.get(path).content) for path in {*loaded, *modules})
    assert weight + len(text.encode()) < FIRST_PAINT


def test_nobody_elses_words_become_markup_steer_the_eye_or_flood_the_page(
    service: Memory, base: str, full: Diagnosis
) -> None:
    step = full.plan[0].model_copy(update={"action": HOSTILE, "why": HOSTILE})
    cause = full.causes[0].model_copy(update={"why": HOSTILE, "where": HOSTILE})
    node = HOSTILE[:200]
    reading = full.readings[3].model_copy(update={"node": node, "values": {HOSTILE[:300]: HOSTILE}})
    changed = {"plan": (step, *full.plan[1:]), "causes": (cause,), "readings": (*full.readings[:3], reading)}
    one = service.open(HOSTILE, HOSTILE, HOSTILE, alerts=2)
    service.answer(one.id, full.model_copy(update=changed | {"unknown": (HOSTILE,)}))
    service.note(one.id, "joined", by=HOSTILE)
    service.note(one.id, "decided", by=HOSTILE, verb="approve", step=HOSTILE, action=HOSTILE)
    service.note(one.id, "posted", url="javascript:alert(1)")
    service.change(one.id, posted="javascript:alert(1)")
    here = f"/incidents/{one.id}"
    paths = ("/", here, f"{here}/readings", f"{here}/readings/{reading.id}", f"/?text={'A' * 500}%3Cscript%3E")
    with client(base, "ann") as browser:
        for path in paths:
            text = browser.get(path).text
            page = Page(text)
            assert "img" not in page.tags and page.tags.count("script") <= 1
            assert not [value for name, value in page.attributes if name.startswith("on")]
            assert not [link for link in page.links if link.startswith("javascript")]
            assert not re.search("[\u202e\u200b\x1b]", text) and len(text) < 150_000


def test_the_list_is_searched_and_paged(service: Memory, base: str, full: Diagnosis) -> None:
    first = service.open("the oldest", "writes fail", "orders")
    service.answer(first.id, full)
    for number in range(30):
        service.open(f"alert {number}", "slow", "carts")
    with client(base, "rita") as browser:
        page = Page(browser.get("/").text)
        assert "alert 29" in page.text and "the oldest" not in page.text
        older = next(link for link in page.links if "before=" in link)
        assert "the oldest" in Page(browser.get(f"/{older}").text).text
        cause = full.causes[0].id
        for asked in ("text=OLDEST", "target=orders", f"cause={cause}", f"state=all&cause={cause}"):
            found = Page(browser.get(f"/?{asked}").text).text
            assert "the oldest" in found and "alert 29" not in found
        for asked in ("state=closed", "text=nothing+like+it", "state=strange&target=none"):
            assert "No incident fits." in browser.get(f"/?{asked}").text


async def test_an_open_page_says_that_the_database_is_away_and_goes_on_when_its_back(
    service: Memory, base: str
) -> None:
    one = service.open("full", "writes fail")
    browser = httpx2.AsyncClient(base_url=base, cookies={"person": "rita"}, trust_env=False, timeout=60)
    async with browser, browser.stream("GET", f"/incidents/{one.id}/stream") as on:
        lines = (line async for line in on.aiter_lines() if line.startswith("event: "))
        assert await anext(lines) == "event: told"
        service.away = True
        assert await anext(lines) == "event: away"
        service.away = False
        assert await anext(lines) == "event: back"
        service.note(one.id, "closed", by="rita", why="over")
        service.change(one.id, state="closed")
        assert [line async for line in lines] == ["event: told", "event: over"]


def test_whether_an_answer_was_right_is_asked_once_it_is_there(service: Memory, base: str, full: Diagnosis) -> None:
    one = service.open("full", "writes fail")
    asked = re.compile(r'<section class="card" id="feedback" data-hides( hidden)?>')
    with client(base, "rita") as browser:
        for state, hidden in (
            ("queued", True),
            ("looking", True),
            ("answered", False),
            ("queued", True),
            ("closed", False),
        ):
            if state == "answered":
                service.answer(one.id, full)
            service.change(one.id, state=state)
            found = asked.search(browser.get(f"/incidents/{one.id}").text)
            assert found is not None and (found[1] is not None) == hidden, state


def test_feedback_is_kept_with_who_gave_it_and_a_cause_that_exists(service: Memory, base: str, full: Diagnosis) -> None:
    one = service.open("full", "writes fail")
    service.answer(one.id, full)
    here = f"/incidents/{one.id}"
    with client(base, "rita") as browser:
        wrong = {"verdict": "wrong", "cause": "ttl-leak", "note": "the job of billing"}
        for sent in ({}, {"verdict": "perhaps"}, wrong | {"cause": "gremlins"}):
            assert browser.post(f"{here}/feedback", data=sent).status_code in (400, 409)
        assert browser.post(f"{here}/feedback", data=wrong).status_code == 303
        page = Page(browser.get(here).text)
    (kept,) = service.kept[one.id].feedback
    assert (kept.by, kept.verdict, kept.cause, kept.note) == ("Rita Reader", "wrong", "ttl-leak", "the job of billing")
    assert "Rita Reader says wrong: it was ttl-leak" in page.text


def test_earlier_incidents_of_the_target_are_shown_with_what_helped(
    service: Memory, base: str, full: Diagnosis
) -> None:
    before = service.open("full", "writes fail")
    service.answer(before.id, full)
    now = service.open("full again", "writes fail")
    with client(base, "bob") as browser:
        browser.post(f"/incidents/{before.id}/feedback", data={"verdict": "right", "note": "fixed by a larger limit"})
        browser.post(f"/incidents/{before.id}/close", data={})
        page = Page(browser.get(f"/incidents/{now.id}").text)
        assert browser.post(f"/incidents/{before.id}/close", data={}).status_code == 409
    assert f"/incidents/{before.id}" in page.links and "fixed by a larger limit" in page.text


def test_the_stream_resumes_and_ends_with_the_incident(service: Memory, base: str, full: Diagnosis) -> None:
    answer, events = investigated(SCENARIOS[FULL])
    one = service.open("full", "writes fail")
    service.answer(one.id, answer, events)
    service.note(one.id, "closed", by="Bob")
    service.change(one.id, state="closed")
    here = f"/incidents/{one.id}/stream"
    with client(base, "rita") as browser:
        whole = browser.get(here).text
        last = len(service.told[one.id])
        rest = browser.get(here, headers={"Last-Event-ID": str(last - 2)}).text
        for strange in ("x", "-1", "9" * 40, "\u0663".encode().decode("latin-1")):
            assert browser.get(f"{here}?after={strange}").status_code == 200
    assert "23 readings" in whole and "event: over" in whole and whole.startswith("id: 1\r\n")
    assert rest.count("event: told") == 2 and "Closed by Bob" in rest


@pytest.mark.parametrize("state", ["queued", "looking", "unanswered", "closed"])
def test_an_incident_without_an_answer_has_a_page(service: Memory, base: str, state: str) -> None:
    one = service.open("full", "writes fail")
    service.change(one.id, state=state, problem="the target isn't known")
    with client(base, "ann") as browser:
        assert browser.get(f"/incidents/{one.id}").status_code == 200
        assert browser.get(f"/incidents/{one.id}/readings").status_code == 404
        assert browser.post(f"/incidents/{one.id}/decisions", data={"verb": "approve"}).status_code == 400
        assert browser.get("/incidents/none").status_code == 404


def _colours(css: str) -> tuple[dict[str, str], dict[str, str]]:
    light, dark = dict[str, str](), dict[str, str]()
    for block in re.findall(r"(@media \(prefers-color-scheme: dark\) \{\s*)?:root \{([^}]*)\}", css):
        (dark if block[0] else light).update(re.findall(r"(--[a-z-]+): (#[0-9a-f]{6})", block[1]))
    return light, light | dark


def _luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


ON = (
    ("ink", "page"), ("ink", "card"), ("ink", "head"), ("ink", "cited"), ("ink", "unsure-wash"), ("soft", "page"),
    ("soft", "card"), ("soft", "head"), ("link", "page"), ("link", "card"), ("bad", "card"), ("bad", "page"),
    ("bad", "bad-wash"),
    ("good", "card"), ("good", "good-wash"), ("unsure", "card"), ("unsure", "unsure-wash"), ("busy", "busy-wash"),
    ("busy", "page"), ("on-action", "action"),
)  # fmt: skip


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_words_stand_out_from_what_is_behind_them(scheme: int) -> None:
    css = STYLE.read_text(encoding="utf-8") + Path(STATIC / "page.css").read_text(encoding="utf-8")
    colours = _colours(css)[scheme]
    for words, behind in ON:
        one, two = sorted((_luminance(colours[f"--{words}"]), _luminance(colours[f"--{behind}"])), reverse=True)
        assert (one + 0.05) / (two + 0.05) >= 4.5, (words, behind)
