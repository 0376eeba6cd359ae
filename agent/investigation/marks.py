"""What an answer says about its own causes and proposals: what only the report supports, and what was refused."""

from collections.abc import Iterable, Mapping

from agent.answer.diagnosis import Cause, Refused
from agent.evidence.view import CLIENT_ERRORS
from tools.records import Reading

REPORT = "r0"
"""The reading that holds what somebody said."""


def marked(causes: Iterable[Cause], readings: Iterable[Reading] = ()) -> tuple[Cause, ...]:
    """Causes, each with whether only the report supports it, or what was read out of it."""
    told = frozenset((REPORT, *(one.id for one in readings if one.tool == CLIENT_ERRORS)))
    return tuple(cause.model_copy(update={"only_reported": only_reported(cause, told)}) for cause in causes)


def only_reported(cause: Cause, told: frozenset[str] = frozenset((REPORT,))) -> bool:
    """Whether the only proof of a cause is that somebody said so."""
    proven = {one.reading for one in cause.evidence if one.verified}
    return bool(proven) and proven <= told


def refusals(reasons: Mapping[str, str]) -> tuple[Refused, ...]:
    """What was refused, by action, with the reason."""
    return tuple(Refused(action=action, why=why) for action, why in reasons.items())
