"""Replies that a recording implies: a section from all of INFO, a parameter from all of CONFIG GET."""

import fnmatch
import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from tools.connection.protocol import Reply, ServerError
from tools.connection.stat_name import stat_name
from tools.record import deployed
from tools.record.continued import Continued
from tools.record.redaction import decoded
from tools.record.schema import Came
from tools.record.state import State
from tools.record.tape import Key, NodeTape, Outcome
from tools.record.unrecorded import unrecorded

_DEFAULT = frozenset(
    ("server", "clients", "memory", "persistence", "threads", "stats", "replication", "cpu", "modules", "errorstats",
     "cluster", "keyspace", "sentinel")
)  # fmt: skip
"""Sections of an INFO without an argument."""
_ALL = frozenset(("EVERYTHING", "ALL", "DEFAULT"))
LOG_MOST = 128
"""Most entries of a log that are read: a shorter list is complete."""
_TYPES = {"MASTER": "M", "REPLICA": "S", "SLAVE": "S", "PUBSUB": "P"}


def forbidden(asked: Sequence[str]) -> ServerError:
    """What a restricted server says about a command: here, about one that was never recorded."""
    name = stat_name(asked) if asked else ""
    shown = name if re.fullmatch(r"[a-z0-9.|_-]{1,64}", name) else "?"
    return ServerError(f"NOPERM this user has no permissions to run the '{shown}' command")


class Answers:
    """What one node's recording implies."""

    def __init__(self, tape: NodeTape, continued: Continued | None = None) -> None:
        """`continued` is how the node goes on after the recording's end; without it everything stays as it was then."""
        self._tape = tape
        self._continued = continued
        self.state = State(tape, continued.stretch if continued else None)
        self._by_key: dict[Key, list[Outcome]] = {}

    def messages(self, came: Iterable[Came]) -> list[Reply]:
        """Unsolicited replies."""
        return [decoded(reply) for one in came for reply in one.replies]

    def derived(self, asked: Key, now: float) -> Reply | None:
        """The reply to a command that was never sent as such; None if the recording implies none."""
        if (refrain := self.state.refrain(asked, now)) is not None:
            return refrain[1]
        for words, derive in _BY:
            if asked[: len(words)] == words:
                return derive(self, asked[len(words) :], now)
        if asked[:1] == ("CLUSTER",) and self.facts(now).get("cluster_enabled") == "0":
            return ServerError("ERR This instance has cluster support disabled")
        for words, form in deployed.FORMS:
            if asked[: len(words)] == words and self.version(now) >= deployed.SINCE.get(words, (0, 0)):
                return form(asked[len(words) :], lambda other: self.at(other, now))
        return None

    def elsewhere(self, asked: Key, now: float) -> tuple[int, str, str] | None:
        """The slot of a command's key, and host and port of its node, if that is another one."""
        found = deployed.elsewhere(asked, lambda other: self.at(other, now))
        return None if found is None else (found[0], found[1].host, str(found[1].port))

    def at(self, asked: Key, now: float) -> Reply | None:
        """The newest reply to a recorded command by then, else its first."""
        found = self.newest(asked, now)
        return None if found is None or isinstance(found.reply, ServerError) else found.reply

    def newest(self, asked: Key, now: float) -> Outcome | None:
        """The newest answer to a recorded command by then, even an error; else its first."""
        answered = self._answered(asked)
        if self._continued is not None and answered:
            return self._continued.outcome(asked, answered, now, lambda: self.facts(now))
        return answered[max(0, bisect_right(answered, now, key=lambda one: one.t) - 1)] if answered else None

    def ping_ms(self, now: float, number: int | None = None) -> float:
        """How long a client's PING takes, its `number`th from 0 on; by default anything that takes no time itself."""
        if self._continued is not None:
            return self._continued.ping_ms(self._answered(("PING",)), number)
        ping = self.newest(("PING",), now)
        return ping.ms if ping else 0.0

    def is_newer(self, outcome: Outcome, now: float) -> bool:
        """Whether all of INFO was read since a part of it was."""
        if self._continued is not None:
            # One text of all that INFO ever said, so that its sections agree.
            return any(self._answered(("INFO", name)) for name in ("EVERYTHING", "ALL"))
        whole = (self.newest(("INFO", name), now) for name in ("EVERYTHING", "ALL"))
        return any(one is not None and outcome.t < one.t <= now for one in whole)

    def clock(self, now: float) -> float | None:
        """The server's clock in seconds since 1970; None unless it goes on after the recording's end."""
        return None if self._continued is None else self._continued.zero + now

    def unrecorded(self, asked: Key, now: float) -> ServerError:
        """What the server would say about a command that was never recorded."""
        answered = any(self._answered(other) for other in self._recorded(*asked[:2]) if other != asked)
        user = self.at(("ACL", "WHOAMI"), now)
        return unrecorded(asked, self.version(now), user if isinstance(user, str) else "default", answered=answered)

    def version(self, now: float) -> tuple[int, int]:
        """The server's major and minor version; where it's unknown, one whose refusals many share."""
        found = re.match(r"(\d{1,4})\.(\d{1,4})", self.facts(now).get("redis_version", ""))
        return (int(found[1]), int(found[2])) if found else (7, 2)

    def unheard(self, asked: Key) -> bool:
        """Whether this command, or one that has its answer, was sent and never answered, although others were."""
        sent = [asked] if asked in self._tape.outcomes else [*self._recorded(*asked[:1])]
        return bool(sent) and all(one.end == "timeout" for key in sent for one in self._tape.outcomes[key])

    def _answered(self, asked: Key) -> list[Outcome]:
        if asked not in self._by_key:
            self._by_key[asked] = [one for one in self._tape.outcomes.get(asked, ()) if one.end is None]
        return self._by_key[asked]

    def _recorded(self, *words: str) -> Iterator[Key]:
        return (asked for asked in self._tape.outcomes if asked[: len(words)] == words)

    def ping(self, args: Key, now: float) -> Reply | None:
        """PONG."""
        return args[0] if args else "PONG"

    def info(self, args: Key, now: float) -> Reply | None:
        """Sections of the whole."""
        whole = next((text for name in ("EVERYTHING", "ALL") if (text := self.at(("INFO", name), now))), None)
        if whole is None:
            parts = [self.at(asked, now) for asked in self._recorded("INFO")]
            whole = "\r\n".join(str(part) for part in parts if part)
        if not whole:
            return None
        asked = {word.upper() for word in args}
        if asked & _ALL - {"DEFAULT"}:
            return str(whole)
        titles = {word.lower() for word in args if word.upper() not in _ALL} or _DEFAULT
        sections = [part for part in re.split(r"(?m)^(?=# )", str(whole)) if _title(part) in titles]
        return "\r\n".join(section.rstrip("\r\n") + "\r\n" for section in sections)

    def config_get(self, args: Key, now: float) -> Reply | None:
        """Parameters by name and glob, from all that were ever read."""
        pairs: dict[str, Any] = {}
        for asked in sorted(self._recorded("CONFIG", "GET"), key=lambda one: one != ("CONFIG", "GET", "*")):
            reply = self.at(asked, now)
            if isinstance(reply, list):
                pairs |= {str(name): value for name, value in zip(reply[::2], reply[1::2], strict=False)
                          if str(name) not in pairs}  # fmt: skip
        if ("CONFIG", "GET", "*") not in self._tape.outcomes and not all(arg.lower() in pairs for arg in args):
            # Without the whole, only what was requested by name is known.
            return None
        patterns = [re.compile(fnmatch.translate(arg.lower())) for arg in args]
        return [word for name, value in pairs.items() if any(one.match(name) for one in patterns)
                for word in (name, value)]  # fmt: skip

    def log(self, command: Key, args: Key, now: float) -> list[Any] | None:
        """The newest entries of a log, from a longer reading of it."""
        count = 10 if not args else int(args[0]) if re.fullmatch(r"\d{1,9}", args[0]) else 10**9
        kind = args[1:]
        best: list[Any] | None = None
        for asked in self._recorded(*command):
            rest = asked[len(command) :]
            most = int(rest[0]) if rest and rest[0].isdecimal() else 10
            rows = self.at(asked, now)
            if rest[1:] != kind or not isinstance(rows, list):
                continue
            if (len(rows) < most or most >= count) and (best is None or len(rows) > len(best)):
                best = rows
        return None if best is None else best[:count]

    def slowlog_len(self, args: Key, now: float) -> Reply | None:
        """The length of a log that was read completely."""
        rows = self.log(("SLOWLOG", "GET"), (str(LOG_MOST),), now)
        if not isinstance(rows, list):
            return None
        return len(rows) if len(rows) < LOG_MOST else None

    def client_list(self, args: Key, now: float) -> Reply | None:
        """Clients by type or id, from a list of all; by id, from any."""
        words = [word.upper() for word in args]
        whole = self.at(("CLIENT", "LIST"), now)
        if words[:1] == ["ID"]:
            lists = [whole] if whole else [self.at(asked, now) for asked in self._recorded("CLIENT", "LIST")]
            lines = list(dict.fromkeys(line for text in lists if text for line in str(text).splitlines()))
            beginnings = tuple(f"id={number} " for number in args[1:])
            return _lines(line for line in lines if line.startswith(beginnings)) if lines else None
        if whole is None:
            as_asked = [asked for asked in self._recorded("CLIENT", "LIST") if [*map(str.upper, asked[2:])] == words]
            return self.at(as_asked[0], now) if as_asked else None
        if words[:1] == ["TYPE"] and len(words) == 2:
            flag = _TYPES.get(words[1])
            others = "".join(set(_TYPES.values()))
            return _lines(line for line in str(whole).splitlines()
                          if (flag in _flags(line) if flag else not set(others) & set(_flags(line))))  # fmt: skip
        return whole

    def latency_history(self, args: Key, now: float) -> Reply | None:
        """Empty for an event that LATENCY LATEST doesn't know; one spike for an event that occurred once."""
        latest = self.at(("LATENCY", "LATEST"), now)
        if not isinstance(latest, list) or len(args) != 1:
            return None
        row = next((row for row in latest if isinstance(row, list) and row[:1] == [args[0]]), None)
        # Newer servers count an event's spikes after its maximum.
        return [] if row is None else [row[1:3]] if len(row) > 5 and row[5] == 1 else None

    def latency_histogram(self, args: Key, now: float) -> Reply | None:
        """Commands from the histograms of all."""
        whole = self.at(("LATENCY", "HISTOGRAM"), now)
        if not isinstance(whole, list):
            return None
        names = {arg.lower() for arg in args}
        return [word for name, row in zip(whole[::2], whole[1::2], strict=False) if str(name) in names
                for word in (name, row)]  # fmt: skip

    def role(self, args: Key, now: float) -> Reply | None:
        """A master's or a replica's ROLE, from INFO."""
        facts = self.facts(now)
        if facts.get("role") == "master":
            rows = [dict(part.split("=", 1) for part in value.split(",")) for name, value in facts.items()
                    if re.fullmatch(r"slave\d+", name) and "=" in value]  # fmt: skip
            return ["master", int(facts.get("master_repl_offset", "0")),
                    [[row.get("ip", ""), row.get("port", ""), row.get("offset", "0")] for row in rows]]  # fmt: skip
        if facts.get("role") == "slave":
            state = "connected" if facts.get("master_link_status") == "up" else "connect"
            return ["slave", facts.get("master_host", ""), int(facts.get("master_port", "0")), state,
                    int(facts.get("slave_repl_offset", "-1"))]  # fmt: skip
        return None

    def dbsize(self, args: Key, now: float) -> Reply | None:
        """Keys of the first database."""
        facts = self.facts(now)
        if not facts:
            return None
        match = re.match(r"keys=(\d+)", facts.get("db0", "keys=0"))
        return int(match[1]) if match else None

    def lastsave(self, args: Key, now: float) -> Reply | None:
        """When the last snapshot succeeded."""
        saved = self.facts(now).get("rdb_last_save_time", "")
        return int(saved) if saved.isdecimal() else None

    def facts(self, now: float) -> dict[str, str]:
        """INFO's fields."""
        text = str(self.info(("EVERYTHING",), now) or "")
        return dict(line.split(":", 1) for line in text.splitlines() if ":" in line and not line.startswith("#"))


def _title(part: str) -> str:
    return part.partition("\n")[0].removeprefix("# ").strip().lower()


def _flags(line: str) -> str:
    match = re.search(r" flags=(\w+)", line)
    return match[1] if match else ""


def _lines(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


Derive = Callable[[Answers, Key, float], Reply | None]
_BY: tuple[tuple[Key, Derive], ...] = (
    (("PING",), Answers.ping), (("INFO",), Answers.info), (("CONFIG", "GET"), Answers.config_get),
    (("SLOWLOG", "GET"), lambda self, args, now: self.log(("SLOWLOG", "GET"), args, now)),
    (("COMMANDLOG", "GET"), lambda self, args, now: self.log(("COMMANDLOG", "GET"), args, now)),
    (("ACL", "LOG"), lambda self, args, now: self.log(("ACL", "LOG"), args, now)),
    (("SLOWLOG", "LEN"), Answers.slowlog_len), (("CLIENT", "LIST"), Answers.client_list),
    (("LATENCY", "HISTORY"), Answers.latency_history), (("LATENCY", "HISTOGRAM"), Answers.latency_histogram),
    (("ROLE",), Answers.role), (("DBSIZE",), Answers.dbsize), (("LASTSAVE",), Answers.lastsave),
)  # fmt: skip
