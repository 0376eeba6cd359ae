"""Whether a change is what a runbook's `avoid` warns against."""

import math
import re
from fnmatch import fnmatchcase

from tools.gate.bounds import size
from tools.gate.policy import Change
from tools.patterns import deferred

_CLAUSES = deferred(r",? or |, (?=which\b)")
_TERMS = deferred(r"[a-z0-9*][a-z0-9_*-]*[a-z0-9*]|[a-z0-9]")
_MORE = deferred(r"\b(?:higher|larger|longer|more|rais\w+|increas\w+)\b")
_LESS = deferred(r"\b(?:lower|shorter|smaller|lower\w+|reduc\w+)\b")
_OFF = deferred(r"\b(?:remov\w+|switching)\b")
_PARTLY = deferred(r"^only\b|\balone\b|^trusting\b")
"""A warning that applies only if nothing else is done."""


def warned(change: Change, avoid: str) -> bool:
    """Whether the warning is about this change: its parameter in this direction or to this value, or its command."""
    head = re.split(r"[;:]", avoid.lower())[0]
    clauses = (clause.strip(" .,") for clause in _CLAUSES.split(head))
    return any(_means(change, clause) for clause in clauses if not _PARTLY.search(clause))


def _means(change: Change, clause: str) -> bool:
    terms = _TERMS.findall(clause)
    if change.parameter is None:
        return re.search(rf"(?<![\w-]){re.escape(' '.join(change.args).lower())}(?![\w-])", clause) is not None
    name, value = change.parameter.lower(), change.args[3].lower()
    by_value = len(value) > 3 and any(fnmatchcase(value, term) for term in terms if len(term) > 3)
    if by_value and (name in terms or not re.fullmatch(r"[\d.]+[kmgb]*", value)):
        return True
    if name not in terms:
        return False
    if terms == [name] or clause in (f"{name} {value}", f"{name} {value} as the fix"):
        return True
    if value == "no" and _OFF.search(clause):
        return True
    before, after = _amount(name, change.before or ""), _amount(name, value)
    if before is None or after is None:
        return False
    return bool((after > before and _MORE.search(clause)) or (after < before and _LESS.search(clause)))


def _amount(name: str, value: str) -> float | None:
    # A limit of 0 means no limit.
    return math.inf if name == "maxmemory" and value == "0" else size(value)
