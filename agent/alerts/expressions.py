"""What an alert's own expression or condition compares: the metric, the direction and the limit."""

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from agent.alerts.metrics import AZURE, CLOUDWATCH, DATADOG, GCLOUD, GOOGLE, PROMETHEUS
from agent.alerts.questions import Question
from tools.patterns import deferred

_CLOUDWATCH = deferred(r"\bAWS/(?:ElastiCache|MemoryDB) (?P<name>[A-Za-z]{3,60})\b")
_AZURE = deferred(r"\b(?:all)?(?P<name>[a-z]{6,40})(?= (?:Greater|Less)Than)")
_GOOGLE = deferred(rf"{re.escape(GOOGLE)}(?P<name>[a-z_/]{{3,60}})(?![\w/])")
_DATADOG = deferred(r"(?<![\w./-])(?P<name>redis\.[a-z]{1,20}(?:\.[a-z_]{1,40}){1,2}|redis\.can_connect)(?![\w-])")
_PROMETHEUS = deferred(r"(?<![\w./:-])(?P<name>redis_[a-z0-9_]{2,60})(?=[\s{)\[/*+<>=!-]|$)")
_OPERATOR = (
    r"(?P<sign>>=?|<=?|==|!=)|(?P<over>GreaterThan(?:OrEqual)?|(?:above|greater than)(?: or equal to)? the threshold"
    r"(?: of)?)|(?P<under>LessThan(?:OrEqual)?|(?:below|less than)(?: or equal to)? the threshold(?: of)?)"
)
_COMPARED = deferred(
    rf"(?:{_OPERATOR})\s{{0,3}}\(?(?P<limit>-?\d{{1,18}}(?:\.\d{{1,9}})?(?:e\d{{1,2}})?(?:\s?\*\s?\d{{1,12}}){{0,4}})"
)
_RATE = deferred(r"\b(?:i?rate|per_second)\(")
_PERCENT = deferred(r"\*\s?100\b")
_IN_HOURS = deferred(r"\)\s?/\s?(?P<seconds>60|3600|86400)\b")
_DIVIDES = deferred(r"\)?\s?/\s?[\w(]")
_LINE = 500
"""Characters of a line that are looked at."""
LINES = 60


class Condition(NamedTuple):
    """One comparison in an alert's text."""

    metric: str
    asks: Question | str | None
    """What it asks, or which figure; null for a metric that isn't known here."""
    limit: float | None = None
    """As it stands there."""
    low: bool = False
    """Whether it fires below the limit."""
    is_share: bool = False
    """Whether the limit is in percent of something."""
    is_rate: bool = False
    """Whether the limit is per second."""


def conditions(text: str) -> Iterator[Condition]:
    """The comparisons in a text, a line each."""
    lines = [line[:_LINE] for line in text.splitlines()[:LINES]]
    for number, line in enumerate(lines):
        if (found := _named(line)) is None:
            continue
        metric, asks = found
        # CloudWatch and Google write the metric in one line, and the limit in the next.
        after = " ".join(lines[number : number + 3])
        compared = _COMPARED.search(line) or _COMPARED.search(after)
        if compared is None:
            yield Condition(metric, asks)
            continue
        limit = _product(compared["limit"])
        if compared_in := _IN_HOURS.search(line):
            limit *= float(compared_in["seconds"])
        divides = bool(_DIVIDES.search(line)) and metric.startswith("redis_")
        percent = bool(_PERCENT.search(line)) or _is_percent(metric)
        if divides and not percent and 0 < limit <= 1:
            limit, percent = limit * 100, True
        if metric.startswith(GOOGLE) and metric.endswith(("_ratio", "utilization")) and 0 < limit <= 1:
            limit, percent = limit * 100, True
        sign = compared["sign"] or ""
        low = bool(compared["under"]) or sign.startswith("<") or (sign == "==" and limit == 0)
        yield Condition(metric, asks, limit, low, percent, bool(_RATE.search(line)))


def _product(text: str) -> float:
    product = 1.0
    for factor in text.split("*"):
        product *= float(factor)
    return product


def _is_percent(metric: str) -> bool:
    return metric.lower().endswith(("percentage", "utilization", "hitrate", "serverload", "missrate"))


def _named(line: str) -> tuple[str, Question | str | None] | None:
    """The metric of a line that says most about what is asked, and what it asks."""
    for pattern, table, before in (
        (_CLOUDWATCH, CLOUDWATCH, "AWS "), (_GOOGLE, GCLOUD, GOOGLE), (_AZURE, AZURE, ""), (_DATADOG, DATADOG, ""),
        (_PROMETHEUS, PROMETHEUS, ""),
    ):  # fmt: skip
        names = [match["name"] for match in pattern.finditer(line)]
        known = [name for name in table if name in names]
        if known:
            return f"{before}{known[0]}", table[known[0]]
        if names and (pattern is not _AZURE) and _COMPARED.search(line):
            return f"{before}{names[0]}", None
        if names and pattern in (_CLOUDWATCH, _GOOGLE):
            return f"{before}{names[0]}", None
    return None


def by_tables() -> Mapping[str, Question | str]:
    """Every metric that is known, by its name as it's written."""
    return {
        **PROMETHEUS,
        **DATADOG,
        **CLOUDWATCH,
        **AZURE,
        **{f"{GOOGLE}{name}": asks for name, asks in GCLOUD.items()},
    }
