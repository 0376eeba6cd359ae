"""Bugs on stderr: one line each, with where it was raised on request."""

import contextlib
import logging
import sys
from collections.abc import Iterator

from tools.errors import LOGGER
from tools.text import one_line


class BugLines(logging.Handler):
    """Prints each bug once; never an exception's own text, which may be untrusted or a secret."""

    def __init__(self, *, verbose: bool) -> None:
        super().__init__(logging.ERROR)
        self._verbose = verbose
        self._said: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        """Print one."""
        if (line := record.getMessage()) in self._said:
            return
        self._said.add(line)
        more = "" if self._verbose else " (-v shows where)"
        print(one_line(f"rediagnose: {line}{more}"), file=sys.stderr)
        if self._verbose:
            print(getattr(record, "frames", ""), end="", file=sys.stderr, flush=True)


@contextlib.contextmanager
def bug_lines(*, verbose: bool) -> Iterator[None]:
    """Bugs are printed within this context."""
    lines = BugLines(verbose=verbose)
    LOGGER.addHandler(lines)
    try:
        yield
    finally:
        LOGGER.removeHandler(lines)
