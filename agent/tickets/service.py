"""What every ticket service can do."""

from typing import Literal, Protocol

from tools.records import Record

Form = Literal["markdown", "jira", "adf", "text"]
"""How a comment is written: Markdown, Jira's wiki markup, Atlassian Document Format, plain text."""


class PostedComment(Record):
    """A comment that was written."""

    url: str
    """Where a person sees it."""
    updated: bool
    """Whether it replaced an earlier one."""


class Service(Protocol):
    """Where a ticket is, and its comments. Every method raises `ServiceError`."""

    form: Form
    """What its comments are written in."""
    limit: int
    """Most characters of one."""

    async def look(self) -> str | None:
        """Ask about the ticket, before anything else is done: its state in the service's word if it's over."""

    async def write(self, marker: str, body: str) -> PostedComment:
        """Write a comment, replacing our own with the marker, if there is one."""

    async def close(self) -> None:
        """Close its connections."""
