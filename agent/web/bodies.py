"""The bodies of requests, and of answers that the service's own records aren't."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, ConfigDict, Field, JsonValue, StringConstraints

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


class Body(Record):
    """What a request brings; what is said below a field is its description in /openapi.json."""

    model_config = ConfigDict(use_attribute_docstrings=True)


class NewIncident(Body):
    """An incident to open, or to join or close if one with the same key is open."""

    title: Line = ""
    """In one line; the beginning of `text` if it's left out."""
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
    """Whether it's over: the open incident with this key, or of this ticket, is closed."""


class NewDecision(Body):
    """A decision about one exact change, as it stands in the incident's `diagnosis.plan`: it's refused with status 409
    if the plan says something else by now."""

    model_config = ConfigDict(json_schema_extra={"examples": [
        {"step": "s1", "verb": "approve", "action": "CONFIG SET maxclients 10000", "before": "64"},
        {"step": "s1", "verb": "roll-back", "action": "CONFIG SET maxclients 64"},
    ]})  # fmt: skip

    step: Annotated[str, StringConstraints(pattern=r"^s[0-9]{1,6}$")]
    """The step's `id`."""
    verb: Verb
    """`roll-back` takes back a step that is applied or verified; the others decide about an open one."""
    action: Annotated[str, StringConstraints(min_length=1, max_length=8000)]
    """To approve or refuse, the step's `action`, word for word; for a roll-back, its `rollback`."""
    before: Annotated[str, StringConstraints(max_length=64_000)] | None = None
    """To approve or refuse, the step's `before`, null where that is null; a roll-back needs none."""


class NewFeedback(Body):
    """A judgement of an answer."""

    verdict: Literal["right", "wrong"]
    """Whether the answer was right."""
    cause: Annotated[Name, AfterValidator(_known)] | None = None
    """What it was: a cause's id, or `no-fault`, or `outside-redis`."""
    note: Annotated[str, StringConstraints(max_length=4000)] = ""
    """What else is worth knowing, such as what helped."""


class NewQuestion(Body):
    """A question about an answer."""

    text: Annotated[str, StringConstraints(min_length=1, max_length=MOST)]
    """In plain words."""


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
