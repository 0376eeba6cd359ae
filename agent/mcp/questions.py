"""Questions to a person, each about one exact change, answered once, and only for a few minutes."""

import secrets
from typing import NamedTuple

from pydantic import BaseModel, Field

from agent.mcp.incidents import Wanted
from agent.remediation.approval import ApprovalRequest, answers
from tools.clock import Clock
from tools.errors import GateError
from tools.gate.apply import VALID_FOR

MOST = 1000
"""Questions that may be open; beyond that the oldest are forgotten."""


class Consent(BaseModel):
    """What a person types."""

    answer: str = Field(title="Answer", description="What the question asks for; anything else is no.", max_length=100)


class Asked(NamedTuple):
    """A question as it's put to a person."""

    request: ApprovalRequest
    code: str
    """Random: an answer to an earlier question, however alike, doesn't fit this one."""
    until: float
    """In the clock's monotonic seconds."""
    text: str


class Questions:
    """Open questions, by who asked and for what."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._open: dict[tuple[str, Wanted], Asked] = {}

    def ask(self, by: str, wanted: Wanted, request: ApprovalRequest, target: str) -> Asked:
        """The question about a change; the open one if nothing of it has changed."""
        known = self._open.get((by, wanted))
        if known is not None and known.request == request and self._is_valid(known):
            return known
        expired = known is not None and known.request == request
        code, until = secrets.token_hex(4), self._clock.monotonic() + VALID_FOR.total_seconds()
        asked = Asked(request, code, until, _text(request, target, code, expired=expired))
        self._open.pop((by, wanted), None)
        self._open[by, wanted] = asked
        while len(self._open) > MOST:
            del self._open[next(iter(self._open))]
        return asked

    def take(self, by: str, wanted: Wanted) -> ApprovalRequest:
        """What was asked; nobody gets it twice. Raises `GateError` if it expired or was never asked."""
        asked = self._open.pop((by, wanted), None)
        if asked is None:
            raise GateError(f"nothing was asked about {wanted.step}, or it was answered already; call apply again")
        if not self._is_valid(asked):
            minutes = VALID_FOR.total_seconds() / 60
            raise GateError(f"the question about {wanted.step} expired after {minutes:g} minutes; call apply again")
        return asked.request

    def _is_valid(self, asked: Asked) -> bool:
        return self._clock.monotonic() < asked.until


def is_yes(request: ApprovalRequest, said: str) -> bool:
    """Whether a person's answer approves a request."""
    return said.strip().lower() in answers(request)


def _text(request: ApprovalRequest, target: str, code: str, *, expired: bool) -> str:
    words = " or ".join(dict.fromkeys(word for word in answers(request) if word != "y"))
    verb = "undo" if request.takes_back else "apply"
    lines = ["The earlier question expired, so this asks again."] if expired else []
    return "\n".join([
        *lines, f"rediagnose asks to {verb} a change on {target}:", *request.lines(),
        f"Type {words} to {verb} it; anything else is no. (question {code})",
    ])  # fmt: skip
