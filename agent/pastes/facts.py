"""Readings of a machine out of the host script's output that was pasted with what its server says."""

import asyncio
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

from tools.connection.target import parse_target
from tools.errors import Unanswered, UsageError
from tools.host.disk import disk
from tools.host.facts import HostFacts, parse_facts
from tools.host.local import OLD, Host
from tools.host.log import log
from tools.host.machine import machine
from tools.host.process import process
from tools.host.sockets import sockets
from tools.records import Unavailable, Values
from tools.toolbox import ToolFunction

TOOLS: tuple[ToolFunction, ...] = (process, sockets, machine, disk, log)
"""What the script's output has an answer for."""


class Told(NamedTuple):
    """What a reading of a paste is: its values, and why there aren't more."""

    values: Values
    lack: Unavailable | None = None


@dataclass(frozen=True)
class _Then:
    """The moment that a paste is of."""

    at: datetime

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return 0.0

    async def sleep(self, seconds: float) -> None:
        """Facts have two samples: nothing waits."""


def facts_in(text: str) -> HostFacts | None:
    """The facts of a piece."""
    try:
        return parse_facts("the host script's output", text.encode(errors="replace"))
    except UsageError:
        return None


def read(facts: HostFacts, name: str, process_id: int | None, now: float, sampled: float | None) -> Mapping[str, Told]:
    """By tool, what the facts say of the server with this name and this process; `sampled` is when its INFO was."""
    if sampled is not None and abs(facts.taken - sampled) > OLD:
        apart = abs(facts.taken - sampled) / 3600
        old = Unavailable(kind="not-pasted", detail=f"the machine's facts were taken {apart:.0f} h from this INFO")
        return {tool.__name__: Told({}, old) for tool in TOOLS}
    then = _Then(datetime.fromtimestamp(max(now, facts.taken), UTC))
    host = Host(parse_target(f"redis://{name}", environ={}), then, facts=facts)
    host.confirm(process_id)
    found: dict[str, Told] = {}

    def work() -> None:
        found.update(asyncio.run(_read(host)))

    # A paste may be read in the middle of a conversation, which has a loop of its own.
    worker = threading.Thread(target=work)
    worker.start()
    worker.join()
    return found


async def _read(host: Host) -> Mapping[str, Told]:
    found: dict[str, Told] = {}
    for tool in TOOLS:
        try:
            found[tool.__name__] = Told(await tool(host))
        except Unanswered as error:
            found[tool.__name__] = Told(error.values or {}, Unavailable(kind=error.kind, detail=error.detail))
    return found
