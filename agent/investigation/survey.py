"""The first minute, always the same: what can be read is read, and silence is probed before it is named."""

import asyncio
import contextlib
import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from agent.checks.holders import kind_to_find
from agent.checks.words import DISCONNECTED
from agent.evidence.report_words import mention
from agent.evidence.view import View
from agent.investigation import worthwhile
from tools.clock import Clock
from tools.connection.live import OWN_SHARE
from tools.connection.node import Node
from tools.errors import ToolError, Unanswered
from tools.patterns import deferred
from tools.records import Reading
from tools.server.info import shorter_pair
from tools.server.sentinel import sentinel
from tools.tasks import at_once
from tools.toolbox import Toolbox, bind

PARAMETERS = (
    "maxclients", "timeout", "tcp-keepalive", "tcp-backlog", "maxmemory-clients", "client-output-buffer-limit",
    "client-query-buffer-limit", "slowlog-log-slower-than", "slowlog-max-len", "latency-monitor-threshold",
    "busy-reply-threshold", "lua-time-limit", "maxmemory", "maxmemory-policy", "hz", "io-threads", "activedefrag",
    "active-defrag-cycle-min", "active-defrag-cycle-max", "active-defrag-ignore-bytes", "proto-max-bulk-len",
    "lazyfree-lazy-expire", "lazyfree-lazy-user-del", "appendfsync", "save", "logfile", "notify-keyspace-events",
)  # fmt: skip
SECTIONS = (
    "server", "clients", "memory", "persistence", "stats", "replication", "cpu", "errorstats", "keyspace", "tls",
)  # fmt: skip
WINDOWED = ("commandstats", "latencystats", "latency_events", "memory", "persistence", "replication", "keyspace")
"""Readings that share the two samples of the window."""
AGAIN = ("commandstats", "latencystats", "latency_events", "keyspace")
"""Those of them whose second sample shows more than INFO's."""
ONCE = ("slowlog", "clients", "access", "config_drift")
"""Readings of a single moment."""
HOST = ("process", "sockets", "machine")
HOST_ONCE = ("log", "disk", "kernel_log")
PROBE_SECONDS = 8.0
"""How long an idle connection is watched if the period is unknown."""
COMES_AND_GOES = deferred(
    r"spik|period|interm|sporadic|occasional|sometimes|regular|now and then|at times|random|blip|hiccup|stall|freez"
    r"|jitter|\bevery (few |\d+ )?(second|minute|hour)|\bat :\d\d|for a moment|p9+\b",
    re.IGNORECASE,
)
"""What a person says about something intermittent: a short look may miss it."""
ENOUGH = 20
"""Fewest PINGs for a meaningful distribution."""
WATCH, LEAST_WATCH = 8.0, 4.0
"""Seconds of the longer look that follows then, and the least for it to show more than the first one."""
PROMPTLY = 0.3
"""Seconds within which a healthy server accepts a client; after that its host is examined meanwhile."""
GLANCE = 0.2
"""Seconds between the two samples of the first look at the machine."""
GLANCE_PINGS, GLANCE_WINDOW = 5, 1.0
"""PINGs and seconds of the first look at one node of many."""
RESERVE = 6.0
"""Seconds reserved from a hunt for a slot, for the readings that follow."""


class Pace(NamedTuple):
    """How long an investigation may take and how it samples."""

    ends: float
    """The deadline, in the clock's monotonic seconds."""
    window: float = 2.0
    """Seconds between two samples."""
    pings: int = 60
    """PINGs of the latency sample."""


Confirm = Callable[[View], None]
"""Receives a node's readings, for what the server reports about its process and files."""


class NodeSurvey:
    """Takes the readings that every investigation of a node begins with."""

    def __init__(
        self, toolbox: Toolbox, node: Node, clock: Clock, pace: Pace, confirm: Confirm, found: Callable[[], bool],
        host: Sequence[str] = HOST, past: bool = False, log: bool = False, named: bool = False,
    ) -> None:  # fmt: skip
        self.toolbox = toolbox
        self.node = node
        self.clock = clock
        self.pace = pace
        self.confirm = confirm
        self.found = found
        """Whether the readings so far already show a cause."""
        self.host = host
        """The readings of its machine: what nodes share is read once."""
        self.past = past
        """Whether to read the history: there is one."""
        self.log = log
        """Whether a person named its log."""
        self._seen: View | None = None
        self.named = named
        """Whether it is the node whose address was given."""

    @property
    def left(self) -> float:
        """Seconds until the deadline."""
        return self.pace.ends - self.clock.monotonic()

    @property
    def view(self) -> View:
        """What was read from this node so far, without its peers."""
        name = self.node.name
        own = [one for one in self.toolbox.recent if one.node is None or one.node == name]
        if self._seen is None or self._seen.all != tuple(own):
            self._seen = View(own, name)
        return self._seen

    async def reach(self) -> bool:
        """Connect, whatever it takes; returns whether the server can be asked more.

        A failure calls for a look at the host.
        """
        if not self.toolbox.has("connect", self.node.name):
            # A paste: all there is of its machine, and what the server's replies are is seen by asking.
            await at_once(*(self.take(tool) for tool in (*self.host, *HOST_ONCE)))
            return True
        async with asyncio.TaskGroup() as group:
            connecting = group.create_task(self.take("connect"))
            loop = asyncio.get_running_loop()
            due = loop.time() + PROMPTLY
            done, _ = await asyncio.wait({connecting}, timeout=PROMPTLY)
            if not done and loop.time() - due > PROMPTLY * OWN_SHARE:
                # This program is slow, as with many servers at once: their machine would show nothing.
                done, _ = await asyncio.wait({connecting}, timeout=PROMPTLY)
            quick = connecting.result() if done else None
            if not done or (quick and quick.unavailable and quick.unavailable.kind != "untrusted"):
                for tool in self.host:
                    group.create_task(self.take(tool, window=GLANCE))
        first = connecting.result()
        lost = first is not None and first.unavailable is not None and first.get("stage") == "tcp"
        if lost and self.view.unavailable("connect") == "timeout" and self.view.unavailable("process") == "not-local":
            # On a lossy path one connect in many fails, on a closed one all do.
            first = await self.take("connect") or first
        here = not self.view.unavailable("process")
        if first and first.unavailable and first.unavailable.kind == "refused" and here:
            # What remains of a server that has gone: its last log lines, and the disk it wrote to.
            await at_once(*(self.take(tool) for tool in HOST_ONCE))
        elif first and first.unavailable and self.log and not here:
            # A person may name the log although its machine can't be seen, or something else listens there by now.
            await self.take("log")
        if first and first.unavailable and self.named and not here and worthwhile.port_may_be_wrong(first):
            await self.take("other_ports")
        kind = first.unavailable.kind if first and first.unavailable else None
        if kind == "maxclients":
            await self._hunt()
        mute = kind == "timeout" and first is not None and first.get("stage") not in ("dns", "tcp", "tls")
        if mute and not await self._speaks_again():
            return False
        return self.node.held and kind not in ("noauth", "wrongpass")

    async def take(self, tool: str, **args: object) -> Reading | None:
        """One reading; None if there is no such tool, or no time or budget left."""
        if not self.toolbox.has(tool, self.node.name) or self.left < 0.5:
            return None
        try:
            async with asyncio.timeout(max(0.5, self.left)):
                return await self.toolbox.call(tool, {**args, "node": self.node.name})
        except (ToolError, TimeoutError):
            # The budget or deadline is used up: what was read so far has to do.
            return None

    async def _hunt(self) -> None:
        with contextlib.suppress(Unanswered):
            await self.node.hunt(self.pace.ends - RESERVE - self.pace.window)

    async def _speaks_again(self) -> bool:
        """Probe a silence; returns whether the server answers in the end."""
        if self.view.get("process", "stopped") is True:
            return False
        # A glance is too short to distinguish a process that is held back from one that waits.
        longer = [tool for tool in self.host if tool == "process" and not self.view.unavailable(tool)]
        await at_once(self.take("silence"), *(self.take(tool, window=self.pace.window) for tool in longer))
        if self.view.get("silence", "ping_answered") is not True:
            return False
        # It was held up and runs again: its own records now show the reason.
        await self.take("connect")
        return True

    async def server(self) -> None:
        """The readings of a server that answers."""
        if self.view.first_unavailable("busy"):
            await self.take("ping")
            await self.take("script")
            return
        sections, window = list(SECTIONS), self.pace.window
        # A host that isn't this machine isn't examined again.
        local = [tool for tool in self.host if not self.view.unavailable(tool)]
        opened = await at_once(
            self.take("info", sections=sections, window=window),
            self.take("latency_sample", count=self.pace.pings, seconds=window),
            *(self.take(tool, window=window) for tool in WINDOWED), *(self.take("history") for _ in range(self.past)),
            *(self.take(tool, window=min(window, 10.0)) for tool in local),
        )  # fmt: skip
        self.confirm(self.view)
        kinds = {reading.unavailable.kind for reading in opened[:3] if reading and reading.unavailable}
        if "timeout" in kinds and self.view.last("silence") is None and not await self._speaks_again():
            return
        mode = self.view.text("info", "server_mode") or self.view.text("info", "redis_mode")
        await at_once(
            self.take("config_get", parameters=list(PARAMETERS)), *(self.take(tool) for tool in ONCE),
            *(self.take("cluster", window=0) for _ in range(mode == "cluster")),
        )  # fmt: skip
        self.confirm(self.view)
        view = self.view
        await at_once(
            *(self.take(tool) for tool in HOST_ONCE if not view.unavailable("process") and view.last(tool) is None),
            *(self.take("streams", calls=28, further=count) for count in worthwhile.streams_to_find(view)),
            *(self.take("lists", calls=calls, further=worthwhile.FURTHER) for calls in worthwhile.lists_to_ask(view)),
            *(self.take("prefixes", kind=kind_to_find(view)) for _ in range(worthwhile.memory_matters(view))),
            *(self.take("large_commands") for _ in range(worthwhile.size_matters(view))),
            *(
                self.take("same_server", connections=count)
                for count in worthwhile.connections_to_compare(view, mode, self.named)
            ),
        )  # fmt: skip

    async def glance(self, reached: bool | None) -> None:
        """The cheapest readings that show whether a node is worth more: two commands, twice."""
        if reached is None:
            first = await self.take("connect")
            reached = first is not None and not first.unavailable
        if not reached:
            return
        window = min(GLANCE_WINDOW, self.pace.window)
        await at_once(
            self.take("info", sections=list(SECTIONS), window=window), self.take("commandstats", window=window),
            self.take("latency_sample", count=self.pace.pings, seconds=window),
        )  # fmt: skip

    async def remember(self) -> None:
        """The records of the past of a server that only got a glance."""
        if self.view.last("info") is not None and not self.view.unavailable("info"):
            await at_once(self.take("slowlog"), self.take("latency_events", window=0))

    async def watch(self, pings: int) -> None:
        """A longer look at what changes, after one that found nothing, with at most this many PINGs."""
        window = min(WATCH, self.left - RESERVE)
        if window < LEAST_WATCH or not self.node.held:
            return
        local = [tool for tool in self.host if tool != "sockets" and not self.view.unavailable(tool)]
        await at_once(
            self._resample(window),
            self.take("info", sections=list(SECTIONS), window=window),
            # Among a handful of PINGs a single slow one would be a large share.
            *(
                self.take("latency_sample", count=min(pings, self.pace.pings), seconds=window)
                for _ in range(pings >= ENOUGH)
            ),
            *(self.take(tool, window=window) for tool in (*AGAIN, *local)),
        )
        await self.take("slowlog")

    async def _resample(self, window: float) -> None:
        """Begin the two samples that the readings of the second look share."""
        # Each reading reports itself what wasn't answered.
        with contextlib.suppress(ToolError):
            await shorter_pair(self.node, window)

    async def sentinel(self) -> None:
        """The readings of a sentinel."""
        if not self.toolbox.has("sentinel", self.node.name):
            # Named by its own URL, it was given its tools before it reported what it is.
            self.toolbox.add([bind(sentinel, self.node, node=self.node.name)])
        await at_once(self.take("sentinel", window=self.pace.window), self.take("log"))

    async def idle(self, symptom: str) -> None:
        """Whether an idle connection survives, if the report or the settings call for it."""
        view = self.view
        if self.left <= PROBE_SECONDS + 3 or not self.node.held:
            return
        period = view.number("config_get", "timeout") or 0
        keepalive = view.number("config_get", "tcp-keepalive")
        reported = mention(DISCONNECTED, symptom) is not None
        # On a network something may drop idle connections; if nothing else was found, that is worth the seconds.
        distant = view.unavailable("process") == "not-local" and not self.found()
        if not (reported or keepalive == 0 or 0 < period <= PROBE_SECONDS or distant):
            return
        await self.take("idle_probe", seconds=min(PROBE_SECONDS, period + 2.5) if period else PROBE_SECONDS)
