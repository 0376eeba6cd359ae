"""The alert rules that arrive most: how each is named in a ticket, and what it asks.

The names and expressions are those of the community's collection for redis_exporter (samber/awesome-prometheus-alerts)
and of the exporter's own mixin (oliver006/redis_exporter, contrib/redis-mixin), with the variants that people write. A
rule of another name is known by the metric that it compares, and of what can't be understood it's said.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from agent.alerts.expressions import Condition, conditions
from agent.alerts.metrics import FIGURES
from agent.alerts.questions import Question
from tools.patterns import deferred

MOST = 3
"""Alerts of one ticket that are answered."""


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
    figure: str = ""
    """The figure that is compared, of `FIGURE`."""
    low: bool = False
    """Whether it fires below the limit."""
    is_rate: bool = False
    """Whether the limit is per second."""


_NAMES: dict[Question, str] = {
    Question.DOWN: "(instance |server |node )?(is )?(down|unavailable|unreachable)",
    Question.NO_MASTER: "(missing|no) (master|primary)",
    Question.MASTERS: "too many (masters|primaries)",
    Question.REPLICAS: "(disconnected (slaves|replicas)|(slaves|replicas?) disconnected|"
    "(master|replica|replication) link (is )?down)",
    Question.REPLICATION: "replication (is )?broken",
    Question.FLAPPING: "(cluster|replicas?|replication) (is )?flapping",
    Question.BACKUP: "missing backup",
    Question.SYSTEM_MEMORY: "out of system memory",
    Question.MAXMEMORY: "out of (configured )?maxmemory",
    Question.MEMORY: "(out of memory|high memory( usage)?|memory (usage |util(ization)? )?high|memory usage)",
    Question.CONNECTIONS: "(too many (connections|clients)|(client )?connections? (count )?high|"
    "high (client )?connections?|clients high)",
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


def _pattern(words: str, question: Question | None = None) -> re.Pattern[str]:
    joined = words.replace(" ", "[_-]?")
    spaced = rf"(?:Redis|Valkey) {words}(?= \(instance)"
    more = f"|{_SUMMARIES[question]}" if question in _SUMMARIES else ""
    return deferred(rf"(?<![\w-])(?:(?:Redis|Valkey|KeyDB)[_-]?{joined}(?![\w-])|{spaced}{more})", re.IGNORECASE)


_PATTERNS: dict[Question, re.Pattern[str]] = {question: _pattern(words, question) for question, words in _NAMES.items()}
_FIGURES: dict[str, re.Pattern[str]] = {name: _pattern(one.names) for name, one in FIGURES.items() if one.names}
_MENTIONS = deferred(r"redis|valkey|keydb|hash slots|AWS/(?:ElastiCache|MemoryDB)|(?:Greater|Less)Than", re.IGNORECASE)
_ALONE = deferred(r"(?:Redis|Valkey|KeyDB)(?:[A-Z][a-z0-9]+){1,8}")
"""A title that is nothing but a rule's name."""
_THROWN = ("Exception", "Error", "Client", "Pool", "Cluster", "Sentinel", "Enterprise", "Timeout", "Incident", "Issue")
"""How what a program calls so ends, which is no rule."""
_NEARER = {Question.MEMORY: (Question.MAXMEMORY, Question.SYSTEM_MEMORY)}
"""What a rule's expression asks where its name may mean several things."""
_TITLE = deferred(r"[A-Za-z0-9][A-Za-z0-9 _.()/%-]{1,59}")
_LIMIT = deferred(r"\([<>]=? ?(?P<limit>\d{1,12}(?:\.\d{1,6})?) ?(?P<unit>%|hours?\b)?[^()\n]{0,40}\)")
_HOURS = deferred(r"\bfor (?P<limit>\d{1,4}) (?P<unit>hours?)\b")
_FIRED_AT = deferred(
    r"\bvalue(?:String)?\s{0,3}[=:]\s{0,3}(?P<value>-?\d{1,18}(?:\.\d{1,18})?(?:e[+-]?\d{1,3})?)\b", re.I
)


def alerts(text: str) -> tuple[Alert, ...]:
    """The alerts of known rules in a ticket's text, in the order of their names there."""
    if not _MENTIONS.search(text):
        return ()
    found = sorted(
        [(match.start(), question, "", match) for question in _PATTERNS for match in _first(_PATTERNS[question], text)]
        + [(match.start(), Question.FIGURE, name, match) for name in _FIGURES for match in _first(_FIGURES[name], text)]
    )
    if not found:
        return tuple(_by_metric(text))
    several = len(found) > 1
    made: list[Alert] = []
    for _, question, figure, match in found[:MOST]:
        # In a ticket of several alerts nobody knows whose figure it is.
        limit = None if several else _LIMIT.search(text) or _HOURS.search(text)
        value = None if several else _FIRED_AT.search(text)
        asks = _NEARER.get(question, (figure or question,))
        said = None if several else next((one for one in conditions(text) if one.asks in asks), None)
        if said is not None and limit is None:
            made.append(_of(match[0], said))
            continue
        made.append(
            Alert(
                name=match[0],
                question=question,
                threshold=float(limit["limit"]) if limit else None,
                is_share=bool(limit) and limit["unit"] == "%" if limit else False,
                value=float(value["value"]) if value else None,
                figure=figure, low=FIGURES[figure].low if figure else False,
            )
        )  # fmt: skip
    return tuple(made)


def _first(pattern: re.Pattern[str], text: str) -> Iterator[re.Match[str]]:
    if (match := pattern.search(text)) is not None:
        yield match


def _by_metric(text: str) -> Iterator[Alert]:
    """An alert of a rule whose name says nothing, by what it compares; one that can't be understood says so."""
    # Google's has the condition behind the policy.
    title = text.partition("\n")[0].partition(": ")[0].strip()
    found = list(conditions(text))
    if said := next((one for one in found if one.asks is not None), None):
        yield _of(title if _TITLE.fullmatch(title) else said.metric, said)
    elif found:
        yield Alert(name=title if _TITLE.fullmatch(title) else found[0].metric, question=Question.UNKNOWN,
                    figure=found[0].metric)  # fmt: skip
    elif _ALONE.fullmatch(title) and not title.endswith(_THROWN):
        yield Alert(name=title, question=Question.UNKNOWN)


def _of(name: str, said: Condition) -> Alert:
    """The alert of a condition that is understood."""
    value = said.limit
    question = said.asks if isinstance(said.asks, Question) else Question.FIGURE
    if question is Question.BACKUP and value is not None:
        # It's compared in seconds.
        value /= 3600
    if question is Question.NO_MASTER and not said.low and (value or 0) >= 1:
        question = Question.MASTERS
    if question is Question.CONNECTIONS and said.low:
        question = Question.FEW_CONNECTIONS
    return Alert(
        name=name, question=question, threshold=value, is_share=said.is_share,
        figure="" if isinstance(said.asks, Question) else str(said.asks), low=said.low, is_rate=said.is_rate,
    )  # fmt: skip


__all__ = ["MOST", "Alert", "Question", "alerts"]
