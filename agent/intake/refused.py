"""Why a webhook's request is refused, with the status that says so in HTTP."""

from enum import IntEnum

from tools.errors import RediagnoseError
from tools.records import Record


class Refusal(IntEnum):
    """The statuses of a refusal."""

    MALFORMED = 400
    """The body isn't JSON as it should be."""
    UNPROVEN = 401
    """Nothing proves the sender, or a password or token is wrong."""
    FORBIDDEN = 403
    """A signature is wrong, too old, or was received before."""
    UNKNOWN = 404
    """There is no webhook of this name."""
    TOO_LARGE = 413
    UNSUPPORTED = 415
    """The body is of another type, or encoded."""
    UNUSABLE = 422
    """JSON, but not what this kind of sender sends."""
    UNAVAILABLE = 503
    """What is needed to check the request can't be read here."""


class Refused(Record):
    """A request that leads to nothing."""

    status: Refusal
    why: str
    """In a sentence, without anything secret: for the response and the log."""
    here: str = ""
    """The same with the names of files and variables of this machine, for the log alone; empty where `why` says all."""
    challenge: str | None = None
    """The `WWW-Authenticate` of a 401; SNS sends its password only if it's asked."""


class RefusedError(RediagnoseError):
    """A request is refused."""

    def __init__(self, status: Refusal, why: str, challenge: str | None = None, *, here: str = "") -> None:
        super().__init__(why)
        self.refused = Refused(status=status, why=why, challenge=challenge, here=here)
