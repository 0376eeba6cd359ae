"""The app in a Slack on loopback, over a service whose engine doesn't run: a test itself says what is answered."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from agent.answer.diagnosis import Diagnosis
from agent.investigation.model_settings import ModelSettings
from agent.service.database import Database
from agent.service.history import data_of
from agent.service.plant import Plant, Talk
from agent.service.service import DurableService
from agent.service.store import Work
from agent.slack.app import SlackApp
from agent.slack.sealed import Place as At
from agent.slack.threads import Thread, Threads
from agent.tickets.ticket import Ticket, TicketError
from evals.scoring.scenario import BUNDLED, load
from tests.agent.web.pages.memory import investigated
from tests.golden.entries import library
from tests.slack_stand_in import CHANNEL, ENVIRON, TEAM, Json, Slack, settings, slack
from tools.clock import SystemClock
from tools.connection.target import parse_target
from tools.settings.file import load_settings

TARGETS = (
    '[[targets]]\nname = "orders"\nurl = "redis://127.0.0.1:1"\n[[targets]]\nname = "carts"\nurl = "redis://[::1]:1"\n'
)
FULL = "s0257"


class Shifted(SystemClock):
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def now(self) -> datetime:
        return super().now() + self.ahead


class Place:
    """The app, its Slack, and its service."""

    def __init__(self, folder: Path, slack: Slack, full: Diagnosis) -> None:
        self.slack, self.full, self.clock, self._folder = slack, full, Shifted(), folder
        self.file = folder / "rediagnose.toml"
        self.settings(settings(slack))
        plant = Plant(
            meant=_meant, target=lambda name: parse_target("redis://127.0.0.1:1", environ={}), setup=_never,
            talk=lambda: Talk(ModelSettings(), library, 10),
            comments=lambda ticket: None, hooks=tuple, clock=self.clock, recordings=folder / "recordings",
            audit=folder / "audit.jsonl",
        )  # fmt: skip
        database = Database(f"sqlite:///{folder / 'incidents.sqlite'}")
        database.prepare()
        self.service = DurableService(database, plant)
        self._talk = plant.talk
        self.answers_within = 2.0
        self.app = self._app()

    def _app(self) -> SlackApp:
        load = lambda: load_settings(environ={"REDIAGNOSE_CONFIG": str(self.file)})  # noqa: E731
        return SlackApp(self.service, load, self._talk, self.clock, pace=0.05, rounds=0.2,
                        answers_within=self.answers_within, kept=0.5)  # fmt: skip

    def settings(self, text: str) -> None:
        self.file.write_text(text + TARGETS)

    async def restart(self) -> None:
        """End the app as a crash does not, and begin another one."""
        await self.app.stop()
        self.app = self._app()
        await self.app.start()

    def thread(self, ts: str) -> Thread:
        """A thread as it is kept."""
        found = Threads(self.service.store.database, "test").at(At(team=TEAM, channel=CHANNEL, thread=ts))
        assert found is not None
        return found

    def incident(self, thread: str) -> str:
        """The incident of a thread."""
        found = self.thread(thread).incident
        assert found is not None
        return found

    async def answer(self, thread: str, answer: Diagnosis | None = None, round: int = 1) -> str:
        """Let the incident of a thread be answered; its id."""
        id = await self.until(lambda: self.incident(thread))
        store = self.service.store
        assert store.begin(id, round)
        assert store.answered(Work(id, round, "orders"), answer or self.full, None)
        return str(id)

    async def until(self, done: Any) -> Any:
        """Wait until something is so."""
        async with asyncio.timeout(60):
            while not (found := done()):
                await asyncio.sleep(0.02)
        return found

    async def answered(self, by: str = "U0EVE", answer: Diagnosis | None = None) -> tuple[str, Json]:
        """An incident that somebody asked about and that is answered; its id, and its message."""
        asked = await self.slack.mention("checkout times out on orders", by)
        id = await self.answer(asked["ts"], answer)
        return id, await self.message(asked["ts"], "decide")

    async def message(self, thread: str, button: str) -> Json:
        """The incident's message once it has a button."""
        found: Json = await self.until(lambda: next((one for one in self.slack.own(thread) if _has(one, button)), None))
        return found

    def decisions(self, id: str) -> Sequence[str]:
        """Who decided, and what."""
        said = [data_of(one) for one in self.service.store.history(id, ("decided",))]
        return [f"{one['verb']} {one['step']} {one['by']}" for one in said]


def _has(message: Json, action: str) -> bool:
    return f"'action_id': '{action}'" in str(message["blocks"])


def _meant(ticket: Ticket, given: str | None) -> str:
    if given is None:
        raise TicketError("it isn't clear which server this is about")
    return given


def _never(*_: object) -> Any:
    raise AssertionError("nothing is investigated here")


@pytest.fixture(scope="session")
def full() -> Diagnosis:
    """The answer about a server that is full."""
    return investigated(next(one for one in load(BUNDLED) if one.id == FULL))[0]


@pytest.fixture
async def place(tmp_path: Path, full: Diagnosis, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Place]:
    for name, value in {**ENVIRON, "XDG_STATE_HOME": str(tmp_path / "state")}.items():
        monkeypatch.setenv(name, value)
    async with slack() as stand_in:
        one = Place(tmp_path, stand_in, full)
        await one.app.start()
        try:
            yield one
        finally:
            await one.app.stop()
            assert stand_in.complaints == []
