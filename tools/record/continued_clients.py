"""CLIENT LIST and CLUSTER NODES after the recording's end: ages run on, traffic goes on, ids continue."""

import re
from collections import Counter
from collections.abc import Sequence

from tools.record.continuation import Sample, Series, Stretch
from tools.record.field_classes import class_of, is_number, value_at, written

_FIELD = re.compile(r"(?<!\S)([a-z-]{1,32})=(\S*)")
_FIRST_PORT, _PORTS = 32768, 28232
"""The ports that a system gives to those who connect."""
_RECENT = 1.0
"""Seconds of an age that are due to its being a whole number."""


def fields_of(line: str) -> dict[str, str]:
    """A client's fields."""
    return dict(_FIELD.findall(line))


class ContinuedClients:
    """One node's answers to one form of CLIENT LIST."""

    def __init__(self, replies: Sequence[tuple[float, str]], stretch: Stretch, own: frozenset[str]) -> None:
        """`own` are the ids of the connections that recorded it: clients of a replay are given them."""
        self._stretch = stretch
        self._own = own
        self._lists = [(t, {fields["id"]: fields for line in text.splitlines() if "id" in (fields := fields_of(line))})
                       for t, text in replies]  # fmt: skip

    def at(self, text: str, t: float, now: float, arrivals: float, gain: int, more: int | None) -> str:
        """The list at a moment: `text` is that of its phase, recorded at `t`.

        `arrivals` is how many connections the server takes in a second, `gain` how many it took since the recording;
        `more` how many clients it has besides those that were recorded; null where others only take their places.
        """
        lines = [self._line(line, t, now, gain, stays=more is not None) for line in text.splitlines()]
        if more and (youngest := self._youngest(text)):
            newest = max(int(fields_of(line).get("id", "0")) for line in lines)
            lines += self._arrived(youngest, newest, arrivals, more)
        return "".join(f"{line}\n" for line in lines)

    def _youngest(self, text: str) -> str | None:
        """The newest of those clients of which there are most."""
        clients = [(fields, line) for line in text.splitlines() if (fields := fields_of(line)).get("age")
                   and fields["id"] not in self._own]  # fmt: skip
        names = Counter(fields.get("name") for fields, _ in clients)
        ours = [
            (int(fields["id"]), line) for fields, line in clients if fields.get("name") == names.most_common(1)[0][0]
        ]
        return max(ours)[1] if ours else None

    def _line(self, line: str, t: float, now: float, gain: int, *, stays: bool) -> str:
        fields = fields_of(line)
        if "id" not in fields or not fields.get("age", "").isdecimal():
            return line
        place, later = self._stretch.place(now), max(0.0, now - t)
        passing = not stays and self._passes(fields, t)
        changed: dict[str, str] = {}
        if passing and place.turns:
            # Another one like it: each turn has its own.
            changed = {"id": str(int(fields["id"]) + gain)}
        else:
            changed = {name: self._value(fields, name, text, t, now) for name, text in fields.items()
                       if is_number(text) and class_of("client", name) != "gauge"}  # fmt: skip
            changed["age"] = str(int(fields["age"]) + int(later))
            if all(one.get("idle") == one.get("age") for _, clients in self._lists
                   if (one := clients.get(fields["id"])) is not None):  # fmt: skip
                # It has done nothing since it came.
                changed["idle"] = changed["age"]
        return _changed(line, changed)

    def _passes(self, fields: dict[str, str], t: float) -> bool:
        """Whether it came within the stretch, so that its like comes again; those that stayed until the end remain."""
        if fields["id"] in self._own:
            return False
        last, age = self._lists[-1], int(fields["age"])
        if t - age <= self._stretch.begins + _RECENT:
            # Of those that come and go, some are always there at the beginning; they go before it's over.
            return fields["id"] not in last[1] and age < self._stretch.length
        return len(self._lists) == 1 or fields["id"] not in last[1] or last[0] == t

    def _value(self, fields: dict[str, str], name: str, text: str, t: float, now: float) -> str:
        id, kind = fields["id"], class_of("client", name)
        here = [(at, clients[id]) for at, clients in self._lists if id in clients and at >= self._stretch.begins]
        samples = tuple(Sample(at, float(one[name])) for at, one in here if is_number(one.get(name, "")))
        if not samples:
            samples = (Sample(t, float(text)),)
        age = int(fields["age"])
        pace = float(text) / max(1, age)
        usual = samples[0].value / max(1.0, age + samples[0].t - t) if kind == "counter" else None
        return written(value_at(kind, name, Series(samples, self._stretch, pace, usual), now, 0.0), text)

    def _arrived(self, youngest: str, newest: int, arrivals: float, more: int) -> list[str]:
        fields = fields_of(youngest)
        pace = max(arrivals, 0.01)
        made = []
        for number in range(1, more + 1):
            age = int((more - number) / pace) if pace else 0
            changed = {
                "id": str(newest + number),
                "age": str(age),
                "idle": str(min(age, int(fields.get("idle", "0") or 0))),
                "addr": _later(fields.get("addr", ""), 2 * number),
                "fd": _later(fields.get("fd", ""), number),
            }
            if fields["idle"] == fields["age"]:
                # It never did anything after it came.
                changed["idle"] = changed["age"]
            made.append(_changed(youngest, changed))
        return made


def _changed(line: str, fields: dict[str, str]) -> str:
    return _FIELD.sub(lambda match: f"{match[1]}={fields.get(match[1], match[2])}", line)


def _later(text: str, by: int) -> str:
    """An address or a number with its last number so much higher, as a port wraps."""
    head, colon, last = text.rpartition(":")
    if not last.isdecimal():
        return text
    number = int(last) + by
    return f"{head}{colon}{_FIRST_PORT + (number - _FIRST_PORT) % _PORTS if colon else number}"


def cluster_nodes(text: str, shift: float, begins: float) -> str:
    """CLUSTER NODES with its PINGs and PONGs `shift` seconds later, unless they are from before the moment `begins`."""
    lines = []
    for line in text.splitlines():
        words = line.split(" ")
        for number in (4, 5):
            if len(words) > number and words[number].isdecimal() and int(words[number]) / 1000 >= begins:
                words[number] = str(int(words[number]) + int(shift * 1000))
        lines.append(" ".join(words))
    return "".join(f"{line}\n" for line in lines)
