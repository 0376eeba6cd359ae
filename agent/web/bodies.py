"""The bodies of requests."""

from typing import Annotated, Literal

from pydantic import Field, JsonValue, StringConstraints

from agent.service.records import Verb
from tools.records import Record

Line = Annotated[str, StringConstraints(max_length=300)]
Name = Annotated[str, StringConstraints(max_length=200)]


class NewIncident(Record):
    """An incident to open, or to join or close if one with the same key is open."""

    title: Line = ""
    text: Annotated[str, StringConstraints(max_length=64_000)] = ""
    """What was reported."""
    target: Annotated[str, StringConstraints(min_length=1, max_length=500)] | None = None
    """A target's name in rediagnose.toml, or a URL without a password if URLs are allowed."""
    labels: Annotated[dict[Name, Name], Field(max_length=64, default_factory=dict)]
    """What may show which target is meant if it isn't named."""
    key: Annotated[str, StringConstraints(min_length=1, max_length=500)] | None = None
    """Requests with the same key belong to one incident while it's open; without it, each opens one."""
    ticket: dict[str, JsonValue] | None = None
    """In place of title, text and labels: a ticket or an alert as its service has it, as `annotate` takes it."""
    resolved: bool = False


class NewDecision(Record):
    """A decision about one exact change, as it was shown."""

    step: Annotated[str, StringConstraints(pattern=r"^s[0-9]{1,6}$")]
    verb: Verb
    action: Annotated[str, StringConstraints(min_length=1, max_length=8000)]
    """The step's action; for a roll-back, its rollback."""
    before: Annotated[str, StringConstraints(max_length=64_000)] | None = None
    """The step's value before."""


class NewFeedback(Record):
    """A judgement of an answer."""

    verdict: Literal["right", "wrong"]
    cause: Name | None = None
    note: Annotated[str, StringConstraints(max_length=4000)] = ""
