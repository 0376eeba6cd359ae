"""What a check is."""

from collections.abc import Callable, Iterator, Mapping

from agent.answer.diagnosis import Cause, RuledOut
from agent.evidence.view import View

Limits = Mapping[str, float]
"""Thresholds by name, from the bundled runbooks."""
Found = Iterator[Cause | RuledOut]
Check = Callable[[View, Limits], Found]
"""Yields what the readings speak for, and what they speak against."""
Consequences = Mapping[str, Mapping[str, float]]
"""What a cause brings with it: present, it explains the other away by this factor."""
