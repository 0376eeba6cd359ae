"""What an answer leaves open, or settles, beside its causes: complaints, what wasn't seen, and what is no fault."""

from tools.records import Kind, Record, Scalar

CANT_TELL = "Can't tell"
"""How the line of `unknown` begins that names what wasn't looked at, where that is why no answer is given."""


class Evidence(Record):
    """One cited value."""

    reading: str
    """Id of the reading."""
    field: str
    """Literal key of its values, or `unavailable`."""
    value: Scalar
    """The value as cited."""
    verified: bool = False
    """Whether code found that value in that field of that reading."""


class Complained(Record):
    """Something that is wrong by a server's own words or figures."""

    what: str
    """For a person, as a part of a sentence."""
    node: str | None
    evidence: tuple[Evidence, ...]
    """Where it was read, the decisive value first."""
    explained_by: str | None = None
    """The cause among those of the answer that rests on the same value; null where none does."""


class Blind(Record):
    """Something that wasn't looked at, and which of the causes that fit the symptom it would show."""

    what: str
    """For a person: what it is and why it wasn't read."""
    hides: tuple[str, ...]
    """Ids of the causes; all that could be there where a whole node wasn't seen."""
    reading: str
    """The tool that would have read it."""
    kind: Kind | None
    """Why it wasn't read; null where there was no time or no budget left for it."""
    nodes: tuple[str, ...]
    """Where."""


class Benign(Record):
    """Something that was read and that explains what was reported, though nothing is wrong."""

    what: str
    """A sentence for a person, with its figures."""
    evidence: tuple[Evidence, ...]
