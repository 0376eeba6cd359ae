"""What people see, drawn by a real browser from the blocks that the app sends."""

import os
from pathlib import Path

import pytest
from playwright.async_api import async_playwright

from tests.agent.slack.conftest import Place
from tests.agent.web.pages.test_browser import CHROMIUM, FLAGS
from tests.slack_picture import modal, page, thread

pytestmark = [
    pytest.mark.live,
    pytest.mark.timeout(300),
    pytest.mark.skipif(CHROMIUM is None, reason="needs chromium, such as Debian's package of that name"),
]


async def test_the_thread_and_its_dialogs(place: Place, tmp_path: Path) -> None:
    kept = Path(os.environ.get("PICTURES", tmp_path))
    asked = await place.slack.mention("checkout can't save on orders", "U0EVE")
    looking = dict(await place.until(lambda: next(iter(place.slack.own(asked["ts"])), None)))
    await place.answer(asked["ts"])
    message = await place.message(asked["ts"], "decide")
    await place.slack.write("What is the evidence?", "U0EVE", asked["ts"])
    await place.until(lambda: len(place.slack.own(asked["ts"])) == 2)
    dialogs = [await place.slack.click(message, action, "U0ANN") for action in ("decide", "evidence", "plan", "wrong")]
    said = [one for one in place.slack.messages["C0ORDERS"] if asked["ts"] in (one["ts"], one.get("thread_ts"))]
    drawn = {"looking": thread([said[0], looking]), "thread": thread(said), "slack": thread(said[:2])}
    drawn |= {f"dialog-{number}": modal(one) for number, one in enumerate(dialogs) if one}
    assert len(drawn) == 7
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        for name, inner in drawn.items():
            shown = await browser.new_page(viewport={"width": 680, "height": 400})
            await shown.set_content(page(inner))
            assert await shown.evaluate("document.documentElement.scrollWidth") <= 680
            await shown.screenshot(path=kept / f"{name}.png", full_page=True)
        await browser.close()
