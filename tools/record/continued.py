"""A node after its recording's end: the newest reply to each command, gone on to a moment."""

import math
import re
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import groupby, zip_longest
from typing import Any

from tools.connection.protocol import Reply, ServerError
from tools.connection.stat_name import stat_name
from tools.record.continuation import Sample, Series, Stretch
from tools.record.continued_clients import ContinuedClients, cluster_nodes
from tools.record.continued_logs import Again, latest, slow_log, spikes
from tools.record.continued_rows import ContinuedRows
from tools.record.continued_text import OFFSETS, ContinuedText, fields_in
from tools.record.field_classes import is_number
from tools.record.tape import Key, NodeTape, Outcome, Tape

SHORTEST = 2.0
"""Seconds that the stretch has at least."""
MOST_CLIENTS, MOST_LOGGED = 20_000, 1024
"""Clients and entries of a log that are added at most, whatever a recording claims to have gained."""
SLOW_LOG = 128
"""Entries of a slow log, where its length isn't known."""
_IDENTITY = ("run_id", "role", "loading", "async_loading", "master_host", "master_port")
"""What a server is: what came before it changed doesn't happen again."""
_LASTING = slice(0, 1)
"""What of it doesn't change back."""
_ROWS = ("ACL LOG", "CLUSTER SHARDS", "CLUSTER SLOT-STATS", "FUNCTION STATS", "LATENCY HISTOGRAM", "MEMORY STATS",
         "SENTINEL MASTER", "SENTINEL MASTERS", "SENTINEL REPLICAS", "SENTINEL SENTINELS", "SENTINEL SLAVES",
         "XINFO CONSUMERS", "XINFO GROUPS", "XINFO STREAM")  # fmt: skip


def stretch_of(tape: Tape) -> Stretch:
    """The part of a recording that happens again: since the last node became what it was at the end.

    Where roles went to and fro they still do.
    """
    begins = 0.0
    views = [_views(node) for node in tape.nodes.values()]
    lasting = _LASTING if any(map(_flaps, views)) else slice(None)
    for rows in views:
        before: list[str | None] = []
        for t, now in rows:
            pairs = list(zip_longest(before, now))
            if any(a is not None and b is not None and a != b for a, b in pairs[lasting]):
                begins = max(begins, t)
            before = [a if b is None else b for a, b in pairs]
    return Stretch(max(0.0, min(begins, tape.ends - SHORTEST)), tape.ends)


def _flaps(rows: list[tuple[float, list[str | None]]]) -> bool:
    """Whether one and the same server had a role, then another one, and then the first one again."""
    roles = [role for role, _ in groupby(now[1] for _, now in rows if now[1] is not None)]
    return len({now[0] for _, now in rows if now[0] is not None}) == 1 and len(roles) > len(set(roles))


def _views(node: NodeTape) -> list[tuple[float, list[str | None]]]:
    """What the node was at each moment, and whom it took for the primary."""
    found: list[tuple[float, list[str | None]]] = []
    for t, text in _texts(node, "INFO"):
        fields = fields_in(text)
        found.append((t, [fields.get(name) for name in _IDENTITY]))
    for one in node.outcomes.get(("SENTINEL", "MASTERS"), ()):
        if isinstance(one.reply, list) and one.reply and isinstance(one.reply[0], list):
            found.append((one.t, [*[None] * len(_IDENTITY), *map(str, one.reply[0][1:6])]))
    return sorted(found, key=lambda row: row[0])


def _texts(node: NodeTape, *words: str) -> list[tuple[float, str]]:
    """The texts with which a command was answered, whatever its arguments, in order."""
    return sorted(((one.t, one.reply) for asked, outcomes in node.outcomes.items() if asked[: len(words)] == words
                   for one in outcomes if isinstance(one.reply, str)), key=lambda row: row[0])  # fmt: skip


class Continued:
    """One node of a recording that goes on."""

    def __init__(self, tape: NodeTape, stretch: Stretch, began: float, follow: "Follow | None" = None) -> None:
        """`began` is the recording's beginning in seconds since 1970, on the recorder's clock."""
        self.stretch = stretch
        self._tape = tape
        self.zero = self._zero = _zero(tape, began)
        """When the recording began, on the server's clock."""
        self._clusters = ContinuedText(_texts(tape, "CLUSTER", "INFO"), stretch, self._zero, _nothing)
        self.info = ContinuedText(_texts(tape, "INFO"), stretch, self._zero, follow or _nothing, own_errors(tape))
        newest = next((fields_in(text) for _, text in reversed(_texts(tape, "INFO"))), {})
        self.replid = newest.get("master_replid")
        self._rows: dict[Key, ContinuedRows] = {}
        self._clients: dict[Key, ContinuedClients] = {}
        self._logs: dict[Key, Again] = {}
        self._own = frozenset(str(one.reply) for one in tape.outcomes.get(("CLIENT", "ID"), ()))

    def outcome(
        self, asked: Key, answered: Sequence[Outcome], now: float, facts: Callable[[], dict[str, str]]
    ) -> Outcome:
        """The answer to a command at a moment; `answered` are the recorded ones in order, at least one."""
        place = self.stretch.place(now)
        found = bisect_right(answered, place.phase, key=lambda one: one.t)
        base = answered[found - 1 if found else -1 if place.wraps else 0]
        if place.turns and base.t < self.stretch.begins:
            base = answered[-1]
        if isinstance(base.reply, ServerError) or now < self.stretch.begins or base.reply is None:
            return base
        sound = [one for one in answered if not isinstance(one.reply, ServerError) and one.reply is not None]
        try:
            return replace(base, reply=self._reply(asked, base, sound, now, facts))
        except (ValueError, TypeError, LookupError, ArithmeticError):
            # No server said that, so nobody knows how it would go on.
            return base

    def ping_ms(self, answered: Sequence[Outcome], number: int | None) -> float:
        """How long a client's PING takes: each of the recorded ones in turn, as one alone could be an outlier.

        `number` is how many it sent before; null for what usually passes until anything is answered.
        """
        within = [one for one in answered if one.t >= self.stretch.begins] or answered
        # What its sender may have been late with isn't the server's.
        took = [one.ms if one.own_is_known else max(0.0, one.ms - (one.own_ms or 0.0)) for one in within]
        if not took:
            return 0.0
        return sorted(took)[len(took) // 2] if number is None else took[number % len(took)]

    def _reply(
        self, asked: Key, base: Outcome, sound: list[Outcome], now: float, facts: Callable[[], dict[str, str]]
    ) -> Reply:
        reply, name = base.reply, " ".join(asked[:2])
        match asked:
            case ("INFO", *_) if isinstance(reply, str):
                return self.info.at(reply, str(sound[-1].reply), now)
            case ("CLUSTER", "INFO") if isinstance(reply, str):
                return self._clusters.at(reply, str(sound[-1].reply), now)
            case ("CLUSTER", "NODES") if isinstance(reply, str):
                return cluster_nodes(
                    reply, now - base.t if now > self.stretch.ends else 0.0, self._zero + self.stretch.begins
                )
            case ("CLIENT", "LIST", *_) if isinstance(reply, str):
                return self._client_list(asked, base, sound, now, facts())
            case ("ROLE",) if isinstance(reply, list):
                return _role(reply, facts())
            case ("DBSIZE",) if db := re.match(r"keys=(\d+)", facts().get("db0", "")):
                return int(db[1])
            case ("LASTSAVE",) if (saved := facts().get("rdb_last_save_time", "")).isdecimal():
                return int(saved)
            case ("SLOWLOG" | "COMMANDLOG", "GET" | "LEN", *_):
                return self._slow_log(asked, sound[-1].reply if now > self.stretch.ends else reply, now)
            case ("LATENCY", "HISTORY", _) if isinstance(reply, list):
                return spikes(reply, self._again(asked, sound[-1].reply, lambda entry: float(entry[0])), now)
            case ("LATENCY", "LATEST") if isinstance(reply, list):
                return latest(reply, lambda event, column: self._latest(sound, event, column), now, self._zero)
        if name in _ROWS:
            if asked not in self._rows:
                replies, moves = (
                    [(one.t, one.reply) for one in sound],
                    name != "MEMORY STATS" or self.info.memory_moves,
                )
                self._rows[asked] = ContinuedRows(replies, self.stretch, self._zero, self.info.uptime, moves=moves)
            settles = self.info.settles_at() if name == "MEMORY STATS" else math.inf
            return self._rows[asked].at(reply, self.stretch.until(settles, now))
        return reply

    def _client_list(self, asked: Key, base: Outcome, sound: list[Outcome], now: float, facts: dict[str, str]) -> str:
        if asked not in self._clients:
            texts = [(one.t, str(one.reply)) for one in sound]
            self._clients[asked] = ContinuedClients(texts, self.stretch, self._own)
        grows = self.info.rises("connected_clients") and len(asked) == 2
        base = sound[-1] if grows and now > self.stretch.ends else base
        text = str(base.reply)
        here = sum(" flags=S" not in line for line in text.splitlines())
        more = min(MOST_CLIENTS, int(facts.get("connected_clients", "0")) - here)
        counter = "total_connections_received"
        rate, gain = self.info.rate(counter), self.info.gain(counter, now)
        return self._clients[asked].at(text, base.t, now, rate or 0.0, round(gain), more if grows else None)

    def _slow_log(self, asked: Key, reply: Any, now: float) -> Reply:
        """SLOWLOG and COMMANDLOG: entries are those that any GET of the same log has."""
        length = isinstance(reply, int)
        kind = asked[2:3] if asked[1] == "LEN" else asked[3:4]
        looks = [one for words, outcomes in self._tape.outcomes.items()
                 if words[0] == asked[0] and words[1] == "GET" and words[3:4] == kind for one in outcomes
                 if isinstance(one.reply, list)]  # fmt: skip
        entries = {row[0]: row for one in looks for row in one.reply}
        rows = [entries[id] for id in sorted(entries)]
        again = self._again((*asked[:1], *kind), rows, lambda entry: float(entry[1]), _command, looks)
        most = self._most(kind[0] if kind else "slow")
        if length:
            # LEN was asked a little before the last GET, which may have been complete.
            recorded = max(reply, len(entries)) if now > self.stretch.ends and len(entries) < most else reply
            return max(0, recorded - len(again.replaced(now)) + len(again.newest(now, most)))
        asked_for = int(asked[2]) if asked[2:3] and asked[2].lstrip("-").isdecimal() else 10
        return slow_log(reply, again, now, max(len(reply), min(most, asked_for if asked_for >= 0 else most)))

    def _most(self, kind: str) -> int:
        names = (f"commandlog-{kind}-max-len", *(["slowlog-max-len"] if kind == "slow" else []))
        names = ("slowlog-max-len", *names) if kind == "slow" else names
        for asked, outcomes in self._tape.outcomes.items():
            if asked[:2] == ("CONFIG", "GET") and isinstance(outcomes[-1].reply, list):
                config = dict(zip(outcomes[-1].reply[::2], outcomes[-1].reply[1::2], strict=False))
                for name in names:
                    if is_number(str(config.get(name, ""))):
                        return min(MOST_LOGGED, int(config[name]))
        return SLOW_LOG

    def _again(
        self,
        at: Key,
        entries: Sequence[Any],
        when: Callable[[Any], float],
        kind: Callable[[Any], Any] = lambda row: None,
        looks: Sequence[Outcome] = (),
    ) -> Again:
        if at not in self._logs:
            first = min((one.t for one in looks if one.t >= self.stretch.begins), default=0.0)
            self._logs[at] = Again(entries, when, self.stretch, self._zero, kind, first_read=first)
        return self._logs[at]

    def _latest(self, sound: list[Outcome], event: str, column: int) -> Series | None:
        samples = [Sample(one.t, float(row[column])) for one in sound for row in one.reply
                   if str(row[0]) == event and len(row) > column and one.t >= self.stretch.begins]  # fmt: skip
        history = self._tape.outcomes.get(("LATENCY", "HISTORY", event), ())
        spikes = {row[0] for one in history if isinstance(one.reply, list) for row in one.reply}
        times = {row[1] for one in sound for row in one.reply if str(row[0]) == event}
        return Series(tuple(samples), self.stretch) if samples and len(spikes | times) > 1 else None


def own_errors(tape: NodeTape) -> dict[str, list[float]]:
    """When the recorder's own commands failed, by the fields of INFO that counted it."""
    found: dict[str, list[float]] = {}
    for asked, outcomes in tape.outcomes.items():
        stat = stat_name(asked)
        for one in outcomes:
            if isinstance(one.reply, ServerError):
                head = one.reply.text.split(" ", 1)[0]
                for field in (f"cmdstat_{stat}.failed_calls", f"cmdstat_{stat}.rejected_calls",
                              f"cmdstat_{stat.partition('|')[0]}.failed_calls", f"errorstat_{head}.count",
                              "total_error_replies"):  # fmt: skip
                    found.setdefault(field, []).append(one.t)
    return {field: sorted({*times}) for field, times in found.items()}


def _zero(tape: NodeTape, began: float) -> float:
    """The recording's beginning on the server's clock: a busy server read it a while after it was asked."""
    times = [int(one.reply[0]) + int(one.reply[1]) / 1e6 - one.t for one in tape.outcomes.get(("TIME",), ())
             if isinstance(one.reply, list) and len(one.reply) == 2 and all(is_number(str(part)) for part in one.reply)
             ]  # fmt: skip
    told = [(t, fields_in(text).get("server_time_usec", "")) for t, text in _texts(tape, "INFO")]
    return min([*times, *(int(usec) / 1e6 - t for t, usec in told if is_number(usec))], default=began)


def _role(reply: list[Any], facts: dict[str, str]) -> Reply:
    """ROLE with INFO's offsets."""
    own = facts.get("master_repl_offset", "")
    if reply[0] == "master" and len(reply) > 2 and own.isdecimal():
        rows = [dict(part.split("=", 1) for part in value.split(",") if "=" in part)
                for name, value in facts.items() if re.fullmatch(r"slave\d+", name)]  # fmt: skip
        offsets = {(row.get("ip"), row.get("port")): row.get("offset") for row in rows}
        return [reply[0], int(own), [[*row[:2], offsets.get((str(row[0]), str(row[1]))) or row[2]] for row in reply[2]]]
    mine = facts.get("slave_repl_offset", "")
    return (
        [*reply[:4], int(mine), *reply[5:]]
        if reply[0] == "slave" and len(reply) > 4 and reply[4] != -1 and mine.isdecimal()
        else reply
    )


def _command(entry: Any) -> str:
    """What a slow log's entry is about, whatever its arguments are."""
    return str(entry[3][0]).upper() if entry[3] else ""


Follow = Callable[[str], float | None]


def _nothing(field: str) -> float | None:
    return None


def continued(tape: Tape, stretch: Stretch) -> dict[str, Continued]:
    """Each node of a recording that goes on after its end; replicas keep up with each other as they did."""
    nodes = dict[str, Continued]()

    def follow(name: str) -> Follow:
        def rate(field: str) -> float | None:
            if not OFFSETS.fullmatch(field):
                return None
            rates = [one.info.rate("master_repl_offset") for one in nodes.values() if one.replid == nodes[name].replid]
            return max((rate for rate in rates if rate is not None), default=None)

        return rate

    for name, node in tape.nodes.items():
        nodes[name] = Continued(node, stretch, tape.began.timestamp(), follow(name))
    return nodes
