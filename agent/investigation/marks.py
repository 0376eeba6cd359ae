"""What an answer says about its own causes and proposals: what only the report supports, and what was refused."""

from collections.abc import Collection, Iterable, Mapping

from agent.answer.diagnosis import Cause
from agent.answer.open_points import Refused
from agent.evidence.view import CLIENT_ERRORS
from tools.records import Reading

REPORT = "r0"
"""The reading that holds what somebody said."""


def words_of(readings: Iterable[Reading]) -> frozenset[str]:
    """The readings of what somebody said: the report, errors found in it, what a team's own servers answered."""
    told = (one.id for one in readings if one.said_by is not None or one.tool == CLIENT_ERRORS)
    return frozenset((REPORT, *told))


def marked(causes: Iterable[Cause], readings: Iterable[Reading]) -> tuple[Cause, ...]:
    """Causes, each with whether nothing but somebody's words supports it."""
    words = words_of(readings)
    return tuple(cause.model_copy(update={"only_reported": only_reported(cause, words)}) for cause in causes)


def only_reported(cause: Cause, words: Collection[str]) -> bool:
    """Whether all that is proven of a cause is that somebody said so; `words` are the readings of that kind."""
    proven = {one.reading for one in cause.evidence if one.verified}
    return bool(proven) and proven <= set(words)


def refusals(reasons: Mapping[str, str]) -> tuple[Refused, ...]:
    """What was refused, by action, with the reason."""
    return tuple(Refused(action=action, why=why) for action, why in reasons.items())
