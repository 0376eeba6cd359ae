"""The pages in a real browser: people who watch the same incident, a keyboard, a phone, the dark, and no scripts."""

import shutil
from collections.abc import Iterator
from typing import Literal

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from agent.answer.diagnosis import Diagnosis
from agent.answer.events import Event
from evals.scoring.scenario import BUNDLED, load
from tests.agent.web.pages.memory import Memory, investigated

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(CHROMIUM is None, reason="needs chromium, such as Debian's package of that name"),
]
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync"
)  # fmt: skip
SCENARIOS = {one.id: one for one in load(BUNDLED)}
HOSTILE = "<script>alert(1)</script>\u202egnp.exe<img src=x onerror=alert(1)>" + "A" * 10_000
NAMELESS = """
[...document.querySelectorAll("a, button, summary, input:not([type=hidden]), textarea, [role=img]")]
  .filter((one) => !(one.labels?.length || one.ariaLabel || one.textContent.trim()))
  .map((one) => one.outerHTML)
"""
"""The controls of a page that a screen reader has no name for."""
Answered = tuple[Diagnosis, tuple[Event, ...]]
PATIENCE_MS = 10_000
expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture(scope="module")
def full() -> Answered:
    return investigated(SCENARIOS["s0257"])


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield started
        started.close()


class People:
    """People at browsers of their own; what their browsers complain about fails the test."""

    def __init__(self, browser: Browser, base: str) -> None:
        self._browser, self._base = browser, base
        self.contexts: list[BrowserContext] = []
        self.complaints: list[str] = []

    def at(self, name: str, path: str, *, width: int = 1280, scripts: bool = True, dark: bool = False) -> Page:
        scheme: Literal["dark", "light"] = "dark" if dark else "light"
        context = self._browser.new_context(
            viewport={"width": width, "height": 800}, java_script_enabled=scripts, color_scheme=scheme
        )
        self.contexts.append(context)
        context.set_default_timeout(PATIENCE_MS)
        context.add_cookies([{"name": "person", "value": name, "url": self._base}])
        page = context.new_page()
        page.on(
            "console", lambda said: self.complaints.append(said.text) if said.type in ("error", "warning") else None
        )
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("dialog", lambda shown: self.complaints.append(f"an alert: {shown.message}"))
        page.goto(self._base + path)
        return page


@pytest.fixture
def people(browser: Browser, base: str) -> Iterator[People]:
    made = People(browser, base)
    yield made
    for context in made.contexts:
        context.close()
    assert made.complaints == []


def test_an_incident_is_watched_decided_once_and_taken_back(service: Memory, people: People, full: Answered) -> None:
    answer, events = full
    one = service.open("RedisDown: checkout times out", "writes fail")
    here, step = f"/incidents/{one.id}", next(step for step in answer.plan if step.needs_approval)
    ann, bob, rita = (people.at(name, here) for name in ("ann", "bob", "rita"))
    expect(ann.locator("h1")).to_have_text("Waiting for its turn.")
    service.change(one.id, state="looking")
    service.tell(one.id, "started", events[0].model_dump_json())
    expect(ann.locator("h1")).to_have_text("Looking at the server.")
    service.answer(one.id, answer, events[1:])
    for page in (ann, bob, rita):
        expect(page.locator("h1")).to_have_text("Redis' memory limit is reached, and it refuses writes.")
        expect(page.locator("#status")).to_be_hidden()
    expect(rita.locator("[href*='/steps/']")).to_have_count(0)

    bob.click(f"#decide-{step.id}")
    expect(bob.locator("dialog h2")).to_have_text("Make this change?")
    ann.focus(f"#decide-{step.id}")
    ann.keyboard.press("Enter")
    expect(ann.locator("dialog pre")).to_have_text(step.action)
    expect(ann.locator("dialog a:focus")).to_have_text("Cancel")
    ann.keyboard.press("Escape")
    expect(ann.locator("dialog")).to_be_hidden()
    expect(ann.locator(f"#decide-{step.id}")).to_be_focused()
    assert service.decisions == []

    ann.keyboard.press("Enter")
    ann.locator("dialog button[value=approve]").click()
    assert service.decisions == [], "the tick is missing"
    ann.locator("dialog #understood").check()
    ann.locator("dialog button[value=approve]").dblclick()
    expect(ann.locator("#plan")).to_contain_text("approval by Ann Approver, under way")
    assert [(decision.verb, decision.by) for _, decision in service.decisions] == [("approve", "Ann Approver")]
    expect(bob.locator("dialog h2")).to_have_text("Nothing to decide")
    expect(rita.locator("#story")).to_contain_text(f"Ann Approver approved {step.id}: {step.action}")

    service.came(one.id, step.id, "verified", "maxmemory is now what it was set to")
    expect(rita.locator("#plan .chip.state")).to_have_text("verified")
    bob.keyboard.press("Escape")
    bob.click(f"#roll-back-{step.id}")
    expect(bob.locator("dialog pre")).to_have_text(str(step.rollback))
    bob.locator("dialog #understood").check()
    bob.locator("dialog button[value=roll-back]").click()
    expect(rita.locator("#story")).to_contain_text(f"Bob asked to roll back {step.id}")
    service.came(one.id, step.id, "rolled-back", "as before")

    rita.get_by_label("Right").check()
    rita.get_by_label("Note").fill("it was the batch of billing")
    rita.get_by_role("button", name="Send feedback").click()
    expect(ann.locator("#judged")).to_contain_text("it was the batch of billing")
    ann.get_by_role("button", name="Close the incident").click()
    expect(rita.locator("#verdict")).to_contain_text("closed by Ann Approver")


def test_a_page_that_is_brought_up_to_date_keeps_what_a_person_does_there(
    service: Memory, people: People, full: Answered
) -> None:
    one = service.open("full", "writes fail")
    service.answer(one.id, *full)
    rita = people.at("rita", f"/incidents/{one.id}")
    rita.get_by_label("Note").fill("half a sent")
    rita.click("#ruled-out summary")
    service.note(one.id, "joined", by="alertmanager")
    expect(rita.locator("#story")).to_contain_text("The alert fired again")
    expect(rita.get_by_label("Note")).to_have_value("half a sent")
    expect(rita.locator("#ruled-out")).to_have_attribute("open", "")


def test_a_citation_opens_the_very_value(service: Memory, people: People, full: Answered) -> None:
    one = service.open("full", "writes fail")
    service.answer(one.id, *full)
    rita = people.at("rita", f"/incidents/{one.id}")
    evidence = full[0].causes[0].evidence
    card = rita.locator("#proof article").first
    # One link for each reading, however many of its values are cited.
    assert len({cited.reading for cited in evidence}) < len(evidence)
    expect(card.locator("ul.cited a")).to_have_count(len({cited.reading for cited in evidence}))
    reading = evidence[0].reading
    own = [cited for cited in evidence if cited.reading == reading]
    card.locator("ul.cited a").first.click()
    expect(rita.locator("dialog h2")).to_contain_text(reading)
    rows = rita.locator("dialog tr.here")
    expect(rows.first).to_be_in_viewport()
    found = {row.locator("th").inner_text(): row.locator("td").inner_text() for row in rows.all()}
    assert found == {cited.field: str(cited.value) for cited in own} and len(found) > 1


def test_what_it_was_may_be_nothing_of_redis(service: Memory, people: People, full: Answered) -> None:
    one = service.open("full", "writes fail")
    service.answer(one.id, *full)
    rita = people.at("rita", f"/incidents/{one.id}")
    offered = rita.locator("#causes option").evaluate_all("all => all.map(one => one.value)")
    assert {"no-fault", "outside-redis", "oom-noeviction"} <= set(offered)
    for verdict, cause in (("Wrong", "outside-redis"), ("Wrong", "no-fault")):
        rita.get_by_label(verdict).check()
        rita.get_by_label("What it was").fill(cause)
        rita.get_by_role("button", name="Send feedback").click()
        expect(rita.locator("#judged")).to_contain_text(f"it was {cause}")
    assert [said.cause for said in service.kept[one.id].feedback] == ["outside-redis", "no-fault"]


def test_hostile_names_run_nothing(service: Memory, people: People, full: Answered) -> None:
    answer, events = full
    step = answer.plan[0].model_copy(update={"action": HOSTILE, "why": HOSTILE})
    one = service.open(HOSTILE, HOSTILE, HOSTILE)
    service.answer(one.id, answer.model_copy(update={"plan": (step, *answer.plan[1:])}), events)
    for width in (1280, 390):
        page = people.at("ann", f"/incidents/{one.id}", width=width)
        service.note(one.id, "joined", by=HOSTILE)
        expect(page.locator("#story")).to_contain_text("The alert fired again (<script>alert(1)</script>")
        listed = people.at("ann", "/", width=width)
        expect(listed.locator("h2")).to_contain_text("<script>alert(1)</script>")
        for shown in (page, listed):
            assert shown.locator("img").count() == 0
            assert shown.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("id", ["s0257", "s0100", "s0172", "s0242"])
def test_nothing_is_wider_than_a_phone_and_every_control_has_a_name(service: Memory, people: People, id: str) -> None:
    answer, events = investigated(SCENARIOS[id])
    one = service.open(SCENARIOS[id].ticket, SCENARIOS[id].ticket)
    service.answer(one.id, answer, events)
    here = f"/incidents/{one.id}"
    paths = ["/", here, f"{here}/readings", f"{here}/readings/{answer.readings[-1].id}"]
    paths += [f"{here}/steps/{step.id}/decide" for step in answer.plan if step.needs_approval]
    for path in paths:
        page = people.at("ann", path, width=360, dark=id == "s0100")
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, path
        nameless = page.evaluate(NAMELESS)
        assert nameless == [], path
        assert page.evaluate("document.querySelectorAll('h1, h2').length") > 0
    page = people.at("ann", here, width=360)
    page.keyboard.press("Tab")
    expect(page.locator("a.skip")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()


def test_everything_can_be_read_and_decided_without_scripts(service: Memory, people: People, full: Answered) -> None:
    answer, events = full
    one = service.open("full", "writes fail")
    service.answer(one.id, answer, events)
    step = next(step for step in answer.plan if step.needs_approval)
    ann = people.at("ann", "/", scripts=False)
    ann.get_by_role("link", name="full", exact=True).click()
    ann.click("#proof ul.cited a >> nth=0")
    expect(ann.locator("tr:target th")).to_have_text(answer.causes[0].evidence[0].field)
    ann.get_by_role("link", name="Back", exact=True).click()
    ann.get_by_role("link", name=f"Review {step.id}").click()
    ann.locator("#understood").check()
    ann.get_by_role("button", name="Approve").click()
    expect(ann.locator("#plan")).to_contain_text("approval by Ann Approver")
    assert [decision.action for _, decision in service.decisions] == [step.action]


def test_an_open_page_says_that_the_database_is_away_and_asks_for_no_judgement_before_the_answer(
    service: Memory, people: People, full: Answered
) -> None:
    one = service.open("RedisDown: checkout times out", "writes fail")
    service.answer(one.id, *full)
    page = people.at("rita", f"/incidents/{one.id}")
    expect(page.locator("#feedback")).to_be_visible()
    service.change(one.id, state="queued")
    service.note(one.id, "submitted", by="ann", again=True)
    expect(page.locator("#feedback")).to_be_hidden()
    service.change(one.id, state="answered")
    service.away = True
    expect(page.locator("#status")).to_contain_text("The database doesn't answer at the moment")
    service.away = False
    expect(page.locator("#status")).to_be_hidden()
    expect(page.locator("#feedback")).to_be_visible()
