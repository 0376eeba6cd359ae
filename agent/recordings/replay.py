"""Investigating a recorded incident: the same code on the recording's own time, without ports or sockets."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import TypeVar

from pydantic import SecretStr

from agent.answer.diagnosis import OFFLINE
from agent.answer.events import Event
from agent.answer.open_points import Pasted
from agent.investigation.investigation import Investigation
from agent.investigation.model_settings import ModelSettings
from agent.investigation.model_stage import ModelConversation
from agent.investigation.pipeline import run
from agent.investigation.sources import DEADLINE_MODEL, Options, Sources
from agent.runbooks.library import Library, load
from tools.connection.target import Target, Tls, parse_target
from tools.credentials import HIDDEN
from tools.record.refusals import Refusals
from tools.record.replay import Replay
from tools.record.tape import Tape
from tools.record.virtual import VirtualClock, VirtualLoop

T = TypeVar("T")


def recorded_target(tape: Tape) -> Target:
    """The recorded target; its credentials are placeholders for those that were used, which weren't kept."""
    url = tape.head.url
    scheme, _, rest = url.partition("://")
    _user, at, place = rest.rpartition("@")
    tls = Tls(insecure=True) if scheme == "rediss" else None
    target = parse_target(f"{scheme}://{place}", tls=tls, environ={})
    if not at:
        return target
    words = [len(asked) for node in tape.nodes.values() for asked in node.outcomes if asked[0] == "AUTH"]
    name = HIDDEN if max(words, default=2) > 2 else None
    return target.model_copy(update={"password": SecretStr(HIDDEN), "username": name})


class Case(Investigation):
    """An investigation of a recording, with its events."""

    def __init__(
        self,
        tape: Tape,
        symptom: str,
        library: Library,
        options: Options,
        refusals: Refusals | None = None,
        pasted: Pasted | None = None,
    ) -> None:
        self.heard: list[Event] = []
        clock = VirtualClock(tape.began, asyncio.get_running_loop())
        self.replay = Replay(tape, clock, refusals)
        sources = Sources(replay=self.replay, pasted=pasted)
        target = recorded_target(tape)
        if refusals and refusals.service:
            target = target.model_copy(update={"service": refusals.service})
        super().__init__(target, symptom, library, clock, self.heard.append, options, sources)

    @property
    def misses(self) -> int:
        """What was asked but never recorded."""
        return self.replay.misses


@asynccontextmanager
async def case(
    tape: Tape, symptom: str, model: ModelSettings | None = None, library: Library | None = None,
    conversation: ModelConversation | None = None, refusals: Refusals | None = None, pasted: Pasted | None = None,
) -> AsyncIterator[Case]:  # fmt: skip
    """A recorded incident investigated up to its plan, by the checks or by a model.

    `conversation` holds the model to ask if it isn't the one in the settings; `refusals` is what the server refuses in
    addition to what it refused then; `pasted` says what was pasted, if that is what the recording is made of.
    """
    model = model or ModelSettings()
    deadline = tape.head.deadline if model.use.name == OFFLINE else DEADLINE_MODEL
    options = Options(window=tape.head.window, one_node=tape.head.one_node, deadline=deadline)
    investigation = Case(tape, symptom, library or load(), options, refusals, pasted)
    try:
        await run(investigation, model, lambda: conversation)
        yield investigation
    finally:
        await investigation.close()


def on_virtual_time(main: Coroutine[object, object, T]) -> T:
    """Run to completion on a loop of its own, whose clock jumps."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)
