"""The alert rules that arrive most: how each is named in a ticket, and what it asks.

The names and expressions are those of the community's collection for redis_exporter (samber/awesome-prometheus-alerts)
and of the exporter's own mixin (oliver006/redis_exporter, contrib/redis-mixin), with the variants that people write.
"""

import re
from collections.abc import Iterator
from enum import StrEnum
from typing import NamedTuple

from tools.patterns import deferred

MOST = 3
"""Alerts of one ticket that are answered."""


class Question(StrEnum):
    """What a rule asks, with its expression in words."""

    DOWN = "whether it answers"
    NO_MASTER = "whether no node is a master"
    MASTERS = "whether more than one node is a master"
    REPLICAS = "whether a replica isn't connected"
    REPLICATION = "whether the master lost a replica"
    FLAPPING = "whether replicas come and go"
    BACKUP = "whether the last RDB save is older than a day"
    SYSTEM_MEMORY = "whether used_memory is near the machine's memory"
    MAXMEMORY = "whether used_memory is near maxmemory"
    MEMORY = "whether used_memory is near either"
    CONNECTIONS = "whether there are too many clients"
    FEW_CONNECTIONS = "whether there are too few clients"
    REJECTED = "whether connections are refused at maxclients"
    SLOTS_FAIL = "whether slots belong to a node that is down"
    SLOTS_PFAIL = "whether slots belong to a node that may be down"
    CLUSTER_STATE = "whether the cluster's state isn't ok"


class Alert(NamedTuple):
    """An alert in a ticket."""

    name: str
    """The rule's name as it was written."""
    question: Question
    threshold: float | None = None
    """The limit by its own words, such as 90 of `(> 90%)`."""
    is_share: bool = False
    """Whether that is in percent."""
    value: float | None = None
    """The expression's value when it fired."""


_NAMES: dict[Question, str] = {
    Question.DOWN: "(instance |server |node )?(is )?(down|unavailable|unreachable)",
    Question.NO_MASTER: "(missing|no) (master|primary)",
    Question.MASTERS: "too many (masters|primaries)",
    Question.REPLICAS: "disconnected (slaves|replicas)",
    Question.REPLICATION: "replication (is )?broken",
    Question.FLAPPING: "(cluster|replicas?|replication) (is )?flapping",
    Question.BACKUP: "missing backup",
    Question.SYSTEM_MEMORY: "out of system memory",
    Question.MAXMEMORY: "out of (configured )?maxmemory",
    Question.MEMORY: "(out of memory|high memory( usage)?|memory (usage )?high)",
    Question.CONNECTIONS: "too many (connections|clients)",
    Question.FEW_CONNECTIONS: "not enough (connections|clients)",
    Question.REJECTED: "(rejected connections|connections rejected)",
    Question.SLOTS_FAIL: "cluster slots? fail",
    Question.SLOTS_PFAIL: "cluster slots? pfail",
    Question.CLUSTER_STATE: "cluster state (is )?not ok",
}
_SUMMARIES: dict[Question, str] = {
    Question.SLOTS_FAIL: r"Number of hash slots mapping to a node in FAIL state",
    Question.SLOTS_PFAIL: r"Number of hash slots mapping to a node in PFAIL state",
    Question.CLUSTER_STATE: r"(?:Redis|Valkey) cluster state is not ok",
}
"""How a rule's summary begins where it isn't the name in words."""


def _pattern(question: Question) -> re.Pattern[str]:
    words = _NAMES[question]
    joined = words.replace(" ", "[_-]?")
    spaced = rf"(?:Redis|Valkey) {words}(?= \(instance)"
    more = f"|{_SUMMARIES[question]}" if question in _SUMMARIES else ""
    return deferred(rf"(?<![\w-])(?:(?:Redis|Valkey|KeyDB)[_-]?{joined}(?![\w-])|{spaced}{more})", re.IGNORECASE)


_PATTERNS: dict[Question, re.Pattern[str]] = {question: _pattern(question) for question in Question}
_MENTIONS = deferred(r"redis|valkey|keydb|hash slots", re.IGNORECASE)
_LIMIT = deferred(r"\([<>]=? ?(?P<limit>\d{1,12}(?:\.\d{1,6})?) ?(?P<unit>%|hours?\b)?[^()\n]{0,40}\)")
_HOURS = deferred(r"\bfor (?P<limit>\d{1,4}) (?P<unit>hours?)\b")
_FIRED_AT = deferred(
    r"\bvalue(?:String)?\s{0,3}[=:]\s{0,3}(?P<value>-?\d{1,18}(?:\.\d{1,18})?(?:e[+-]?\d{1,3})?)\b", re.I
)


def alerts(text: str) -> tuple[Alert, ...]:
    """The alerts of known rules in a ticket's text, in the order of their names there."""
    if not _MENTIONS.search(text):
        return ()
    found = sorted((match.start(), question, match) for question in Question for match in _first(question, text))
    several = len(found) > 1
    made: list[Alert] = []
    for _, question, match in found[:MOST]:
        # In a ticket of several alerts nobody knows whose figure it is.
        limit = None if several else _LIMIT.search(text) or _HOURS.search(text)
        value = None if several else _FIRED_AT.search(text)
        made.append(
            Alert(
                name=match[0],
                question=question,
                threshold=float(limit["limit"]) if limit else None,
                is_share=bool(limit) and limit["unit"] == "%" if limit else False,
                value=float(value["value"]) if value else None,
            )
        )
    return tuple(made)


def _first(question: Question, text: str) -> Iterator[re.Match[str]]:
    if (match := _PATTERNS[question].search(text)) is not None:
        yield match
