"""Lines on a stream: styled on a terminal, and plain where nobody would see a style."""

import os
import sys
from typing import Protocol

from tools.text import one_line

FORCED = ("FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE")
"""Variables by which a person asks for styles where there is no terminal; rich reads them."""


class Lines(Protocol):
    """What lines are printed on."""

    @property
    def is_terminal(self) -> bool:
        """Whether a person sees it as it comes."""

    def say(self, line: str, style: str | None = None) -> None:
        """Print one line, whatever ends of lines are in it."""


class PlainLines:
    """Lines without any style."""

    is_terminal = False

    def __init__(self, *, stderr: bool = False) -> None:
        self._stderr = stderr

    def say(self, line: str, style: str | None = None) -> None:
        """Print one line, whatever ends of lines are in it."""
        print(one_line(line), file=sys.stderr if self._stderr else sys.stdout)


def lines_on(*, stderr: bool = False) -> Lines:
    """The lines of stdout or stderr. What styles them is loaded for a terminal only."""
    stream = sys.stderr if stderr else sys.stdout
    if stream is None or (not stream.isatty() and not any(map(os.environ.get, FORCED))):
        return PlainLines(stderr=stderr)
    from agent.report.console import Console

    return Console(stderr=stderr)
