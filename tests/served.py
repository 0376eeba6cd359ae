"""`rediagnose serve` and `worker` as processes of their own, on a state of their own, and what is asked of them."""

import asyncio
import json
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from subprocess import DEVNULL, PIPE
from typing import Any

import httpx2

from agent.service.database import Database
from agent.service.store import Store
from evals.lab.servers import leash
from tests.program import ROOT, SETTINGS
from tests.standins import PLACE, TOKEN, GitHubStandIn, Seen, WebhookStandIn
from tools.clock import SystemClock

DEAD = "redis://127.0.0.1:1"
"""Where nothing listens: the quickest diagnosis that there is."""
QUICK = ("--model", "offline", "--window", "0.2")
PATIENCE = 240.0
_ISSUE = re.compile(rf"{PLACE}/issues/(\d+)(/comments)?")


class Tracker(GitHubStandIn):
    """GitHub for any number of issues, each with its comments."""

    def __init__(self) -> None:
        super().__init__()
        self.of: dict[str, list[dict[str, Any]]] = {}

    def work(self, one: Seen) -> tuple[int, Any, Mapping[str, str]]:
        if (match := _ISSUE.fullmatch(one.path)) is None:
            number = one.path.rpartition("/")[2]
            self.comments = next((known for known in self.of.values() if _has(known, number)), [])
            return super().work(one)
        self.comments = self.of.setdefault(match[1], [])
        same = one._replace(path=f"{PLACE}/issues/1347{match[2] or ''}")
        status, answer, headers = super().work(same)
        if one.method == "POST":
            # Its number is its own, whichever issue it is on.
            self.comments[-1]["id"] = int(match[1]) * 1000 + len(self.comments)
        return status, answer, headers


def _has(comments: list[dict[str, Any]], number: str) -> bool:
    return any(str(one["id"]) == number for one in comments)


class Hook(WebhookStandIn):
    """A webhook that remembers what it was sent."""

    @property
    def links(self) -> list[str]:
        """The incidents that it was notified of."""
        return [one.body["link"].rpartition("/")[2] for one in self.seen]


def issue(number: int, title: str = "Checkout times out on Redis") -> dict[str, Any]:
    """An issue of GitHub."""
    url = f"https://api.github.com{PLACE}"
    return {
        "url": f"{url}/issues/{number}", "repository_url": url, "number": number, "title": title, "state": "open",
        "body": "", "labels": [], "html_url": f"https://github.com/example-shop/checkout/issues/{number}",
        "comments_url": f"{url}/issues/{number}/comments",
    }  # fmt: skip


class Served:
    """One process of the service."""

    def __init__(self, process: asyncio.subprocess.Process, url: str, token: str, said: list[str]) -> None:
        self.process, self.url, self.said = process, url, said
        headers = {"Authorization": f"Bearer {token}"}
        self.client = httpx2.AsyncClient(base_url=url, headers=headers, timeout=PATIENCE, trust_env=False)
        self._reader = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self.process.stderr is not None
        while line := await self.process.stderr.readline():
            self.said.append(line.decode())

    async def submit(self, **body: Any) -> dict[str, Any]:
        """Open, join or close an incident."""
        answer = await self.client.post("/v1/incidents", json=body)
        assert answer.status_code in (200, 201), answer.text
        done: dict[str, Any] = answer.json()
        return done

    async def opened(self, **body: Any) -> str:
        """Open an incident, or join one; its id."""
        return str((await self.submit(**body))["incident"])

    async def get(self, path: str) -> Any:
        """What is there."""
        answer = await self.client.get(path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def incident(self, id: str) -> dict[str, Any]:
        """One incident."""
        found: dict[str, Any] = await self.get(f"/v1/incidents/{id}")
        return found

    async def until(self, id: str, *states: str) -> dict[str, Any]:
        """The incident once it's in one of these states."""
        async with asyncio.timeout(PATIENCE):
            while (found := await self.incident(id))["state"] not in states:
                await asyncio.sleep(0.1)
        return found

    async def stepped(self, id: str, step: str, *not_in: str) -> dict[str, Any]:
        """A step once it isn't in one of these states any more."""
        async with asyncio.timeout(PATIENCE):
            while True:
                found = await self.incident(id)
                one: dict[str, Any] = next(one for one in found["diagnosis"]["plan"] if one["id"] == step)
                if one["state"] not in not_in:
                    return one
                await asyncio.sleep(0.1)

    async def events(self, id: str, after: int = 0) -> list[dict[str, Any]]:
        """The events of a closed incident after a number, each with its number."""
        found, number = [], 0
        async with self.client.stream("GET", f"/v1/incidents/{id}/events", headers={"Last-Event-ID": str(after)}) as on:
            assert on.status_code == 200
            async for line in on.aiter_lines():
                name, _, value = line.partition(": ")
                if name == "id":
                    number = int(value)
                elif name == "data" and value != "{}":
                    found.append({"number": number, **json.loads(value)})
        return found

    async def kill(self) -> None:
        """End it as a power cut would."""
        with suppress(ProcessLookupError):
            self.process.kill()
        await self._over()

    async def stop(self) -> int:
        """End it as an init system does; its exit status."""
        with suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGTERM)
        await self._over()
        assert self.process.returncode is not None
        return self.process.returncode

    async def _over(self) -> None:
        await self.process.wait()
        await self._reader
        await self.client.aclose()


class Desk:
    """Where processes of the service are started: a folder with their state and their settings."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environ: dict[str, str] = {"GITHUB_TOKEN": TOKEN}
        self.database: str | None = None
        self.settings("")
        self._running: list[Served] = []

    def settings(self, text: str) -> None:
        """Write rediagnose.toml."""
        file = self.folder / "rediagnose.toml"
        file.write_text(text)
        self.environ["REDIAGNOSE_CONFIG"] = str(file)

    async def serve(self, *args: str, state: str = "state") -> Served:
        """Start a process that serves, and wait until it does."""
        return await self._start("serve", "--listen", "127.0.0.1:0", *args, state=state)

    async def work(self, *args: str, state: str = "state") -> Served:
        """Start a process that only works."""
        return await self._start("worker", *args, state=state)

    async def slack(self, *args: str, state: str = "state") -> Served:
        """Start a process that works in Slack."""
        return await self._start("slack", *args, state=state)

    async def _start(self, *args: str, state: str) -> Served:
        clean = {name: value for name, value in os.environ.items() if name not in SETTINGS}
        environ = {**clean, "XDG_STATE_HOME": str(self.folder / state), **self.environ}
        if self.database:
            environ["REDIAGNOSE_DATABASE"] = self.database
        command = [*leash(), sys.executable, str(ROOT / "rediagnose.py"), *args]
        process = await asyncio.create_subprocess_exec(
            *command, cwd=self.folder, env=environ, stdin=DEVNULL, stdout=DEVNULL, stderr=PIPE
        )
        said: list[str] = []
        url, token = "http://127.0.0.1", ""
        assert process.stderr is not None
        async with asyncio.timeout(PATIENCE):
            while not (said and ("open  " in said[-1] or "working on" in said[-1])):
                line = (await process.stderr.readline()).decode()
                assert line, "".join(said)
                said.append(line)
        if found := re.search(r"(http://\S+/)\?token=(\S+)", said[-1]):
            url, token = found.groups()
        one = Served(process, url, token, said)
        self._running.append(one)
        return one

    @contextmanager
    def store(self, clock: SystemClock | None = None, state: str = "state") -> Iterator[Store]:
        """The database, read beside the processes."""
        file = self.folder / state / "rediagnose" / "service" / "incidents.sqlite"
        database = Database(self.database or f"sqlite:///{file}")
        try:
            yield Store(database, clock or SystemClock())
        finally:
            database.close()

    def events(self, id: str) -> list[dict[str, Any]]:
        """An incident's events up to now."""
        with self.store() as store:
            return [json.loads(one.data) for one in store.events(id, 0, 100_000)]

    async def close(self) -> None:
        """End what runs."""
        for one in self._running:
            if one.process.returncode is None:
                await one.kill()


@asynccontextmanager
async def desk(folder: Path) -> AsyncIterator[Desk]:
    """A place for processes, which end with it."""
    one = Desk(folder)
    try:
        yield one
    finally:
        await one.close()
