"""The typed options of the commands that set the program up without talking to a server."""

from pathlib import Path
from typing import Literal

from agent.cli.parsing import Parser
from tools.records import Record


class RunbooksInputs(Record):
    """`rediagnose runbooks`."""

    verb: Literal["list", "show", "check", "new"]
    name: str | None = None
    """A runbook or a cause; a folder to check."""


class TrustInputs(Record):
    """`rediagnose trust`."""

    file: Path | None = None
    """A file of settings; null for this folder's."""
    revoke: bool = False
    list: bool = False


class NoInputs(Record):
    """A command without arguments."""


class CompletionInputs(Record, arbitrary_types_allowed=True):
    """`rediagnose completion`."""

    shell: Literal["bash", "zsh", "fish"]
    root: Parser
    """The parser of all commands."""
