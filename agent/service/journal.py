"""Lines on stderr for whoever keeps the service's journal."""

import sys

from tools.text import one_line


def say(line: str) -> None:
    """Print a line; what others wrote in it can't control a terminal."""
    print(one_line(f"rediagnose: {line}"), file=sys.stderr, flush=True)


def why(error: BaseException) -> str:
    """The first line of an error: a database's contains the statement below it."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)[:300]
