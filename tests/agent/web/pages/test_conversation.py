"""The conversation on an incident's page over real HTTP: who may ask, what is shown, and what is never a part of it."""

import json

from agent.answer.diagnosis import Diagnosis
from evals.scoring.scenario import BUNDLED, load
from tests.agent.web.pages.memory import CSRF, Memory
from tests.agent.web.pages.test_pages import HOSTILE, Page, client

SCENARIOS = {one.id: one for one in load(BUNDLED)}


def test_a_reader_asks_and_a_sender_may_not(service: Memory, base: str, full: Diagnosis) -> None:
    one = service.open("full", "writes fail")
    service.answer(one.id, full)
    path = f"/incidents/{one.id}/questions"
    for name, status in (("", 401), ("alerts", 403)):
        with client(base, name) as browser:
            assert browser.post(path, data={"csrf": CSRF, "text": "why?"}).status_code == status
    with client(base, "rita") as reader:
        page = Page(reader.get(f"/incidents/{one.id}").text)
        assert "What is the evidence?" in page.text and "textarea" in page.tags
        sent = reader.post(path, data={"csrf": CSRF, "suggested": "Why?"})
        assert sent.status_code == 303 and sent.headers["location"] == f"/incidents/{one.id}#talk"
        assert reader.post(path, data={"csrf": CSRF, "text": " "}).status_code == 409
    assert service.asked == ["Why?"] and service.decisions == []


def test_what_is_cited_leads_to_its_reading_and_what_is_wrong_is_named(
    service: Memory, base: str, full: Diagnosis
) -> None:
    one = service.open("full", "writes fail")
    service.answer(one.id, full)
    good = full.causes[0].evidence[0]
    wrong = good.model_copy(update={"reading": "r999", "verified": False})
    service.note(one.id, "question", question=1, by=HOSTILE, text=HOSTILE)
    cited = [each.model_dump(mode="json") for each in (good, wrong)]
    service.reply(one.id, 1, HOSTILE, by="scripted", cited=cited, warnings=[HOSTILE])
    with client(base, "ann") as browser:
        page = Page(browser.get(f"/incidents/{one.id}").text)
        assert any(link.startswith(f"/incidents/{one.id}/readings/{good.reading}#") for link in page.links)
        assert "Not verified: r999" in page.text and "there is no such value" in page.text
        assert not [link for link in page.links if "r999" in link]
        assert "img" not in page.tags and "\u202e" not in page.text and "\x1b" not in page.text
        service.answer(one.id, full)
        page = Page(browser.get(f"/incidents/{one.id}").text)
        assert "About an earlier answer." in page.text


def test_only_a_model_is_asked_freely_and_nothing_once_it_is_closed(
    service: Memory, base: str, full: Diagnosis
) -> None:
    one = service.open("full", "writes fail")
    service.answer(one.id, full)
    with client(base, "ann") as browser:
        assert "Ask about this incident" not in Page(browser.get(f"/incidents/{one.id}").text).text
        service.model = "scripted"
        assert "Ask about this incident" in Page(browser.get(f"/incidents/{one.id}").text).text
        service.note(one.id, "question", question=1, by="Ann", text="why?")
        service.reply(one.id, 1, "It's full.")
        service.change(one.id, state="closed", closed_at=one.opened_at, closed_by="Ann")
        text = browser.get(f"/incidents/{one.id}").text
        form = text[text.index('<form id="ask"') :].partition(">")[0]
        assert "hidden" in form and "It's full." in Page(text).text


def test_everybody_who_watches_hears_question_pieces_and_reply(service: Memory, base: str, full: Diagnosis) -> None:
    one = service.open("full", "writes fail")
    service.answer(one.id, full)
    service.note(one.id, "question", question=1, by="Ann", text="why?")
    service.note(one.id, "reply-text", question=1, attempt=1, text="It's ")
    service.reply(one.id, 1, "It's full.")
    service.change(one.id, state="closed", closed_at=one.opened_at)
    last = service.told[one.id][-4].number
    with client(base, "rita") as browser:
        text = browser.get(f"/incidents/{one.id}/stream?after={last}").text
    sent = [json.loads(line.partition(": ")[2]) for line in text.splitlines() if line.startswith("data: ")]
    assert [one.get("text") for one in sent[:3]] == ["Ann asks: why?", "It's ", "The reply: It's full."]
