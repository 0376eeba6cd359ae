"""The first minute, always the same: what can be read is read, and silence is probed before it's named."""

import asyncio
import contextlib
from collections.abc import Callable

from agent.checks.clients import IDLE_WORDS
from agent.view import View
from tools.clock import Clock
from tools.errors import ToolError, Unanswered
from tools.records import Reading, Record
from tools.server.node import Node
from tools.toolbox import Toolbox

PARAMETERS = (
    "maxclients", "timeout", "tcp-keepalive", "tcp-backlog", "maxmemory-clients", "client-output-buffer-limit",
    "client-query-buffer-limit", "slowlog-log-slower-than", "slowlog-max-len", "latency-monitor-threshold",
    "busy-reply-threshold", "lua-time-limit", "maxmemory", "maxmemory-policy",
)  # fmt: skip
SECTIONS = ("server", "clients", "memory", "persistence", "stats", "replication", "cpu", "errorstats", "keyspace")
PROBE_SECONDS = 8.0
"""How long an idle connection is watched where nobody knows the period."""
GLANCE = 0.2
"""Seconds between the two samples of the first look at the machine."""
RESERVE = 6.0
"""Seconds kept back from a hunt for a slot, for the readings that follow it."""


class Pace(Record):
    """How long an investigation may take and how it samples."""

    window: float = 2.0
    """Seconds between two samples."""
    pings: int = 60
    """PINGs of the latency sample."""
    ends: float
    """The deadline, in the clock's monotonic seconds."""


Confirm = Callable[[int | None], None]
"""Told which process_id INFO reports."""


class Survey:
    """Takes the readings that every investigation begins with."""

    def __init__(
        self, toolbox: Toolbox, node: Node, clock: Clock, pace: Pace, confirm: Confirm, found: Callable[[], bool]
    ) -> None:
        self.toolbox = toolbox
        self.node = node
        self.clock = clock
        self.pace = pace
        self.confirm = confirm
        self.found = found
        """Whether the readings so far already tell a cause."""

    @property
    def left(self) -> float:
        """Seconds until the deadline."""
        return self.pace.ends - self.clock.monotonic()

    @property
    def view(self) -> View:
        """What was read so far."""
        return View(self.toolbox.readings, self.node.name)

    async def run(self, symptom: str) -> None:
        """Take the readings; each failure is a reading too. Stops reading when the deadline is near."""
        self.toolbox.note_symptom(symptom)
        first, *_ = await asyncio.gather(
            self._take("connect"), *(self._take(tool, window=GLANCE) for tool in ("process", "sockets", "machine"))
        )
        kind = first.unavailable.kind if first and first.unavailable else None
        if kind == "maxclients":
            await self._hunt()
        mute = kind == "timeout" and first is not None and first.get("stage") not in ("dns", "tcp", "tls")
        if mute and not await self._speaks_again():
            return
        if self.node.held and kind not in ("noauth", "wrongpass"):
            await self._server()
        if self.left > PROBE_SECONDS + 3 and self.node.held:
            await self._idle(symptom)

    async def _take(self, tool: str, **args: object) -> Reading | None:
        if tool not in self.toolbox.tools or self.left < 0.5:
            return None
        try:
            async with asyncio.timeout(max(0.5, self.left)):
                return await self.toolbox.call(tool, args)
        except (ToolError, TimeoutError):
            # A spent budget or deadline: what was read so far is what there is.
            return None

    async def _hunt(self) -> None:
        with contextlib.suppress(Unanswered):
            await self.node.hunt(self.pace.ends - RESERVE - self.pace.window)

    async def _speaks_again(self) -> bool:
        """Probe a silence; whether the server answers in the end."""
        if self.view.get("process", "stopped") is True:
            return False
        await self._take("silence")
        if self.view.get("silence", "ping_answered") is not True:
            return False
        # It was held up and runs again: what held it up is in its own records now.
        await self._take("connect")
        return True

    async def _server(self) -> None:
        if self.view.first_unavailable("busy"):
            await self._take("ping")
            return
        sections, window = list(SECTIONS), self.pace.window
        # A host that isn't this machine is not asked again.
        local = [tool for tool in ("process", "sockets", "machine") if not self.view.unavailable(tool)]
        opened = await asyncio.gather(
            self._take("info", sections=sections, window=window), self._take("commandstats", window=window),
            self._take("latency_sample", count=self.pace.pings, seconds=window),
            *(self._take(tool, window=min(window, 10.0)) for tool in local),
        )  # fmt: skip
        pid = self.view.number("info", "process_id")
        self.confirm(int(pid) if pid else None)
        kinds = {reading.unavailable.kind for reading in opened[:3] if reading and reading.unavailable}
        if "timeout" in kinds and self.view.last("silence") is None and not await self._speaks_again():
            return
        await asyncio.gather(
            self._take("slowlog"), self._take("clients"), self._take("config_get", parameters=list(PARAMETERS)),
            self._take("acl_log"),
        )  # fmt: skip

    async def _idle(self, symptom: str) -> None:
        view = self.view
        period = view.number("config_get", "timeout") or 0
        keepalive = view.number("config_get", "tcp-keepalive")
        reported = IDLE_WORDS.search(symptom) is not None
        # Over a network something may forget idle flows; where nothing else was found, that's worth the seconds.
        distant = view.unavailable("process") == "not-local" and not self.found()
        if not (reported or keepalive == 0 or 0 < period <= PROBE_SECONDS or distant):
            return
        await self._take("idle_probe", seconds=min(PROBE_SECONDS, period + 2.5) if period else PROBE_SECONDS)
