"""The picture of the service's page in the docs, of a real fault in a real browser: `python -m evals.page_picture`."""

import asyncio
import os
import random
import re
import sys
import tempfile
from pathlib import Path

import httpx2
from playwright.async_api import async_playwright

from evals.lab.catalogue import FAULTS
from evals.lab.servers import installed
from evals.picture import INCIDENT, SEED, SYMPTOM
from evals.readme import DOCS

PICTURE = DOCS / "page.png"
BROWSER = "/usr/bin/chromium"
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
    "--disable-sync",
)  # fmt: skip
SIZE = (980, 620)
ANSWERED_WITHIN = 30.0


async def taken(path: Path) -> None:
    """Serve, have an incident answered, and take the picture of its page."""
    with tempfile.TemporaryDirectory() as place:
        async with FAULTS[INCIDENT].begin(installed()[0], random.Random(SEED)) as incident:
            settings = Path(place) / "rediagnose.toml"
            settings.write_text(f'[[targets]]\nname = "cache-7"\nurl = "{incident.url}"\n')
            environ = {**os.environ, "XDG_STATE_HOME": place, "REDIAGNOSE_CONFIG": str(settings)}
            command = (sys.executable, "-m", "rediagnose", "serve", "--listen", "127.0.0.1:0", "--model", "offline")
            service = await asyncio.create_subprocess_exec(*command, env=environ, stderr=asyncio.subprocess.PIPE)
            try:
                assert service.stderr is not None
                link = ""
                while not link:
                    line = (await service.stderr.readline()).decode()
                    link = found[0] if (found := re.search(r"http://\S+token=\S+", line)) else ""
                await _photographed(link, path)
            finally:
                service.terminate()
                await service.wait()


async def _photographed(link: str, path: Path) -> None:
    base, token = link.split("/?", 1)[0], link.rpartition("token=")[2]
    async with httpx2.AsyncClient(headers={"Authorization": f"Bearer {token}"}, trust_env=False, timeout=60) as client:
        opened = await client.post(f"{base}/v1/incidents", json={"target": "cache-7", "title": SYMPTOM})
        opened.raise_for_status()
        id = opened.json()["incident"]
        async with asyncio.timeout(ANSWERED_WITHIN):
            while (await client.get(f"{base}/v1/incidents/{id}")).json()["state"] in ("queued", "looking"):
                await asyncio.sleep(0.3)
    async with async_playwright() as player:
        browser = await player.chromium.launch(executable_path=BROWSER, args=list(FLAGS))
        page = await browser.new_page(viewport={"width": SIZE[0], "height": SIZE[1]})
        await page.goto(link)
        await page.goto(f"{base}/incidents/{id}")
        await page.wait_for_selector("text=CONFIG SET")
        await page.screenshot(path=path)
        await browser.close()


if __name__ == "__main__":
    asyncio.run(taken(PICTURE))
