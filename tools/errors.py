"""Everything that can go wrong here.

RediagnoseError
  UsageError        the person's input is wrong: exit status 2
  ToolError         a tool was called wrongly; the text goes back to whoever called it
    Absent          what it's about isn't there
    BudgetSpent     the incident's limit on commands, pings, bytes or time is reached
    Unanswered      the server or the host gave no answer: becomes `unavailable` with its kind
  GateError         a change was stopped
    Forbidden       policy forbids it, whoever asks
    Moved           the value is not the one that the approval was given for
    Unlogged        it can't be logged, so it isn't done
"""

import logging
import traceback
from collections.abc import Mapping
from pathlib import PurePath

from tools.records import Kind, Record, Scalar

LOGGER = logging.getLogger("rediagnose")
"""Receives every unexpected exception. A program that embeds this one may listen; otherwise nothing is printed."""
LOGGER.addHandler(logging.NullHandler())


class RediagnoseError(Exception):
    """The root of what this program raises on purpose."""


class UsageError(RediagnoseError):
    """Wrong input from a person; the message names the value and the remedy."""


class ToolError(RediagnoseError):
    """A tool can't do what was asked; the message says what to do instead."""


class Absent(ToolError):
    """The server has no such parameter, or no longer has such a client."""


class BudgetSpent(ToolError):
    """The incident's limit is reached; nothing more is sent to the server."""


class Unanswered(ToolError):
    """No answer, and why, as a kind. `values` holds what was read before the failure."""

    def __init__(self, kind: Kind, detail: str, values: Mapping[str, Scalar] | None = None) -> None:
        super().__init__(f"{kind}: {detail}")
        self.kind: Kind = kind
        self.detail = detail
        self.values: dict[str, Scalar] = dict(values or {})


class Bug(Record):
    """An unexpected exception and its place: it's reported in the answer, which stands without that part."""

    where: str
    """The tool or the check."""
    what: str
    """The exception's type and the line of this program that raised it, without its text, which may be untrusted."""

    def __str__(self) -> str:
        return f"a bug of rediagnose in {self.where}: {self.what}"


def bug(where: str, error: BaseException) -> Bug:
    """The line about an unexpected exception; the logger `rediagnose` gets it too, with where it was raised."""
    last = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    at = f" at {PurePath(last.tb_frame.f_code.co_filename).name}:{last.tb_lineno}" if last else ""
    found = Bug(where=where, what=f"{type(error).__name__}{at}")
    LOGGER.error("%s", found, extra={"frames": "".join(traceback.format_tb(error.__traceback__))})
    return found


class GateError(RediagnoseError):
    """A change was stopped before it reached the server, or was refused by it."""


class Forbidden(GateError):
    """Policy forbids this change; no approval can lift that."""


class Moved(GateError):
    """The value read just before the change isn't the one that was approved against."""


class Unlogged(GateError):
    """A change or its outcome can't be logged; the message names the file."""
