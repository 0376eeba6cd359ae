"""The conversation in a real browser: a reply that grows, seen by two people, with a keyboard and without scripts."""

from playwright.sync_api import expect

from agent.service.known_answers import BEFORE
from tests.agent.web.pages.memory import Memory
from tests.agent.web.pages.test_browser import HOSTILE, NAMELESS, Answered, People, browser, full, people
from tests.agent.web.pages.test_browser import pytestmark as pytestmark

__all__ = ["browser", "full", "people"]


def test_two_people_see_a_question_and_its_reply_as_it_grows(service: Memory, people: People, full: Answered) -> None:
    answer, events = full
    service.model = "scripted"
    one = service.open("full", "writes fail")
    service.answer(one.id, answer, events)
    here = f"/incidents/{one.id}"
    ann, rita = people.at("ann", here), people.at("rita", here, width=390)
    ann.get_by_label("Ask about this incident").fill("Who filled it?\nAnd since when?")
    ann.keyboard.press("Control+Enter")
    for page in (ann, rita):
        expect(page.locator("#turns .asked")).to_contain_text("Who filled it?")
        expect(page.locator("[data-pending]")).to_contain_text("The model is answering")
    expect(ann.get_by_label("Ask about this incident")).to_have_value("")
    rita.get_by_label("Ask about this incident").fill("half a sent")

    service.note(one.id, "reply-text", question=1, attempt=1, text="It began and ")
    for page in (ann, rita):
        expect(page.locator("#growing")).to_have_text("It began and")
    service.note(one.id, "reply-text", question=1, attempt=2, text="It is ")
    service.note(one.id, "joined", by="alertmanager")
    service.note(one.id, "reply-text", question=1, attempt=2, text=f"billing. {HOSTILE[:200]}")
    for page in (ann, rita):
        expect(page.locator("#growing")).to_contain_text("It is billing. <script>alert(1)</script>")
    cited = answer.causes[0].evidence[0]
    service.reply(one.id, 1, "It is billing.", by="scripted", cited=[cited.model_dump(mode="json")])
    for page in (ann, rita):
        expect(page.locator("#turns .reply")).to_contain_text("It is billing.")
        expect(page.locator("#growing")).to_be_hidden()
    expect(rita.get_by_label("Ask about this incident")).to_have_value("half a sent")
    rita.click("#cited-1 summary")
    rita.click("#cited-1 a")
    expect(rita.locator("dialog tr.here th")).to_have_text(cited.field)
    rita.keyboard.press("Escape")
    assert rita.evaluate("document.documentElement.scrollWidth") <= 390
    assert rita.evaluate(NAMELESS) == []
    assert service.decisions == []


def test_a_suggested_question_takes_one_click_and_a_refusal_is_said(
    service: Memory, people: People, full: Answered
) -> None:
    one = service.open("full", "writes fail")
    service.answer(one.id, *full)
    rita = people.at("rita", f"/incidents/{one.id}")
    rita.get_by_role("button", name=BEFORE).click()
    expect(rita.locator("#turns .asked")).to_contain_text(BEFORE)
    assert service.asked == [BEFORE]
    service.kept[one.id] = service.kept[one.id].model_copy(update={"state": "closed"})
    rita.get_by_role("button", name=BEFORE).click()
    expect(rita.locator("#ask-problem")).to_have_text("nothing can be asked here.")
    assert [said for said in people.complaints if "409" not in said] == []
    people.complaints.clear()


def test_a_question_is_asked_without_scripts(service: Memory, people: People, full: Answered) -> None:
    service.model = "scripted"
    one = service.open("full", "writes fail")
    service.answer(one.id, *full)
    rita = people.at("rita", f"/incidents/{one.id}", scripts=False)
    rita.get_by_label("Ask about this incident").fill("Who filled it?")
    rita.get_by_role("button", name="Ask", exact=True).click()
    expect(rita).to_have_url(f"{rita.url.partition('#')[0]}#talk")
    service.reply(one.id, 1, "Billing did.", by="scripted")
    rita.get_by_role("link", name="Reload to see the answer").click()
    rita.reload()
    expect(rita.locator("#turns")).to_contain_text("Billing did.")
