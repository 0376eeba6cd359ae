"""`rediagnose runbooks`: list them, show one, check them or a folder of your own."""

import argparse
import sys
from pathlib import Path

from agent.cli.program import ANSWERED, FAILED
from agent.runbooks.library import BUNDLED, load
from agent.runbooks.lint import lint
from tools.errors import UsageError


def runbooks(args: argparse.Namespace) -> int:
    """List, show or check. Raises `UsageError` for a name or folder that isn't there."""
    if args.verb == "check":
        return check(Path(args.name) if args.name else BUNDLED)
    library = load()
    if args.verb == "list":
        for book in library.runbooks:
            print(f"{book.name}: {book.title}")
            print("".join(f"  {cause}\n" for cause in book.causes), end="")
        return ANSWERED
    found = library.text(args.name or "")
    if found is None:
        known = ", ".join(known.name for known in library.runbooks)
        raise UsageError(f"runbooks show {args.name or ''}: there is no such runbook or cause; there are {known}")
    sys.stdout.write(found)
    return ANSWERED


def check(folder: Path) -> int:
    """Print what's wrong, a line each, and what was looked at; 1 if any of it is an error."""
    books, findings = lint(folder)
    for finding in findings:
        print(finding)
    wrong = {finding.file for finding in findings if finding.error}
    for book in books:
        if book.path not in wrong:
            print(f"{book.path}: {len(book.causes)} causes, ok")
    errors = sum(finding.error for finding in findings)
    if findings:
        print(f"{errors} errors, {len(findings) - errors} warnings")
    return FAILED if errors else ANSWERED
