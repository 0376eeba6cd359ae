"""What every ticket service can do."""

from typing import Literal, Protocol

from tools.records import Record

Form = Literal["markdown", "jira", "adf", "text"]
"""The format of a comment: Markdown, Jira's wiki markup, Atlassian Document Format, plain text."""


class PostedComment(Record):
    """A comment that was written."""

    url: str
    """Where a person sees it."""
    updated: bool
    """Whether it replaced an earlier one."""


class Service(Protocol):
    """Where a ticket is, and its comments. Every method raises `ServiceError`."""

    form: Form
    """The format of its comments."""
    limit: int
    """Most characters of a comment."""

    async def look(self) -> str | None:
        """Look up the ticket before anything else is done: its state in the service's word if it's closed."""

    async def write(self, marker: str, body: str) -> PostedComment:
        """Write a comment, replacing our own comment with the marker if there is one."""

    async def close(self) -> None:
        """Close its connections."""
