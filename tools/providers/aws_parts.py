"""What the resources of AWS have in common, and how its answers are taken apart."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from tools.providers.aws_calls import Calls
from tools.providers.aws_events import event_of
from tools.providers.aws_reads import Service
from tools.providers.found import Window
from tools.providers.pieces import Job, Piece
from tools.records import Scalar

MOST_SOURCES = 6
"""Nodes whose events are asked for, beside those of the whole."""
PAGE = 100


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
