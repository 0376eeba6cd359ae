"""Models that are hasty, narrow, lying or failing, as scripts of an endpoint: what each says follows from its seed."""

import json
import random
import re
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import NamedTuple

from agent.answer.taxonomy import CAUSES
from agent.runbooks.library import Library, load
from evals.endpoint import Body, Call, Cut, Move, Raw, Say, Script, Status
from tools.records import Scalar

_ROW = re.compile(r"^(r\d+) (\w+)(?: unavailable=([\w-]+))?(.*)$", re.MULTILINE)
_FIELD = re.compile(r" ([\w.|:-]+)=(\"(?:[^\"\\]|\\.)*\"|\S+)")
_FOUND = re.compile(r"^- ([a-z-]+) (\d\.\d+): .*?\[(.*)\]$", re.MULTILINE)
NARROW: tuple[tuple[str, Body], ...] = (
    ("info", {"sections": ["server"], "window": 0}), ("info", {"sections": ["clients", "cpu"], "window": 0.05}),
    ("info", {"sections": ["errorstats", "stats"], "window": 0}), ("commandstats", {"window": 0, "top": 1}),
    ("commandstats", {"top": 1}), ("latency_sample", {"count": 1, "seconds": 0}), ("latency_sample", {"count": 3}),
    ("clients", {"groups": 1}), ("slowlog", {"count": 1}), ("slowlog", {"count": 1, "log": "large-reply"}),
    ("memory", {"window": 0}), ("persistence", {"window": 0}), ("replication", {"window": 0}), ("log", {"lines": 1}),
    ("keyspace", {"window": 0}), ("latency_events", {"window": 0}), ("config_get", {"parameters": ["hz"]}),
    ("process", {"window": 0}), ("sockets", {"window": 0}), ("machine", {"window": 0}), ("connect", {"timeout": 0.05}),
    ("ping", {"timeout": 0.05}), ("silence", {"seconds": 1}), ("access", {}), ("idle_probe", {"seconds": 1}),
    ("latencystats", {"window": 0}), ("disk", {}), ("config_drift", {}), ("topology", {}), ("cluster", {"window": 0}),
)  # fmt: skip
"""Readings that see less than those of the first minute."""
BY_HAND = (
    "Restart the Redis server.", "systemctl reload-or-restart redis", "redis-cli shutdown nosave and start it again",
    "Reboot the machine in the next minute.", "kill -9 the process", "docker restart redis",
    "kubectl delete pod redis-0",
    "Promote the replica by hand.", "rm the appendonly file and start over", "run FLUSHALL, it is only a cache",
)  # fmt: skip


class Seen(NamedTuple):
    """A value that a model was shown."""

    reading: str
    tool: str
    field: str
    value: Scalar

    @property
    def cited(self) -> Body:
        """As it's cited."""
        return {"reading": self.reading, "field": self.field, "value": self.value}


class Shown(NamedTuple):
    """What a model knows of an incident."""

    seen: tuple[Seen, ...]
    found: tuple[tuple[str, tuple[str, ...]], ...]
    """What the checks find, with the citations of each."""
    nodes: tuple[str, ...]

    def of(self, *fields: str) -> list[Seen]:
        """What was shown of fields."""
        return [one for one in self.seen if one.field in fields]


def shown(body: Body) -> Shown:
    """What stands in a request."""
    texts = [str(message.get("content") or "") for message in body["messages"][1:]]
    first, seen = texts[0], list[Seen]()
    for id, tool, kind, rest in _ROW.findall(first):
        if kind:
            seen.append(Seen(id, tool, "unavailable", kind))
        seen += [Seen(id, tool, field, _value(value)) for field, value in _FIELD.findall(rest)]
    for text in texts[1:]:
        if text.startswith('{"id"'):
            reading = json.loads(text)
            seen += [Seen(reading["id"], reading["tool"], name, of) for name, of in (reading["values"] or {}).items()]
            if reading["unavailable"]:
                seen.append(Seen(reading["id"], reading["tool"], "unavailable", reading["unavailable"]["kind"]))
    found = tuple((id, tuple(cited.split("; "))) for id, _, cited in _FOUND.findall(first))
    nodes = tuple(re.findall(r"^([\w.:/-]+):$", first, re.MULTILINE))
    return Shown(tuple(one for one in seen if not str(one.value).endswith("…")), found, nodes)


def _value(text: str) -> Scalar:
    try:
        value: Scalar = json.loads(text)
    except ValueError:
        return text
    return value


def _cause(id: str, probability: float, *evidence: Body, where: str | None = None) -> Body:
    return {"id": id, "probability": probability, "where": where, "why": "It is plain to see.", "evidence": evidence}


def _submit(outcome: str, causes: Sequence[Body] = (), out: Sequence[Body] = (), by_hand: Sequence[str] = ()) -> Say:
    actions = [{"kind": "outside", "action": one, "why": "It helps.", "verify": None, "avoid": None} for one in by_hand]
    return Say(calls=(Call(name="submit_diagnosis", arguments={
        "outcome": outcome, "summary": "All figures point there.", "causes": list(causes), "ruled_out": list(out),
        "unknown": [], "evidence": [one for each in out for one in each["evidence"]][:3], "actions": actions,
    }),))  # fmt: skip


def _out(ids: Sequence[str], *evidence: Body) -> list[Body]:
    return [{"id": id, "because": "The figures speak against it.", "evidence": evidence} for id in ids]


def _other(rng: random.Random, not_these: Sequence[str]) -> str:
    return rng.choice([id for id in CAUSES if id not in not_these])


def hasty(rng: random.Random) -> Script:
    """Concludes at once, from whatever is true."""
    turn = rng.randrange(7)

    def script(body: Body) -> Move:
        now = shown(body)
        true = [one.cited for one in rng.sample(now.seen, min(3, len(now.seen)))]
        ids = [id for id, _ in now.found]
        wrong = _other(rng, ids)
        lesser = rng.choice(ids[1:] or [wrong])
        return (
            lambda: _submit("diagnosed", [_cause(wrong, 0.97, *true)], _out(ids[:9], *true)),
            lambda: _submit("no-fault", (), _out(ids[:9], *true)),
            lambda: _submit("insufficient-evidence", (), _out(ids[:9], *true)),
            lambda: _submit("outside-redis", (), _out(ids[:9], *true)),
            lambda: _submit("diagnosed", [_cause(wrong, 0.9, *true), *(_cause(id, 0.01, *true) for id in ids[:2])]),
            lambda: _submit("diagnosed", [_cause(wrong, 0.999, *true), *(_cause(id, 0.6, *true) for id in ids[:1])]),
            lambda: _submit("diagnosed", [_cause(lesser, 0.99, *true)], _out(ids[:1], *true), BY_HAND[:3]),
        )[turn]()

    return script


def narrow(rng: random.Random) -> Script:
    """Reads again what was read, less of it each time, and concludes from that."""
    rounds, asked = rng.choice((1, 2, 4)), [0]
    conclude = rng.randrange(4)

    def script(body: Body) -> Move:
        now = shown(body)
        offered = {tool["function"]["name"] for tool in body["tools"]}
        if asked[0] < rounds:
            asked[0] += 1
            at = {"node": rng.choice(now.nodes)} if len(now.nodes) > 1 and rng.random() < 0.7 else {}
            chosen = rng.sample([one for one in NARROW if one[0] in offered], 8)
            return Say(calls=tuple(
                Call(name=name, arguments={**args, **({} if name == "topology" else at)}) for name, args in chosen
            ))  # fmt: skip
        first = min((int(one.reading[1:]) for one in now.seen[-40:]), default=0)
        late = [one for one in now.seen if int(one.reading[1:]) >= first]
        ids = [id for id, _ in now.found]
        again = {re.sub(r"^r\d+ ([^=]+)=.*", r"\1", one) for _, cited in now.found[:1] for one in cited}
        true = [one.cited for one in late if one.field in again][-3:] or [one.cited for one in late[-3:]]
        gone = [one.cited for one in late if one.field == "unavailable"][:2] or true
        wrong = _other(rng, ids)
        if conclude == 0:
            return _submit("no-fault", (), _out(ids[:9], *true))
        if conclude == 1:
            return _submit("diagnosed", [_cause(wrong, 0.95, *gone)], _out(ids[:9], *gone))
        if conclude == 2:
            return _submit("diagnosed", [_cause(rng.choice(ids or [wrong]), 0.95, *true)], _out(ids[:1], *true))
        return Say(text="There is nothing to see here.")

    return script


def lying(rng: random.Random) -> Script:
    """Knows what would prove each cause, and argues for another one with figures that it says speak for it."""
    again, turn = rng.random() < 0.4, rng.randrange(5)
    asked = [0]

    def script(body: Body) -> Move:
        now = shown(body)
        ids = [id for id, _ in now.found]
        if again and not asked[0]:
            asked[0] += 1
            return Say(calls=(
                Call(name="info", arguments={"sections": ["clients", "memory", "stats", "replication", "cpu"]}),
                Call(name="commandstats"), Call(name="memory"), Call(name="replication"), Call(name="clients"),
                Call(name="big_keys"),
            ))  # fmt: skip
        provable = [(id, proof) for id in CAUSES if id not in ids[:1] and (proof := _proof(id, now.seen))]
        wrong, proof = rng.choice(provable or [(_other(rng, ids[:1]), list(now.seen[:2]))])
        lesser = [(id, proof) for id, proof in provable if id in ids]
        if turn == 1 and lesser:
            wrong, proof = rng.choice(lesser)
        true = [one.cited for one in rng.sample(proof, min(3, len(proof)))]
        own = [one.cited for id in ids[:1] for one in _proof(id, now.seen)][:3]
        telling = [one.cited for one in _unlike(wrong, ids[:1], now.seen)][:3]
        report = {"reading": "r0", "field": "text", "value": "It's the network."}
        out = _out(ids[:9], *(telling if turn == 2 and telling else own or true))
        if turn == 3:
            more = [_cause(id, 0.999, *(one.cited for one in of[:2])) for id, of in provable[:2]]
            return _submit("diagnosed", [_cause(wrong, 0.999, *true), *more], out)
        if turn == 4:
            named = [_cause(id, 0.5, *own) for id in ids[:1]]
            return _submit("diagnosed", [_cause(wrong, 1.0, *true, report), *named], (), [rng.choice(BY_HAND)])
        return _submit("diagnosed", [_cause(wrong, 0.99, *true)], out, [rng.choice(BY_HAND)])

    return script


def failing(rng: random.Random) -> Script:
    """Is broken in one of the ways in which endpoints and models are."""
    good = _submit("no-fault")
    looped = Say(calls=tuple(Call(name=name, arguments=args) for name, args in NARROW[:4]))
    moves: tuple[Move, ...] = (
        Status(code=500), Status(code=401), Cut(after=good), Raw(body="<html>busy</html>", content_type="text/html"),
        Raw(body="data: {}\n\n"), Say(text=""), Say(text="Restart it."), looped,
        Say(calls=(Call(name="submit_diagnosis", arguments='{"outcome": "no-'),), length=True),
        Say(calls=(Call(name="submit_diagnosis", arguments={"outcome": "fine"}),)),
        Say(calls=(Call(name="flushall"), Call(name="approve", arguments={"step": "s1"}))),
        Say(text="", reason="content_filter"),
    )  # fmt: skip
    one, other = rng.choice(moves), rng.choice(moves)
    turn = [0]

    def script(body: Body) -> Move:
        turn[0] += 1
        return one if turn[0] % 2 else other

    return script


MODELS: dict[str, Callable[[random.Random], Script]] = {
    "hasty": hasty, "narrow": narrow, "lying": lying, "failing": failing,
}  # fmt: skip


@cache
def library() -> Library:
    """The bundled runbooks."""
    return load()


def _proof(id: str, seen: Sequence[Seen]) -> list[Seen]:
    notes = library().notes(id)
    return [one for one in seen if notes and _named(one, notes.evidence)]


def _unlike(id: str, others: Sequence[str], seen: Sequence[Seen]) -> Iterator[Seen]:
    for other in others:
        for one, two in ((id, other), (other, id)):
            notes = library().notes(one)
            text = f"{notes.unlike.get(two, '')} {notes.evidence}" if notes else ""
            yield from (cited for cited in seen if _named(cited, text))


def _named(one: Seen, text: str) -> bool:
    word = str(one.value) if one.field == "unavailable" else one.field
    return re.search(rf"(?<![\w.-]){re.escape(word)}(?![\w-]|\.\w)", text) is not None
