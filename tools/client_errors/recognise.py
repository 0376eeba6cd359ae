"""From a text to the client errors in it. What costs is bounded by the number of errors, not by the text's length."""

import re
from bisect import bisect_left
from collections.abc import Iterator
from typing import NamedTuple

from tools.client_errors.counters import counters, judged
from tools.client_errors.figures import figures
from tools.client_errors.records import ClientError
from tools.client_errors.table import FOREIGN, Form, Table, table
from tools.credentials import hide_secrets
from tools.patterns import deferred
from tools.text import one_line

MARKS = (
    "Exception", "Error", "rror:", "ERR ", "ECONN", "ETIMEDOUT", "redis: ", "redigo: ", "i/o timeout", "Could not",
    "OOM ", "READONLY ", "LOADING ", "BUSY ", "MISCONF ", "MASTERDOWN ", "NOREPLICAS ", "CLUSTERDOWN ", "NOAUTH ",
    "WRONGPASS ", "NOPERM ", "MOVED ", "CROSSSLOT ", "NOSCRIPT ", "DENIED ", "max number of clients", "Redis server",
    "read error on connection", "lock for job", "timed out", "BullMQ", "Connection", "Unable to", "Timeout ",
    "deadline exceeded", "Your Redis network", "waiting for a slot", "SSL", "tls: ", "TLS ", "x509", "certificate",
)  # fmt: skip
"""Without one of these a short report has no client's error in it: to ask that first spares most of them the table."""
SHORT = 200
"""Characters up to which a report is short."""
TRIES, HITS = 400, 40
"""Places of a form that are looked at, and those that count by themselves: of more of the same only the number."""
AHEAD, BEHIND, TOLD = 300, 3000, 1500
"""Characters of a line before a certain text and behind it that are looked at, and those that are kept."""
NEAR = 6000
"""Characters in which a trace's frames stand."""
SIGN = 130
"""Characters that a sign has at most."""
LINE = 4000
"""Characters on either side up to which a line is one."""
_SEEN = deferred(r"\[seen (\d{1,9}) times\]$")
"""What is put behind an error that stood there more often."""
_NAME = deferred(r"(?:[\w$]{1,80}(?:[.\\]|::)){1,12}[\w$]{0,80}(?::?\s{0,4}|\s?\()\Z")
"""The exception's own name before its text: it's no clause."""
MOST = 12
"""The most different errors of one text that are reported."""


class _Hit(NamedTuple):
    begin: int
    form: Form
    library: str
    match: re.Match[str]
    line: tuple[int, int]


def client_errors(text: str) -> tuple[ClientError, ...]:
    """The errors that clients report in a text, each once, the most telling first."""
    if len(text) <= SHORT and not any(mark in text for mark in MARKS):
        return ()
    known, signs = table(), _Signs(text)
    hits: dict[int, _Hit] = {}
    more: dict[str, int] = {}
    for form in known.forms:
        for found in _hits(text, form, signs, more):
            before = hits.get(found.line[0])
            if before is None or found.form.rank < before.form.rank:
                hits[found.line[0]] = found
    told = _told(sorted(hits.values(), key=lambda hit: hit.begin))
    errors: dict[tuple[str, str], ClientError] = {}
    for hit in told:
        key = (hit.library, hit.form.name)
        if key in errors:
            one = errors[key]
            errors[key] = one.model_copy(update={"count": one.count + 1})
        else:
            errors[key] = _error(text, hit)
            extra = more.pop(f"{hit.form.library} {hit.form.name}", 0)
            errors[key] = errors[key].model_copy(update={"count": errors[key].count + extra})
    return tuple(sorted(errors.values(), key=lambda one: -one.weight)[:MOST])


def _hits(text: str, form: Form, signs: "_Signs", more: dict[str, int]) -> Iterator[_Hit]:
    """Where a form stands, once a line."""
    for certain in form.certain:
        at, last, tries, found = text.find(certain), -1, 0, 0
        while at >= 0 and tries < TRIES and found < HITS:
            tries += 1
            line = _line(text, at)
            if line[0] != last and (hit := _hit(text, form, at, line, signs)):
                last = line[0]
                found += 1
                yield hit
            at = text.find(certain, at + len(certain))
        if found >= HITS and at >= 0:
            key = f"{form.library} {form.name}"
            more[key] = max(more.get(key, 0), text.count(certain, at))


def _hit(text: str, form: Form, at: int, line: tuple[int, int], signs: "_Signs") -> _Hit | None:
    match = form.match.search(text, max(line[0], at - AHEAD), min(line[1], at + BEHIND))
    if match is None:
        return None
    own, near = signs.of(line, match.start())
    if FOREIGN in own:
        # The line names another system's client.
        return None
    if form.library and not form.shared:
        if form.library not in near and not form.anywhere:
            return None
        library = form.library
    else:
        library = _nearest(near)
        if library == FOREIGN or (not library and not form.code and not form.anywhere):
            return None
    return _Hit(match.start(), form, library, match, line)


def _nearest(near: dict[str, int]) -> str:
    return min(near, key=lambda name: near[name]) if near else ""


def _line(text: str, at: int) -> tuple[int, int]:
    begin = text.rfind("\n", max(0, at - LINE), at) + 1 or max(0, at - LINE)
    end = text.find("\n", at, at + LINE)
    return begin, end if end >= 0 else min(len(text), at + LINE)


class _Signs:
    """Whose frames and words stand where, looked up a stretch at a time."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._known: Table = table()
        self._by_stretch: dict[int, list[tuple[int, str]]] = {}

    def of(self, line: tuple[int, int], at: int) -> tuple[set[str], dict[str, int]]:
        """Those on the line, and those near it with how far off they are."""
        own: set[str] = set()
        near: dict[str, int] = {}
        begin, end = max(0, line[0] - NEAR), min(len(self._text), line[1] + NEAR)
        for number in range(begin // NEAR, end // NEAR + 1):
            places = self._stretch(number)
            for place, name in places[bisect_left(places, (begin, "")) :]:
                if place >= end:
                    break
                if line[0] <= place < line[1]:
                    own.add(name)
                far = abs(place - at) + (0 if line[0] <= place < line[1] else LINE)
                near[name] = min(near.get(name, far), far)
        return own, near

    def _stretch(self, number: int) -> list[tuple[int, str]]:
        if number not in self._by_stretch:
            begin = number * NEAR
            places: list[tuple[int, str]] = []
            last = 0
            for at, _, end, name in sorted(self._in(begin, begin + NEAR)):
                if at >= last:
                    places.append((at, name))
                    last = end
            self._by_stretch[number] = places
        return self._by_stretch[number]

    def _in(self, begin: int, end: int) -> Iterator[tuple[int, int, int, str]]:
        """Each sign that begins in a stretch: where, its place in the table, its end, whose it is."""
        end = min(end, len(self._text))
        for order, sign in enumerate(self._known.signs):
            # To look for a plain text is far cheaper than to try some hundred signs at each letter.
            for certain in sign.certain:
                at = self._text.find(certain, begin, end + SIGN)
                while at >= 0:
                    after = at + len(certain)
                    found = sign.match.search(self._text, max(begin, at - SIGN), after + SIGN)
                    while found and found.end() <= at:
                        found = sign.match.search(self._text, found.end(), after + SIGN)
                    if found and found.start() < end:
                        yield found.start(), order, found.end(), sign.library
                        after = max(after, found.end())
                    at = self._text.find(certain, after, end + SIGN)


def _told(hits: list[_Hit]) -> list[_Hit]:
    """Those that no other in the same trace explains better."""
    causes = [hit.begin for hit in hits if not hit.form.wraps]

    def explained(hit: _Hit) -> bool:
        at = bisect_left(causes, hit.begin - NEAR)
        return hit.form.wraps and at < len(causes) and causes[at] <= hit.begin + NEAR

    return [hit for hit in hits if not explained(hit)]


def _error(text: str, hit: _Hit) -> ClientError:
    form, line = hit.form, hit.line
    # What it carries may go on over the next lines, where somebody broke it.
    around = text[line[0] : min(len(text), max(line[1], hit.begin + TOLD))]
    found = figures(hit.match, text[line[0] : line[1]])
    if form.library == "StackExchange.Redis":
        found |= counters(around)
    verdict = judged(form, found)
    told = text[max(line[0], hit.begin - AHEAD) : min(line[1], hit.begin + TOLD)].strip()
    seen = _SEEN.search(text, hit.begin, line[1])
    return ClientError(
        library=hit.library, name=form.name, stage=verdict.stage, side=verdict.side, weight=verdict.weight,
        means=verdict.means, code=form.code, figures=found,
        count=int(seen[1]) if seen else 1, text=one_line(hide_secrets(told), TOLD),
        place=hit.begin, before=_NAME.sub("", text[max(line[0], hit.begin - AHEAD) : hit.begin]),
    )  # fmt: skip
