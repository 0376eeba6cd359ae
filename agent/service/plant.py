"""What incidents are investigated and answered with; made by whoever starts the service."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from agent.investigation.model_settings import ModelSettings
from agent.investigation.pipeline import Setup
from agent.runbooks.library import Library
from agent.tickets.notify import Webhook
from agent.tickets.service import Service as Comments
from agent.tickets.ticket import Ticket
from agent.tracing.listener import Listen, untraced
from tools.clock import Clock
from tools.connection.target import Target


class Talk(NamedTuple):
    """What questions are answered with."""

    model: ModelSettings
    library: Callable[[], Library]
    seconds: float
    """For one answer."""


@dataclass(frozen=True)
class Plant:
    """How a target is found, reached and examined, and where answers go. Each raises `UsageError` or `TicketError`."""

    meant: Callable[[Ticket, str | None], str]
    """The name of the target that a ticket, or the given name or URL, means; a URL without its secrets."""
    target: Callable[[str], Target]
    """The target of such a name, with its credentials."""
    setup: Callable[[Target, Ticket, str, Path], Setup]
    """An investigation of a ticket with its symptom, recorded in a new file."""
    talk: Callable[[], Talk]
    """What questions about an answer are answered with."""
    comments: Callable[[Ticket], Comments | None]
    """Where a ticket's comments are; null if it has none."""
    hooks: Callable[[], Sequence[Webhook]]
    """Where notifications go."""
    clock: Clock
    recordings: Path
    """The folder of the recordings."""
    audit: Path | None = None
    """The audit log; null for the default one."""
    window: float = 2.0
    """Seconds of each look before and after a change."""
    listen: Listen = untraced
    """Who else hears about the steps that are decided about; an investigation has its own."""
    link: str = ""
    """The page's address, to which an incident's id is added; empty for none."""
