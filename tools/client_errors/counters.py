"""StackExchange.Redis' counters: what its timeout messages say of its own threads, its queue and its socket."""

from collections.abc import Mapping
from typing import NamedTuple

from tools.client_errors.records import Side, Stage
from tools.client_errors.table import Form
from tools.patterns import deferred
from tools.records import Scalar

_COUNTER = deferred(r"(?<![\w-])(qu|qs|in|in-pipe|bw|rs|serverEndpoint|aoc|v)(?:: ?|=)([\w.:-]{1,100})")
_NAMES = {
    "qu": "unsent", "qs": "unanswered", "in": "unread_bytes", "in-pipe": "unparsed_bytes", "bw": "writer",
    "rs": "reader", "serverEndpoint": "endpoint", "v": "version",
}  # fmt: skip
_THREADS = deferred(r"(?:(IOCP|WORKER)\s?: ?)?\(?\s{0,4}Busy=(\d{1,7}),\s{0,4}(?:Free=\d{1,7},\s{0,4})?Min=(\d{1,7})")
_QUEUED = deferred(r"QueuedItems=(\d{1,9})")
_MANAGER = deferred(r"\bmgr: (\d{1,5}) of (\d{1,5}) available")
_TIMES = deferred(r"(\d{1,9})ms elapsed, timeout is (\d{1,9})ms|Timeout performing [A-Z][\w|-]{1,30} \((\d{1,9})ms\)")
_THEFT = deferred(r"possible thread-theft|rs: CompletePendingMessage")
_TAKEN = "the application's own work took the thread that reads the replies"
MUCH = 64 * 1024
"""Bytes that a socket's buffer holds: as many unread ones mean that nobody fetches them."""


class Judged(NamedTuple):
    """What an error means by the figures that it carries."""

    stage: Stage
    side: Side
    weight: float
    means: str


def counters(text: str) -> dict[str, Scalar]:
    """The counters in a message, under names that say what they count."""
    found: dict[str, Scalar] = {}
    for name, value in _COUNTER.findall(text):
        # Older versions give a socket's count and its bytes.
        number = value.partition("/")[0]
        if name in ("bw", "rs", "serverEndpoint", "v"):
            found.setdefault(_NAMES[name], value)
        elif name in _NAMES and number.isdecimal():
            found.setdefault(_NAMES[name], int(number))
    for kind, busy, least in _THREADS.findall(text):
        at = "iocp" if kind == "IOCP" else "workers"
        found.setdefault(f"{at}_busy", int(busy))
        found.setdefault(f"{at}_min", int(least))
    if queued := _QUEUED.search(text):
        found["workers_queued"] = int(queued[1])
    if manager := _MANAGER.search(text):
        found["own_free"], found["own_threads"] = int(manager[1]), int(manager[2])
    if times := _TIMES.search(text):
        elapsed, timeout = times[1], times[2] or times[3]
        found["timeout_ms"] = int(timeout)
        if elapsed:
            found["elapsed_ms"] = int(elapsed)
    if _THEFT.search(text):
        found["reader_taken"] = True
    return found


def judged(form: Form, found: Mapping[str, Scalar]) -> Judged:
    """What an error means: by its form, or by the counters where they say more."""
    own = Judged(form.stage, form.side, form.weight, form.means)
    if form.library == "redisson" and form.name == "unsent" and found.get("pool_idle") == 0:
        return own._replace(means=f"{form.means}, and no connection of its pool was free")
    if form.library != "StackExchange.Redis" or form.name not in ("reply-timeout", "backlog-timeout"):
        return own
    return _of_threads(own, found) or _of_queues(own, found) or own


def _of_threads(own: Judged, found: Mapping[str, Scalar]) -> Judged | None:
    """The application's own threads are the ones that are short."""
    if found.get("reader_taken"):
        return own._replace(side="client", weight=0.75, means=_TAKEN)
    for kind, what in (("workers", "worker"), ("iocp", "I/O")):
        busy, least = _number(found, f"{kind}_busy"), _number(found, f"{kind}_min")
        if busy > least >= 1:
            queued = _number(found, "workers_queued")
            waiting = f", {queued:,.0f} pieces of work wait for one" if queued else ""
            means = (
                f"{busy:,.0f} {what} threads are busy, the pool starts with {least:,.0f} and grows slowly{waiting}: "
                "the application's own threads are starved"
            )
            return own._replace(side="client", weight=0.85 if queued else 0.75, means=_with_queue(means, found))
    if found.get("own_free") == 0 and _number(found, "own_threads"):
        threads = f"all {_number(found, 'own_threads'):,.0f} threads of its own are busy"
        means = f"{threads}: the client's own threads are starved"
        return own._replace(side="client", weight=0.7, means=_with_queue(means, found))
    return None


def _of_queues(own: Judged, found: Mapping[str, Scalar]) -> Judged | None:
    """Where the commands stand: not sent, not answered, or answered and not read."""
    unread = _number(found, "unread_bytes") + _number(found, "unparsed_bytes")
    if unread >= MUCH:
        means = (
            f"{unread / 1024:,.0f} KiB of replies have arrived and the client hasn't read them: large replies, "
            "or no thread or CPU of the client for them"
        )
        return own._replace(side="client", weight=0.6, means=_with_queue(means, found))
    unsent, unanswered = _number(found, "unsent"), _number(found, "unanswered")
    if own.stage != "send" and unanswered and not unread and _has_rest(found):
        means = (
            f"{unanswered:,.0f} commands are sent and unanswered, nothing of a reply has arrived and its threads "
            "aren't busy: the server or the way to it is slow"
        )
        return own._replace(side="server", weight=0.45, means=means)
    if unsent and not unanswered:
        means = f"{own.means}; {unsent:,.0f} commands wait in the client and were never sent"
        return own._replace(stage="send", means=means)
    return None


def _has_rest(found: Mapping[str, Scalar]) -> bool:
    return "workers_busy" in found and _number(found, "workers_busy") <= _number(found, "workers_min")


def _with_queue(means: str, found: Mapping[str, Scalar]) -> str:
    unanswered, unsent = _number(found, "unanswered"), _number(found, "unsent")
    waiting = [f"{unsent:,.0f} commands wait to be sent" if unsent else "",
               f"{unanswered:,.0f} commands wait for a reply" if unanswered else ""]  # fmt: skip
    return ", ".join([*filter(None, waiting), means])


def _number(found: Mapping[str, Scalar], name: str) -> float:
    value = found.get(name)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else 0.0
