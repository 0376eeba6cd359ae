"""INFO: parsed, sampled twice over a window, and freed of this program's own traffic."""

from collections.abc import Mapping
from functools import lru_cache
from sys import intern
from typing import Annotated, Literal

from pydantic import Field

from tools.connection.budget import OwnTraffic
from tools.connection.node import Node
from tools.connection.protocol import Command, Reply, ServerError
from tools.connection.shapes import whole_number
from tools.connection.stat_name import stat_name
from tools.errors import Unanswered
from tools.patterns import deferred
from tools.records import Scalar, Values
from tools.redact import Pseudonyms
from tools.server.own_part import own_part
from tools.toolbox import reads

Window = Annotated[float, Field(ge=0, le=60)]
"""Seconds between the two samples; 0 takes only one. Explained once, to a model in its system prompt."""
Section = Literal[
    "server", "clients", "memory", "persistence", "stats", "replication", "cpu", "errorstats", "cluster", "keyspace",
    "modules", "threads", "tls",
]  # fmt: skip
COUNTERS = deferred(
    r"total_(?!system)\w+|rejected_connections|expired_(keys|subkeys|fields|time_cap_reached_count)|evicted_\w+|"
    r"keyspace_(hits|misses)|sync_(full|partial_ok|partial_err)|used_cpu_\w+|used_active_time_\w+|errorstat_\w+\.count|"
    r"acl_access_denied_\w+|client_(query|output)_buffer_limit_disconnections|aof_delayed_fsync|rdb_saves|aof_rewrites|"
    r"eventloop_cycles|io_threaded_\w+|unexpected_error_replies|reply_buffer_\w+|lazyfreed_objects|"
    r"slave_expires_tracked_keys|dump_payload_sanitizations|instantaneous_eventloop_cycles_per_sec"
)
"""Fields that only ever grow; the others are gauges."""
_NUMBER = deferred(r"-?[0-9]{1,20}(\.[0-9]{1,20})?")
MOST_FIELDS = 8192
"""Most fields of one section that are kept: a server with every module's commands has about half as many."""
MOST_SECTIONS = 64
LONGEST_NAME, LONGEST_TEXT = 128, 512
"""Most characters of a field name, beyond which it's no field, and of a text, which is cut there."""
LONGEST_REPLICA = 1024
"""Characters of a replica's line: its address is the only part it chooses."""
DECISIVE = ("uptime_in_seconds", "connected_clients", "used_memory", "total_commands_processed")
"""Numbers without which an INFO says nothing about a data node; no version and no managed service omits them."""


VITALS: dict[str, Command] = {
    "latency": ("LATENCY", "LATEST"), "slowlog_len": ("SLOWLOG", "LEN"), "memory": ("MEMORY", "STATS"),
}  # fmt: skip
"""What is read along with INFO in one round trip, by the name under which a sample keeps the reply."""


class Sample:
    """The vital signs of one moment: INFO, and the replies of `VITALS`.

    `seconds` is the server's own clock if it reports it; `own` is this program's share by then.
    """

    def __init__(
        self, values: dict[str, dict[str, Scalar]], seconds: float, own: OwnTraffic, replies: Mapping[str, Reply]
    ) -> None:
        self.sections = values
        self.seconds = seconds
        self.own = own
        self.replies = replies
        """By name in `VITALS`; a `ServerError` if the server refused that one."""

    @property
    def uptime(self) -> float:
        """The server's uptime in seconds; 0 if it doesn't report it."""
        return _number(self.sections.get("server", {}).get("uptime_in_seconds"))

    def flat(self, sections: frozenset[str] | None = None) -> Values:
        """The fields of some sections, or of all."""
        return {
            field: value
            for section, fields in self.sections.items()
            if sections is None or section in sections
            for field, value in fields.items()
        }


class Pair:
    """Two samples of one run of a server."""

    def __init__(self, first: Sample, last: Sample) -> None:
        self.first = first
        self.last = last
        self.seconds = max(last.seconds - first.seconds, last.uptime - first.uptime - 1)
        """The actual window."""
        self._grown: dict[str, Values] = {}

    def changes(self, sections: frozenset[str]) -> Values:
        """The last sample with `.delta` of every number, and `.rate` of every counter."""
        values = self.last.flat(sections)
        if self.first is self.last:
            # Nothing was compared: 0 would mean that nothing happened.
            return values
        for section in filter(sections.__contains__, self.last.sections):
            if section not in self._grown:
                # Many readings of one pair want the same.
                self._grown[section] = self._compared(section)
            values.update(self._grown[section])
        return values

    def _compared(self, section: str) -> Values:
        before: Values = self.first.sections.get(section, {})
        grown: Values = {}
        for field, value in self.last.sections[section].items():
            old = before.get(field, 0 if field.startswith(("cmdstat_", "errorstat_")) else None)
            if not isinstance(value, int | float) or not isinstance(old, int | float):
                continue
            delta, (name, rate) = value - old, _names(field)
            if rate:
                delta = max(delta - own_part(field, self.first.own, self.last.own), 0) if delta > 0 else 0
                grown[name] = _tidy(delta)
                if self.seconds > 0:
                    grown[rate] = round(delta / self.seconds, 3)
            elif delta:
                grown[name] = _tidy(delta)
        return grown


@lru_cache(maxsize=MOST_FIELDS)
def _names(field: str) -> tuple[str, str | None]:
    """How a field's growth is named, and how its rate is: only a counter has one."""
    counts = COUNTERS.fullmatch(field) is not None or field.startswith("cmdstat_")
    return intern(f"{field}.delta"), intern(f"{field}.rate") if counts else None


async def sample(node: Node, vitals: Mapping[str, Command] = VITALS) -> Sample:
    """One sample in one round trip. Raises `Unanswered` if INFO isn't answered."""
    first, *others = await node.ask(("INFO", "everything"), *vitals.values())
    text = str(node.value(first))
    own = node.own.copy()
    # The INFO being answered isn't counted in its own figures, nor is what follows it.
    own.calls["info"] -= 1
    for command, reply in zip(vitals.values(), others, strict=True):
        if isinstance(reply, ServerError):
            own.errors[reply.text.split(" ", 1)[0]] -= 1
            own.refused[stat_name(command)] -= 1
        else:
            own.calls[stat_name(command)] -= 1
    if not text.strip():
        # A server that doesn't know the word "everything", such as a sentinel of 6.2, answers nothing.
        text = str(await node.one("INFO"))
    sections = parse_info(text, node.pseudonyms)
    flat = {field: value for fields in sections.values() for field, value in fields.items()}
    lacks = [name for name in DECISIVE if not _is_number(flat.get(name))]
    # A person may have pasted a part.
    if lacks and not node.network.pasted and flat.get("redis_mode") != "sentinel" != flat.get("server_mode"):
        raise Unanswered("malformed", f"{node.name}: INFO has no {', '.join(lacks)}")
    server = sections.get("server", {})
    note_version(node, server)
    usec = server.get("server_time_usec")
    seconds = usec / 1e6 if isinstance(usec, int) else node.clock.monotonic()
    return Sample(sections, seconds, own, dict(zip(vitals, others, strict=True)))


async def pair(node: Node, window: float) -> Pair:
    """Two samples, `window` seconds apart; concurrent callers share them.

    Raises `Unanswered`, of kind restarted if the server restarted in between.
    """
    return await node.shared.result(("pair", window), lambda: _pair(node, window))


async def shorter_pair(node: Node, window: float) -> Pair:
    """The same with only INFO and the stalls, if a pair ended a moment ago; concurrent callers share it.

    It contains the earlier pair's `VITALS` for those who need them in full.
    """
    before = node.shared.kept.get("vitals")
    earlier = before if isinstance(before, dict) else None
    return await node.shared.result(("pair", window), lambda: _pair(node, window, earlier))


async def _pair(node: Node, window: float, earlier: Mapping[str, Reply] | None = None) -> Pair:
    first = await sample(node, VITALS if earlier is None else {})
    if not window:
        return Pair(first, first)
    if earlier is not None:
        first.replies = earlier
    await node.clock.sleep(window)
    last = await sample(node, VITALS if earlier is None else {"latency": VITALS["latency"]})
    last.replies = node.shared.kept["vitals"] = {**first.replies, **last.replies}
    old, new = first.flat(), last.flat()
    if old.get("run_id") != new.get("run_id") or _number(new.get("uptime_in_seconds")) < _number(
        old.get("uptime_in_seconds")
    ):
        raise Unanswered("restarted", f"{node.name} restarted within the window; both samples were discarded")
    return Pair(first, last)


@reads
async def info(
    node: Node,
    sections: Annotated[list[Section], Field(min_length=1)],
    window: Window = 2.0,
) -> Values:
    """INFO sampled twice.

    This program's own connections, commands and errors are excluded from the deltas. `window_seconds` is the window.
    """
    both = await pair(node, window)
    return {"window_seconds": round(both.seconds, 3), **both.changes(frozenset(sections))}


def note_version(node: Node, fields: Mapping[str, Scalar]) -> None:
    """Remember a node's version from fields of INFO, so that what it doesn't support isn't asked."""
    major, _, rest = str(fields.get("redis_version", "")).partition(".")
    minor = rest.partition(".")[0]
    first, second = whole_number(major), whole_number(minor)
    if first is not None and second is not None:
        node.version = first, second


def parse_info(text: str, pseudonyms: Pseudonyms) -> dict[str, dict[str, Scalar]]:
    """INFO's text by section and field; `db0:keys=1,expires=0` becomes `db0.keys` and `db0.expires`."""
    sections: dict[str, dict[str, Scalar]] = {}
    fields: dict[str, Scalar] = {}
    for line in _honest(text, pseudonyms).split("\r\n"):
        if line[:1] == "#":
            name = line[1:LONGEST_NAME].strip().lower()
            # What follows too many sections is in none.
            fields = sections.setdefault(name, {}) if name in sections or len(sections) < MOST_SECTIONS else {}
            continue
        is_error = line[:10] == "errorstat_"
        # A script chooses an error's word, which may contain a colon.
        name, colon, raw = line.rpartition(":") if is_error else line.partition(":")
        if not colon or len(name) > LONGEST_NAME or len(fields) >= MOST_FIELDS:
            continue
        if is_error:
            name = "errorstat_" + pseudonyms.plain("error", name.removeprefix("errorstat_"))
        fields.update(_remembered(name, raw) if len(raw) <= LONGEST_TEXT else _fields(name, raw))
    return sections


def _fields(name: str, raw: str) -> tuple[tuple[str, Scalar], ...]:
    """The fields of a line."""
    if "=" not in raw or not _COMPOUND.fullmatch(raw) or name.startswith("listener"):
        return ((intern(name), _scalar(raw)),)
    parts = (part.partition("=") for part in raw[: LONGEST_NAME * LONGEST_TEXT].split(","))
    return tuple((intern(f"{name}.{key}"), _scalar(value)) for key, _, value in parts if len(key) <= LONGEST_NAME)


_remembered = lru_cache(maxsize=4096)(_fields)
"""Most lines are the same a moment later, and at the next node."""


_BEGIN, _END = "\r\nconnected_slaves:", "\r\nmaster_replid:"
"""What comes before and after the replicas' lines."""
_REPLICA = deferred(r"(slave\d+:ip=)(.{0,1024})(,port=\d+,state=\w+,offset=\d+,lag=-?\d+(?:,\w+=[\w.:-]+)*)")
_BESIDE = deferred(r"(min_slaves_|replicas_|master_failover_)\w+:[\w-]*")


def _honest(text: str, pseudonyms: Pseudonyms) -> str:
    """INFO without what a replica made up: it names its own address, in any characters including line breaks."""

    before, begin, rest = text.partition(_BEGIN)
    body, end, after = rest.rpartition(_END)
    count, _, lines = body.partition("\r\n")
    if not begin or not end or whole_number(count) is None:
        return text
    remaining = [
        _REPLICA.sub(lambda one: one[1] + pseudonyms.plain("address", one[2]) + one[3], line)
        for line in lines.split("\r\n")
        if len(line) <= LONGEST_REPLICA and (_REPLICA.fullmatch(line) or _BESIDE.fullmatch(line))
    ]
    return "".join((before, begin, count, "\r\n", "\r\n".join(remaining), end, after))


_COMPOUND = deferred(r"[\w.-]+=[^,]*(,[\w.-]+=[^,]*)*")


def _scalar(raw: str) -> Scalar:
    if raw.isdecimal() and raw.isascii() and len(raw) <= 20:
        return int(raw)
    if _NUMBER.fullmatch(raw):
        return float(raw) if "." in raw else int(raw)
    return raw if len(raw) <= LONGEST_TEXT else raw[:LONGEST_TEXT] + "…"


def _is_number(value: Scalar) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _number(value: Scalar) -> float:
    return value if isinstance(value, int | float) else 0


def _tidy(number: float) -> int | float:
    return int(number) if float(number).is_integer() else round(number, 6)
