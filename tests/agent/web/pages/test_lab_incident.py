"""A whole incident on a fault of the lab, in a real browser: an approver and a reader before the same service."""

import hashlib
import re
from pathlib import Path
from random import Random

import httpx2
import pytest
import redis.asyncio
from playwright.async_api import Browser, Page, ViewportSize, async_playwright, expect

from evals.lab.catalogue import FAULTS
from evals.lab.servers import installed
from tests.agent.web.pages.test_browser import CHROMIUM, FLAGS
from tests.served import QUICK, Desk, desk

pytestmark = [
    pytest.mark.live,
    pytest.mark.timeout(900),
    pytest.mark.skipif(CHROMIUM is None, reason="needs chromium, such as Debian's package of that name"),
]
TOKENS = {"ann": ("approver", "a" * 40), "rita": ("reader", "r" * 40), "alerts": ("sender", "s" * 40)}
HOSTILE = ("<script>alert(1)</script>", "<img/src=x/onerror=alert(1)>")
DESKTOP, PHONE = ViewportSize(width=1280, height=900), ViewportSize(width=390, height=844)
PATIENCE_MS = 120_000


def settings() -> str:
    digests = {name: (role, hashlib.sha256(token.encode()).hexdigest()) for name, (role, token) in TOKENS.items()}
    return "".join(
        f'[[serve.token]]\nname = "{name}"\nroles = ["{role}"]\nsha256 = "{digest}"\n'
        for name, (role, digest) in digests.items()
    )


async def served(place: Desk) -> str:
    """Where the service is."""
    place.settings(settings())
    one = await place.serve(*QUICK)
    found = re.search(r"open {2}(http://127\.0\.0\.1:\d+)", one.said[-1])
    assert found, one.said
    return found[1]


async def signed_in(browser: Browser, address: str, name: str, viewport: ViewportSize, complaints: list[str]) -> Page:
    """A person in front of the incident."""
    dark = viewport is PHONE
    context = await browser.new_context(viewport=viewport, color_scheme="dark" if dark else "light")
    context.set_default_timeout(PATIENCE_MS)
    page = await context.new_page()
    page.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("dialog", lambda shown: complaints.append(f"an alert: {shown.message}"))
    await page.goto(address)
    await page.get_by_label("Token").fill(TOKENS[name][1])
    await page.keyboard.press("Enter")
    await page.wait_for_url(address)
    return page


async def test_a_full_server_is_diagnosed_raised_verified_and_rolled_back(tmp_path: Path) -> None:
    expect.set_options(timeout=PATIENCE_MS)
    complaints: list[str] = []
    async with (
        FAULTS["oom-noeviction"].begin(installed()[0], Random(3)) as incident,
        desk(tmp_path) as place,
        async_playwright() as playwright,
    ):
        named = [redis.asyncio.Redis.from_url(incident.url, client_name=name) for name in HOSTILE]
        for one in named:
            await one.ping()
        before = (await named[0].config_get("maxmemory"))["maxmemory"]
        base = await served(place)
        async with httpx2.AsyncClient(base_url=base, trust_env=False, timeout=60) as sender:
            alert = {
                "title": f"checkout can't save {HOSTILE[0]}",
                "text": "OOM\u202e",
                "target": incident.url,
                "key": "k",
            }
            given = await sender.post(
                "/v1/incidents", json=alert, headers={"Authorization": f"Bearer {TOKENS['alerts'][1]}"}
            )
            assert given.status_code == 201, given.text
        address = f"{base}/incidents/{given.json()['incident']}"
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        ann = await signed_in(browser, address, "ann", DESKTOP, complaints)
        rita = await signed_in(browser, address, "rita", PHONE, complaints)
        for page in (ann, rita):
            await expect(page.locator("h1")).to_have_text("Redis' memory limit is reached, and it refuses writes.")
        await expect(rita.locator("[href*='/steps/']")).to_have_count(0)

        await ann.locator("#plan a.button").first.click()
        await expect(ann.locator("dialog pre")).to_contain_text("CONFIG SET maxmemory")
        await ann.locator("dialog #understood").check()
        await ann.locator("dialog button[value=approve]").dblclick()
        await expect(rita.locator("#story")).to_contain_text("ann approved s")
        await expect(rita.locator("#plan .chip.state").first).to_have_text("verified")
        assert (await named[0].config_get("maxmemory"))["maxmemory"] != before
        assert (await rita.locator("#story").inner_text()).count("ann approved") == 1
        assert await rita.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]

        # Another look has another plan, and what was applied can still be taken back.
        await ann.get_by_role("button", name="Look again").click()
        await expect(rita.locator("#story")).to_contain_text("ann asked for another look")
        await expect(ann.get_by_role("link", name="Roll back")).to_be_visible()
        await expect(ann.locator("#plan .chip.state")).to_have_text(["verified"])
        await ann.get_by_role("link", name="Roll back").click()
        await ann.locator("dialog #understood").check()
        await ann.locator("dialog button[value=roll-back]").click()
        await expect(rita.locator("#plan .chip.state")).to_have_text(["rolled back"])
        assert (await named[0].config_get("maxmemory"))["maxmemory"] == before

        await rita.get_by_label("Right").check()
        await rita.get_by_label("Note").fill(HOSTILE[0])
        await rita.get_by_role("button", name="Send feedback").click()
        await expect(ann.locator("#judged")).to_contain_text(HOSTILE[0])
        await ann.get_by_role("button", name="Close the incident").click()
        await expect(rita.locator("#verdict")).to_contain_text("closed by ann")
        await browser.close()
        for one in named:
            await one.aclose()
    assert complaints == []
