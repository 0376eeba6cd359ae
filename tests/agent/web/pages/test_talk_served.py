"""A question asked in a browser at the program as it's started, with a model behind it that answers over HTTP."""

from pathlib import Path

import pytest
from playwright.async_api import async_playwright, expect

from evals.endpoint import Move, Say, Status, endpoint
from evals.said import Body
from tests.agent.service.test_service_questions import QUESTION, of
from tests.agent.web.pages.test_browser import CHROMIUM, FLAGS
from tests.agent.web.pages.test_browser import pytestmark as pytestmark
from tests.served import DEAD, desk

SAID = "Nothing listens there: <b>start it</b>. See [r1 unavailable=refused]."
SECONDS_MS = 120_000


def script(body: Body) -> Move:
    asked = any(QUESTION in str(one.get("content")) for one in body["messages"])
    return Say(text=SAID) if asked else Status(code=400, message="not now")


@pytest.mark.timeout(600)
async def test_a_question_is_answered_by_a_model_for_all_who_watch(tmp_path: Path) -> None:
    async with desk(tmp_path) as place, endpoint(script) as at, async_playwright() as playwright:
        place.environ |= {"OPENAI_BASE_URL": at.url, "REDIAGNOSE_MODEL": "scripted"}
        served = await place.serve("--window", "0.2")
        id = await served.opened(title="slow", target=DEAD)
        await served.until(id, "answered")
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        link = next(line for line in served.said if "token=" in line).split()[-1]
        pages = []
        for _ in range(2):
            context = await browser.new_context()
            context.set_default_timeout(SECONDS_MS)
            page = await context.new_page()
            await page.goto(link)
            await page.goto(f"{served.url}incidents/{id}")
            pages.append(page)
        await pages[0].get_by_label("Ask about this incident").fill("what now, exactly?")
        await pages[0].get_by_role("button", name="Ask", exact=True).click()
        for page in pages:
            reply = page.locator("#turns .reply")
            await expect(reply).to_contain_text("Nothing listens there: <b>start it</b>.", timeout=SECONDS_MS)
            await expect(reply).to_contain_text("1 cited value, as read")
            await expect(page.locator("#growing")).to_be_hidden()
        await pages[1].get_by_role("button", name="Why?").click()
        await expect(pages[0].locator("#turns .reply")).to_have_count(2, timeout=SECONDS_MS)
        assert len(of(place, id, "reply")) == 2
        await browser.close()
