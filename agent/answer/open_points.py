"""What an answer leaves open or settles besides its causes: complaints, blind spots, and benign explanations."""

from typing import Literal

from tools.records import Kind, Record, Scalar

CANT_TELL = "Can't tell"
"""Prefix of the `unknown` line about what wasn't examined, where that is why no answer is given."""

KUBERNETES_SILENT = "Kubernetes couldn't be asked about the pod"
"""How the line of `unknown` begins that says why it wasn't heard."""
PASTED_THEN = "The paste shows"
"""How the line of `unknown` begins that tells of a fault in a paste which the server doesn't show now."""


class Evidence(Record):
    """One cited value."""

    reading: str
    """The reading's id."""
    field: str
    """The literal key among its values, or `unavailable`."""
    value: Scalar
    """The value as cited."""
    verified: bool = False
    """Whether code found that value in that field of that reading."""


AlertState = Literal["now", "over", "no", "unknown"]
"""Whether what an alert says is true now, was true, isn't true here as far as the readings go, or can't be told."""


class AlertAnswer(Record):
    """What an alert of a known rule asks, answered from the readings."""

    rule: str
    """The rule's name as the report has it."""
    state: AlertState
    told: str
    """The answer as a sentence that begins with the rule's name."""
    evidence: tuple[Evidence, ...]


class Refused(Record):
    """Something that was proposed or called but neither done nor included in the plan."""

    action: str
    why: str


class Complained(Record):
    """Something that is wrong according to a server's own words or figures."""

    what: str
    """For a person, as part of a sentence."""
    node: str | None
    evidence: tuple[Evidence, ...]
    """Where it was read, the decisive value first."""
    step: str = ""
    """What to do first about it, if no cause explains it; empty where that isn't known."""
    explained_by: str | None = None
    """The cause in the answer that cites the same value or is known to lead to it; null if none does."""


class Blind(Record):
    """Something that wasn't examined, and which of the causes that fit the symptom it would show."""

    what: str
    """For a person: what it is and why it wasn't read."""
    hides: tuple[str, ...]
    """Ids of the causes; all possible ones if a whole node wasn't seen."""
    reading: str
    """The tool that would have read it."""
    kind: Kind | None
    """Why it wasn't read; null if there was no time or budget left for it."""
    nodes: tuple[str, ...]
    """Where."""


class Pasted(Record):
    """What a person pasted in place of a server: it's as old as it is, and nobody knows what was left out."""

    what: tuple[str, ...]
    """Its pieces, such as INFO and SLOWLOG."""
    node: str | None
    """The server's address; null where it wasn't pasted."""
    at: str | None
    """When it was, as far as it tells: ISO 8601, UTC."""
    samples: int
    """How often INFO was pasted of one life of the server: with two there are rates, with one averages of its life."""
    seconds: float | None = None
    """Between the first and the last of them."""
    unrecognised: tuple[str, ...] = ()
    """What is in it and wasn't understood: where, and how it begins."""
    others: tuple[str, ...] = ()
    """Servers that are in it as well, and weren't looked at."""
    also: tuple[str, ...] = ()
    """The addresses of further servers that are in it and were looked at."""
    ask_for: tuple[str, ...] = ()
    """Lines for a shell whose output is missing most, the decisive one first."""

    @property
    def told(self) -> str:
        """Where the answer comes from, in a sentence."""
        whose = self.node or "a server whose address isn't in it"
        if self.also:
            whose += f" and of {len(self.also)} more server{'' if len(self.also) == 1 else 's'}"
        twice = f", twice within {self.seconds:,.0f} s" if self.samples > 1 and self.seconds else ""
        of = f"{', '.join(self.what)} of {whose}" if self.what else "nothing that was recognised"
        when = f" at {self.at[11:16]} UTC on {self.at[:10]}" if self.at else ", at an unknown time"
        return f"From a paste: {of}{when}{twice}; not a live look."


class Then(Record):
    """What a paste showed of the time before somebody looked at the server itself."""

    told: str
    """Where it's from, in a sentence."""
    causes: tuple[str, ...]
    """Ids of the causes that the paste shows."""
    meaning: str
    """The first of them in plain words; empty where there is none."""
    changed: tuple[str, ...]
    """What differs decisively, each as `then ..., now ...`."""


class ClientSays(Record):
    """What an error says that a client reports: a client's word, not a reading of the server."""

    told: str
    """In a sentence."""
    library: str
    """The client library, or `a client` where nothing names it."""
    stage: str
    """How far the command got: dns, connect, tls, auth, pool, send, reply, error-reply, redirect or closed."""
    side: str
    """Whom it accuses: client, network, server, or unclear."""
    weight: float
    """How surely, by this error alone."""
    evidence: tuple[Evidence, ...]


class Benign(Record):
    """Something that was read and explains the report although nothing is wrong."""

    what: str
    """A sentence for a person, with its figures."""
    evidence: tuple[Evidence, ...]
