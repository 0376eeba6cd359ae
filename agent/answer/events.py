"""Everything that happens in an investigation, as one stream of typed events."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Annotated, Any, Literal

from pydantic import Field, SkipValidation, TypeAdapter

from agent.answer.diagnosis import Cause, Diagnosis, Evidence, ModelUse, Step
from tools.records import Reading, Record
from tools.toolbox import PendingCall


class Started(Record):
    """An investigation began."""

    type: Literal["started"] = "started"
    target: str
    symptom: str
    model: str
    why_model: str
    """Why this model, or why no model."""


class ReadingBegun(Record):
    """A tool was called."""

    type: Literal["reading-begun"] = "reading-begun"
    begun: PendingCall


class ReadingTaken(Record):
    """A tool returned."""

    type: Literal["reading-taken"] = "reading-taken"
    reading: Reading


class ChecksMade(Record):
    """The checks ranked what they found."""

    type: Literal["checks-made"] = "checks-made"
    findings: tuple[Cause, ...]


class ModelAsked(Record):
    """A turn of the model began."""

    type: Literal["model-asked"] = "model-asked"
    turn: int
    endpoint: Annotated[str, Field(exclude=True)] = ""
    """Where it is sent, without anything secret; for those who listen, and not recorded."""


class ModelText(Record):
    """A piece of the model's text, as it streams."""

    type: Literal["model-text"] = "model-text"
    text: str


class ModelThought(Record):
    """A piece of the model's reported thinking, which isn't part of its answer."""

    type: Literal["model-thought"] = "model-thought"
    text: str


class ModelAnswered(Record):
    """A turn of the model ended."""

    type: Literal["model-answered"] = "model-answered"
    turn: int
    tool_calls: tuple[str, ...]
    use: ModelUse
    finish_reason: Annotated[str | None, Field(exclude=True)] = None
    sent: Annotated[SkipValidation[Sequence[Mapping[str, Any]]], Field(exclude=True, repr=False)] = ()
    """The messages as they were sent, which is the conversation itself: it goes on, so what is needed of it is taken at
    once. Like the endpoint it isn't recorded."""
    received: Annotated[SkipValidation[Mapping[str, Any] | None], Field(exclude=True, repr=False)] = None
    """The answer in the form of a message."""


class ModelRetried(Record):
    """The endpoint failed and will be asked again."""

    type: Literal["model-retried"] = "model-retried"
    attempt: int
    seconds: float
    """Seconds until it is asked again."""
    why: str


class ModelFailed(Record):
    """The model was abandoned; the checks' answer stands."""

    type: Literal["model-failed"] = "model-failed"
    why: str
    endpoint: bool = False
    """Whether its endpoint failed, which says nothing about the model."""


class ProposalForbidden(Record):
    """A proposed change that policy forbids; it never becomes a step."""

    type: Literal["proposal-forbidden"] = "proposal-forbidden"
    action: str
    why: str


class StepChanged(Record):
    """A step was put to a person, approved, refused, applied, verified, failed or rolled back."""

    type: Literal["step-changed"] = "step-changed"
    step: Step
    detail: str


class Question(Record):
    """What the person said in a conversation."""

    type: Literal["question"] = "question"
    text: str


class Reply(Record):
    """What the model replied."""

    type: Literal["reply"] = "reply"
    text: str
    cited: tuple[Evidence, ...] = ()
    """The values it cites, each with whether its reading has it."""


class Resumed(Record):
    """A recorded conversation is resumed."""

    type: Literal["resumed"] = "resumed"
    diagnosis: Diagnosis
    said: tuple[Question | Reply, ...]
    """What was said in it, in order."""


class Answered(Record):
    """The answer."""

    type: Literal["answered"] = "answered"
    diagnosis: Diagnosis


Event = Annotated[
    Started | ReadingBegun | ReadingTaken | ChecksMade | ModelAsked | ModelText | ModelThought | ModelAnswered
    | ModelRetried | ModelFailed | ProposalForbidden | StepChanged | Question | Reply | Resumed | Answered,
    Field(discriminator="type"),
]  # fmt: skip
Emit = Callable[[Event], None]


@cache
def _adapter() -> TypeAdapter[Event]:
    return TypeAdapter(Event)


def event_of(data: object) -> Event:
    """The event in a recording's JSON values. Raises `ValidationError`."""
    return _adapter().validate_python(data)


def of_toolbox(emit: Emit) -> Callable[[PendingCall | Reading], None]:
    """A toolbox's notifications, as events."""
    return lambda what: emit(ReadingTaken(reading=what) if isinstance(what, Reading) else ReadingBegun(begun=what))
