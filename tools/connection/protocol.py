"""The Redis protocol as seen by the rest: commands, replies, errors and what they mean."""

from collections.abc import Sequence
from typing import Any

from tools.records import Kind

Command = Sequence[str | int]


Reply = Any
"""A decoded reply: str, int, None, a list of these, or a `ServerError`."""


class ServerError(Exception):
    """An error that the server replied with; `text` is its whole line."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text

    @property
    def kind(self) -> Kind | None:
        """The kind of unavailability that this error means, or None."""
        head = self.text.split(" ", 1)[0]
        if head in _BY_HEAD:
            return _BY_HEAD[head]
        low = self.text.lower()
        return next((kind for part, kind in _BY_TEXT if part in low), None)


class MalformedReply(ServerError):
    """Replaces a reply that doesn't have its command's shape; `text` is in our own words."""

    @property
    def kind(self) -> Kind | None:
        return "malformed"


class NotPasted(ServerError):
    """Replaces a reply that a person didn't paste; `text` is in our own words."""

    @property
    def kind(self) -> Kind | None:
        return "not-pasted"


_BY_HEAD: dict[str, Kind] = {
    "NOAUTH": "noauth", "WRONGPASS": "wrongpass", "NOPERM": "denied", "DENIED": "protected", "BUSY": "busy",
    "LOADING": "loading", "MISCONF": "misconf",
}  # fmt: skip


_BY_TEXT: tuple[tuple[str, Kind], ...] = (
    ("max number of clients", "maxclients"),
    ("invalid password", "wrongpass"),
    ("operation not permitted", "noauth"),
    ("unknown command", "unknown-command"),
    ("unknown subcommand", "unknown-command"),
    ("syntax error", "unknown-command"),
)


GOODBYES: dict[Kind, str] = {
    "maxclients": "ERR max number of clients reached",
    "protected": "DENIED protected mode: a passwordless server takes connections from loopback only",
}
"""What a server writes before it closes, in our own words: a peer could write anything."""
