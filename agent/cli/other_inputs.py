"""What the options of the other commands mean; apart from those of a triage, whose start would wait for them."""

from pathlib import Path
from typing import Literal

from agent.cli.inputs import InvestigationInputs, PrintedInputs, SourceInputs
from agent.cli.place import Positionals, ServerInputs
from tools.records import Record


class ChatInputs(InvestigationInputs, Positionals):
    """`rediagnose chat`."""

    resume: str | None = None
    """A recording to resume, or `last` for the newest conversation."""
    approve: Literal["ask", "never"] = "ask"


class AnnotateInputs(PrintedInputs, ServerInputs):
    """`rediagnose annotate`."""

    format: Literal["text", "json", "markdown", "html", "jira", "adf"] = "markdown"
    ticket: str
    """A file, or - for stdin."""
    post: bool = False


class CaptureInputs(SourceInputs, Positionals):
    """`rediagnose capture`."""

    record: Path
    window: float = 2.0
    """Seconds between the two samples at the start."""
    duration: float = 20.0
    """Seconds after the first readings."""
    every: float = 2.0
    """Seconds between two samples of the vital signs."""
    deadline: float | None = None
    """Seconds for the whole; null for 90 and the duration."""


class ReplayInputs(Record):
    """`rediagnose replay`."""

    file: Path
    port: int | None = None
    """The port of the first node; null for a free one."""
    speed: float = 1.0
    """How fast the recording's time runs."""
    at: float | None = None
    """Seconds into the recording at which its time is stopped; null to let it run."""


class ChangeInputs(ServerInputs):
    """`rediagnose apply` and `rollback`."""

    command: Literal["apply", "rollback"]
    file: Path
    """A recording."""
    step: str
    """The step's id in its plan."""
    confirm: str | None = None
    """The exact action, as approval without a terminal."""
    format: Literal["text", "json"] = "text"
    window: float = 2.0
    """Seconds for each look before and after."""
    deadline: float = 90.0
    """Seconds until the question, and again for what is approved: the looks, and rolling it back if things got
    worse."""
    audit: Path | None = None


class AclInputs(ServerInputs):
    """`rediagnose acl`."""

    what: tuple[str, ...] = ()
    """The server, if no option names it."""
    check: bool = False
    kubernetes: bool = False
    """Whether the role for a Kubernetes cluster is printed instead."""
    aws: bool = False
    """Whether the policy for AWS is printed instead."""
    azure: bool = False
    """Whether the role for Azure is."""
    google: bool = False
    """Whether the role for Google Cloud is."""
    namespace: str | None = None
    """The namespace that it's for; null for `default`."""
    tier: Literal["reader", "key-reader", "writer"] | None = None
    format: Literal["text", "json"] = "text"
    deadline: float = 60.0
    """Seconds for everything the server is asked."""


class DoctorInputs(InvestigationInputs, ServerInputs):
    """`rediagnose doctor`."""

    what: tuple[str, ...] = ()
    """The server, if no option names it."""
    format: Literal["text", "json"] = "text"
    deadline: float | None = None
    """Seconds for the whole; null for the default."""
