"""What a provider's interface is asked for, and what it says: the same records whoever the provider is."""

from collections.abc import Mapping
from typing import Literal, NamedTuple, Protocol

from tools.records import Kind, Scalar

EventKind = Literal[
    "failover", "maintenance", "node-replaced", "patch", "scaling", "parameter-change", "backup", "other",
]  # fmt: skip
"""What an event of a provider is about. Announcements and whatever isn't recognised are `other`."""
Part = Literal["figures", "events", "settings", "updates", "log"]
"""What is asked for beside the resource itself; each may be refused on its own."""


class Window(NamedTuple):
    """The time that is asked about, in seconds since the epoch."""

    moment: float
    """When the problem was reported; now, unless a person said otherwise."""
    begins: float
    """The first moment of the figures."""
    ends: float
    """The last moment of everything; never in the future."""
    events_begin: float
    """The first moment of the events: what happened long before helps to see what is usual."""


class Point(NamedTuple):
    """A figure at a moment."""

    at: float
    value: float


class Figure(NamedTuple):
    """A figure over the window."""

    name: str
    """As the provider's documentation has it."""
    points: tuple[Point, ...]
    """In the order of time."""
    counts: bool = False
    """Whether each point is how often something happened since the one before; else it's a level."""
    node: str = ""
    """The node that it's of, where there are several."""


class Setting(NamedTuple):
    """A parameter of the service."""

    name: str
    value: str


class Event(NamedTuple):
    """What the provider did, or noticed."""

    at: float
    kind: EventKind
    event: str
    """A short name of this program's own, such as `failover-complete`: the provider's words aren't kept."""
    source: str = ""
    """The node or the resource that it's about."""


class Logged(NamedTuple):
    """A line of the server's log that was recognised."""

    at: float
    event: str
    """As `log_patterns.toml` calls it: the line itself isn't kept."""
    level: str


class Refused(NamedTuple):
    """A part that wasn't answered."""

    part: Part
    kind: Kind
    permission: str = ""
    """The permission it takes, as the provider's own policies write it; empty if that isn't the reason."""


class Found(NamedTuple):
    """What a provider says of a resource."""

    source: str
    """The provider: aws, azure or google."""
    service: str
    """The service's id in the table of managed services."""
    resource: str
    """The resource's own name."""
    facts: Mapping[str, Scalar] = {}
    """Of `values.FACTS`: status, node_type, update.status and the like."""
    figures: tuple[Figure, ...] = ()
    events: tuple[Event, ...] = ()
    settings: tuple[Setting, ...] = ()
    """Those that differ from the service's defaults, as far as it says."""
    logged: tuple[Logged, ...] = ()
    refused: tuple[Refused, ...] = ()


class Place(NamedTuple):
    """Where a managed server is."""

    service: str
    """The service's id in the table of managed services."""
    host: str
    named: str | None = None
    """The resource by its settings, where the address doesn't say."""
    profile: str | None = None
    """Of the provider's own configuration, where its settings name one."""


class Provider(Protocol):
    """A provider's interface, asked about one resource. Only read, and never asked again after a failure."""

    @property
    def what(self) -> str:
        """What is asked about, for a person."""

    async def prepare(self) -> None:
        """Load what asks, and find credentials, before anything is measured. Raises `Unanswered`."""

    async def look(self, window: Window, seconds: float) -> Found:
        """One look that takes at most so many seconds: a part that takes longer is refused, with the kind `timeout`.

        Raises `Unanswered` if the resource itself isn't found.
        """
