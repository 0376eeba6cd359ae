"""The bodies of requests, and of answers that the service's own records aren't."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, JsonValue, StringConstraints

from agent.answer.taxonomy import CAUSES, WELL
from agent.service.questions import MOST
from agent.service.records import Incident, State, Submitted, Verb
from tools.records import Record

Line = Annotated[str, StringConstraints(max_length=300)]
Name = Annotated[str, StringConstraints(max_length=200)]


def _known(cause: str) -> str:
    if cause not in CAUSES and cause not in WELL:
        raise ValueError("not the id of a cause, nor no-fault, nor outside-redis")
    return cause


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
    cause: Annotated[Name, AfterValidator(_known)] | None = None
    """What it was: a cause's id, or `no-fault`, or `outside-redis`."""
    note: Annotated[str, StringConstraints(max_length=4000)] = ""


class NewQuestion(Record):
    """A question about an answer."""

    text: Annotated[str, StringConstraints(min_length=1, max_length=MOST)]


class Delivered(Record):
    """What became of a webhook's request."""

    incidents: tuple[Submitted, ...] = ()
    """One for each alert that was taken in."""
    refused: tuple[str, ...] = ()
    """Why others were not."""


class Earlier(Record):
    """An earlier incident of the same target."""

    id: str
    opened_at: datetime
    title: str
    state: State
    causes: tuple[str, ...]
    summary: str | None


def earlier(one: Incident) -> Earlier:
    """An incident as it's shown beside a later one."""
    answer = one.diagnosis
    return Earlier(
        id=one.id, opened_at=one.opened_at, title=one.title, state=one.state,
        causes=tuple(cause.id for cause in answer.causes) if answer else (), summary=answer.summary if answer else None,
    )  # fmt: skip
