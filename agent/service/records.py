"""What the service keeps: submissions, incidents, their events, the decisions and the feedback about them."""

from datetime import datetime
from typing import Literal

from agent.answer.diagnosis import Diagnosis
from agent.tickets.ticket import Ticket
from tools.records import Record

State = Literal["queued", "looking", "answered", "unanswered", "closed"]
"""`unanswered`: nothing could be answered, for the reason in `problem`."""
Role = Literal["reader", "approver", "sender"]
"""`sender` may only submit; an approver may also read, a reader may not approve."""
Verb = Literal["approve", "refuse", "roll-back"]


class Person(Record):
    """Who asks, as established by a token or by the identity provider; a request's own words never say."""

    name: str
    roles: frozenset[Role]


class Submission(Record):
    """One alert, ticket or question, with everything in it already bounded and checked."""

    ticket: Ticket
    key: str
    """What identifies it to its sender: submissions with the same source and key belong to one incident while it's
    open."""
    target: str | None = None
    """A target's name in rediagnose.toml, or a URL if URLs are allowed; null to take it from the ticket's labels."""
    resolved: bool = False
    """Whether it says that the alert no longer fires, which closes the incident."""
    by: str
    """The name of the sender, for the audit log."""


class Submitted(Record):
    """What became of a submission."""

    incident: str | None
    """Null if it closes an incident that isn't known."""
    new: bool
    """Whether it opened an incident; otherwise it joined one, or closed it."""


class Incident(Record):
    """An incident as it stands."""

    id: str
    source: str
    key: str
    target: str
    """The target's name, or its URL without secrets."""
    title: str
    symptom: str
    """As the investigation got it."""
    state: State
    opened_at: datetime
    updated_at: datetime
    closed_at: datetime | None = None
    closed_by: str | None = None
    alerts: int = 1
    """How many submissions joined it."""
    diagnosis: Diagnosis | None = None
    problem: str | None = None
    """Why nothing could be answered."""
    posted: str | None = None
    """The URL of the comment that was written."""
    recording: str | None = None
    """The recording's name in the folder of recordings."""
    feedback: tuple["Feedback", ...] = ()


class NumberedEvent(Record):
    """One event of an incident, in the order in which they were stored; the stream of events resumes by number."""

    number: int
    at: datetime
    kind: str
    """The type of an event of the investigation, or one of the service's own: submitted, joined, decided, posted,
    closed, feedback, failed, question, reply-text, reply."""
    data: str
    """The event as JSON."""


class Decision(Record):
    """A person's decision about one exact change."""

    step: str
    verb: Verb
    action: str
    """The change as it was shown, word for word; a decision about anything else counts for nothing."""
    before: str | None
    """The value read before, as it was shown."""
    by: str
    channel: str = "service"
    """Through what it was given, for the audit log."""


class Feedback(Record):
    """A person's judgement of an answer."""

    by: str
    at: datetime
    verdict: Literal["right", "wrong"]
    cause: str | None = None
    """What it was, a cause's id."""
    note: str = ""


class Query(Record):
    """Which incidents are asked for; newest first."""

    open: bool | None = None
    target: str | None = None
    cause: str | None = None
    text: str | None = None
    """Words that occur in its title, symptom, target or summary."""
    before: str | None = None
    """The id of the last incident of the previous page."""
    limit: int = 50
