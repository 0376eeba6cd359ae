"""`rediagnose runbooks`: list them, show one, check a folder of your own."""

import argparse
import sys
from pathlib import Path

from agent.runbooks import load
from tools.errors import UsageError


def runbooks(args: argparse.Namespace) -> int:
    """List, show or check. Raises `UsageError` for a name or folder that isn't there."""
    if args.verb == "check":
        if not args.name:
            raise UsageError("runbooks check: give the folder of your runbooks")
        books = [book for book in load(Path(args.name)).runbooks if book.path.is_relative_to(Path(args.name))]
        for book in books:
            print(f"{book.path}: {len(book.causes)} causes, ok")
        return 0
    library = load()
    if args.verb == "list":
        for book in library.runbooks:
            print(f"{book.name}: {book.title}")
            print("".join(f"  {cause}\n" for cause in book.causes), end="")
        return 0
    found = library.read(args.name or "")
    if found is None:
        known = ", ".join(known.name for known in library.runbooks)
        raise UsageError(f"runbooks show {args.name or ''}: there is no such runbook; there are {known}")
    sys.stdout.write(found.body.lstrip("\n"))
    return 0
