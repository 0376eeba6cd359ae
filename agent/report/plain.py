"""Lines on a stream: styled on a terminal, plain where nobody would see a style."""

import os
import sys
from typing import Protocol

from tools.text import one_line

FORCED = ("FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE")
"""Variables with which a person requests styles without a terminal; rich reads them."""


class Lines(Protocol):
    """Something that lines are printed to."""

    @property
    def is_terminal(self) -> bool:
        """Whether a person sees the output as it appears."""

    def say(self, line: str, style: str | None = None) -> None:
        """Print one line, whatever line breaks it contains."""


class PlainLines:
    """Lines without any style."""

    is_terminal = False

    def __init__(self, *, stderr: bool = False) -> None:
        self._stderr = stderr

    def say(self, line: str, style: str | None = None) -> None:
        """Print one line, whatever line breaks it contains."""
        print(one_line(line), file=sys.stderr if self._stderr else sys.stdout)


def lines_on(*, stderr: bool = False) -> Lines:
    """The lines of stdout or stderr. Styling is loaded only for a terminal."""
    stream = sys.stderr if stderr else sys.stdout
    if stream is None or (not stream.isatty() and not any(map(os.environ.get, FORCED))):
        return PlainLines(stderr=stderr)
    from agent.report.console import Console

    return Console(stderr=stderr)
