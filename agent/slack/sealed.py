"""What a button or a dialog stands for, sealed: nobody can make one up, and it's worth nothing in another thread."""

import hashlib
import hmac
import json
from typing import Literal, Protocol

from pydantic import SecretStr, ValidationError

from agent.answer.diagnosis import Step
from agent.service.proposal import Kind, Proposal, proposal
from tools.errors import RediagnoseError
from tools.records import Record

What = Literal["evidence", "plan", "again", "wrong", "decide", "roll-back"]
_LENGTH = 32


class Forged(RediagnoseError):
    """A value that this program didn't issue."""


class Place(Record):
    """A thread of a channel."""

    team: str
    channel: str
    thread: str


class Sealed(Record):
    """What a button or a dialog was issued for."""

    what: What
    place: Place
    incident: str = ""
    step: str = ""
    mark: str = ""
    """A digest of the exact change."""
    user: str = ""
    """Whom a dialog was opened for."""
    at: float = 0.0
    """When it was."""


class Sealing(Protocol):
    """Seals what the buttons of one message stand for."""

    def __call__(self, what: What, step: str = "", mark: str = "") -> str:
        """The value of a button."""


class Seals:
    """Seals values with a key that every process with the same bot token has."""

    def __init__(self, token: SecretStr) -> None:
        self._key = hashlib.sha256(f"rediagnose buttons {token.get_secret_value()}".encode()).digest()

    def seal(self, one: Sealed) -> str:
        """A text that stands for it."""
        text = json.dumps(one.model_dump(), separators=(",", ":"))
        return f"{self._mac(text)}{text}"

    def opened(self, text: str) -> Sealed:
        """What a text stands for. Raises `Forged`."""
        mac, said = text[:_LENGTH], text[_LENGTH:]
        if not hmac.compare_digest(mac.encode(), self._mac(said).encode()):
            raise Forged("this button isn't one of rediagnose's, or its token was changed since")
        try:
            return Sealed.model_validate_json(said)
        except ValidationError:
            raise Forged("this button is of another version; ask for another look") from None

    def sealing(self, place: Place, incident: str) -> Sealing:
        """Seals the buttons of an incident's message."""

        def sealed(what: What, step: str = "", mark: str = "") -> str:
            return self.seal(Sealed(what=what, place=place, incident=incident, step=step, mark=mark))

        return sealed

    def _mac(self, text: str) -> str:
        return hmac.new(self._key, text.encode(), hashlib.sha256).hexdigest()[:_LENGTH]


def mark_of(made: Proposal) -> str:
    """A digest of one exact change: another value, or another one before, has another."""
    change = made.request.change
    return hashlib.sha256(json.dumps([change.node, made.action, made.before]).encode()).hexdigest()[:24]


def offered(step: Step, kind: Kind) -> Proposal | None:
    """What may be decided about a step; null if nothing."""
    made = proposal(step, kind) if step.needs_approval else None
    return made if isinstance(made, Proposal) else None
