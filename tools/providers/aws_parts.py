"""What a resource of AWS is read in: parts that are asked for at the same time, each of which may be refused."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from tools.providers.aws_calls import Calls
from tools.providers.aws_events import event_of
from tools.providers.aws_reads import Service
from tools.providers.found import Event, Figure, Logged, Part, Refused, Setting, Window
from tools.records import Scalar

MOST_SOURCES = 6
"""Nodes whose events are asked for, beside those of the whole."""
PAGE = 100


class Piece(NamedTuple):
    """What a part brings."""

    facts: Mapping[str, Scalar] = {}
    figures: tuple[Figure, ...] = ()
    events: tuple[Event, ...] = ()
    settings: tuple[Setting, ...] = ()
    logged: tuple[Logged, ...] = ()
    refused: tuple[Refused, ...] = ()


class Job(NamedTuple):
    """A part, what it takes, and what reads it. It blocks, and raises `Unanswered`."""

    part: Part
    permission: str
    read: Callable[[], Piece]


class Resource(NamedTuple):
    """A cache or a cluster that was found, and what else is asked about it."""

    name: str
    facts: Mapping[str, Scalar]
    jobs: tuple[Job, ...]


def dig(value: Any, *path: str) -> Any:
    """What is at a path of keys; None where there is nothing."""
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def some(value: Any, most: int = PAGE) -> list[Mapping[str, Any]]:
    """The first objects of a list; none of what is no list."""
    return [one for one in value[:most] if isinstance(one, dict)] if isinstance(value, list) else []


def addresses(*endpoints: Any) -> frozenset[str]:
    """The addresses of endpoints, in lower case."""
    found = (dig(one, "Address") for one in endpoints)
    return frozenset(one.rstrip(".").lower() for one in found if isinstance(one, str))


def events_of(calls: Calls, service: Service, window: Window, source: str, **asked: Any) -> Piece:
    """The events of one source; `source` is the key of its name. Raises `Unanswered`."""
    answer = calls.read(service, "DescribeEvents", StartTime=window.events_begin, EndTime=window.ends, **asked)
    found = (event_of(one, source) for one in some(answer.get("Events")))
    return Piece(events=tuple(one for one in found if one is not None))


def share(value: object) -> Iterator[float]:
    """A percentage, if it's one."""
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 100:
        yield round(float(value), 1)
